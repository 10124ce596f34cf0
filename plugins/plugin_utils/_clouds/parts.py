# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of a cloud's set-up that the tags of a run choose.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import (
    CONFIG,
    MAPPING,
    OF_BUCKET,
    PASS_ROLE,
    PROFILE,
    TRUST,
)

# By tag, as on the tasks of the role cloud_iam.
_STAGES = {
    "trust": (TRUST,),
    "bucket": OF_BUCKET,
    "compute_config": (PROFILE, CONFIG),
    "iam_mapping": (PROFILE, MAPPING),
    "cloud_role": (PROFILE,),
    "pass_role": (PASS_ROLE,),
}
# Those of Ansible itself. Tasks with "always" run with any tag.
_ALL = {"all", "always", "tagged"}
_NONE = {"never", "untagged"}


def chosen_stages(
    tags: t.Collection[str] | None, skipped: t.Collection[str] | None = None
) -> list[str]:
    """The kinds of resources for the tags of the command line. Raises for an unknown one: the run
    would do nothing, and look like one with nothing to do.
    """
    tags, skipped = tags or ("all",), skipped or ()
    for tag in (*tags, *skipped):
        if tag not in {*_STAGES, *_ALL, *_NONE}:
            raise InputError(
                f"{tag!r} is not a tag of this playbook.", f"Use {', '.join(sorted(_STAGES))}."
            )
    chosen = [
        stage
        for tag, stages in _STAGES.items()
        if _includes(tags, tag) and not _includes(skipped, tag)
        for stage in stages
    ]
    if not chosen:
        raise InputError(
            "The tags of the command line choose nothing to do.",
            f"Use {', '.join(sorted(_STAGES))}.",
        )
    return list(dict.fromkeys(chosen))


def stages_of_role(
    own: t.Collection[str], tags: t.Collection[str], skipped: t.Collection[str]
) -> list[str]:
    """The kinds of resources that the role cloud_iam converges for the tags of the command line.

    own: the tags with which a playbook applies the role, which all its tasks have.
    """
    parts = {tag: {tag, *own} for tag in _STAGES}
    return [
        stage
        for tag, names in parts.items()
        if any(_includes(tags, name) for name in names)
        and not any(_includes(skipped, name) for name in names)
        for stage in _STAGES[tag]
    ]


def _includes(tags: t.Collection[str], tag: str) -> bool:
    """Whether these tags of the command line mean a task with a tag."""
    return tag in tags or bool(_ALL.intersection(tags) - {"always"})

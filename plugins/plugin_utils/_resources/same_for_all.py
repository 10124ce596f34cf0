# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Resources of which clouds that share them must want the same.

This plugin util is private to the collection.
"""

from __future__ import annotations

import abc
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    PREFIX,
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError, TaskError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import (
    Cloud,
    Resource,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.services import (
    TO_ANYSCALE,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import (
    CONFIG,
    MAPPING,
    PROFILE,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import summarize_names

_WORDS = {PROFILE: "instance profile", CONFIG: "compute config", MAPPING: "Cloud IAM mapping"}


class SameForAll(Resource):
    """A resource of which clouds that share it must want the same."""

    def contradictions(self) -> dict[Cloud, TaskError]:
        """All the clouds, if they do not want the same."""
        wants = {cloud: self._want(cloud) for cloud in self.clouds}
        first, *others = wants.values()
        differing = [key for key in first if any(want[key] != first[key] for want in others)]
        if not differing:
            return {}
        names = summarize_names([cloud.name for cloud in self.clouds])
        error = InputError(
            f"{names} have the same {_WORDS[self.stage]}, and want different things of it: they "
            f"differ in {', '.join(differing)}.",
            "Give each of these clouds its own, or the same variables.",
        )
        return dict.fromkeys(wants, error)

    @abc.abstractmethod
    def _want(self, cloud: Cloud) -> dict[str, t.Any]:
        """What the cloud wants, by the names of what says so. The values may be secrets."""

    def _first(self, clouds: t.Sequence[Cloud]) -> CloudSettings:
        """What each of the clouds wants, which is the same."""
        return self.wants_of(clouds)[0]


def to_anyscale(settings: CloudSettings) -> dict[str, t.Any]:
    """How a cloud connects to Anyscale. What several hosts want of one cloud is written once, and
    must not be written with the token of one of them for all.
    """
    return {f"{PREFIX}{name}": settings.connection.get(name) for name in TO_ANYSCALE}

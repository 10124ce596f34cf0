# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a change is one of those that a plan file shows.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import RefusedError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._survey import check_mode
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.digests import (
    Change,
    Digester,
    Digests,
    Step,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.states import (
    FAILED,
    WOULD_CHANGE,
)

# Why a change is refused, in the details of the error.
BEFORE_DIFFERS, AFTER_DIFFERS, NOT_IN_PLAN = "before_differs", "after_differs", "not_in_plan"
MADE_BEFORE = "made_before"


class Binding:
    """A plan file that a run is bound to.

    made: the changes that earlier runs made by it, by document and cloud, and when. on_made: what to do
    with a change that this run makes. unrecorded: the documents of such changes that later runs will not
    know of.
    """

    def __init__(self, content: t.Mapping[str, t.Any], key: bytes) -> None:
        self._content = content
        self._digester = Digester(key, content["salt"])
        self.clouds: t.Mapping[str, str] = content["clouds"]
        self.made: t.Mapping[tuple[str, str], str] = {}
        self.on_made: t.Callable[[str, tuple[str, ...]], None] = _ignore
        self.unrecorded: t.Sequence[str] = ()

    @property
    def salt(self) -> str:
        """What no other plan has."""
        return str(self._content["salt"])

    @property
    def made_at(self) -> str:
        """When the plan was made."""
        return str(self._content["made_at"])

    @property
    def summary_sha256(self) -> str:
        """The digest of the summary that was written with it."""
        return str(self._content["summary_sha256"])

    def check(self, step: Step, wanting: t.Collection[str] = ()) -> None:
        """Raise unless the plan shows this change of a document, from this state, for these clouds.
        wanting: others whose wants are part of it.
        """
        entry = self._content["documents"].get(step.document, {"clouds": {}})
        of_clouds = {cloud: Change.of_json(one) for cloud, one in entry["clouds"].items()}
        for cloud in step.clouds:
            if cloud not in of_clouds:
                raise self._not_planned(step.document, cloud)
            if when := self.made.get((step.document, cloud)):
                raise _refused(
                    f"The change of the {step.document} was made {when}, and is to be made again: it was "
                    "rolled back, or another writer changed the document. A plan is applied once.",
                    MADE_BEFORE,
                )
        shared = Change.of_json(entry["shared"])
        own = _together(of_clouds[cloud] for cloud in step.clouds)
        others = _together(one for cloud, one in of_clouds.items() if cloud not in step.clouds)
        wanted = _together(one for cloud, one in of_clouds.items() if cloud in wanting)
        before = self._digester.of(step.document, step.before, step.arns)
        after = self._digester.of(step.document, step.after, step.arns)
        # What other clouds of the plan change as well may be done already
        exclusive = own - (others | shared)
        if not self._has_unchanged(step.document, before) or not exclusive.is_pending_in(before):
            raise _refused(
                f"The {step.document} is not as it was when the plan was made.", BEFORE_DIFFERS
            )
        change = Change(before - after, after - before)
        if not change <= own | wanted | shared or not own.is_done_in(after):
            raise _refused(
                f"The change of the {step.document} is another one than the plan shows: variables of "
                "the cloud, or of another one that shares it, or the collection, are not the same.",
                AFTER_DIFFERS,
            )

    def _has_unchanged(self, document: str, digests: Digests) -> bool:
        """Whether a document has what the plan leaves as it is, and nothing else that it does not
        show.
        """
        entry = self._content["documents"][document]
        rest = digests - Change.of_json(entry["changes"]).parts
        return self._digester.together(document, rest) == entry["unchanged"]

    def _not_planned(self, document: str, cloud: str) -> RefusedError:
        state = self.clouds.get(cloud)
        found = {
            None: "it does not have this cloud",
            FAILED: "this cloud failed when it was made",
            WOULD_CHANGE: "it has none of this document for this cloud",
        }.get(state, f"when it was made, this cloud was {str(state).replace('_', ' ')}")
        return _refused(
            f"The {document} needs a change that the plan does not show: {found}.",
            NOT_IN_PLAN,
        )


def _ignore(_document: str, _clouds: tuple[str, ...]) -> None:
    """Where no record is kept."""


def _together(changes: t.Iterable[Change]) -> Change:
    return functools.reduce(Change.__or__, changes, Change())


def _refused(message: str, why: str) -> RefusedError:
    remedy = (
        f"Review what it comes to now: make a new plan, with {check_mode()} and the same variables."
    )
    return RefusedError(message, remedy, plan_file=why)

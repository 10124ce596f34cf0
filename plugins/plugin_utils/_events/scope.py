# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which clouds of a play a run may heal.

This plugin util is private to the collection.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.clouds import CloudVariables
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events import messages
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.healing import Healing
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.settings_digest import (
    digests_of,
)

# By cloud, the documents that events say have changed.
Touched = t.Mapping[str, t.Sequence[str]]


@dataclasses.dataclass(frozen=True)
class Scope:
    """Which clouds of a play a run may heal: those that onboard has converged, with the settings that
    they have now.

    names: those of the play, in order. settings: the digests of their settings, of those that the run
    may take. ``None`` if it may take any, whatever onboard has converged. invalid: those whose
    variables have an error. They are taken, so that the run fails for them with that error. accounts:
    the AWS account of each that it may take. by_tasks: those that need tasks of their own. roleless:
    those whose role is the one that is registered at Anyscale when it is asked.
    """

    names: t.Sequence[str]
    settings: t.Mapping[str, str] | None = None
    invalid: t.Collection[str] = ()
    accounts: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    by_tasks: t.Collection[str] = ()
    roleless: t.Collection[str] = ()

    def in_order(self, some: t.Iterable[str]) -> list[str]:
        """Some of the clouds, in the order of the play."""
        found = set(some)
        return [name for name in self.names if name in found]

    def permitted(self, healing: Healing) -> list[str]:
        """Those that a run may heal."""
        if self.settings is None:
            return list(self.names)
        invalid = healing.onboarded & self.invalid
        return self.in_order(healing.as_onboarded(self.settings) | invalid)

    def refused(self, some: t.Iterable[str]) -> dict[str, str]:
        """Those of some clouds that are taken to fail, each with the message that they end with if their
        variables have no error any more once the engine reads them: they may be new ones.
        """
        return {name: messages.were_invalid() for name in some if name in self.invalid}

    def not_onboarded(self, healing: Healing, events: Touched) -> list[str]:
        """Those of the events that are left, since no run of onboard has converged them."""
        return [] if self.settings is None else self.in_order(events.keys() - healing.onboarded)

    def not_rolled_out(self, healing: Healing, events: Touched) -> list[str]:
        """Those that are left, since they have other settings by now."""
        due = (events.keys() | healing.pending) & healing.onboarded
        return self.in_order(due.difference(self.permitted(healing)))

    def noted(self, healing: Healing, events: Touched) -> Touched:
        """What is kept of the events: not what is of clouds that no run of onboard has converged."""
        known = set(self.names if self.settings is None else healing.onboarded)
        return {name: documents for name, documents in events.items() if name in known}


def scope_of(action: ActionBase, names: list[str], asked: list[str], only_onboarded: bool) -> Scope:
    """What a run may heal, by the settings that it would converge clouds to.

    asked: the clouds whose variables are read.
    """
    # The directory in which a local connection runs modules.
    with contextlib.chdir(action._loader.get_basedir()):
        clouds = CloudVariables(action, action._task.get_play().connection).read(asked, True, {})
    found = clouds.of_all.values()
    accounts = {cloud.name: cloud.settings.account_id for cloud in found}
    if not only_onboarded:
        return Scope(names, accounts=accounts)
    invalid = {cloud.name for cloud in found if cloud.error}
    roleless = {cloud.name for cloud in found if not (cloud.settings.role or cloud.registered_role)}
    return Scope(names, digests_of(found), invalid, accounts, clouds.obstacles.keys(), roleless)

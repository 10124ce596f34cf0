# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was launched in one cloud and what runs in it, read-only: what the module
``cloud_launches_info`` does.

This module util is private to the collection.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.auth import (
    anyscale_argument_spec,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
    anyscale_client,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.launch_rows import (
    Launches,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts, Json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.info import (
    CloudInfoModule,
    check_names,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    NOT_APPLICABLE,
    CheckAborted,
    Fact,
    not_applicable,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.read_aws import CloudReader
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.read_roles import (
    read_further_roles,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.read_running import (
    DEFAULT_LIMIT,
    RunningReader,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.running import (
    Judged,
    counts_of,
    incomplete,
    judged_instances,
    judged_launches,
    running_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import (
    AwsSession,
    Connect,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config import (
    roles_of_groups,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.module import Module
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.roles import refuse_caller
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError, TaskError

_LARGEST_LIMIT = 10_000
_OF_CLOUD = (
    "cloud_id",
    "cloud",
    "role",
    "instance_profile",
    "compute_config",
    "arn_kind",
    "node_groups",
    "node_group_roles",
    "further_roles",
)
_UNREAD: t.Any = Fact(obstacle=not_applicable("This was not read."))
# Of what is read in AWS, all that decides which role a launch runs with.
_NEEDED = ("role", "role_profiles")
_OF_FURTHER_ROLES = ("role_wanted", *_NEEDED)
_NOT_NEEDED = [
    name
    for name, value in vars(CloudReader).items()
    if isinstance(value, functools.cached_property) and name not in _NEEDED
]


class LaunchesReader(CloudReader):
    """Reads of a cloud what decides which role its launches run with, and nothing else in AWS."""

    def __init__(self, *arguments: t.Any) -> None:
        super().__init__(*arguments)
        # Where cached properties look first, as if they had been read.
        vars(self).update(dict.fromkeys(_NOT_NEEDED, _UNREAD))


class CloudLaunchesModule(Module):
    """The launches of one cloud, each with the role that it runs with."""

    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        **{name: CloudInfoModule.options[name] for name in _OF_CLOUD},
        "limit": {"type": "int", "default": DEFAULT_LIMIT},
        "active_only": {"type": "bool", "default": True},
        "aws": {"type": "bool", "default": False},
        **anyscale_argument_spec(),
    }
    rules: t.ClassVar[dict[str, t.Any]] = CloudInfoModule.rules

    def __init__(
        self,
        params: t.Mapping[str, t.Any],
        connect: Connect = AwsSession,
        connect_anyscale: t.Callable[
            [t.Mapping[str, t.Any]], AnyscaleClient | None
        ] = anyscale_client,
    ) -> None:
        super().__init__(params, connect)
        check_names(params)
        if not 1 <= params["limit"] <= _LARGEST_LIMIT:
            raise InputError(
                f"limit is {params['limit']}.", f"Give a number from 1 to {_LARGEST_LIMIT}."
            )
        self._connect = connect
        self._anyscale = connect_anyscale(params)

    def result(self, check_mode: bool) -> Json:
        """The launches and the instances; the same in check mode."""
        if self.params.get("account_id"):
            refuse_caller(self.session.account_id(), self.params["account_id"])
        facts = self.facts()
        launches = _read(lambda: judged_launches(facts))
        instances = _read(lambda: judged_instances(facts)) if self.params["aws"] else []
        found = running_of(facts).launches.value or Launches()
        plain: Json = _json.plain(
            {
                "cloud_id": facts.cloud_id,
                "role": str(facts.role_wanted.value) if facts.role_wanted.value else None,
                "compute_configs": [
                    {"name": name, "id": config.value["id"], "version": config.value["version"]}
                    for name, config in facts.compute_configs.items()
                    if config.value
                ],
                "launches": [one.as_json() for one in launches],
                "instances": [one.as_json() for one in instances],
                "counts": counts_of([*launches, *instances]),
                "truncated": list(found.truncated),
                "unread": dict(found.unread),
            }
        )
        warnings = [f"Cloud {facts.cloud_id}: {text}" for text in _warnings(facts, found)]
        return {"changed": False, **plain, "warnings": warnings}

    def facts(self) -> Facts:
        """What was read."""
        params = {**self.params, "bucket": None, "authority": None}
        reader = LaunchesReader(params, self.session, self._anyscale)
        running = RunningReader(reader, self.session, self._anyscale, self._connect).running(
            self.params["limit"], self.params["active_only"], self.params["aws"]
        )
        return dataclasses.replace(
            reader.facts(),
            node_groups=params["node_groups"],
            group_roles=roles_of_groups(params),
            further_roles=read_further_roles(reader, _OF_FURTHER_ROLES, live=False),
            running=running,
        )


def _warnings(facts: Facts, found: Launches) -> t.Iterator[str]:
    """Why what is returned is not all that there is."""
    if facts.elsewhere:
        yield f"It does not run on AWS virtual machines: {facts.elsewhere}."
        return
    if incomplete(found):
        yield incomplete(found)
    for name, config in facts.compute_configs.items():
        if config.obstacle:
            reason = config.obstacle.outcome.reason
            yield f"The newest version of {name} is not known, so none is called older. {reason}"


def _read(judge: t.Callable[[], list[Judged]]) -> list[Judged]:
    """What was judged: nothing where the cloud does not run on AWS virtual machines. What could not be
    read at all is an error.
    """
    try:
        return judge()
    except CheckAborted as aborted:
        outcome = aborted.outcome
        if outcome.status == NOT_APPLICABLE:
            return []
        raise TaskError(outcome.reason, outcome.remedy, **outcome.evidence) from aborted

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules have in common: their options, the check of these, and the result.

This module util is private to the collection. The same class runs as a module, in a worker process
of Ansible, and for the fleet engine.
"""

from __future__ import annotations

import abc
import functools
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.auth import has_token
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.registration import (
    Registration,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    instance_profile_name_of,
    parse_cloud_id,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.argspec import (
    AWS_RULES,
    aws_argument_spec,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import (
    AwsSession,
    Connect,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.converge import converge
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.known import Known
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Reconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_guard import (
    RoleGuard,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AnyscaleError,
    InputError,
    TaskError,
    option,
    setting,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    backup_argument_spec,
    check_backup_options,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.lock import (
    lock_directory,
)

# Options that are names. An empty one is a variable that was not set, and means neither all nor the
# default.
_NAMES = (
    "account_id",
    "assume_role_arn",
    "bucket",
    "cloud",
    "cloud_id",
    "dest",
    "instance_profile",
    "name",
    "resource",
    "role",
)
# Longer than any valid name or path.
_LONGEST_NAME = 4096
_NOT_FOUND = 404

Json = dict[str, t.Any]
Options = dict[str, dict[str, t.Any]]


class Module(abc.ABC):
    """What a module does. Created from its parameters and a way to connect; raises only TaskError."""

    options: t.ClassVar[Options] = {}
    shared_options: t.ClassVar[Options] = {}
    rules: t.ClassVar[Json] = {}

    def __init__(self, params: t.Mapping[str, t.Any], connect: Connect = AwsSession) -> None:
        self.params = params
        for name in _NAMES:
            if isinstance(params.get(name), str):
                # In playbooks, the option of a common name has a variable of another name.
                named = (
                    option(name, "cloud_iam_compute_config") if name == "name" else setting(name)
                )
                _refuse_no_name(named, params[name])
        self._refuse_null()
        self.session = connect(params)

    @abc.abstractmethod
    def result(self, check_mode: bool) -> Json:
        """Run the module. Returns its result with its ``warnings``."""

    def _refuse_null(self) -> None:
        """Raise if a required option is null: Ansible's own validation accepts that."""
        needed = [name for name, rule in self.options.items() if rule.get("required")]
        for switch, value, options in self.rules.get("required_if", ()):
            needed += options if self.params.get(switch) == value else ()
        for name in needed:
            if self.params.get(name) is None:
                raise InputError(f"{name} is null.", "Set it to a value.")
        for options in self.rules.get("required_one_of", ()):
            if all(self.params.get(name) is None for name in options):
                raise InputError(f"{' and '.join(options)} are null.", "Set one of them.")


class ConvergingModule(Module):
    """A module that converges one resource. ``clouds`` are the ids of the clouds that it converges
    it for, if known.
    """

    shared_options = backup_argument_spec()

    def __init__(
        self,
        params: t.Mapping[str, t.Any],
        connect: Connect = AwsSession,
        known: Known | None = None,
    ) -> None:
        """known: what the run knows beyond this module's parameters."""
        super().__init__(params, connect)
        self.known = known or Known()
        check_backup_options(params)
        lock_directory(params.get("lock_dir"))
        self.clouds: tuple[str, ...] = (params["cloud_id"],) if params.get("cloud_id") else ()

    @functools.cached_property
    def role_guard(self) -> RoleGuard:
        """Refuses another account than the cloud's, and roles that no cluster may run with."""
        allow_privileged = bool(self.params.get("allow_privileged"))
        return RoleGuard(self.session, self.known, self._registered, allow_privileged)

    @functools.cached_property
    def registration(self) -> Registration:
        """What is registered for the cloud of the parameters."""
        return self.known.registration(self.params, self.cloud_id)

    @property
    def cloud_id(self) -> str:
        """The ID of the cloud of the parameters; empty if they name none."""
        cloud_id = self.params.get("cloud_id")
        return parse_cloud_id(cloud_id) if cloud_id else ""

    @property
    def asks_anyscale(self) -> bool:
        """Whether Anyscale can be asked about the cloud."""
        return bool(self.cloud_id) and has_token(self.params.get("anyscale_token"), os.environ)

    def _registered(self) -> tuple[str, Registration] | None:
        """The cloud and what is registered for it. Of a cloud that is deleted, nothing is: what was
        granted for it can be revoked all the same.
        """
        if not self.asks_anyscale:
            return None
        try:
            return self.cloud_id, self.registration
        except AnyscaleError as error:
            if error.status == _NOT_FOUND and self.params["state"] == "absent":
                return None
            raise

    def registered_profile(self) -> str | None:
        """The ARN of the instance profile that is registered for the cloud, unless the parameters
        name another one.
        """
        if self.params.get("instance_profile"):
            return None
        found = self._registered()
        registered = found[1].instance_profile if found else None
        return registered if registered and instance_profile_name_of(registered) else None

    @abc.abstractmethod
    def reconciler(self) -> Reconciler[t.Any]:
        """The resource and what the parameters want of it."""

    def result(self, check_mode: bool) -> Json:
        """Converge the resource."""
        return converge(self.reconciler(), self.params, check_mode)


def run_module(module_class: type[Module]) -> None:
    """The whole ``main()`` of a module. The diff, the longest part of the result, is returned only
    with --diff.
    """
    module = AnsibleModule(supports_check_mode=True, **module_arguments(module_class))
    try:
        result = module_class(module.params).result(module.check_mode)
    except TaskError as error:
        module.fail_json(**error.failure())
    if not module._diff:
        result.pop("diff", None)
    for warning in result.pop("warnings"):
        module.warn(warning)
    module.exit_json(**result)


def module_arguments(module_class: type[Module]) -> Json:
    """The arguments of AnsibleModule for a module's options."""
    lock_dir = {"lock_dir": {"type": "path"}}
    arguments: Json = {
        "argument_spec": {
            **aws_argument_spec(),
            **lock_dir,
            **module_class.shared_options,
            **module_class.options,
        }
    }
    for rules in (AWS_RULES, module_class.rules):
        for name, rule in rules.items():
            arguments[name] = (
                {**arguments.get(name, {}), **rule}
                if isinstance(rule, dict)
                else [*arguments.get(name, []), *rule]
            )
    return arguments


def _refuse_no_name(named: str, name: str) -> None:
    """Raise if a text cannot be the name of anything."""
    if not name.strip():
        raise InputError(f"{named} is empty.", "Set it, or omit it.")
    if len(name) > _LONGEST_NAME or not name.isprintable():
        what = (
            f"has {len(name)} characters"
            if name.isprintable()
            else "contains a line break or another control character"
        )
        raise InputError(f"{named} {what}: {name[:80]!r}.", "Set it to the name only.")

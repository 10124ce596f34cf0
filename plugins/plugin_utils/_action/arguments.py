# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validate the arguments of a module's task on the controller, as AnsibleModule does on the machine
that the module runs on.

This plugin util is private to the collection.
"""

from __future__ import annotations

import json
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.module import (
    Module,
    module_arguments,
)


class Validated:
    """The result of a validation: parameters, secret values, warnings, and the error message, if
    any.
    """

    def __init__(
        self, module_class: type[Module], action: str, arguments: t.Mapping[str, t.Any]
    ) -> None:
        # Plain types, as a module gets them: Ansible's carry tags and templates.
        plain = json.loads(json.dumps(arguments, default=str))
        rules = {
            name: rule
            for name, rule in module_arguments(module_class).items()
            if name != "supports_check_mode"
        }
        found = ArgumentSpecValidator(**rules).validate(plain)
        self.params: dict[str, t.Any] = found.validated_parameters
        self.secrets = set(found._no_log_values)
        self.warnings = [
            f"Both option {pair['option']} and its alias {pair['alias']} are set."
            for pair in found._warnings
        ]
        self.deprecations: list[dict[str, t.Any]] = [
            dict(deprecation) for deprecation in found._deprecations
        ]
        self.complaint: str | None = None
        if found.error_messages:
            unsupported = isinstance(found.errors[0], UnsupportedError)
            self.complaint = (
                f"Unsupported parameters for ({action}) module: {found.errors.msg}"
                if unsupported
                else found.errors.msg
            )

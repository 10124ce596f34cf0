# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How this run was started, and what a command for its clouds repeats of that.

This plugin util is private to the collection. Pure, but for the look at the command line.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import typing as t

from ansible import constants as C

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    connection_rules,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_control_chars
from ansible_collections.rayfleet.anyscale.plugins.module_utils._survey import JOB_OF_AWX

_OF_THE_ROLE = "cloud_iam_"
_OF_THIS_RUN = "cloud_iam_run_id"
_CONNECTION = frozenset(_OF_THE_ROLE + name for name in connection_rules())
_PREFIX_VARIABLE = "awx_setup_prefix"
_SECRET_NAME = re.compile(r"key|token|secret|pass(word|phrase)|credential|external_id", re.I)
_ADDRESS_WITH_LOGIN = re.compile(r"\w+://[^/]*@")
# What Ansible reads in key=value as it stands. Anything else is told as JSON.
_PLAIN_TEXT = re.compile(r"[\w./:@+,-]+", re.ASCII)


@dataclasses.dataclass(frozen=True)
class Invocation:
    """How this run was started: what its command line has for ``-i``, and whether it is a job of
    AWX, whose operator has no command line, with the prefix of the job templates of its set-up.
    """

    inventories: tuple[str, ...] = ()
    in_awx: bool = False
    template_prefix: str = ""

    def job_template(self, playbook: str) -> str:
        """The name of the job template of the same set-up that runs a playbook."""
        return f"{self.template_prefix} {playbook}".lstrip()


def invocation_of(arguments: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any]) -> Invocation:
    """From Ansible's own arguments, which have absolute paths, or the configured inventory if none is
    given, and from the variables of a host.
    """
    given = [str(one) for one in arguments.get("inventory") or ()]
    configured = [str(one) for one in C.DEFAULT_HOST_LIST or ()]
    inventories = [] if given == configured else [_as_typed(one) for one in given]
    return Invocation(tuple(inventories), JOB_OF_AWX in variables, _template_prefix(variables))


def inventory_options(invocation: Invocation) -> list[str]:
    """The options of a command for the clouds of this run. The inventory of a job of AWX is gone
    after it.
    """
    inventories = () if invocation.in_awx else invocation.inventories
    return [word for one in inventories for word in ("-i", one)]


def variable_options(variables: t.Mapping[str, t.Any]) -> list[str]:
    """The options of a command for those extra variables of this run that decide what the command
    does, and can be shown.
    """
    return [
        word
        for name, value in _of_the_role(variables).items()
        if _can_be_shown(name, value)
        for word in ("-e", variable(name, value))
    ]


def connected_by(variables: t.Mapping[str, t.Any]) -> list[str]:
    """The extra variables by which this run connects. No command repeats them: it writes, and what may
    audit may not be allowed to.
    """
    return [name for name in map(str, variables) if name in _CONNECTION]


def not_repeated(variables: t.Mapping[str, t.Any]) -> list[str]:
    """The extra variables that such a command needs too, but which are no plain values, or may be
    secret.
    """
    return [
        name for name, value in _of_the_role(variables).items() if not _can_be_shown(name, value)
    ]


def variable(name: str, value: t.Any) -> str:
    """What -e takes for a variable."""
    if isinstance(value, str) and _PLAIN_TEXT.fullmatch(value):
        return f"{name}={value}"
    return json.dumps({name: value})


def _of_the_role(variables: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {
        str(name): value
        for name, value in variables.items()
        if str(name).startswith(_OF_THE_ROLE) and name != _OF_THIS_RUN and name not in _CONNECTION
    }


def _can_be_shown(name: str, value: t.Any) -> bool:
    is_plain = value is None or isinstance(value, (str, int, float))
    return is_plain and not _SECRET_NAME.search(name) and not _ADDRESS_WITH_LOGIN.match(str(value))


def _template_prefix(variables: t.Mapping[str, t.Any]) -> str:
    """The prefix that the role awx_setup gives all of its job templates, each of which passes it on, as
    a copy with another name does. A template that was made otherwise is named as those are.
    """
    guessed, _space, _last_word = str(variables.get("awx_job_template_name", "")).rpartition(" ")
    return escape_control_chars(str(variables.get(_PREFIX_VARIABLE) or guessed))


def _as_typed(inventory: str) -> str:
    """A path below the current directory as it is most likely typed."""
    here = os.path.join(os.getcwd(), "")
    return inventory.removeprefix(here) if os.path.isabs(inventory) else inventory

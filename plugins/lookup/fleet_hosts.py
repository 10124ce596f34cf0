# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup plugin fleet_hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_hosts
short_description: The hosts of a play for a fleet, which must exist
version_added: 0.7.0
author: Rayfleet contributors (@rayfleet)
description:
  - Returns a host pattern as it is, if hosts of the inventory match it. Otherwise it is an error,
    because Ansible skips a play without hosts, and a run without hosts looks like one with nothing
    to do.
  - It is an error as well if a part of the pattern, or of the limit of the command line, names no
    host or group of the inventory. Ansible only warns of that, and takes the hosts that a misspelt
    exclusion was to leave out. A slice of a job of AWX is excepted, since another slice may have
    them, and so are the groups C(anyscale_clouds) and C(anyscale_uncovered), which an inventory that
    is written by hand need not have.
  - With C(--syntax-check), which needs no inventory, any pattern is returned.
options:
  _terms:
    description: The pattern.
    type: str
    required: true
  variable:
    description: The variable that sets the pattern, for the error message.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Onboard the clouds of a team
  hosts: "{{ query('rayfleet.anyscale.fleet_hosts', team_hosts | default('anyscale_clouds'),
    variable='team_hosts') }}"
  connection: local
  gather_facts: false
"""

RETURN = r"""
_raw:
  description: A list with the pattern as its only item.
  type: list
  elements: str
  sample: [anyscale_clouds]
"""

import typing as t

from ansible import context
from ansible.errors import AnsibleLookupError
from ansible.inventory.manager import split_host_pattern
from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.failures import failures
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import (
    invocation_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.uncovered import (
    where_the_lines_are,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.undo import (
    how_to_have_hosts,
    what_selects_hosts,
)

_UNCOVERED = "anyscale_uncovered"
# An inventory that is written by hand need not have them.
_MAY_BE_ABSENT = ("anyscale_clouds", _UNCOVERED)


class LookupModule(LookupBase):
    """Returns the pattern, or raises an error that says what to check."""

    def run(
        self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any
    ) -> list[str]:
        """Return the pattern."""
        self.set_options(var_options=variables, direct=kwargs)
        [pattern] = terms
        pattern = self._without_missing(
            ",".join(pattern) if isinstance(pattern, list) else str(pattern), variables or {}
        )
        if context.CLIARGS.get("syntax"):
            return [pattern]
        if self._matching(pattern, variables or {}):
            self._refuse_unknown(pattern, variables or {})
            return [pattern]
        if failures():
            # Another plugin may have made hosts of what this one could not read.
            raise AnsibleLookupError(" ".join(failures()))
        invocation = invocation_of(context.CLIARGS, variables or {})
        if not self._names("all", variables or {}):
            raise AnsibleLookupError(f"The inventory has no hosts. {how_to_have_hosts(invocation)}")
        uncovered = (
            self._matching(_UNCOVERED, variables or {}) if _has_uncovered(variables or {}) else ()
        )
        hint = (
            f" Clouds in the group anyscale_uncovered: {len(uncovered)}, because the fleet file "
            "does not cover them. "
            f"{where_the_lines_are(invocation)}."
            if uncovered
            else ""
        )
        raise AnsibleLookupError(
            f"No host in the inventory matches {pattern}.{hint} "
            f"{what_selects_hosts(self.get_option('variable'), invocation)}"
        )

    def _without_missing(self, pattern: str, variables: dict[str, t.Any]) -> str:
        """The pattern without the group of uncovered clouds, which an inventory that is written by
        hand does not have, and which Ansible would warn about.
        """
        parts = pattern.split(",")
        if len(parts) > 1 and _UNCOVERED in parts and not _has_uncovered(variables):
            parts.remove(_UNCOVERED)
        return ",".join(parts)

    def _matching(self, pattern: str, variables: dict[str, t.Any]) -> set[str]:
        """The hosts of the pattern, within the limit of the command line."""
        names = self._names(pattern, variables)
        limit = str(context.CLIARGS.get("subset") or "")
        # Of a limit from a file, Ansible itself has checked that it leaves hosts.
        return names & self._names(limit, variables) if limit and limit[0] != "@" else names

    def _refuse_unknown(self, pattern: str, variables: dict[str, t.Any]) -> None:
        """Raise for the first part of the pattern, or of the limit of the command line, that names
        nothing.
        """
        limit = str(context.CLIARGS.get("subset") or "")
        for where, parts in ((self.get_option("variable"), pattern), ("--limit", limit)):
            unknown = next(
                (part for part in split_host_pattern(parts) if not self._is_known(part, variables)),
                None,
            )
            if unknown and not _is_slice(variables):
                raise AnsibleLookupError(
                    " ".join(failures())
                    or f"{where} has {unknown}, which names no host or group of the inventory. Ansible "
                    "would ignore it. Correct it, or take it out; ansible-inventory --graph shows the "
                    "names."
                )

    def _is_known(self, part: str, variables: dict[str, t.Any]) -> bool:
        """Whether a part of a pattern, such as ``!group``, names something."""
        name = part[1:] if part[0] in "!&" else part
        known = variables.get("groups") or {}
        is_of_file = name.startswith("@")
        is_name = name in known or name in known.get("all", ()) or name in _MAY_BE_ABSENT
        return is_of_file or is_name or bool(self._names(name, variables))

    def _names(self, pattern: str, variables: dict[str, t.Any]) -> set[str]:
        finder = lookup_loader.get(
            "ansible.builtin.inventory_hostnames", loader=self._loader, templar=self._templar
        )
        return set(finder.run([pattern], variables))


def _has_uncovered(variables: t.Mapping[str, t.Any]) -> bool:
    """Whether the group has hosts, without a question that Ansible would warn about."""
    return bool((variables.get("groups") or {}).get(_UNCOVERED))


def _is_slice(variables: t.Mapping[str, t.Any]) -> bool:
    """Whether this is a slice of a job of AWX: a part of a workflow that has the template's name."""
    workflow = variables.get("awx_workflow_job_name")
    return workflow is not None and workflow == variables.get("awx_job_template_name")

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the documentation's page on the calls that a cloud costs from the table that the tests
hold them to.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.tests.sandbox._journal import writes
from ansible_collections.rayfleet.anyscale.tests.support.call_budgets import SCENES
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

PAGE = ROOT / "docs/docsite/rst/api_calls.rst"

_TIMES = {1: "", 2: " twice"}

_PAGE = """\
..
  Do not edit this page. It is written by
  python -m ansible_collections.rayfleet.anyscale.docs.tools.api_calls_page

  Copyright (c) 2026, Rayfleet contributors
  GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
  SPDX-License-Identifier: GPL-3.0-or-later

.. _ansible_collections.rayfleet.anyscale.docsite.api_calls:

The calls that a cloud costs
============================

AWS and Anyscale limit how many calls an account or an organization may make in a second, for all who work there. This is what
:ansplugin:`rayfleet.anyscale.cloud_iam#module` makes of them for one cloud, by the state in which the cloud is found. The tests
count the calls, and fail where there is one more or one less.

{table}

Where it says *without a role to assume*, the caller is in the cloud's account already. In all others the role is assumed once in a
run for all clouds that are reached by it, so that ``AssumeRole`` is there for the first of them alone. That holds where modules
run in Ansible's worker, which is so by default where the connection is local.

* Check mode makes the same calls at most, and none that writes.
* A cloud that is right costs four reads, also right after it was changed.
* The playbook ``onboard`` looks at a fleet of more than a handful beforehand, and once more at the policies of what changed. Each
  look costs a cloud that changes as much as one that is right.
* In a fleet, :ansplugin:`rayfleet.anyscale.fleet_plan#module` reads roles and instance profiles by the page
  (``GetAccountAuthorizationDetails``) where an account has many of the clouds. A page takes the place of up to 600 reads.
* Statements that show deleted principals cost ``ListRoles`` and ``ListUsers``, with as many pages as the account has. So does a
  policy with the unique id of somebody who is still there.
* What somebody else changes meanwhile, and what shows late, is read again; what fails and may pass is repeated. Neither counts here.
"""


def page() -> str:
    """The whole page."""
    return _PAGE.format(table="\n".join(_table()))


def _table() -> t.Iterator[str]:
    yield ".. list-table::\n   :header-rows: 1\n   :widths: 22 28 25 25\n"
    yield _row("the cloud is found with", "reads of AWS", "writes to AWS", "Anyscale")
    for name, scene in SCENES.items():
        anyscale = {
            operation: count for operation, count in scene.calls.items() if "/" in operation
        }
        aws = {
            operation: count
            for operation, count in scene.calls.items()
            if operation not in anyscale
        }
        changes = {operation: count for operation, count in aws.items() if writes("aws", operation)}
        reads = {operation: count for operation, count in aws.items() if operation not in changes}
        yield _row(
            f"{name} ({sum(scene.calls.values())} calls)",
            *map(_counted, (reads, changes, anyscale)),
        )


def _row(*cells: str) -> str:
    return "   * - " + "\n     - ".join(cells)


def _counted(calls: t.Mapping[str, int]) -> str:
    return (
        ", ".join(
            f"``{operation}``{_TIMES.get(count, f' {count} times')}"
            for operation, count in calls.items()
        )
        or "none"
    )


if __name__ == "__main__":
    PAGE.write_text(page())

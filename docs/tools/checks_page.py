# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the tables of the page on checks, from the registry of the audit."""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.docs.tools.marks import replace_part
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import CHECKS, Check
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

PAGE = ROOT / "docs/docsite/rst/checks.rst"

_HEAD = ".. list-table::\n   :header-rows: 1\n   :widths: {widths}\n"


class Uncovered(t.NamedTuple):
    """Reason codes that belong to no check: of which modules, and what they say."""

    modules: tuple[str, ...]
    codes: tuple[str, ...]
    meaning: str


_REVOKED = "With ``state: absent``, as in ``offboard``:"
_NODE = "On a node of a cluster:"
UNCOVERED = (
    Uncovered(
        ("iam_trust_ec2",),
        ("ec2_trust_present",),
        f"{_REVOKED} EC2 can still assume the role.",
    ),
    Uncovered(
        ("s3_cloud_access",),
        ("access_present",),
        f"{_REVOKED} the bucket's policy still grants the role access.",
    ),
    Uncovered(
        ("s3_cloud_access",),
        ("access_in_other_statement",),
        f"{_REVOKED} an unmanaged statement still grants the role access.",
    ),
    Uncovered(
        ("compute_config_profile",),
        ("profile_present",),
        f"{_REVOKED} the compute config still names the instance profile.",
    ),
    Uncovered(
        ("compute_config_profile",),
        ("not_archived",),
        "With ``state: archived``: the compute config is not archived yet.",
    ),
    Uncovered(
        ("compute_config_profile",),
        ("config_differs",),
        "The compute config differs from ``cloud_iam_compute_config_spec``, which an audit does "
        "not compare.",
    ),
    Uncovered(
        ("compute_config_profile",),
        ("dest_differs",),
        "The file ``cloud_iam_dest`` differs from the compute config, or does not exist.",
    ),
    Uncovered(
        ("iam_trust_ec2", "s3_cloud_access"),
        ("unmanaged_statement_lost",),
        "Another writer's change during the run removed an unmanaged statement, which was "
        "restored.",
    ),
    Uncovered(
        ("backup_restore",),
        ("changed_since_backup", "added_since_backup", "removed_since_backup"),
        "In a rollback: the document differs from the backup, did not exist then, or does not "
        "exist now.",
    ),
    Uncovered(
        ("cluster_identity_info",),
        ("default_role", "another_role", "another_account", "another_path"),
        f"{_NODE} it runs with the cloud's default role, with another role, or with a role of the "
        "expected name in another account or under another path.",
    ),
    Uncovered(
        ("cluster_identity_info",),
        ("no_role", "not_the_instance"),
        f"{_NODE} its credentials are not a role's, or come from ``AssumeRole`` and not from its "
        "instance profile.",
    ),
)


def table_of_checks() -> str:
    """A row for each check, in the order of an audit."""
    head = ("check", "title when it passes", "title when it fails", "reason codes", "fix")
    return _table("16 18 18 20 28", head, map(_check_row, CHECKS))


def table_of_uncovered() -> str:
    """A row for the reason codes that belong to no check."""
    rows = ((_literals(row.codes), _modules(row.modules), row.meaning) for row in UNCOVERED)
    return _table("28 22 50", ("reason codes", "module", "meaning"), rows)


def page() -> str:
    """The page with the tables as they should be."""
    text = replace_part(PAGE.read_text(), "checks", table_of_checks())
    return replace_part(text, "reason_codes", table_of_uncovered())


def _check_row(check: Check) -> tuple[str, ...]:
    codes = f"{_modules([check.module])}: {_literals(check.reasons)}" if check.reasons else "-"
    return f"``{check.id}``", check.title, check.failing_title, codes, check.fix


def _literals(names: t.Iterable[str]) -> str:
    return ", ".join(f"``{name}``" for name in names)


def _modules(names: t.Iterable[str]) -> str:
    return ", ".join(f":ansplugin:`{name} <rayfleet.anyscale.{name}#module>`" for name in names)


def _table(widths: str, head: t.Sequence[str], rows: t.Iterable[t.Sequence[str]]) -> str:
    lines = ("   * - " + "\n     - ".join(row) for row in (head, *rows))
    return "\n".join((_HEAD.format(widths=widths), *lines))


if __name__ == "__main__":
    PAGE.write_text(page())

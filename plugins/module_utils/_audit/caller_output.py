# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text that ``aws sts get-caller-identity`` prints, read in each of the CLI's formats.

This module util is private to the collection. Pure.
https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-output-format.html
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_arn
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

# The text format has the values alone, in the order of their names.
_KEYS = ("Account", "Arn", "UserId")
# A line of YAML, or a row of a table.
_LINE = re.compile(r"""[|\s]*(Account|Arn|UserId)\s*[|:]\s*["']?([^\s"'|]+)["']?[|\s]*""")
_LONGEST = 10_000
_SERVICES = ("sts", "iam")
_REMEDY = (
    "Give the whole text that 'aws sts get-caller-identity' printed on the node, as JSON, YAML, "
    "text or a table."
)


class CallerIdentity(t.NamedTuple):
    """The caller's ARN and unique ID, as STS returns them."""

    arn: str
    user_id: str


def parse_output(text: str) -> CallerIdentity:
    """Read what the CLI printed. Raises InputError, which names the option ``output``."""
    if len(text) > _LONGEST:
        raise InputError(f"output has {len(text)} characters.", _REMEDY)
    found = _fields(text)
    missing = [key for key in _KEYS if not isinstance(found.get(key), str) or not found[key]]
    if missing:
        raise InputError(f"output has no {' and no '.join(missing)}.", _REMEDY)
    arn = parse_arn(found["Arn"])
    if arn is None or arn.service not in _SERVICES:
        raise InputError(f"output has the Arn {found['Arn']!r}, which is no caller's.", _REMEDY)
    if arn.account_id != found["Account"]:
        raise InputError(
            f"output has the Account {found['Account']!r} and the Arn {found['Arn']!r}, which is of "
            "another account.",
            _REMEDY,
        )
    return CallerIdentity(found["Arn"], found["UserId"])


def _fields(text: str) -> dict[str, t.Any]:
    try:
        document = _json.loads(text)
    except (ValueError, InputError):
        document = None
    if isinstance(document, dict):
        return document
    values = text.split()
    if len(values) == len(_KEYS):
        return dict(zip(_KEYS, values, strict=True))
    lines = (_LINE.fullmatch(line) for line in text.splitlines())
    return {found[1]: found[2] for found in lines if found}

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules of a Cloud IAM mapping in short: ``A`` is the rule for user a@x.y with role ray-a, ``A:q``
gives that user the role q.
"""

from __future__ import annotations

import typing as t

Json = dict[str, t.Any]
KIND = {"cloud_provider": "AWS", "compute_stack": "VM"}


def selector(letter: str) -> str:
    """The selector of a rule."""
    return f"user={letter.lower()}@x.y"


def _parts(word: str) -> tuple[str, str]:
    letter, _colon, role = word.partition(":")
    return selector(letter), role or f"ray-{letter.lower()}"


def spec(words: str, fallback: str = "CLOUD_DEFAULT", **more: t.Any) -> Json:
    """The config of a resource with these rules."""
    rules = [{"selector": of, "value": role} for of, role in map(_parts, words.split())]
    mapping = {"mode": "CUSTOMER_MANAGED", "rules": rules, "fallback_rule": fallback}
    return {
        "cloud_deployment_id": "cldrsrc_x",
        **KIND,
        "dataplane_iam_mapping": mapping if rules else {},
        **more,
    }


def words_of(config: Json) -> str:
    """The rules of a config."""
    words = []
    for rule in config["dataplane_iam_mapping"].get("rules", []):
        letter = rule["selector"][5].upper()
        role = rule["value"]
        words.append(letter if role == f"ray-{letter.lower()}" else f"{letter}:{role}")
    return " ".join(words)


def options(words: str, state: str = "merged", at: str | None = None, **more: t.Any) -> Json:
    """The options of the module that want these rules. ``at``: such as ``first`` or ``before X``."""
    rules = [{"selector": of, "role": role} for of, role in map(_parts, words.split())]
    place, _blank, letter = (at or "").partition(" ")
    position = {"at": place, **({"selector": selector(letter)} if letter else {})}
    return {"rules": rules, "state": state, "position": position if at else None, **more}

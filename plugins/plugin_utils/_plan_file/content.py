# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan file contains: for each document and cloud the digests of what changes, signed.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import hashlib
import hmac
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._survey import check_mode
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.binding import Binding
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.digests import (
    Change,
    Digester,
    Digests,
    Step,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.states import WOULD_CHANGE

FORMAT, VERSION = "rayfleet.anyscale plan", 1
# This key is for one purpose: a signed backup is no plan file.
_SIGNATURES = b"rayfleet.anyscale plan: signature"

Json = dict[str, t.Any]


def signed(content: Json, key: bytes) -> Json:
    """A plan file's content with its signature."""
    return {**content, "signature": _signature(content, key)}


def _signature(content: t.Mapping[str, t.Any], key: bytes) -> str:
    own = hmac.digest(key, _SIGNATURES, "sha256")
    text = _json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hmac.new(own, text.encode(), hashlib.sha256).hexdigest()


def make(
    states: t.Mapping[str, str],
    own: t.Sequence[Step],
    joint: t.Sequence[Step],
    key: bytes,
    facts: t.Mapping[str, str],
) -> Json:
    """The content of a plan file, signed.

    states: how each cloud was found. own: what each cloud needs by itself; joint: what is written for
    the clouds of each batch, which is what is shown. facts: the salt, and what else is to be signed.
    """
    digester = Digester(key, facts["salt"])
    first: dict[str, Digests] = {}
    for step in (*own, *joint):
        first.setdefault(step.document, digester.of(step.document, step.before, step.arns))
    alone, shown = _by_cloud(own, digester), _by_document(joint, digester)
    changing = {name for name, state in states.items() if state == WOULD_CHANGE}
    bound = {
        (step.document, cloud) for step in joint for cloud in changing.intersection(step.clouds)
    }
    documents = {}
    for document, change in shown.items():
        of_clouds = {cloud: one for (found, cloud), one in alone.items() if found == document}
        shared = change
        for one in of_clouds.values():
            shared -= one
        documents[document] = {
            "unchanged": digester.together(document, first[document] - change.parts),
            "changes": change.as_json(),
            "shared": shared.as_json(),
            "clouds": {
                cloud: (one & change).as_json()
                for cloud, one in of_clouds.items()
                if (document, cloud) in bound
            },
        }
    found = {"format": FORMAT, "version": VERSION, **facts, "clouds": dict(states)}
    return signed({**found, "documents": documents}, key)


def _by_cloud(own: t.Iterable[Step], digester: Digester) -> dict[tuple[str, str], Change]:
    found: dict[tuple[str, str], Change] = {}
    for step in own:
        for cloud in step.clouds:
            change = found.get((step.document, cloud), Change())
            found[step.document, cloud] = change | digester.change(step)
    return found


def _by_document(joint: t.Iterable[Step], digester: Digester) -> dict[str, Change]:
    found: dict[str, Change] = {}
    for step in joint:
        found[step.document] = found.get(step.document, Change()) | digester.change(step)
    return found


def parse(text: str, key: bytes) -> Binding:
    """The plan of a file. Raises InputError for any that the holder of the key has not made, as it
    is.
    """
    try:
        found = _json.loads(text)
    except ValueError as error:
        raise _unusable("is not JSON, or incomplete") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise _unusable("is no plan file")
    if found.get("version") != VERSION:
        raise _unusable("was made by another version of the collection")
    content = {name: value for name, value in found.items() if name != "signature"}
    given = found.get("signature")
    right = _signature(content, key)
    if not isinstance(given, str) or not hmac.compare_digest(
        given.encode(errors="surrogatepass"), right.encode()
    ):
        raise _unusable("was edited since it was made, or signed with another key")
    return Binding(content, key)


def _unusable(why: str) -> InputError:
    return InputError(
        f"plan_file (onboard_plan_file in playbooks) {why}.",
        f"Make a new plan with {check_mode()}. Where it is applied on another machine, set "
        "cloud_iam_backup_key to the same key on both.",
    )

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Assertions on the runs of modules: what a run that converges, one in sync and one that is refused
must return and call.
"""

from __future__ import annotations

import importlib
import json
import re
import typing as t

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import policy_reconciler
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import SYSTEM_CLOCK
from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox
from ansible_collections.rayfleet.anyscale.tests.support.accounts import Json

Run = t.Callable[..., Json]

MODULES = ("iam_trust_ec2", "s3_cloud_access", "compute_config_profile")

_ALWAYS_RETURNED = {"changed", "diff", "warnings"}


def write_operations(sandbox: Sandbox) -> list[str]:
    """The operations that wrote, in their order, since the calls were last forgotten."""
    return [call["operation"] for call in sandbox.writes()]


def hold_up(
    monkeypatch: pytest.MonkeyPatch,
    store: type[policy_reconciler.PolicyStore[t.Any]],
    meanwhile: t.Callable[[], object],
) -> None:
    """Let a module be held up, once, for a little more than two seconds between its last read and
    its write.
    """
    held: list[float] = []
    now, backup = SYSTEM_CLOCK.now, store.backup

    def late(self: policy_reconciler.PolicyStore[t.Any], *arguments: t.Any) -> t.Any:
        if not held:
            held.append(2.1)
            meanwhile()
        return backup(self, *arguments)

    monkeypatch.setattr(SYSTEM_CLOCK, "now", lambda: now() + sum(held))
    monkeypatch.setattr(store, "backup", late)


# --- assertions on a run ---------------------------------------------------------------------------


def diffs(result: Json) -> list[Json]:
    """A result's diffs, one for each document that changed."""
    found = result["diff"]
    return found if isinstance(found, list) else [found]


def before(result: Json) -> t.Any:
    """What a result's diff says was there; ``None`` for nothing."""
    return json.loads(result["diff"]["before"] or "null")


def after(result: Json) -> t.Any:
    """What a result's diff says is there now; ``None`` for nothing."""
    return json.loads(result["diff"]["after"] or "null")


def converge(
    sandbox: Sandbox,
    run: Run,
    module: str,
    reasons: list[str],
    unpredicted: t.Iterable[str] = (),
    **options: t.Any,
) -> Json:
    """A change in four steps: predicted, made, and twice nothing left to do. Returns the result of
    the change.

    unpredicted: keys that check mode is documented not to know.
    """
    sandbox.clear_calls()
    predicted = run(module, check=True, **options)
    assert predicted["changed"] is True, predicted.get("msg", "nothing would change")
    assert sandbox.writes() == []
    made = run(module, **options)
    for key in ("invocation", *unpredicted):
        predicted.pop(key, None)
    assert {key: made[key] for key in predicted} == predicted
    assert made["reasons"] == reasons
    assert all(one["before"] != one["after"] for one in diffs(made))
    check_documented(module, made)
    for check in (True, False):
        settled(sandbox, run, module, check=check, **options)
    return made


def settled(sandbox: Sandbox, run: Run, module: str, **options: t.Any) -> Json:
    """A run that finds nothing to do: no reasons, the same before and after, no write call."""
    sandbox.clear_calls()
    result = run(module, **options)
    assert result["changed"] is False, result.get("msg", result.get("reasons"))
    assert result["reasons"] == []
    assert result["diff"]["before"] == result["diff"]["after"]
    assert "previous" not in result
    assert sandbox.writes() == []
    return result


def refused(sandbox: Sandbox, run: Run, module: str, *phrases: str, **options: t.Any) -> Json:
    """The same refusal in check mode and for real: on one line, with these phrases, and nothing
    written.
    """
    sandbox.clear_calls()
    predicted, real = failure(run(module, check=True, **options)), failure(run(module, **options))
    assert real["msg"] == predicted["msg"]
    assert _lasting(real) == _lasting(predicted)
    assert sandbox.writes() == []
    missing = [phrase for phrase in phrases if phrase not in real["msg"]]
    assert not missing, f"{missing} in {real['msg']!r}"
    return real


def failure(result: Json) -> Json:
    """A result that must be a failure with a message of one line."""
    assert result.get("failed") is True, "it did not fail"
    assert result["msg"]
    assert "\n" not in result["msg"]
    return result


def _lasting(result: Json) -> Json:
    """The facts of a failure, without the ids that are new for each call."""
    return {
        key: value
        for key, value in result.get("error", {}).items()
        if key not in ("request_id", "trace_id")
    }


# --- what the documentation promises --------------------------------------------------------------


def documented_returns(module: str) -> Json:
    """The RETURN documentation of a module."""
    path = f"ansible_collections.rayfleet.anyscale.plugins.modules.{module}"
    return t.cast(Json, yaml.safe_load(importlib.import_module(path).RETURN))


def documented_reasons(module: str) -> set[str]:
    """The reason codes that a module's documentation lists."""
    return set(
        re.findall(
            r"V\(([a-z_0-9]+)\)", " ".join(documented_returns(module)["reasons"]["description"])
        )
    )


def check_documented(module: str, result: Json) -> None:
    """A change returns just what is documented: all keys, but those that depend on an option that
    was not given.
    """
    documented = {
        key
        for key, value in documented_returns(module).items()
        if value["returned"] in ("success", "changed") or key in result
    }
    assert set(result) - {"invocation"} == documented | _ALWAYS_RETURNED
    assert set(result["reasons"]) <= documented_reasons(module)

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks @cloud-copilot/iam-simulate, an evaluation of IAM policies by other people than ours.

It is a program of Node's under the AGPL, and so only ever a process of its own, in development. npm
installs it into .cache, by the versions and hashes of tests/iam_simulate/package-lock.json, which
names no address: npm takes it from whatever registry the machine is set up for.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import typing as t

from ansible_collections.rayfleet.anyscale.tools.environment import CACHE, ROOT

_SOURCE = ROOT / "tests/iam_simulate"
_FILES = ("package.json", "package-lock.json", "simulate.mjs")
_INSTALLED = CACHE / "iam_simulate"
_STAMP = _INSTALLED / "made-from"
_SECONDS = 300
_NPM = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")

Document = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Request:
    """A request: who asks for what, with which condition keys, by which policies."""

    principal: str
    action: str
    resource: str
    context: dict[str, str]
    resource_policy: Document | None = None
    identity_policies: tuple[Document, ...] = ()
    account: str = "123456789012"


def install_iam_simulate() -> str:
    """Install what is not installed yet. Returns why it cannot be asked, or nothing."""
    if missing := [name for name in ("node", "npm") if shutil.which(name) is None]:
        return f"{' and '.join(missing)} not found, so that iam-simulate cannot judge policies"
    made_from = hashlib.sha256(b"".join((_SOURCE / name).read_bytes() for name in _FILES))
    if _STAMP.exists() and _STAMP.read_text() == made_from.hexdigest():
        return ""
    shutil.rmtree(_INSTALLED, ignore_errors=True)
    _INSTALLED.mkdir(parents=True)
    for name in _FILES:
        shutil.copy(_SOURCE / name, _INSTALLED)
    try:
        done = subprocess.run(
            _NPM, cwd=_INSTALLED, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"npm did not install iam-simulate within {_SECONDS} s"
    if done.returncode:
        reason = (done.stderr.strip() or "no reason given").splitlines()[0]
        return f"npm could not install iam-simulate: {reason}"
    _STAMP.write_text(made_from.hexdigest())
    return ""


def is_installed() -> bool:
    """Whether iam-simulate can be asked."""
    return _STAMP.exists()


def answers(requests: t.Sequence[Request]) -> list[str]:
    """Its answer to each request: ``Allowed``, ``ImplicitlyDenied`` or ``ExplicitlyDenied``. A
    request or a policy that it does not take is an error in the tests.
    """
    policies: dict[str, int] = {}

    def index(policy: Document | None) -> int | None:
        return None if policy is None else policies.setdefault(json.dumps(policy), len(policies))

    rows = [
        {
            "principal": one.principal,
            "action": one.action,
            "resource": one.resource,
            "account": one.account,
            "context": one.context,
            "resourcePolicy": index(one.resource_policy),
            "identityPolicies": [index(policy) for policy in one.identity_policies],
        }
        for one in requests
    ]
    batch = json.dumps({"policies": [json.loads(text) for text in policies], "requests": rows})
    done = subprocess.run(
        ("node", "simulate.mjs"),
        cwd=_INSTALLED,
        input=batch,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=True,
        env={"PATH": os.environ["PATH"]},
    )
    found: list[str] = json.loads(done.stdout)
    refused = [
        (answer, one) for answer, one in zip(found, requests, strict=True) if "error" in answer
    ]
    assert not refused, refused[0]
    return found

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The credentials of a cloud's node, as its programs get them: by boto3, from instance metadata."""

from __future__ import annotations

import boto3
import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox

ACCOUNT = "222222222222"

# The state of a cloud, and the role that its node has; none where EC2 gives no credentials.
NODES: dict[str, tuple[dict[str, str], str]] = {
    "the compute config's profile": (
        {"trust": "manual_page", "profile": "filled", "compute_config": "in_sync"},
        "ray",
    ),
    "the registered role's profile": ({"trust": "manual_page", "profile": "filled"}, "ray"),
    "no trust of EC2": ({"trust": "lambda_only", "profile": "filled"}, ""),
    "an empty profile": ({"trust": "manual_page", "profile": "empty"}, ""),
    "no profile": ({"trust": "manual_page"}, ""),
    "the compute config's profile is missing": (
        {"trust": "manual_page", "profile": "filled", "compute_config": "other_profile"},
        "",
    ),
}


@pytest.mark.parametrize(("state", "role"), NODES.values(), ids=NODES)
def test_credentials_of_a_node(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, state: dict[str, str], role: str
) -> None:
    sandbox.seed([Cloud("vision", ACCOUNT, role="ray", **state)])
    for name in sandbox.child_variables():
        monkeypatch.delenv(name, raising=False)
    for name, value in sandbox.node_variables("vision").items():
        monkeypatch.setenv(name, value)
    session = boto3.Session()
    if not role:
        assert session.get_credentials() is None
        return
    identity = session.client("sts", endpoint_url=sandbox.aws_url).get_caller_identity()
    assert identity["Arn"] == (f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/i-0abc1234def567890")


def test_a_node_of_no_cloud_has_no_credentials(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in sandbox.child_variables():
        monkeypatch.delenv(name, raising=False)
    for name, value in sandbox.node_variables("nobody").items():
        monkeypatch.setenv(name, value)
    assert boto3.Session().get_credentials() is None

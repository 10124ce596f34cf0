# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Anyscale's verdict on a cloud: the checks of ``anyscale cloud verify`` on its roles and its
bucket.

They are called as Anyscale's CLI calls them. Where the CLI only warns that the bucket is closed
to the clusters' role, the verdict here is a failure. With ``strict`` it is that of ``--strict``.
"""

from __future__ import annotations

import dataclasses
import typing as t
import unittest.mock

import boto3
from anyscale import cloud_resource
from anyscale.cli_logger import CloudSetupLogger
from anyscale.cloud_resource import verify_aws_iam_roles, verify_aws_s3

from ansible_collections.rayfleet.anyscale.tests.sandbox._seed_documents import (
    CONTROL_PLANE_ACCOUNT,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import REGION, Cloud


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether Anyscale accepts the roles with their instance profile, and the bucket; and what it
    said against them.
    """

    roles: bool
    bucket: bool
    complaints: tuple[str, ...]


class _Listener(CloudSetupLogger):
    """Keeps what Anyscale's code says instead of printing it."""

    def __init__(self) -> None:
        super().__init__(log_output=False)
        self.said: list[str] = []

    def info(self, *messages: t.Any, **_kwargs: t.Any) -> None:
        """Good news is not kept."""

    def warning(self, *messages: t.Any, **_kwargs: t.Any) -> None:
        """Keep a warning."""
        self.said.append(" ".join(map(str, messages)))

    error = print_red_error_message = confirm_missing_permission = warning


def verify_cloud(session: boto3.Session, cloud: Cloud, *, strict: bool = False) -> Verdict:
    """Ask Anyscale's code about a cloud, by a session in its account. This process's environment
    must lead to the sandbox.

    The console is that of anyscale.com, whatever control plane the environment leads to.
    """
    roles = {
        "control_plane_role": cloud.control_plane_role_arn,
        "data_plane_role": cloud.role_arn,
        "boto3_session": session,
    }
    on_roles, on_bucket = _Listener(), _Listener()
    roles_pass = verify_aws_iam_roles(
        **roles,
        anyscale_aws_account=CONTROL_PLANE_ACCOUNT,
        logger=on_roles,
        cloud_id=cloud.cloud_id,
        strict=strict,
    )
    with unittest.mock.patch.object(
        cloud_resource, "ANYSCALE_CORS_ORIGIN", "https://*.anyscale.com"
    ):
        bucket_passes = verify_aws_s3(
            **roles,
            aws_s3_id=f"arn:aws:s3:::{cloud.bucket_name}",
            region=REGION,
            logger=on_bucket,
            strict=strict,
        )
    if strict:
        return Verdict(roles_pass, bucket_passes, (*on_roles.said, *on_bucket.said))
    closed = [words for words in on_bucket.said if "Data Plane role" in words]
    against_roles = [
        words for words in on_roles.said if cloud.role_name in words and not roles_pass
    ]
    return Verdict(roles_pass, bucket_passes and not closed, (*against_roles, *closed))

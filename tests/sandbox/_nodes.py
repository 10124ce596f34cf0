# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node of each cloud: the instance metadata from which its programs take the credentials of its
role, under ``/sandbox/nodes/<cloud>/`` of the AWS port.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html
"""

from __future__ import annotations

import json
import typing as t

from werkzeug.wrappers import Request, Response

from ansible_collections.rayfleet.anyscale.tests.sandbox._organization import Organization

if t.TYPE_CHECKING:
    from ansible_collections.rayfleet.anyscale.tests.sandbox._aws import AwsApplication

PREFIX = "/sandbox/nodes/"
INSTANCE_ID = "i-0abc1234def567890"

_TOKEN = "sandbox-metadata"
_CREDENTIALS = "latest/meta-data/iam/security-credentials/"


class NodeApplication:
    """Answers as the instance metadata service of the head node of a cluster, which was started this
    moment with the cloud's compute config.
    """

    def __init__(self, organization: Organization, aws: AwsApplication) -> None:
        self._organization = organization
        self._aws = aws

    def __call__(self, environ: dict[str, t.Any], start_response: t.Any) -> t.Any:
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        cloud, _slash, path = request.path.removeprefix(PREFIX).partition("/")
        profile = self._instance_profile(cloud)
        if profile is None:
            return Response(f"No such cloud: {cloud}.\n", 404)
        if request.method == "PUT" and path == "latest/api/token":
            return Response(_TOKEN)
        if request.headers.get("x-aws-ec2-metadata-token") != _TOKEN:
            return Response(status=401)
        if path == "latest/meta-data/instance-id":
            return Response(INSTANCE_ID)
        name = profile.rpartition("/")[2]
        session = self._aws.instance_session(profile.split(":")[4], name, INSTANCE_ID)
        return _credentials(path, session)

    def _instance_profile(self, name: str) -> str | None:
        """The ARN of the instance profile of a cloud's node, or ``None`` without such a cloud: the
        one that the newest version of the compute config ``<cloud>-ray`` names, else the one named
        like the registered role. That Anyscale falls back to this name is a guess; it creates the
        two alike.
        """
        with self._organization.lock:
            clouds = self._organization.clouds
            cloud_id = next((key for key, one in clouds.items() if one["name"] == name), "")
            if not cloud_id:
                return None
            query = {"name": {"equals": f"{name}-ray"}, "cloud_id": cloud_id}
            for template in self._organization.templates.search(query):
                advanced = _of_head_node(template["config"])
                if "IamInstanceProfile" in advanced:
                    return str(advanced["IamInstanceProfile"]["Arn"])
            registered = self._organization.primary_resource(cloud_id)["aws_config"] or {}
        account, _separator, role = registered.get("cluster_iam_role_id", "").partition(":role/")
        return f"{account}:instance-profile/{role.rpartition('/')[2]}" if role else None


def _of_head_node(config: dict[str, t.Any]) -> dict[str, t.Any]:
    """The advanced configuration of the head node of a compute config: the closest one counts whole,
    as Anyscale's resolution of a compute config does.
    """
    (deployment,) = config["deployment_configs"] or [{}]
    levels = (deployment.get("head_node_type") or {}, deployment, config)
    found = (level.get("advanced_configurations_json") for level in levels)
    return next((advanced for advanced in found if advanced), {})


def _credentials(path: str, session: t.Any) -> Response:
    """The role's name, or its credentials. Without credentials: the codes are those of
    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html
    """
    if session == "InstanceProfileNotFound":
        return Response(status=404)
    if isinstance(session, str):
        if path == _CREDENTIALS:
            return Response("role")
        return _json({"Code": session, "Message": "EC2 cannot assume the role."})
    role = session.role_arn.rpartition("/")[2]
    if path == _CREDENTIALS:
        return Response(role)
    if path != _CREDENTIALS + role:
        return Response(status=404)
    return _json(
        {
            "Code": "Success",
            "Type": "AWS-HMAC",
            "AccessKeyId": session.access_key_id,
            "SecretAccessKey": session.secret_access_key,
            "Token": session.session_token,
            "Expiration": session.expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    )


def _json(content: dict[str, str]) -> Response:
    return Response(json.dumps(content), content_type="application/json")

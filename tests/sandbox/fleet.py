# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet that the demo and the tests converge: 12 clouds in the states that real clouds are
found in.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.tests.sandbox._organization import opaque_id

if t.TYPE_CHECKING:
    from ansible_collections.rayfleet.anyscale.tests.sandbox._server import Sandbox

REGION = "us-west-2"
VISION_ACCOUNT = "222222222222"
SCIENCE_ACCOUNT = "333333333333"
ONBOARDING_ROLE = "anyscale-onboarding"


@dataclasses.dataclass(frozen=True)
class Cloud:
    """One cloud, described by the state of its parts.

    role: the role that the customer registered; without it the cloud runs with its default role.
    trust, bucket_policy, compute_config, control_plane: keys of ``_seed_documents``; no ``trust``
    means that the role does not exist.
    owns_bucket_access: whether the role has access to the bucket by its own policy, as Anyscale's
    module for Terraform gives it.
    registry: whether the role can pull images; cors: whether Anyscale's console may read the bucket.
    profile: whether the instance profile named like the role is ``missing``, ``empty`` or
    ``filled`` with the role.
    owner: which tool made it, by the tags of the role or the bucket: ``cloudformation`` or
    ``terraform``.
    """

    name: str
    account_id: str
    role: str = ""
    role_path: str = "/"
    owner: str = ""
    trust: str = ""
    bucket: str = ""
    bucket_policy: str = "none"
    profile: str = "missing"
    compute_config: str = "missing"
    control_plane: str = "complete"
    owns_bucket_access: bool = False
    registry: bool = True
    cors: bool = True

    @property
    def cloud_id(self) -> str:
        """The id that Anyscale gave the cloud."""
        return opaque_id("cld", self.name)

    @property
    def role_name(self) -> str:
        """The name of the role that its clusters run with."""
        return self.role or f"{self.cloud_id}-cluster_node_role"

    @property
    def role_arn(self) -> str:
        """The ARN of that role."""
        return f"arn:aws:iam::{self.account_id}:role{self.role_path}{self.role_name}"

    @property
    def instance_profile_arn(self) -> str:
        """The ARN of the instance profile named like the role."""
        return f"arn:aws:iam::{self.account_id}:instance-profile/{self.role_name}"

    @property
    def control_plane_role_name(self) -> str:
        """The name of the role that Anyscale's control plane assumes."""
        return f"{self.name}-crossacct-iam-role"

    @property
    def control_plane_role_arn(self) -> str:
        """The ARN of that role."""
        return f"arn:aws:iam::{self.account_id}:role/{self.control_plane_role_name}"

    @property
    def bucket_name(self) -> str:
        """The bucket of the cloud's system storage; clouds of one account may share it."""
        return self.bucket or f"anyscale-{self.name}-data"

    @property
    def compute_config_name(self) -> str:
        """The name of the compute config that the cloud's teams use."""
        return f"{self.name}-ray"


FLEET: tuple[Cloud, ...] = (
    Cloud("vision-prod", VISION_ACCOUNT, trust="lambda_only"),
    Cloud(
        "vision-dev",
        VISION_ACCOUNT,
        trust="manual_page",
        profile="filled",
        compute_config="role_arn",
    ),
    Cloud(
        "speech-prod",
        VISION_ACCOUNT,
        role="speech-prod-cluster-node-role",
        owner="cloudformation",
        trust="cloudformation",
        bucket_policy="cloudformation",
        profile="filled",
    ),
    Cloud(
        "speech-dev",
        VISION_ACCOUNT,
        role="anyscale-cluster-node-speech-dev",
        owner="terraform",
        trust="list_action",
        bucket_policy="cloud_foundation",
        profile="filled",
        compute_config="other_profile",
    ),
    Cloud(
        "search-prod",
        VISION_ACCOUNT,
        trust="conditional",
        bucket="anyscale-search-shared",
        bucket_policy="foreign_reader",
        profile="filled",
        compute_config="in_sync",
    ),
    Cloud(
        "search-dev",
        VISION_ACCOUNT,
        role="search-dev-ray",
        trust="foreign_principal",
        bucket="anyscale-search-shared",
    ),
    Cloud(
        "search-lab",
        VISION_ACCOUNT,
        role="search-lab-ray",
        role_path="/ray/lab/",
        trust="many_services",
        bucket="anyscale-search-shared",
        profile="empty",
    ),
    Cloud(
        "genomics-prod",
        SCIENCE_ACCOUNT,
        trust="manual_page",
        bucket_policy="complete",
        profile="filled",
        compute_config="in_sync",
    ),
    Cloud(
        "genomics-dev",
        SCIENCE_ACCOUNT,
        trust="cloudformation",
        bucket_policy="complete",
        profile="filled",
        compute_config="hidden_by_worker",
    ),
    Cloud(
        "forecast-prod",
        SCIENCE_ACCOUNT,
        role="forecast-prod-cluster-node-role",
        trust="cloudformation",
        bucket_policy="cloud_foundation",
        profile="filled",
        compute_config="other_profile",
    ),
    Cloud("forecast-dev", SCIENCE_ACCOUNT, trust="lambda_only", compute_config="role_arn"),
    Cloud(
        "robotics-prod",
        SCIENCE_ACCOUNT,
        role="robotics-ray",
        trust="foreign_principal",
        bucket_policy="cloudformation",
        profile="filled",
    ),
)

# Clouds whose clusters get the bucket, or their role, in the other ways: by the role's own policy,
# which is left alone, or which the access is moved to; and by Cloud IAM mapping.
_IN_SYNC: dict[str, t.Any] = {
    "trust": "manual_page",
    "profile": "filled",
    "compute_config": "in_sync",
}
BY_ROLE_POLICY = Cloud(
    "ledger-prod",
    SCIENCE_ACCOUNT,
    role="anyscale-cluster-node-ledger",
    owns_bucket_access=True,
    **_IN_SYNC,
)
TO_ROLE_POLICY = Cloud(
    "ledger-dev", SCIENCE_ACCOUNT, role="ledger-dev-ray", bucket_policy="managed", **_IN_SYNC
)
BY_MAPPING = Cloud(
    "ledger-lab", SCIENCE_ACCOUNT, role="ledger-lab-ray", trust="lambda_only", profile="filled"
)
OTHER_WAYS = (BY_ROLE_POLICY, TO_ROLE_POLICY, BY_MAPPING)

# What an operator of this fleet permits, as the section of a fleet file.
ALLOW: dict[str, t.Any] = {
    "accounts": [VISION_ACCOUNT, SCIENCE_ACCOUNT],
    "roles": [
        "{cloud_id}-cluster_node_role",
        "anyscale-cluster-node-*",
        "*-cluster-node-role",
        "*-ray",
    ],
    "buckets": ["anyscale-*-data", "anyscale-search-shared"],
    "shared": {"buckets": ["anyscale-search-shared"]},
    "unlisted": "include",
}

BROKEN_CLOUD = Cloud("robotics-lab", SCIENCE_ACCOUNT, role="robotics-lab-ray-misspelled")


# What the API does not know of a cloud, for the fleet file.
DEFAULTS: dict[str, str] = {
    "assume_role_arn": f"arn:aws:iam::{{account_id}}:role/{ONBOARDING_ROLE}",
    "compute_config": "{cloud}-ray",
}


def inventory(sandbox: Sandbox, fleet: t.Iterable[Cloud] = FLEET) -> dict[str, t.Any]:
    """A fleet as an Ansible inventory, to be dumped as YAML: one host for each cloud."""
    group = {
        "hosts": {cloud.name: _host_variables(cloud) for cloud in fleet},
        "vars": {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        },
    }
    return {"all": {"children": {"anyscale_clouds": group}}}


def _host_variables(cloud: Cloud) -> dict[str, str]:
    variables = {
        "cloud_iam_cloud_id": cloud.cloud_id,
        "cloud_iam_account_id": cloud.account_id,
        "cloud_iam_region": REGION,
        "cloud_iam_bucket": cloud.bucket_name,
        "cloud_iam_compute_config": cloud.compute_config_name,
        "cloud_iam_assume_role_arn": f"arn:aws:iam::{cloud.account_id}:role/{ONBOARDING_ROLE}",
    }
    return {**variables, "cloud_iam_role": cloud.role_arn} if cloud.role else variables

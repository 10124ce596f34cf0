# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs on a cloud, to be changed in the facts of a cloud in sync."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.launch_rows import (
    Launch,
    Launches,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import RoleReference
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import (
    FurtherRole,
    Running,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import Fact
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.instances import Instance
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.facts_builder import (
    GONE,
    OTHER_PROFILE,
    REFUSED,
    REGION,
    RESOURCE,
    Json,
    profile,
    role,
    template,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ROLE,
)

_TEMPLATES: dict[str, Json] = {
    "cpt_1": template(),
    "cpt_old": template(OTHER_PROFILE, id="cpt_old", version=2),
    "cpt_old_right": template(id="cpt_old_right", version=2),
    "cpt_own": template(OTHER_PROFILE, id="cpt_own", name="own", version=1),
    "cpt_role": template(ROLE, id="cpt_role", name="own", version=1),
    "cpt_worker": template(
        id="cpt_worker",
        name="own",
        worker={"advanced_configurations_json": {"IamInstanceProfile": {"Arn": OTHER_PROFILE}}},
    ),
    "cpt_none": template(None, id="cpt_none", name="own"),
    "cpt_foreign": template(id="cpt_foreign", name="own", config={"cloud_id": "cld_y"}),
}
_CONFIGS: dict[str, Fact[Json | None]] = {
    **{config_id: Fact[Json | None](found) for config_id, found in _TEMPLATES.items()},
    "cpt_gone": GONE,
    "cpt_refused": REFUSED,
}


def running(**changes: t.Any) -> Json:
    """What runs on a cloud: nothing, but for changes."""
    nothing = Running(Fact(Launches()), _CONFIGS, Fact([]))
    return {"running": dataclasses.replace(nothing, **changes)}


def launched(*config_ids: str | None, name: str = "", **more: t.Any) -> Json:
    """Clusters with these compute configs."""
    found = tuple(
        Launch("cluster", f"ses_{number}", name or f"cluster-{number}", "Running", config_id)
        for number, config_id in enumerate(config_ids)
    )
    return running(launches=Fact(Launches(found, **more)))


def instances(*profiles: str | None) -> Json:
    """Instances with these profiles."""
    found = [Instance(f"i-{number}", REGION, "running", arn) for number, arn in enumerate(profiles)]
    return running(instances=Fact(found))


def mapped(profile_name: str, fallback: str = "CLOUD_DEFAULT") -> Json:
    """A rule of the Cloud IAM mapping that gives some workloads a profile."""
    rules = [{"selector": "project=ml", "value": profile_name}]
    mapping = {"resource": RESOURCE, "rules": rules, "fallback_rule": fallback}
    return {"mappings": Fact([mapping])}


def flavored(arn: str) -> Json:
    """A flavor of the scheduler with an instance profile."""
    return {"scheduler_flavors": Fact({"gpu": [{"IamInstanceProfile": {"Arn": arn}}]})}


def further(is_wanted: bool = True) -> Json:
    """A further role, in the other profile."""
    read: dict[str, Fact[t.Any]] = {
        "role_wanted": Fact(RoleReference("other")),
        "role": Fact(role(RoleName="other")),
        "role_profiles": Fact([profile(OTHER_PROFILE, ROLE)]),
    }
    return {"further_roles": (FurtherRole("other", ("node group cpu",), is_wanted, read),)}


MAPPED = mapped("other")
# A group of workers is to run with a role of its own.
OWN_ROLE = {**further(), "group_roles": {"cpu": RoleReference("other")}}

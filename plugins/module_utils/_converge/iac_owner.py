# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find out from a resource's tags which infrastructure-as-code tool manages it.

This module util is private to the collection. Pure.
"""

from __future__ import annotations

import typing as t

_CLOUDFORMATION = "aws:cloudformation:"
_MANAGERS = ("managedby", "managed-by", "managed_by")
_TOOLS = ("Terraform", "CloudFormation")
_TERRAFORM_MODULE = ("tf_module", "tf_sub_module")
# The tags of roles and buckets in the CloudFormation template of Anyscale's command line, whose
# Name is the stack's.
_ANYSCALE_TEMPLATE = ("Name", "anyscale-cloud-id", "anyscale-deploy-environment")


def owner_of(tags: t.Iterable[t.Mapping[str, str]] | None) -> str | None:
    """The tool's name, such as ``CloudFormation (stack anyscale-prod)``; ``None`` if the tags name
    none.

    ``tags`` is a list of ``Key`` and ``Value``, as AWS returns it. CloudFormation puts tags of its
    own on buckets, but not on roles.
    https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1159
    """
    found = {tag["Key"]: tag["Value"] for tag in tags or ()}
    if any(key.startswith(_CLOUDFORMATION) for key in found):
        stack = found.get(f"{_CLOUDFORMATION}stack-name")
        return f"CloudFormation (stack {stack})" if stack else "CloudFormation"
    if any(key in found for key in _TERRAFORM_MODULE):
        return (
            "Terraform (module "
            + " ".join(found[key] for key in _TERRAFORM_MODULE if key in found)
            + ")"
        )
    for key, value in found.items():
        named = [tool for tool in _TOOLS if tool.lower() in value.lower()]
        if named and key.lower() in _MANAGERS:
            return named[0]
    if all(key in found for key in _ANYSCALE_TEMPLATE):
        return f"CloudFormation (stack {found['Name']})"
    return None

#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation only: the work is done on the controller, by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cloud_variables_info
short_description: Validate the variables of a cloud
version_added: 1.0.0
description:
  - Fails for the first variable of the role P(rayfleet.anyscale.cloud_iam#role) of the host that is
    invalid or unknown, or that is missing for the parts that the tags of the command line choose.
  - Fails for a cloud of the inventory plugin that the fleet file does not cover, as the playbooks do.
  - Warns of a bucket or a region that is not the one that is registered for the cloud at Anyscale, as
    far as the inventory is read from Anyscale, and of variables that C(cloud_iam_assign) leaves
    without effect.
  - Warns of a role that is not the registered one and that Anyscale is not given the permission to
    pass, C(cloud_iam_manage_pass_role). Only where the variables name such a role, and the inventory
    is not read from Anyscale, Anyscale is asked which role is registered. Without an answer nothing
    is warned of.
  - It is the first task of the role. The playbooks do the same for all clouds at once.
options:
  state:
    description:
      - Whether the variables are to be complete for converging the cloud (V(present)) or for
        offboarding it.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - rayfleet.anyscale._attributes.controller
  - rayfleet.anyscale._attributes.info
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Validate the variables of the cloud
  rayfleet.anyscale.cloud_variables_info:
"""

RETURN = r"""
{}
"""

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ID of this run of Ansible, which its backups have.

This plugin util is private to the collection.
"""

from __future__ import annotations

import os
import typing as t

from ansible import constants as C


def run_id(variables: t.Mapping[str, t.Any]) -> str:
    """That of AWX's job, else from the name of Ansible's temporary directory of the run: lower-case
    letters and digits, which a double click selects. The name may have underscores too, but seldom, so
    that a digit in their place is still unique.
    """
    if job_id := variables.get("awx_job_id"):
        return str(job_id)
    return os.path.basename(C.DEFAULT_LOCAL_TMP).removeprefix("ansible-local-").replace("_", "0")

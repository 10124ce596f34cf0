# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The error for a Python library that is missing.

This module util is private to the collection. Pure.
"""

from __future__ import annotations

from ansible.module_utils.basic import missing_required_lib

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError


def missing_boto3() -> TaskError:
    """The error where boto3, or what comes with it, cannot be imported."""
    return TaskError(
        missing_required_lib("boto3"),
        "Install it for that Python, or set ansible_python_interpreter to one that has it: "
        '"{{ ansible_playbook_python }}" is the Python that runs ansible-playbook.',
    )

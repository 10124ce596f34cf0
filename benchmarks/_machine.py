# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine and the versions that the figures were measured on."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sysconfig
from pathlib import Path

from ansible_collections.rayfleet.anyscale.benchmarks._workplace import AWSCLI_BIN

_PACKAGES = ("ansible-core", "boto3")


def describe(forks: int, threads: int) -> dict[str, str]:
    """The machine, the software, and the settings of the run."""
    return {
        **hardware(),
        "software": ", ".join([software(), _amazon_aws(), _awscli()]),
        "settings": (
            f"{forks} forks for all that Ansible runs and for the AWS CLI, {threads} threads for "
            "the fleet engine and for bare boto3"
        ),
        "date": today(),
    }


def hardware() -> dict[str, str]:
    """The machine itself, and its system."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
    }


def software() -> str:
    """Python and what the collection runs on."""
    return ", ".join([f"Python {platform.python_version()}", *map(_version, _PACKAGES)])


def today() -> str:
    """The day, wherever the machine is."""
    return datetime.datetime.now(datetime.timezone.utc).date().isoformat()


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _version(package: str) -> str:
    return f"{package} {importlib.metadata.version(package)}"


def _amazon_aws() -> str:
    manifest = Path(sysconfig.get_path("purelib")) / "ansible_collections/amazon/aws/MANIFEST.json"
    return f"amazon.aws {json.loads(manifest.read_text())['collection_info']['version']}"


def _awscli() -> str:
    printed = subprocess.run(
        [str(AWSCLI_BIN / "aws"), "--version"], capture_output=True, text=True, check=True
    ).stdout
    return printed.split()[0].replace("/", " ")

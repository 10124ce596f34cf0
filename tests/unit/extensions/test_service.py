# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The service of the page on events: its unit starts what its other files and commands set up."""

from __future__ import annotations

import configparser
import re
import shlex
import textwrap
from pathlib import Path

import yaml

from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

PAGE = (ROOT / "docs/docsite/rst/events.rst").read_text()
SECTION = PAGE.partition("\n5. Run it as a service\n")[2].partition("\nWith AWX or ")[0]
ENVIRONMENT_FILE = "/etc/anyscale/heal.env"
GROUP_VARS = "/etc/anyscale/inventory/group_vars/all.yml"


def file_of_page(caption: str) -> str:
    """The text of a file that the section shows."""
    found = re.search(rf":caption: {re.escape(caption)}\n\n((?:   .*\n|\n)+)", SECTION)
    assert found, caption
    return textwrap.dedent(found[1])


def service() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(file_of_page("/etc/systemd/system/anyscale-heal.service"))
    return parser["Service"]


def environment() -> dict[str, str]:
    return dict(line.split("=", 1) for line in file_of_page(ENVIRONMENT_FILE).split())


def test_it_starts_a_rulebook_that_there_is_with_the_files_of_the_page() -> None:
    program, *options = shlex.split(service()["ExecStart"])
    given = dict(zip(options[::2], options[1::2], strict=False))
    rulebook = given["-r"].removeprefix("rayfleet.anyscale.")
    assert (ROOT / f"extensions/eda/rulebooks/{rulebook}.yml").is_file()
    assert Path(given["-i"]) == Path(GROUP_VARS).parents[1]
    assert f"``{given['--vars']}``" in SECTION
    assert str(Path(program).parent) in environment()["PATH"].split(":")
    assert f"collection install -p {environment()['ANSIBLE_COLLECTIONS_PATH']} " in SECTION


def test_root_alone_reads_the_token() -> None:
    assert service()["EnvironmentFile"] == ENVIRONMENT_FILE
    assert "ANYSCALE_CLI_TOKEN" in environment()
    assert f"sudo install -m 0600 /dev/null {ENVIRONMENT_FILE}\n" in SECTION
    assert service()["User"] not in ("", "root")


def test_all_runs_share_directories_that_the_service_may_write() -> None:
    variables = yaml.safe_load(file_of_page(GROUP_VARS))
    assert set(variables) == {"cloud_iam_backup_dir", "heal_state_dir"}
    [writable] = service()["ReadWritePaths"].split()
    assert {str(Path(path).parent) for path in variables.values()} == {writable}

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rule of the layers holds in plugins/, and the picture in the documentation shows the code."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.docs.tools.architecture import (
    LAYERS,
    PICTURE,
    Arrows,
    arrows,
    is_implied,
    picture,
    violations,
)
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

THREE = (("top",), ("middle",), ("ground",))
_COLLECTION = "ansible_collections.rayfleet.anyscale"


def test_a_room_imports_from_rooms_below_it_alone() -> None:
    assert violations(arrows()) == []


def test_the_picture_is_drawn_from_the_code() -> None:
    """Its first comment says what draws it."""
    assert PICTURE.read_text() == picture(arrows())


def test_the_page_names_each_room() -> None:
    page = (ROOT / "docs/docsite/rst/architecture.rst").read_text()
    assert [room for rooms in LAYERS for room in rooms if f"``{room}``" not in page] == []
    sections = yaml.safe_load((ROOT / "docs/docsite/extra-docs.yml").read_text())["sections"]
    assert "architecture" in [name for section in sections for name in section["toctree"]]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(
            {"top": {"middle", "ground"}, "middle": {"ground"}},
            [],
            id="downwards, also by two floors",
        ),
        pytest.param(
            {"top": {"middle"}, "middle": {"ground"}, "ground": {"top"}},
            ["ground imports from top, which is not below it"],
            id="upwards, and so a circle",
        ),
        pytest.param(
            {"top": {"ground", "shed"}, "middle": set()},
            ["shed is on no layer"],
            id="a room without a layer",
        ),
        pytest.param(
            {"top": {"ground"}},
            ["middle is on a layer and not in plugins/"],
            id="a layer without its room",
        ),
    ],
)
def test_what_breaks_the_rule(found: Arrows, expected: list[str]) -> None:
    assert violations(found, THREE) == expected


def test_rooms_beside_each_other_do_not_import_from_each_other() -> None:
    assert violations({"one": {"other"}}, (("one", "other"),)) == [
        "one imports from other, which is not below it"
    ]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        pytest.param("plugins.module_utils._aws.iam import Iam", {"_aws"}, id="a name of a file"),
        pytest.param("plugins.module_utils._aws import iam", {"_aws"}, id="a file of a room"),
        pytest.param(
            "plugins.module_utils import _errors", {"_errors"}, id="a file that is a room"
        ),
        pytest.param("plugins.module_utils._errors import InputError", {"_errors"}, id="from it"),
        pytest.param("plugins.modules.ping import main", set(), id="the room itself"),
        pytest.param("tests.sandbox import Sandbox", set(), id="what is not in plugins"),
    ],
)
@pytest.mark.parametrize("form", ["from", "import"])
def test_the_arrows_of_a_file(
    tmp_path: Path, statement: str, expected: set[str], form: str
) -> None:
    for name in ("modules/ping.py", "module_utils/_errors.py", "module_utils/_aws/iam.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    line = f"from {_COLLECTION}.{statement}"
    if form == "import":
        module, _import, name = statement.partition(" import ")
        module = module if name[0].isupper() or name == "main" else f"{module}.{name}"
        line = f"import {_COLLECTION}.{module}"
    (tmp_path / "modules/pong.py").write_text(f"def run():\n    {line}\n")
    assert arrows(tmp_path)["modules"] == expected


def test_an_arrow_that_a_longer_way_implies_is_not_drawn() -> None:
    found = {"modules": {"_converge", "_errors"}, "_converge": {"_errors"}}
    assert is_implied("modules", "_errors", found)
    assert not is_implied("modules", "_converge", found)
    assert picture(found).count("<path marker-end") == 2

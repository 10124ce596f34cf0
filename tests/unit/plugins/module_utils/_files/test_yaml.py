# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file is read or replaced only where it holds a compute config or nothing; all else is refused
and left as it is.
"""

from __future__ import annotations

import pathlib
import stat

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files import yaml

KEYS = ("cloud", "head_node")
GARBAGE: dict[str, bytes] = {
    "a list": b"- one\n- two\n",
    "a text": b"just words\n",
    "broken YAML": b"{a: [\n",
    "binary": b"\x7fELF\x00\x01\xff",
    "an unsafe tag": b"!!python/object/apply:os.system ['true']\n",
    "another kind of document": b"apiVersion: v1\nkind: Secret\ndata: {}\n",
    "an inventory": b"all:\n  hosts:\n    localhost:\n",
    "a known key beside an unknown one": b"cloud: vision\nkind: Secret\n",
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
def test_a_file_that_holds_something_else_is_refused(
    tmp_path: pathlib.Path, content: bytes
) -> None:
    path = tmp_path / "precious"
    path.write_bytes(content)
    with pytest.raises(InputError, match=str(path)) as caught:
        yaml.read(str(path), KEYS)
    assert caught.value.remedy
    assert path.read_bytes() == content


@pytest.mark.parametrize("place", ["missing/team-a.yaml", ".", "/dev/full/team-a.yaml"])
def test_a_place_where_no_file_can_be_is_refused(tmp_path: pathlib.Path, place: str) -> None:
    with pytest.raises(InputError, match="dest is"):
        yaml.read(str(tmp_path / place), KEYS)


@pytest.mark.parametrize("content", [None, "", "# a comment\n"], ids=["none", "empty", "comment"])
def test_a_file_without_a_document_is_none(tmp_path: pathlib.Path, content: str | None) -> None:
    path = tmp_path / "team-a.yaml"
    if content is not None:
        path.write_text(content)
    assert yaml.read(str(path), KEYS) is None


def test_what_is_written_is_read_again(tmp_path: pathlib.Path) -> None:
    """Keys in their order, and texts that are not ASCII as they are."""
    path, document = tmp_path / "team-a.yaml", {"head_node": {"name": "größe"}, "cloud": "vision"}
    yaml.write(str(path), document)
    assert yaml.read(str(path), KEYS) == document
    assert path.read_text() == "head_node:\n  name: größe\ncloud: vision\n"


def test_a_file_keeps_its_mode_and_a_link_its_target(tmp_path: pathlib.Path) -> None:
    path, link = tmp_path / "team-a.yaml", tmp_path / "link.yaml"
    path.write_text("cloud: vision\n")
    path.chmod(0o600)
    link.symlink_to(path)
    yaml.write(str(link), {"cloud": "speech"})
    assert link.is_symlink()
    assert path.read_text() == "cloud: speech\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nothing waits for a file that is none: it is refused wherever a user may name a file."""

from __future__ import annotations

import contextlib
import pathlib
import typing as t

import pytest
from ansible.errors import AnsibleError

from ansible_collections.rayfleet.anyscale.plugins.action.audit_report import _read_previous
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.auth import (
    resolve_credentials,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.connections import (
    TlsSettings,
    tls_context,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files import yaml
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.plain_file import open_text
from ansible_collections.rayfleet.anyscale.tests.support.special_files import KINDS, special_file

# A test that waits is stopped by the limit of the whole session only, which is what it is about.
READERS: dict[str, t.Callable[[pathlib.Path], t.Any]] = {
    "the credentials of the CLI": lambda path: resolve_credentials(None, None, {}, str(path)),
    "a bundle of certificates": lambda path: tls_context(TlsSettings(True, str(path))),
    "a compute config": lambda path: yaml.read(str(path), ()),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reader", READERS)
def test_it_is_refused(tmp_path: pathlib.Path, reader: str, kind: str) -> None:
    with special_file(tmp_path / "file", kind) as path, pytest.raises(TaskError) as caught:
        READERS[reader](path)
    assert caught.value.remedy


@pytest.mark.parametrize("kind", KINDS)
def test_a_previous_report_is_refused(tmp_path: pathlib.Path, kind: str) -> None:
    with (
        special_file(tmp_path / "file", kind) as path,
        pytest.raises(AnsibleError, match=r"not a plain file.*audit_previous_report"),
    ):
        _read_previous(str(path))


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_says_what_it_is(tmp_path: pathlib.Path, kind: str) -> None:
    with (
        special_file(tmp_path / "file", kind) as path,
        pytest.raises(OSError, match="not a plain file"),
        open_text(str(path)),
    ):
        pytest.fail("it was opened")


def test_a_plain_file_is_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("tëxt", encoding="utf-8")
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        with open_text(str(tmp_path / name)) as file:
            assert file.read() == "tëxt"
    with pytest.raises(FileNotFoundError), open_text(str(tmp_path / "none")):
        pass
    with contextlib.suppress(OSError), open_text(str(tmp_path)):
        pytest.fail("a folder was opened")

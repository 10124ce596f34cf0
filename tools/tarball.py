# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A collection's tarball that depends on its files alone: everybody who builds the same commit gets the
same digest, and can so check what was published.

``ansible-galaxy collection build`` writes the files in the order in which the file system lists them,
with the times at which they were checked out, or built.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

MANIFEST, FILES = "MANIFEST.json", "FILES.json"


def make_reproducible(tarball: Path, epoch: int) -> None:
    """Rewrite a tarball: its files in the order of their names, all with the time ``epoch``."""
    contents, modes = _read(tarball)
    contents |= _sorted_manifests(contents)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in (MANIFEST, FILES, *sorted(set(modes) - {MANIFEST, FILES})):
            content = contents.get(name)
            member = tarfile.TarInfo(name)
            member.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            member.mode, member.mtime = modes[name], epoch
            member.size = len(content or b"")
            archive.addfile(member, io.BytesIO(content or b""))
    # Not gzip.compress, whose header names the operating system in some releases of Python.
    with (
        tarball.open("wb") as file,
        gzip.GzipFile("", "wb", compresslevel=9, fileobj=file, mtime=epoch) as packed,
    ):
        packed.write(buffer.getvalue())


def read_member(tarball: Path, name: str) -> bytes:
    """The content of a file of a tarball."""
    return _read(tarball)[0][name]


def _read(tarball: Path) -> tuple[dict[str, bytes], dict[str, int]]:
    """The contents of the files, and the modes of files and folders."""
    contents, modes = {}, {}
    with tarfile.open(tarball) as archive:
        for member in archive:
            if not (member.isfile() or member.isdir()):
                raise ValueError(f"{member.name} is neither a file nor a folder")
            modes[member.name] = member.mode
            if member.isfile() and (file := archive.extractfile(member)):
                contents[member.name] = file.read()
    return contents, modes


def _sorted_manifests(contents: dict[str, bytes]) -> dict[str, bytes]:
    """The list of files in the order of their names, and the manifest, which has its digest."""
    listed, manifest = json.loads(contents[FILES]), json.loads(contents[MANIFEST])
    listed["files"].sort(key=lambda file: file["name"])
    files = _json(listed)
    manifest["file_manifest_file"]["chksum_sha256"] = hashlib.sha256(files).hexdigest()
    return {FILES: files, MANIFEST: _json(manifest)}


def _json(document: object) -> bytes:
    return json.dumps(document, indent=1).encode()

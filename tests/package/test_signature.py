# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A signature of the release, made with a key that is thrown away, as ansible-galaxy judges it."""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.tools.tarball import MANIFEST, read_member

COLLECTION = "rayfleet.anyscale"


class Signed(t.NamedTuple):
    """The signature of a manifest, and the keyring with the key that it was made with."""

    signature: Path
    keyring: Path
    home: Path

    def sign(self, path: Path) -> Path:
        """Sign another file with the same key."""
        made = Path(f"{path}.asc")
        gpg(self.home, "--armor", "--output", str(made), "--detach-sign", str(path))
        return made


def gpg(home: Path, *arguments: str) -> None:
    options = ("--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "")
    env = {**os.environ, "GNUPGHOME": str(home)}
    subprocess.run(["gpg", *options, *arguments], env=env, check=True)


@pytest.fixture(scope="module")
def signed(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Signed]:
    if not shutil.which("gpg"):
        pytest.skip("gpg is not installed")
    home = tmp_path_factory.mktemp("gpg")  # its socket needs a short path
    home.chmod(0o700)
    manifest, keyring = home / MANIFEST, home / "keyring.gpg"
    manifest.write_bytes(read_member(tarball, MANIFEST))
    gpg(home, "--quick-generate-key", "Nobody <nobody@example.com>", "ed25519", "sign")
    gpg(home, "--output", str(keyring), "--export")
    signed = Signed(Path(f"{manifest}.asc"), keyring, home)
    signed.sign(manifest)
    yield signed
    env = {**os.environ, "GNUPGHOME": str(home)}
    subprocess.run(["gpgconf", "--kill", "all"], env=env, check=False)


@pytest.fixture
def installed(tarball: Path, tmp_path: Path) -> Path:
    """A collections path with the tarball. From a file, ansible-galaxy takes no signature."""
    options = ("--offline", "--no-deps", "-p", str(tmp_path))
    subprocess.run(
        ["ansible-galaxy", "collection", "install", *options, str(tarball)],
        env=environment(tmp_path),
        check=True,
    )
    return tmp_path


def environment(folder: Path, **more: str) -> dict[str, str]:
    """In which nothing of the clone is found."""
    return {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(folder),
        "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
        **more,
    }


def verify(installed: Path, signed: Signed) -> tuple[bool, str]:
    """Whether ansible-galaxy finds a good signature and the files that were signed, and its words."""
    options = ("--offline", "--keyring", str(signed.keyring))
    signatures = ("--signature", f"file://{signed.signature}")
    needed = ("--required-valid-signature-count", "+1")
    done = subprocess.run(
        ["ansible-galaxy", "collection", "verify", COLLECTION, *options, *signatures, *needed],
        env=environment(installed, GNUPGHOME=str(signed.home)),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode == 0, done.stdout + done.stderr


def test_the_installed_release_is_verified_by_its_signature(
    installed: Path, signed: Signed
) -> None:
    """Until a file is changed."""
    is_good, words = verify(installed, signed)
    assert is_good, words
    (installed / "ansible_collections/rayfleet/anyscale/README.md").write_text("Changed.")
    is_good, words = verify(installed, signed)
    assert not is_good
    assert "README.md" in words


def test_the_signature_of_another_release_is_refused(
    installed: Path, signed: Signed, tmp_path: Path
) -> None:
    other = tmp_path / MANIFEST
    other.write_text("{}")
    is_good, words = verify(installed, signed._replace(signature=signed.sign(other)))
    assert not is_good
    assert "signature" in words.lower()

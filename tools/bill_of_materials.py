# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bill of materials of a release, in CycloneDX 1.6: the tarball's digest, its files with theirs,
and what the collection needs when it runs.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import uuid
from pathlib import Path

import yaml
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.contact import OrganizationalEntity
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement

from ansible_collections.rayfleet.anyscale.tools.tarball import FILES, MANIFEST, read_member

_REQUIREMENTS = "meta/ee-requirements.txt"
_RUNTIME = "meta/runtime.yml"
# Where a property of ours is named, as the format asks for.
_RANGE = "rayfleet:anyscale:version_range"


def bill_of_materials(tarball: Path, epoch: int) -> str:
    """The document. It depends on the tarball and the time of its commit alone."""
    digest = hashlib.sha256(tarball.read_bytes()).hexdigest()
    info = json.loads(read_member(tarball, MANIFEST))["collection_info"]
    collection = _collection(info, digest)
    needed = [_needed(name, allowed) for name, allowed in requirements(tarball).items()]
    bom = Bom(
        components=[*_files(tarball), *needed],
        serial_number=uuid.uuid5(uuid.NAMESPACE_OID, digest),
    )
    bom.metadata.component = collection
    bom.metadata.timestamp = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc)
    bom.register_dependency(collection, needed)
    return JsonV1Dot6(bom).output_as_string(indent=2)


def requirements(tarball: Path) -> dict[str, str]:
    """The packages that the collection needs when it runs, each with the versions that it takes."""
    core = yaml.safe_load(read_member(tarball, _RUNTIME))["requires_ansible"]
    found = {"ansible-core": core}
    for line in read_member(tarball, _REQUIREMENTS).decode().splitlines():
        text = line.partition("#")[0].strip()
        if text:
            requirement = Requirement(text)
            found[requirement.name] = str(requirement.specifier) or "*"
    return found


def _collection(info: dict[str, str], digest: str) -> Component:
    namespace, name, version = info["namespace"], info["name"], info["version"]
    return Component(
        name=name,
        group=namespace,
        version=version,
        type=ComponentType.LIBRARY,
        bom_ref=f"{namespace}.{name}",
        description=info["description"],
        licenses=[DisjunctiveLicense(id=license_id) for license_id in info["license"]],
        supplier=OrganizationalEntity(name="; ".join(info["authors"])),
        # There is no type of package URL for collections.
        purl=PackageURL("generic", namespace, name, version),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
    )


def _files(tarball: Path) -> list[Component]:
    return [
        Component(
            name=file["name"],
            type=ComponentType.FILE,
            bom_ref=f"file:{file['name']}",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=file["chksum_sha256"])],
        )
        for file in json.loads(read_member(tarball, FILES))["files"]
        if file["ftype"] == "file"
    ]


def _needed(name: str, allowed: str) -> Component:
    """A package that is installed beside the collection, and not part of it."""
    return Component(
        name=name,
        type=ComponentType.LIBRARY,
        bom_ref=f"pypi:{name}",
        purl=PackageURL("pypi", None, name),
        properties=[Property(name=_RANGE, value=allowed)],
    )

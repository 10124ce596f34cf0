# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Anyscale control plane, over its REST API: the few calls that the collection needs.

This module util is private to the collection. I/O only: it decides nothing and knows nothing of
AnsibleModule. The API describes itself at https://console.anyscale.com/api/v2/docs
"""

from __future__ import annotations

import itertools
import os
import random
import time
import typing as t
import urllib.parse

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.answer import REMEDIES
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.api import Api
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.auth import (
    resolve_credentials,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_shape import (
    same_config,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_versions import (
    ALL,
    NEWEST,
    PAGE,
    SEARCH,
    missing_key,
    named_in,
    rank,
    versions_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.connections import (
    TlsSettings,
    tls_context,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.launch_layers import (
    InstanceConfigs,
    read_machine_pools,
    read_scheduler_flavors,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AnyscaleError,
    InputError,
    option,
)

_CLOUDS = "/api/v2/clouds/"
_TEMPLATES = "/api/v2/compute_templates/"
_CLOUDS_PER_PAGE = 50
_CLOUD_TEXTS = ("id", "name", "provider", "compute_stack", "region", "state")
_DELETED_STATES = ("DELETING", "DELETED")
# How long to search for a version whose create was not answered: searches may lag behind.
_SEARCH_SECONDS = 60.0
_LONGEST_SEARCH_PAUSE = 8.0
_OUTCOME_UNKNOWN = (
    "The version may have been published all the same, so it was not sent a second time. To find "
    "out, run again in a few minutes: a version that is there by then is found."
)
JsonObject = dict[str, t.Any]


class AnyscaleClient:
    """A session with one control plane. The token shows in no message and no representation.

    ``pool`` sends the requests, as a ``urllib3.PoolManager`` does; without it, this process's
    connections do.
    """

    def __init__(
        self,
        host: str,
        token: str,
        *,
        validate_certs: bool = True,
        ca_path: str | None = None,
        timeout: float = 60,
        pool: t.Any = None,
        sleep: t.Callable[[float], None] = time.sleep,
        clock: t.Callable[[], float] = time.monotonic,
        jitter: t.Callable[[], float] = random.random,
        on_wait: t.Callable[[str], None] | None = None,
    ) -> None:
        self.api = Api(
            host,
            token,
            TlsSettings(validate_certs, ca_path),
            timeout=timeout,
            pool=pool,
            sleep=sleep,
            clock=clock,
            jitter=jitter,
            on_wait=on_wait,
        )
        self._sleep = sleep
        self._clock = clock
        self._jitter = jitter

    def __repr__(self) -> str:
        return f"AnyscaleClient({self.api.host!r})"

    def clouds(self) -> t.Iterator[JsonObject]:
        """All clouds that the token may see."""
        return (cloud for page in self.cloud_pages() for cloud in page)

    def cloud_pages(self) -> t.Iterator[list[JsonObject]]:
        """All clouds that the token may see, by the page: a call for each."""
        pages = self.api.pages("GET", _CLOUDS, {"count": _CLOUDS_PER_PAGE})
        return (page.rows for page in pages)

    def cloud(self, cloud_id: str) -> JsonObject:
        """One cloud, by its id."""
        path = f"{_CLOUDS}{_quoted(cloud_id)}"
        return self.checked_cloud(self.api.result("GET", path), path)

    def checked_cloud(self, cloud: JsonObject, path: str = _CLOUDS) -> JsonObject:
        """A cloud whose texts are texts. Raises where one is not."""
        wrong = [key for key in _CLOUD_TEXTS if not isinstance(cloud.get(key), (str, type(None)))]
        if wrong:
            raise self.api.malformed("GET", path, f"a cloud whose {wrong[0]} is not text")
        return cloud

    def find_cloud(self, name: str) -> JsonObject:
        """The one cloud that has exactly this name: the API itself would pick any of those that
        share it.
        """
        # The API's own filter matches parts of names.
        listed = self.api.rows("GET", _CLOUDS, {"name": name, "count": _CLOUDS_PER_PAGE})
        named = [
            cloud
            for cloud in listed
            if cloud.get("name") == name and cloud.get("state") not in _DELETED_STATES
        ]
        if not named:
            raise InputError(f"There is no cloud {name!r} that this token may see.", REMEDIES[404])
        if len(named) > 1:
            ids = ", ".join(sorted(str(cloud.get("id")) for cloud in named))
            raise InputError(
                f"{len(named)} clouds are named {name!r}: {ids}.",
                f"Set {option('cloud_id')} instead of the name.",
            )
        if missing_key(named[0], ("id",)):
            raise self.api.malformed("GET", _CLOUDS, f"cloud {name} without its id")
        return named[0]

    def cloud_resources(self, cloud_id: str) -> list[JsonObject]:
        """The cloud's resources: one for each place where its clusters can run."""
        return list(self.api.rows("GET", f"{_CLOUDS}{_quoted(cloud_id)}/resources", {}))

    def deployment_config(self, cloud_id: str, resource_id: str) -> JsonObject:
        """The whole config of a resource of a cloud, whose ``dataplane_iam_mapping`` is its Cloud
        IAM mapping: ``rules``, of which the first match counts, and a ``fallback_rule``; empty
        without any.
        """
        path = _deployment_config(cloud_id, resource_id)
        spec = self.api.result("GET", path).get("spec") or {}
        mapping = spec.get("dataplane_iam_mapping") or {} if isinstance(spec, dict) else None
        rules = mapping.get("rules") or [] if isinstance(mapping, dict) else None
        if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
            raise self.api.malformed("GET", path, "a Cloud IAM mapping of another form")
        return {**spec, "dataplane_iam_mapping": mapping}

    def put_deployment_config(self, cloud_id: str, resource_id: str, spec: JsonObject) -> None:
        """Replace the config of a resource of a cloud: what the spec lacks goes. A call that failed is
        not sent again, since another writer may have written meanwhile. The service does not check
        that the cloud has the resource.
        """
        path = _deployment_config(cloud_id, resource_id)
        self.api.call("PUT", path, body={"spec": spec}, repeatable=False, overwrites=True)

    def iam_mapping(self, cloud_id: str, resource_id: str) -> JsonObject:
        """The Cloud IAM mapping of a resource, as in its config."""
        mapping = self.deployment_config(cloud_id, resource_id)["dataplane_iam_mapping"]
        return t.cast(JsonObject, mapping)

    def scheduler_flavors(self) -> InstanceConfigs:
        """What the organization's scheduler sets for instances, by the names of its flavors."""
        return read_scheduler_flavors(self.api)

    def machine_pools(self) -> InstanceConfigs:
        """What the organization's machine pools set for instances, by their names."""
        return read_machine_pools(self.api)

    def permission_level(self) -> str | None:
        """What the token's user is in the organization, such as ``owner`` or ``collaborator``;
        ``None`` where the service does not say so.
        """
        level = self.api.result("GET", "/api/v2/userinfo/").get("organization_permission_level")
        return level if isinstance(level, str) else None

    def newest_compute_config(self, name: str, cloud_id: str) -> JsonObject | None:
        """The newest version of a compute config, ``archived_at`` set if it is archived; ``None``
        where there is none.
        """
        return max(self._versions(name, cloud_id, NEWEST), key=rank, default=None)

    def compute_config_versions_after(
        self, name: str, cloud_id: str, version: int
    ) -> t.Iterator[JsonObject]:
        """The versions of a compute config after one of them, newest first."""
        return itertools.takewhile(
            lambda template: template["version"] > version, self._versions(name, cloud_id, ALL)
        )

    def compute_config_names(self, cloud_id: str) -> list[str]:
        """The names of the cloud's compute configs that are not archived."""
        found = self.api.rows("POST", SEARCH, PAGE, named_in(cloud_id))
        return [name for one in found if isinstance(name := one.get("name"), str)]

    def default_compute_config(self, cloud_id: str) -> JsonObject:
        """The config that clusters of the cloud get when none is named."""
        return self.api.result("GET", f"{_TEMPLATES}default/{_quoted(cloud_id)}")

    def publish_compute_config(
        self, name: str, config: JsonObject, *, previous_version: int
    ) -> JsonObject:
        """Publish ``config`` as the version after ``previous_version`` (0: there is none yet) and
        return it.

        Each create makes a version, and versions cannot be deleted. So a create whose outcome is
        unknown (no answer, an unreadable one, or a server's error) is never sent again: the version
        that it may have made is searched for.
        """
        body = {"name": name, "anonymous": False, "new_version": True, "config": config}
        try:
            created = self.api.result("POST", _TEMPLATES, body=body)
            self._check_version(_TEMPLATES, name, missing_key(created, ("version",)))
            return created
        except AnyscaleError as error:
            if not error.outcome_unknown:
                raise
            return self._find_created_version(error, name, config, previous_version)

    def unarchive_compute_config(self, template_id: str) -> None:
        """Take every version of the compute config that this one belongs to out of the archive."""
        self.api.call("POST", f"{_TEMPLATES}{_quoted(template_id)}/unarchive", repeatable=True)

    def archive_compute_config(self, template_id: str) -> None:
        """Archive every version of the compute config that this one belongs to; one that is gone is
        no error.
        """
        try:
            self.api.call("POST", f"{_TEMPLATES}{_quoted(template_id)}/archive", repeatable=True)
        except AnyscaleError as error:
            if error.status != 404:
                raise

    def _versions(self, name: str, cloud_id: str, version: int) -> t.Iterator[JsonObject]:
        """Versions of one compute config, newest first."""
        search = versions_of(name, cloud_id, version)
        for template in self.api.rows("POST", SEARCH, PAGE, search):
            if template.get("name") != name:
                continue
            self._check_version(SEARCH, name, missing_key(template))
            if template["config"].get("cloud_id") == cloud_id:
                yield template

    def _find_created_version(
        self, unanswered: AnyscaleError, name: str, config: JsonObject, previous_version: int
    ) -> JsonObject:
        """The version that a create made whose answer was lost. Raises where none shows.

        Searches may lag behind, and the server may still be at work on it, so that no search proves
        that no version was made.
        """
        gives_up_at = self._clock() + _SEARCH_SECONDS
        try:
            for search in itertools.count():
                self._sleep((1.0 + self._jitter()) * min(_LONGEST_SEARCH_PAUSE, 2.0**search))
                created = self._equal_version(name, config, previous_version)
                if created is not None:
                    return created
                if self._clock() >= gives_up_at:
                    break
        except AnyscaleError as error:
            raise _outcome_unknown_error(unanswered) from error
        raise _outcome_unknown_error(unanswered)

    def _equal_version(
        self, name: str, config: JsonObject, previous_version: int
    ) -> JsonObject | None:
        """The newest version after the previous one that holds this config."""
        newer = self.compute_config_versions_after(name, config["cloud_id"], previous_version)
        return next(
            (template for template in newer if same_config(template["config"], config)), None
        )

    def _check_version(self, path: str, name: str, missing: str | None) -> None:
        """Raise where a version of a compute config was answered that lacks a key."""
        if missing is not None:
            raise self.api.malformed(
                "POST", path, f"a version of compute config {name} without its {missing}"
            )


def anyscale_client(
    params: t.Mapping[str, t.Any], make: t.Callable[..., AnyscaleClient] = AnyscaleClient
) -> AnyscaleClient:
    """A session with the control plane that a module's parameters lead to."""
    allow_http = bool(params.get("anyscale_allow_http"))
    host, token = resolve_credentials(
        params.get("anyscale_host"), params.get("anyscale_token"), os.environ, allow_http=allow_http
    )
    tls = _tls_settings(params["validate_certs"], params.get("aws_ca_bundle"))
    return make(host, token, **tls._asdict())


def warm_up() -> None:
    """Make the TLS context that most clients use. No call is made."""
    tls_context(_tls_settings(True, os.environ.get("AWS_CA_BUNDLE")))


def _tls_settings(validate_certs: bool, aws_ca_bundle: str | None) -> TlsSettings:
    return TlsSettings(validate_certs, os.environ.get("ANYSCALE_SSL_CA_CERT") or aws_ca_bundle)


def _outcome_unknown_error(unanswered: AnyscaleError) -> AnyscaleError:
    return AnyscaleError(unanswered.message, _OUTCOME_UNKNOWN, **unanswered.details)


def _deployment_config(cloud_id: str, resource_id: str) -> str:
    return f"{_CLOUDS}{_quoted(cloud_id)}/deployment/{_quoted(resource_id)}/config"


def _quoted(segment: str) -> str:
    """A segment of a path that stays one: urllib3 would resolve one of dots alone."""
    quoted = urllib.parse.quote(segment, safe="")
    return quoted if quoted.strip(".") else quoted.replace(".", "%2E")

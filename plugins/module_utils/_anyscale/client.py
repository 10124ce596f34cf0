# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Anyscale control plane, over its REST API: the few calls that the collection needs.

This module util is private to the collection. I/O only: it decides nothing and knows nothing of
AnsibleModule. The API describes itself at https://console.anyscale.com/api/v2/docs
"""

from __future__ import annotations

import itertools
import json
import os
import random
import time
import typing as t
import urllib.parse

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.answer import (
    HIBERNATED,
    REMEDIES,
    Answer,
    load_json,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.auth import (
    resolve_credentials,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_shape import (
    same_config,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.connections import (
    TlsSettings,
    connection_pool,
    send,
    tls_context,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AnyscaleError,
    InputError,
)

_CLOUDS = "/api/v2/clouds/"
_TEMPLATES = "/api/v2/compute_templates/"
_CLOUDS_PER_PAGE = 50
_TEMPLATES_PER_PAGE = 100
_MOST_PAGES = 2000
_NEWEST_VERSION = -1
_ALL_VERSIONS = -2
_DELETED_STATES = ("DELETING", "DELETED")
_ATTEMPTS = 6
# How long to search for a version whose create was not answered: searches may lag behind.
_SEARCH_SECONDS = 60.0
_LONGEST_SEARCH_PAUSE = 8.0
_TOTAL_SECONDS = 300.0
_USER_AGENT = "rayfleet.anyscale"
_OUTCOME_UNKNOWN = (
    "The version may have been published all the same, so it was not sent a second time. To find "
    "out, run again in a few minutes: a version that is there by then is found."
)
JsonObject = dict[str, t.Any]
# What callers rely on in a version of a compute config.
_REQUIRED_KEYS: dict[str, t.Callable[[t.Any], bool]] = {
    "version": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "id": lambda value: isinstance(value, str) and bool(value),
    "config": lambda value: isinstance(value, dict),
}


class _UnsentError(AnyscaleError):
    """The request did not leave: it is certain that nothing was done."""


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
    ) -> None:
        self._host = host
        self._token = token
        self._tls = TlsSettings(validate_certs, ca_path)
        self._timeout = timeout
        self._pool = pool
        self._sleep = sleep
        self._clock = clock
        self._jitter = jitter

    def __repr__(self) -> str:
        return f"AnyscaleClient({self._host!r})"

    def clouds(self) -> t.Iterator[JsonObject]:
        """All clouds that the token may see."""
        return self._pages("GET", _CLOUDS, {"count": _CLOUDS_PER_PAGE})

    def cloud(self, cloud_id: str) -> JsonObject:
        """One cloud, by its id."""
        return self._result("GET", f"{_CLOUDS}{_quoted(cloud_id)}")

    def find_cloud(self, name: str) -> JsonObject:
        """The one cloud that has exactly this name: the API itself would pick any of those that
        share it.
        """
        # The API's own filter matches parts of names.
        listed = self._pages("GET", _CLOUDS, {"name": name, "count": _CLOUDS_PER_PAGE})
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
                "Give cloud_id instead of the name.",
            )
        if not _REQUIRED_KEYS["id"](named[0].get("id")):
            raise self._malformed("GET", _CLOUDS, f"cloud {name} without its id")
        return named[0]

    def cloud_resources(self, cloud_id: str) -> list[JsonObject]:
        """The cloud's resources: one for each place where its clusters can run."""
        return list(self._pages("GET", f"{_CLOUDS}{_quoted(cloud_id)}/resources", {}))

    def iam_mapping(self, cloud_id: str, resource_id: str) -> JsonObject:
        """The Cloud IAM mapping of a resource: ``rules``, of which the first match counts, and a
        ``fallback_rule``; empty without any.
        """
        spec = self._result(
            "GET", f"{_CLOUDS}{_quoted(cloud_id)}/deployment/{_quoted(resource_id)}/config"
        ).get("spec")
        return (spec.get("dataplane_iam_mapping") if isinstance(spec, dict) else None) or {}

    def newest_compute_config(self, name: str, cloud_id: str) -> JsonObject | None:
        """The newest version of a compute config, ``archived_at`` set if it is archived; ``None``
        where there is none.
        """
        found = list(self._versions(name, cloud_id, _NEWEST_VERSION))
        return max(
            found,
            key=lambda template: (not template.get("archived_at"), template["version"]),
            default=None,
        )

    def default_compute_config(self, cloud_id: str) -> JsonObject:
        """The config that clusters of the cloud get when none is named."""
        return self._result("GET", f"{_TEMPLATES}default/{_quoted(cloud_id)}")

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
            created = self._result("POST", _TEMPLATES, body=body)
            return self._checked_version("POST", _TEMPLATES, name, created, ("version",))
        except _UnsentError:
            raise
        except AnyscaleError as error:
            if not _is_outcome_unknown(error.status):
                raise
            return self._find_created_version(error, name, config, previous_version)

    def unarchive_compute_config(self, template_id: str) -> None:
        """Take every version of the compute config that this one belongs to out of the archive."""
        self._call("POST", f"{_TEMPLATES}{_quoted(template_id)}/unarchive", repeatable=True)

    def archive_compute_config(self, template_id: str) -> None:
        """Archive every version of the compute config that this one belongs to; one that is gone is
        no error.
        """
        try:
            self._call("POST", f"{_TEMPLATES}{_quoted(template_id)}/archive", repeatable=True)
        except AnyscaleError as error:
            if error.status != 404:
                raise

    def _versions(self, name: str, cloud_id: str, version: int) -> t.Iterator[JsonObject]:
        """Versions of one compute config, newest first. Names are unique within a cloud only, so the
        search is for both.
        """
        search = {
            "name": {"equals": name},
            "cloud_id": cloud_id,
            "version": version,
            "archive_status": "ALL",
            "include_anonymous": True,
            "sort_by_clauses": [{"sort_field": "CREATED_AT", "sort_order": "DESC"}],
        }
        path = f"{_TEMPLATES}search"
        for template in self._pages("POST", path, {"count": _TEMPLATES_PER_PAGE}, search):
            if template.get("name") != name:
                continue
            found = self._checked_version("POST", path, name, template, _REQUIRED_KEYS)
            if found["config"].get("cloud_id") == cloud_id:
                yield found

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
        newer = itertools.takewhile(
            lambda template: template["version"] > previous_version,
            self._versions(name, config["cloud_id"], _ALL_VERSIONS),
        )
        return next(
            (template for template in newer if same_config(template["config"], config)), None
        )

    def _pages(
        self, method: str, path: str, query: JsonObject, body: JsonObject | None = None
    ) -> t.Iterator[JsonObject]:
        """The rows of all pages of a read-only call."""
        token: str | None = None
        seen: set[str] = set()
        while len(seen) < _MOST_PAGES:
            page = self._call(
                method,
                path,
                {**query, "paging_token": token} if token else query,
                body,
                repeatable=True,
            )
            rows = page.get("results")
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise self._malformed(method, path, "a page without results")
            yield from rows
            metadata = page.get("metadata")
            token = metadata.get("next_paging_token") if isinstance(metadata, dict) else None
            if not token:
                return
            if token in seen:
                raise self._malformed(method, path, "the same page again and again")
            seen.add(token)
        raise self._malformed(method, path, f"more than {_MOST_PAGES} pages")

    def _result(self, method: str, path: str, body: JsonObject | None = None) -> JsonObject:
        """The one object that a call answers with. Only a GET is sure to be harmless twice."""
        result = self._call(method, path, body=body, repeatable=method == "GET").get("result")
        if not isinstance(result, dict):
            raise self._malformed(method, path, "an answer without a result")
        return result

    def _checked_version(
        self, method: str, path: str, name: str, template: JsonObject, required: t.Iterable[str]
    ) -> JsonObject:
        """A version of a compute config, as answered. Raises where a required key is missing or
        unusable.
        """
        for key in required:
            if not _REQUIRED_KEYS[key](template.get(key)):
                raise self._malformed(
                    method, path, f"a version of compute config {name} without its {key}"
                )
        return template

    def _call(
        self,
        method: str,
        path: str,
        query: JsonObject | None = None,
        body: JsonObject | None = None,
        *,
        repeatable: bool,
    ) -> JsonObject:
        """One call, retried while that is harmless and may succeed, within a limit of attempts and
        of seconds.
        """
        url = self._host + path + (f"?{urllib.parse.urlencode(query)}" if query else "")
        gives_up_at = self._clock() + _TOTAL_SECONDS
        attempt = 0
        while True:
            attempt += 1
            answer = self._attempt(method, url, body)
            if 200 <= answer.status < 300:
                return self._document(method, path, answer)
            pause = answer.pause(attempt, self._jitter())
            if (
                attempt == _ATTEMPTS
                or not answer.is_transient(repeatable)
                or self._clock() + pause > gives_up_at
            ):
                raise self._refusal(method, path, answer)
            self._sleep(pause)

    def _attempt(self, method: str, url: str, body: JsonObject | None) -> Answer:
        pool = connection_pool(url, self._tls) if self._pool is None else self._pool
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": _USER_AGENT,
        }
        data = None if body is None else json.dumps(body).encode()
        return send(pool, method, url, headers=headers, body=data, timeout=self._timeout)

    def _document(self, method: str, path: str, answer: Answer) -> JsonObject:
        if not answer.body.strip():
            return {}
        document = load_json(answer.body)
        if not isinstance(document, dict):
            raise self._malformed(method, path, "something other than a JSON object", answer)
        return document

    def _malformed(
        self, method: str, path: str, what: str, answer: Answer | None = None
    ) -> AnyscaleError:
        return AnyscaleError(
            f"{self._host} answered {method} {path} with {what}.",
            "Check that anyscale_host is an Anyscale control plane and that no proxy answers in "
            "its place.",
            method=method,
            path=path,
            status=answer.status if answer else 200,
            trace_id=answer.headers.get("x-trace-id") if answer else None,
        )

    def _refusal(self, method: str, path: str, answer: Answer) -> AnyscaleError:
        text = answer.text_without(self._token)
        remedy = REMEDIES.get(answer.status, "")
        if 300 <= answer.status < 400:
            text = f"it redirects to {_origin(answer.headers.get('Location'))}"
            remedy = "Redirects are not followed: give the final address as anyscale_host."
        outcome = f"HTTP {answer.status}" if answer.status else "no answer"
        return (_UnsentError if answer.is_unsent else AnyscaleError)(
            f"{method} {path} failed at {self._host} ({outcome}): {text.rstrip('.')}.",
            remedy,
            method=method,
            path=path,
            status=answer.status,
            trace_id=answer.headers.get("x-trace-id"),
        )


def anyscale_client(params: t.Mapping[str, t.Any]) -> AnyscaleClient:
    """A session with the control plane that a module's parameters lead to."""
    allow_http = bool(params.get("anyscale_allow_http"))
    host, token = resolve_credentials(
        params.get("anyscale_host"), params.get("anyscale_token"), os.environ, allow_http=allow_http
    )
    tls = _tls_settings(params["validate_certs"], params.get("aws_ca_bundle"))
    return AnyscaleClient(host, token, **tls._asdict())


def warm_up() -> None:
    """Make the TLS context that most clients use. No call is made."""
    tls_context(_tls_settings(True, os.environ.get("AWS_CA_BUNDLE")))


def _tls_settings(validate_certs: bool, aws_ca_bundle: str | None) -> TlsSettings:
    return TlsSettings(validate_certs, os.environ.get("ANYSCALE_SSL_CA_CERT") or aws_ca_bundle)


def _is_outcome_unknown(status: int) -> bool:
    """Whether a create that failed with this status may have made its version all the same."""
    return status < 300 or 500 <= status < HIBERNATED


def _outcome_unknown_error(unanswered: AnyscaleError) -> AnyscaleError:
    return AnyscaleError(unanswered.message, _OUTCOME_UNKNOWN, **unanswered.details)


def _origin(address: str | None) -> str:
    parts = urllib.parse.urlsplit(address or "")
    return f"{parts.scheme}://{parts.hostname}" if parts.hostname else "another path"


def _quoted(segment: str) -> str:
    """A segment of a path that stays one: urllib3 would resolve one of dots alone."""
    quoted = urllib.parse.quote(segment, safe="")
    return quoted if quoted.strip(".") else quoted.replace(".", "%2E")

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls of the Anyscale control plane: retried while that is harmless, bounded in time and size, and
answered with JSON objects or with an error.

This module util is private to the collection. I/O. It knows no resource of the API.
"""

from __future__ import annotations

import random
import time
import typing as t
import urllib.parse

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.answer import (
    REMEDIES,
    Answer,
    load_json,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.connections import (
    TlsSettings,
    connection_pool,
    send,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.limits import Allowance
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AnyscaleError

_MIB = 1024 * 1024
_ATTEMPTS = 6
# Where nothing has answered yet, the address is likely to be wrong: a person waits for that to be said.
_FIRST_ATTEMPTS = 3
# All attempts of a call, and the pauses between them.
_TOTAL_SECONDS = 300.0
_ANSWER_SIZE = 64 * _MIB
_MOST_PAGES = 2000
# All pages of a listing.
_LISTING_SECONDS = 1800.0
_LISTING_SIZE = 512 * _MIB
_USER_AGENT = "rayfleet.anyscale"
_WRONG_SERVER = (
    "Check that anyscale_host is an Anyscale control plane and that no proxy answers in its place."
)
JsonObject = dict[str, t.Any]


class UnsentError(AnyscaleError):
    """The request did not leave: it is certain that nothing was done."""

    @property
    def outcome_unknown(self) -> bool:
        """Only what an earlier attempt did is unknown."""
        return self.follows_unknown


class Page(t.NamedTuple):
    """A page of a listing.

    total: how many rows all pages have; ``None`` where the server does not say so.
    next_token: what the next page is asked for with; ``None`` on the last one.
    """

    rows: list[JsonObject]
    total: int | None
    next_token: str | None


class Api:
    """A session with one control plane. ``pool`` sends the requests, as a ``urllib3.PoolManager``
    does; without it, this process's connections do. ``on_wait`` is told why a call is tried again.
    """

    def __init__(
        self,
        host: str,
        token: str,
        tls: TlsSettings,
        *,
        timeout: float,
        pool: t.Any = None,
        sleep: t.Callable[[float], None] = time.sleep,
        clock: t.Callable[[], float] = time.monotonic,
        jitter: t.Callable[[], float] = random.random,
        on_wait: t.Callable[[str], None] | None = None,
    ) -> None:
        self.host = host
        self._token = token
        self._tls = tls
        self._timeout = timeout
        self._pool = pool
        self._sleep = sleep
        self._clock = clock
        self._jitter = jitter
        self._on_wait = on_wait
        self._has_answered = False

    def __repr__(self) -> str:
        return f"Api({self.host!r})"

    def result(self, method: str, path: str, body: JsonObject | None = None) -> JsonObject:
        """The one object that a call answers with. Only a GET is sure to be harmless twice."""
        result = self.call(method, path, body=body, repeatable=method == "GET").get("result")
        if not isinstance(result, dict):
            raise self.malformed(method, path, "an answer without a result")
        return result

    def rows(
        self, method: str, path: str, query: JsonObject, body: JsonObject | None = None
    ) -> t.Iterator[JsonObject]:
        """The rows of all pages of a read-only call."""
        for page in self.pages(method, path, query, body):
            yield from page.rows

    def pages(
        self, method: str, path: str, query: JsonObject, body: JsonObject | None = None
    ) -> t.Iterator[Page]:
        """The pages of a read-only call, each requested when it is asked for."""
        token: str | None = None
        seen: set[str] = set()
        ends_at, size_left = self._clock() + _LISTING_SECONDS, _LISTING_SIZE
        while len(seen) < _MOST_PAGES:
            allowance = self._allowance(ends_at - self._clock(), size_left)
            asked = {**query, "paging_token": token} if token else query
            answer = self._answer(method, path, asked, body, allowance, repeatable=True)
            size_left -= len(answer.body)
            page = self._page(method, path, self._document(method, path, answer))
            yield page
            token = page.next_token
            if token is None:
                return
            if token in seen:
                raise self.malformed(method, path, "the same page again and again")
            seen.add(token)
        raise self.malformed(method, path, f"more than {_MOST_PAGES} pages")

    def call(
        self,
        method: str,
        path: str,
        query: JsonObject | None = None,
        body: JsonObject | None = None,
        *,
        repeatable: bool,
        overwrites: bool = False,
    ) -> JsonObject:
        """One call. ``repeatable``: it is harmless to send it again where its outcome is unknown.
        ``overwrites``: it is never sent again, since the caller has to read first what it replaces.
        """
        answer = self._answer(
            method,
            path,
            query or {},
            body,
            self._allowance(),
            repeatable=repeatable,
            overwrites=overwrites,
        )
        return self._document(method, path, answer)

    def malformed(
        self, method: str, path: str, what: str, answer: Answer | None = None
    ) -> AnyscaleError:
        """The error for an answer that no control plane gives."""
        return AnyscaleError(
            f"{self.host} answered {method} {path} with {what}.",
            _WRONG_SERVER,
            method=method,
            path=path,
            status=answer.status if answer else 200,
            trace_id=answer.headers.get("x-trace-id") if answer else None,
        )

    def _allowance(self, seconds: float = _LISTING_SECONDS, size: int = _LISTING_SIZE) -> Allowance:
        """What one call may take, of these seconds and bytes."""
        return Allowance(
            min(seconds, _TOTAL_SECONDS), min(size, _ANSWER_SIZE), self._timeout, self._clock
        )

    def _answer(
        self,
        method: str,
        path: str,
        query: JsonObject,
        body: JsonObject | None,
        allowance: Allowance,
        *,
        repeatable: bool,
        overwrites: bool = False,
    ) -> Answer:
        """The answer of a call that was done, after as many attempts as are harmless, may succeed,
        and are within the limits.
        """
        url = self.host + path + (f"?{urllib.parse.urlencode(query, doseq=True)}" if query else "")
        attempt, may_have_acted = 0, False
        while True:
            attempt += 1
            answer = self._attempt(method, url, body, allowance)
            self._has_answered = self._has_answered or not answer.is_unsent
            if answer.is_success:
                return answer
            refusal = self._refusal(method, path, answer)
            refusal.follows_unknown = may_have_acted
            pause = answer.pause(attempt, self._jitter())
            if (
                overwrites
                or attempt == (_ATTEMPTS if self._has_answered else _FIRST_ATTEMPTS)
                or not answer.is_transient(repeatable)
                or pause > allowance.seconds_left()
            ):
                raise refusal
            may_have_acted = refusal.outcome_unknown
            if attempt == 1 and self._on_wait:
                self._on_wait(f"{refusal.message} Trying again.")
            self._sleep(pause)

    def _attempt(
        self, method: str, url: str, body: JsonObject | None, allowance: Allowance
    ) -> Answer:
        pool = connection_pool(url, self._tls) if self._pool is None else self._pool
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": _USER_AGENT,
        }
        data = None if body is None else _json.dumps(body).encode()
        return send(pool, method, url, headers=headers, body=data, allowance=allowance)

    def _document(self, method: str, path: str, answer: Answer) -> JsonObject:
        if not answer.body.strip():
            return {}
        document = load_json(answer.body)
        if not isinstance(document, dict):
            raise self.malformed(method, path, "something other than a JSON object", answer)
        return document

    def _page(self, method: str, path: str, document: JsonObject) -> Page:
        rows, metadata = document.get("results"), document.get("metadata")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self.malformed(method, path, "a page without results")
        more = metadata if isinstance(metadata, dict) else {}
        total, token = more.get("total"), more.get("next_paging_token")
        if token is not None and not isinstance(token, str):
            raise self.malformed(method, path, "a paging token that is not text")
        counted = isinstance(total, int) and not isinstance(total, bool)
        return Page(rows, total if counted else None, token or None)

    def _refusal(self, method: str, path: str, answer: Answer) -> AnyscaleError:
        text = answer.text_without(self._token)
        remedy = REMEDIES.get(answer.status, "")
        if answer.failure is not None and answer.status:
            remedy = _WRONG_SERVER
        elif 300 <= answer.status < 400:
            text = f"it redirects to {_origin(answer.headers.get('Location'))}"
            remedy = "Redirects are not followed: give the final address as anyscale_host."
        outcome = f"HTTP {answer.status}" if answer.status else "no answer"
        return (UnsentError if answer.is_unsent else AnyscaleError)(
            f"{method} {path} failed at {self.host} ({outcome}): {text.rstrip('.')}.",
            remedy,
            method=method,
            path=path,
            status=answer.status,
            trace_id=answer.headers.get("x-trace-id"),
        )


def _origin(address: str | None) -> str:
    """The server in an address that a server named: the rest may be long, or secret."""
    try:
        parts = urllib.parse.urlsplit(address or "")
        return f"{parts.scheme}://{parts.hostname}" if parts.hostname else "another path"
    except ValueError:
        return "an address that is none"

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Anyscale control plane on the wire: authentication, routes, envelopes, faults and a record of
the calls.
"""

from __future__ import annotations

import json
import re
import typing as t
import uuid

from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, RequestRedirect, Rule
from werkzeug.wrappers import Request, Response

from ansible_collections.rayfleet.anyscale.tests.sandbox._anyscale_errors import ApiError
from ansible_collections.rayfleet.anyscale.tests.sandbox._anyscale_routes import ROUTES, Exchange
from ansible_collections.rayfleet.anyscale.tests.sandbox._faults import Fault, Faults
from ansible_collections.rayfleet.anyscale.tests.sandbox._journal import Journal
from ansible_collections.rayfleet.anyscale.tests.sandbox._organization import (
    MEMBER,
    MEMBER_TOKEN,
    OWNER,
    OWNER_TOKEN,
    Organization,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox._settings import Settings

_USERS = {OWNER_TOKEN: OWNER, MEMBER_TOKEN: MEMBER}


class AnyscaleApplication:
    """A WSGI application that answers as the Anyscale API."""

    def __init__(
        self, organization: Organization, journal: Journal, faults: Faults, settings: Settings
    ) -> None:
        self._organization = organization
        self._journal = journal
        self._faults = faults
        self._settings = settings
        self._map = Map(
            [Rule(path, methods=[method], endpoint=path) for method, path in ROUTES],
            merge_slashes=True,
        )

    def __call__(self, environ: dict[str, t.Any], start_response: t.Any) -> t.Any:
        request = Request(environ)
        request.get_data(cache=True)
        try:
            path, arguments = self._map.bind_to_environ(environ).match()
        except (NotFound, MethodNotAllowed) as unmatched:
            answer: Response = self._unmatched(request, unmatched)
        except RequestRedirect as redirect:
            answer = Response(status=307, headers={"Location": redirect.new_url})
        else:
            answer = self._answer(request, path, arguments)
        answer.headers["x-trace-id"] = uuid.uuid4().hex
        return answer(environ, start_response)

    def _unmatched(self, request: Request, error: NotFound | MethodNotAllowed) -> Response:
        """A path with a slash too many leads to the one without; anything else is an error."""
        shorter = request.path.rstrip("/")
        if request.path != shorter and self._map.bind("").test(shorter, method=request.method):
            return Response(status=307, headers={"Location": shorter})
        return _json(error.code or 404, {"error": {"detail": error.name}})

    def _answer(self, request: Request, path: str, arguments: t.Mapping[str, str]) -> Response:
        operation = f"{request.method} {re.sub('<[^>]+>', '{id}', path)}"
        resource = next(iter(arguments.values()), "")
        fault = self._faults.take(operation, resource, "")
        status = 0
        try:
            if fault is None:
                response = self._carry_out(request, path, arguments)
            else:
                response = fault.around(
                    lambda: self._carry_out(request, path, arguments), _fault_response
                )
            status = response.status_code
            return response
        finally:
            self._journal.record("anyscale", operation, "", resource, status)

    def _carry_out(self, request: Request, path: str, arguments: t.Mapping[str, str]) -> Response:
        try:
            user = _authenticated(request)
            lag = self._settings.consistency_delay
            exchange = Exchange(
                self._organization, user, request.args, _body(request), arguments, lag
            )
            with self._organization.lock:
                status, body = ROUTES[(request.method, path)](exchange)
        except ApiError as error:
            return _json(error.status, error.body())
        return _json(status, body)


def _authenticated(request: Request) -> dict[str, t.Any]:
    scheme, _space, bearer = request.headers.get("Authorization", "").partition(" ")
    token = bearer if scheme.lower() == "bearer" else request.cookies.get("cli_token", "")
    if token not in _USERS:
        raise ApiError(401, "Invalid or expired credentials.")
    return _USERS[token]


def _body(request: Request) -> t.Any:
    data = request.get_data()
    if not data:
        return None
    try:
        return json.loads(data)
    except ValueError:
        problem = {
            "loc": ["body"],
            "msg": "the body is not valid JSON",
            "type": "value_error.jsondecode",
        }
        raise ApiError(422, [problem]) from None


def _fault_response(fault: Fault) -> Response:
    response = _json(fault.status or 500, {"error": {"detail": fault.message}})
    if fault.retry_after is not None:
        response.headers["Retry-After"] = f"{fault.retry_after:g}"
    return response


def _json(status: int, body: t.Any) -> Response:
    return Response(
        "" if body is None else json.dumps(body), status=status, content_type="application/json"
    )

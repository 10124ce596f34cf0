# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control calls: the sandbox turned by HTTP, from playbooks and other processes, under
``/sandbox/`` of the AWS port.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

from werkzeug.wrappers import Request, Response

from ansible_collections.rayfleet.anyscale.tests.sandbox._anyscale_errors import ApiError
from ansible_collections.rayfleet.anyscale.tests.sandbox._nodes import PREFIX as NODES
from ansible_collections.rayfleet.anyscale.tests.sandbox._organization import OWNER
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import (
    BROKEN_CLOUD,
    FLEET,
    Cloud,
    inventory,
)

if t.TYPE_CHECKING:
    from ansible_collections.rayfleet.anyscale.tests.sandbox._server import Sandbox

PREFIX = "/sandbox/"


class ControlApplication:
    """Answers control calls itself and passes everything else on to the nodes or to AWS."""

    def __init__(
        self, sandbox: Sandbox, nodes: t.Callable[..., t.Any], aws: t.Callable[..., t.Any]
    ) -> None:
        self._nodes = nodes
        self._aws = aws
        self._calls: dict[tuple[str, str], t.Callable[[dict[str, t.Any]], t.Any]] = {
            ("GET", "calls"): lambda body: sandbox.calls(),
            ("DELETE", "calls"): lambda body: sandbox.clear_calls(),
            ("GET", "writes"): lambda body: sandbox.writes(),
            ("GET", "events"): lambda body: sandbox.events(),
            ("DELETE", "events"): lambda body: sandbox.clear_events(),
            ("POST", "drift"): lambda body: sandbox.drift(**body),
            ("GET", "faults"): lambda body: sandbox.faults(),
            ("POST", "faults"): lambda body: sandbox.fault(**body),
            ("DELETE", "faults"): lambda body: sandbox.clear_faults(),
            ("GET", "settings"): lambda body: sandbox.settings(),
            ("POST", "settings"): lambda body: sandbox.settings(**body),
            ("GET", "environment"): lambda body: sandbox.child_variables(),
            ("POST", "reset"): lambda body: sandbox.reset(),
            ("POST", "restart"): lambda body: sandbox.restart(),
            ("POST", "node"): lambda body: _node(sandbox, **body),
            ("POST", "seed"): lambda body: sandbox.seed(_fleet(body)),
            ("POST", "inventory"): lambda body: inventory(sandbox, _fleet(body)),
            ("GET", "inventory"): lambda body: inventory(sandbox),
            ("POST", "clouds"): lambda body: sandbox.organization.add_cloud(**body),
            ("POST", "compute_configs"): sandbox.organization.create_template,
            ("POST", "scheduler"): lambda body: sandbox.organization.scheduler.apply(body, OWNER),
            ("POST", "machine_pools"): lambda body: sandbox.organization.add_machine_pool(**body),
            ("POST", "launches"): lambda body: sandbox.organization.launch(**body),
            ("POST", "running"): lambda body: sandbox.seed_running(**body),
            ("POST", "instances"): lambda body: sandbox.accounts.add_instance(**body),
        }

    def __call__(self, environ: dict[str, t.Any], start_response: t.Any) -> t.Any:
        if not environ.get("PATH_INFO", "").startswith(PREFIX):
            return self._aws(environ, start_response)
        if environ["PATH_INFO"].startswith(NODES):
            return self._nodes(environ, start_response)
        request = Request(environ)
        call = self._calls.get((request.method, request.path[len(PREFIX) :].strip("/")))
        return (_answer(call, request) if call else Response("No such control call.\n", 404))(
            environ, start_response
        )


def _answer(call: t.Callable[[dict[str, t.Any]], t.Any], request: Request) -> Response:
    try:
        result = call(json.loads(request.get_data() or "{}"))
    except ApiError as error:
        return Response(f"{error}\n", error.status)
    except (TypeError, ValueError) as error:
        return Response(f"{error}\n", 400)
    return Response(json.dumps(result), 200, content_type="application/json")


def _node(sandbox: Sandbox, cloud: str) -> dict[str, str]:
    if cloud not in {one["name"] for one in sandbox.organization.clouds.values()}:
        raise ValueError(f"No such cloud: {cloud}.")
    return sandbox.node_variables(cloud)


def _fleet(body: dict[str, t.Any]) -> tuple[Cloud, ...]:
    """The clouds of a request: those of its ``clouds``, or the seeded fleet; ``broken`` adds the
    broken one.
    """
    known = {field.name for field in dataclasses.fields(Cloud)}
    unknown = {key for cloud in body.get("clouds", []) for key in cloud} - known
    if unknown:
        raise ValueError(f"No such key of a cloud: {', '.join(sorted(unknown))}.")
    fleet = tuple(Cloud(**cloud) for cloud in body["clouds"]) if "clouds" in body else FLEET
    return (*fleet, BROKEN_CLOUD) if body.get("broken") else fleet

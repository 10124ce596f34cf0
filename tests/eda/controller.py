# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""As much of AWX's API as ansible-rulebook asks of it: it finds a job template, launches it, and asks
how the job ended. https://docs.ansible.com/automation-controller/latest/html/controllerapi/
"""

from __future__ import annotations

import http.server
import json
import threading
import typing as t

TEMPLATE, ORGANIZATION, TOKEN = "Anyscale heal", "Platform", "token-of-rulebook"

Json = dict[str, t.Any]
_TEMPLATE: Json = {
    "id": 7,
    "type": "job_template",
    "name": TEMPLATE,
    "summary_fields": {"organization": {"name": ORGANIZATION}},
    "related": {"launch": "/api/v2/job_templates/7/launch/"},
    "ask_limit_on_launch": False,
    "ask_labels_on_launch": False,
    "ask_inventory_on_launch": False,
    "ask_variables_on_launch": True,
}


class Controller:
    """A controller whose jobs succeed at once.

    launched: what it was asked to launch. unavailable: how many of the next requests a proxy before
    it answers, as while it is updated.
    """

    def __init__(self) -> None:
        self.launched: list[Json] = []
        self.unavailable = 0
        handler = type("Handler", (_Handler,), {"controller": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Controller:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str) -> Json:
        """What is there at a path."""
        if path.startswith("/api/v2/unified_job_templates/"):
            return {"results": [_TEMPLATE], "next": None}
        if path.startswith("/api/v2/jobs/"):
            jobs = [
                {"id": number, "status": "successful", "artifacts": {}, "created": "", "url": path}
                for number in range(1, len(self.launched) + 1)
            ]
            return {"results": jobs, "next": None}
        return {"version": "24.6.1"}

    def launch(self, body: Json) -> Json:
        """Note a job."""
        self.launched.append(body)
        number = len(self.launched)
        return {"id": number, "job": number, "url": f"/api/v2/jobs/{number}/"}


class _Handler(http.server.BaseHTTPRequestHandler):
    controller: t.ClassVar[Controller]

    def do_GET(self) -> None:
        """Find something."""
        if self.controller.unavailable:
            self.controller.unavailable -= 1
            self._send(503, {})
        else:
            self._send(200, self.controller.answer(self.path))

    def do_POST(self) -> None:
        """Launch a job."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._send(401, {})
        elif self.path != "/api/v2/job_templates/7/launch/":
            self._send(404, {})
        else:
            self._send(201, self.controller.launch(body))

    def _send(self, status: int, body: Json) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        """Print nothing."""

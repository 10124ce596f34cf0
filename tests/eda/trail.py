# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CloudTrail's LookupEvents, which moto does not have: the newest event first, those since a time.
https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

from __future__ import annotations

import datetime
import http.server
import json
import threading
import typing as t
import uuid

Json = dict[str, t.Any]


class Trail:
    """The events of one account and region. asked: the attributes of each look-up."""

    def __init__(self) -> None:
        self.asked: list[list[tuple[str, str]]] = []
        self._events: list[Json] = []
        handler = type("Handler", (_Handler,), {"trail": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Trail:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, record: Json, seconds_ago: int = 0) -> None:
        """An event."""
        ago = datetime.timedelta(seconds=seconds_ago)
        time = datetime.datetime.now(datetime.timezone.utc) - ago
        self._events.append({**record, "eventTime": time.strftime("%Y-%m-%dT%H:%M:%SZ")})

    def look_up(self, request: Json) -> Json:
        """The events that a request asks for."""
        wanted = [
            (one["AttributeKey"], one["AttributeValue"])
            for one in request.get("LookupAttributes", ())
        ]
        self.asked.append(wanted)
        found = [_event(record) for record in reversed(self._events)]
        return {
            "Events": [
                event
                for event in found
                if event["EventTime"] >= int(request.get("StartTime", 0))
                and all(event[key] == value for key, value in wanted)
            ]
        }


def _event(record: Json) -> Json:
    time = datetime.datetime.fromisoformat(record["eventTime"].replace("Z", "+00:00"))
    return {
        "EventId": str(uuid.uuid5(uuid.NAMESPACE_OID, record["requestID"])),
        "EventName": record["eventName"],
        "EventSource": record["eventSource"],
        "EventTime": int(time.timestamp()),
        "ReadOnly": str(record["readOnly"]).lower(),
        "Resources": [],
        "CloudTrailEvent": json.dumps(record),
    }


class _Handler(http.server.BaseHTTPRequestHandler):
    trail: t.ClassVar[Trail]

    def do_POST(self) -> None:
        """LookupEvents, in the JSON protocol."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_known = self.headers["X-Amz-Target"].endswith(".LookupEvents")
        content = json.dumps(self.trail.look_up(request) if is_known else {}).encode()
        self.send_response(200 if is_known else 400)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        """Print nothing."""

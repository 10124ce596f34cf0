# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWS's refusals, in the form of each service's protocol."""

from __future__ import annotations

import json
import uuid
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

_NAMESPACES = {
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
}


class Refusal(Exception):
    """AWS refuses a call: error code, HTTP status and message."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.message = message

    def response(self, service: str, method: str = "POST") -> Response:
        """The answer on the wire; a HEAD request gets no body."""
        if service in ("kms", "sqs"):
            return self._json_response()
        body = "" if method == "HEAD" else self._body(service)
        return Response(
            body,
            status=self.status,
            content_type="application/xml" if service == "s3" else "text/xml",
        )

    def _json_response(self) -> Response:
        """KMS and SQS answer in JSON, and call a denied access otherwise:
        https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html
        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
        """
        code = "AccessDeniedException" if self.code == "AccessDenied" else self.code
        body = json.dumps({"__type": code, "message": self.message})
        # With 400 instead of 403
        return Response(body, status=400, content_type="application/x-amz-json-1.1")

    def _body(self, service: str) -> str:
        error = f"<Code>{escape(self.code)}</Code><Message>{escape(self.message)}</Message>"
        if service == "s3":
            return f"<?xml version='1.0' encoding='UTF-8'?><Error>{error}<RequestId/></Error>"
        if service == "ec2":
            return f"<Response><Errors><Error>{error}</Error></Errors><RequestID/></Response>"
        fault = "Sender" if self.status < 500 else "Receiver"
        namespace = _NAMESPACES.get(service, "")
        error = f"<Error><Type>{fault}</Type>{error}</Error><RequestId/>"
        return f'<ErrorResponse xmlns="{namespace}">{error}</ErrorResponse>'


def new_request_id(service: str) -> str:
    """An id in the form of the service: 16 capital hexadecimal digits for S3, a UUID elsewhere."""
    request_id = uuid.uuid4()
    return request_id.hex[:16].upper() if service == "s3" else str(request_id)

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWS: moto's server behind the rules that moto lacks, with faults, request ids and a record of the
calls.
"""

from __future__ import annotations

import contextlib
import re
import threading
import typing as t

from moto.core.base_backend import BackendDict
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.wrappers import Response

from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_accounts import AwsAccounts
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import (
    PARTITION,
    TOOLING_ACCOUNT,
    AwsCall,
    caller_key,
    read_call,
    unsigned_service,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_errors import Refusal
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_rules import AwsRules
from ansible_collections.rayfleet.anyscale.tests.sandbox._faults import Fault, Faults
from ansible_collections.rayfleet.anyscale.tests.sandbox._journal import Journal
from ansible_collections.rayfleet.anyscale.tests.sandbox._settings import Settings
from ansible_collections.rayfleet.anyscale.tests.sandbox._trail import Trail

_REQUEST_ID_ELEMENT = re.compile(rb"<(RequestI[dD])(/>|>[^<]*</\1>)")


class _Dispatcher(DomainDispatcherApplication):
    """Moto's dispatcher, which would search all its services at each call."""

    def __init__(self, *arguments: t.Any, **options: t.Any) -> None:
        super().__init__(*arguments, **options)
        self._found: dict[str | None, t.Any] = {}

    def get_backend_for_host(self, host: str | None) -> t.Any:
        """The service at a host."""
        if host not in self._found:
            self._found[host] = super().get_backend_for_host(host)
        return self._found[host]


class AwsApplication:
    """A WSGI application that answers as AWS. Moto's state is the process's: one of these at a
    time.
    """

    def __init__(self, journal: Journal, faults: Faults, settings: Settings) -> None:
        self._journal = journal
        self._faults = faults
        self._rules = AwsRules(settings)
        self._moto = _Dispatcher(create_backend_app)
        self._lock = threading.Lock()
        self.accounts = AwsAccounts(self._rules.policies, self._lock)
        self.trail = Trail()

    def reset(self) -> None:
        """Empty every account, but for the user whose credentials the sandbox hands out."""
        with self._lock:
            BackendDict.reset()
            self.trail.close()
            self._rules.reset()
            backend = iam_backends[TOOLING_ACCOUNT][PARTITION]
            backend.create_user("us-east-1", "tooling")
            key = backend.create_access_key("tooling")
            del backend.access_keys[key.access_key_id]
            key.access_key_id = caller_key(TOOLING_ACCOUNT)
            backend.access_keys[key.access_key_id] = key

    def instance_session(self, account_id: str, profile: str, instance_id: str) -> t.Any:
        """The session that EC2 gives an instance with an instance profile: moto's, or the reason
        why there is none, as a string.
        """
        with self._lock:
            profiles = iam_backends[account_id][PARTITION].instance_profiles.values()
            roles = [role for one in profiles if one.name == profile for role in one.roles]
            if not roles:
                return "InstanceProfileNotFound"
            session = self._rules.begin_instance_session(account_id, roles[0], instance_id)
            return session or "AssumeRoleUnauthorizedAccess"

    def __call__(self, environ: dict[str, t.Any], start_response: t.Any) -> t.Any:
        try:
            call = read_call(environ)
        except Refusal as refusal:
            return refusal.response(unsigned_service(environ))(environ, start_response)
        respond = self._carry_out if call.is_setup else self._answer
        response = respond(call, environ)
        _stamp(response, call)
        return response(environ, start_response)

    def _answer(self, call: AwsCall, environ: dict[str, t.Any]) -> Response:
        """Answer a call that counts: with its fault, if one was asked for, and into the journal."""
        status = 0
        try:
            response = self._with_fault(call, environ)
            status = response.status_code
            return response
        finally:
            self._journal.record(
                call.service, call.operation, call.account_id, call.resource, status
            )

    def _with_fault(self, call: AwsCall, environ: dict[str, t.Any]) -> Response:
        fault = self._faults.take(call.operation, call.resource, call.account_id)
        if fault is None:
            return self._carry_out(call, environ)

        def error(fault: Fault) -> Response:
            response = Refusal(fault.code, fault.status or 500, fault.message).response(
                call.service, call.method
            )
            if fault.retry_after is not None:
                response.headers["Retry-After"] = f"{fault.retry_after:g}"
            return response

        return fault.around(lambda: self._carry_out(call, environ), error)

    def _carry_out(self, call: AwsCall, environ: dict[str, t.Any]) -> Response:
        try:
            # A queue is waited for, which must not hold up the other services.
            with contextlib.nullcontext() if call.service == "sqs" else self._lock:
                self._rules.before(call, environ)
                response = self._rules.answer(call) or Response.from_app(
                    self._moto, environ, buffered=True
                )
                if response.status_code < 300:
                    self._rules.after(call)
                    if not call.is_setup:
                        self.trail.record(call, self._rules.caller(call))
        except Refusal as refusal:
            return refusal.response(call.service, call.method)
        return response


def _stamp(response: Response, call: AwsCall) -> None:
    """Give an answer its request id: in the headers and, where there is a place for it, in the
    body.
    """
    request_id, service = call.request_id, call.service
    if service == "s3":
        # Moto has both, and botocore takes this one first, which S3 does not send.
        response.headers.remove("x-amzn-RequestId")
        response.headers["x-amz-request-id"] = request_id
        response.headers["x-amz-id-2"] = f"{request_id}Sandbox"
    else:
        response.headers["x-amzn-RequestId"] = request_id
    if response.status_code >= 400 or service != "s3":
        element = rb"<\1>" + request_id.encode() + rb"</\1>"
        response.set_data(_REQUEST_ID_ELEMENT.sub(element, response.get_data()))

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who calls AWS: an account's administrator, a user, or the session of an assumed role until it
expires.
"""

from __future__ import annotations

import dataclasses
import datetime

from moto.core.utils import utcnow
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import PARTITION, AwsCall
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_errors import Refusal


@dataclasses.dataclass(frozen=True)
class Caller:
    """A principal that signs calls.

    unique_id: of the user or of the session's role; an account's administrator has none.
    expiration: the end of a session.
    """

    account_id: str
    arn: str
    unique_id: str = ""
    expiration: datetime.datetime | None = None

    @property
    def names(self) -> frozenset[str]:
        """What a bound policy may call it by."""
        return frozenset(
            (self.account_id, f"arn:aws:iam::{self.account_id}:root", self.arn, self.unique_id)
        ) - {""}


EC2 = Caller("", "ec2.amazonaws.com")  # the service, as it assumes the role of an instance


class Callers:
    """The callers, by access key. Not thread-safe: the caller of these methods holds the lock
    around each call.
    """

    def __init__(self) -> None:
        self._sessions: dict[str, Caller] = {}

    def remember_session(self, call: AwsCall) -> None:
        """Keep the session that a successful AssumeRole has just begun."""
        self.remember_newest_session(call.parameters["RoleArn"].split(":")[4])

    def remember_newest_session(self, account_id: str) -> None:
        """Keep the session that has just begun in an account."""
        session = sts_backends[account_id][PARTITION].assumed_roles[-1]
        role_id = session.user_id.split(":")[0]
        self._sessions[session.access_key_id] = Caller(
            account_id, session.arn, role_id, session.expiration
        )
        # With it, moto would search all roles of the account at each call, to note when this
        # one was used.
        session.access_key.role_arn = None

    def check_expiration(self, call: AwsCall) -> None:
        """Refuse the call of a session that is over."""
        session = self._sessions.get(call.access_key)
        if session and session.expiration and session.expiration <= utcnow():
            if call.service == "s3":
                raise Refusal("ExpiredToken", 400, "The provided token has expired.")
            raise Refusal(
                "ExpiredToken", 403, "The security token included in the request is expired"
            )

    def caller(self, call: AwsCall) -> Caller:
        """The principal that a call comes from."""
        session = self._sessions.get(call.access_key)
        if session:
            return session
        user = iam_backends[call.account_id][PARTITION].get_user_from_access_key_id(call.access_key)
        if user:
            return Caller(call.account_id, user.arn, user.id)
        return Caller(call.account_id, f"arn:aws:iam::{call.account_id}:user/administrator")

    def clear(self) -> None:
        """No sessions any more."""
        self._sessions.clear()

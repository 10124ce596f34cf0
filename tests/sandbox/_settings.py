# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of the sandbox that a test may turn."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.tests.sandbox import _identity_policies


@dataclasses.dataclass
class Settings:
    """How slow, how narrow and how strict AWS is.

    consistency_delay: for so many seconds after a policy was written, or a compute config
    published, reads return the state before it.
    principal_delay: a role younger than so many seconds is not yet a valid principal of a policy.
    trust_quota: the longest trust policy, in characters that are not white space.
    denied: operations that no policy allows the callers whose calls are recorded.
    identity_policies: by account, the only identity-based policy of such callers in it; in other
    accounts they may do all.
    session_seconds: how long the session of an assumed role lasts, whatever was asked for; AWS's
    rule (an hour, or what was asked for) where it is ``None``.
    """

    consistency_delay: float = 0.0
    principal_delay: float = 0.0
    trust_quota: int = 2048
    denied: list[str] = dataclasses.field(default_factory=list)
    identity_policies: dict[str, dict[str, t.Any]] = dataclasses.field(default_factory=dict)
    session_seconds: int | None = None

    def __post_init__(self) -> None:
        for name in self.denied:
            if not name.isalnum():
                raise ValueError(
                    f"{name!r} in denied is not the name of an operation, such as PutBucketPolicy."
                )
        for document in self.identity_policies.values():
            _identity_policies.check(document)

    def update(self, **changes: t.Any) -> dict[str, t.Any]:
        """Turn some settings; returns them all. An unknown name is a ``TypeError``."""
        changed = dataclasses.replace(self, **changes)
        vars(self).update(vars(changed))
        return dataclasses.asdict(self)

    def reset(self) -> None:
        """Back to the defaults."""
        vars(self).update(vars(Settings()))

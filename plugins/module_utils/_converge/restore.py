# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Put a document back as it was before a run: what the module ``backup_restore`` does.

This module util is private to the collection. The flow is that of all tasks that write; the lock is
that of the task that wrote the document, and so is the name of what is locked.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.auth import (
    anyscale_argument_spec,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    anyscale_client,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_shape import (
    compose,
    deployments,
    normalise,
    same_config,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.s3 import Bucket
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import (
    AwsSession,
    Connect,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_task import (
    PolicyTask,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.restore_plan import (
    Same,
    Verdict,
    decide,
    the_one_resource,
    written_for,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.roles import (
    live_role,
    refuse_service_linked,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.task import (
    Task as BaseTask,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    UnsettledError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    BUCKET_POLICY,
    COMPUTE_CONFIG,
    TRUST_POLICY,
    Backup,
    read,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    parse_policy,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    policies_equal,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.principals import (
    document_unique_ids,
    refuse_dangling,
    refuse_gone,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import backoff

_VISIBLE_SECONDS = 30.0
_EMPTY = parse_policy(None, "")


class _OfOneDocument(BaseTask):
    """A task whose resource is what its backups are of."""

    def __init__(
        self, params: t.Mapping[str, t.Any], connect: Connect, backups: t.Sequence[Backup]
    ) -> None:
        super().__init__(params, connect)
        self._backups = backups
        self._first = backups[0]

    @property
    def resource(self) -> str:
        """The document, by the name that the task that wrote it has for it."""
        return self._first.resource

    def _verdict(self, live: t.Any, same: Same) -> Verdict:
        needed_by = self.params.get("needed_by") or ()
        return decide(
            self._backups, live, same, self.params["force"], self.params.get("clouds"), needed_by
        )

    def _replaced(self, before: t.Any, after: t.Any) -> Backup:
        return dataclasses.replace(
            self._first, before=before, after=after, clouds=written_for(self._backups)
        )


class _PolicyRestore(_OfOneDocument, PolicyTask):
    """A policy document, as it was before the first of the backups."""

    def __init__(
        self, params: t.Mapping[str, t.Any], connect: Connect, backups: t.Sequence[Backup]
    ) -> None:
        super().__init__(params, connect, backups)
        self._iam = Iam(self.session)

    def display_document(self, document: t.Any) -> t.Any:
        """A policy without statements is none."""
        return document if statements_of(document) else None

    def decide(self, document: Document) -> Plan:
        """What the policy must become: what it was, unless others have written to it since."""
        arns = self.arns(document)
        verdict = self._verdict(
            self.display_document(document), lambda one, other: policies_equal(one, other, arns)
        )
        wanted = (self._first.before or _EMPTY) if verdict.reason else document
        reasons = (verdict.reason,) if verdict.reason else ()
        return Plan(
            document, wanted, reasons, verdict.warnings, {"document": self.display_document(wanted)}
        )

    def backup(self, plan: Plan) -> Backup:
        """The policy as the restore finds it."""
        return self._replaced(
            self.display_document(self.replaced_by(plan)), self.display_document(plan.after)
        )

    def arns(self, document: Document) -> t.Mapping[str, str]:
        """Of the account's principals; only a document that shows an id makes it worth to list
        them.
        """
        documents = [
            document,
            *(one for backup in self._backups for one in (backup.before, backup.after) if one),
        ]
        return self._iam.principals() if any(map(document_unique_ids, documents)) else {}

    def guard(self, plan: Plan) -> None:
        """AWS refuses a policy that names somebody who is gone since."""
        refuse_dangling(plan.after, self.resource, self._iam.principals)
        refuse_gone(
            plan.before, plan.after, self.resource, self._first.account_id, self._iam.principals
        )


class _TrustPolicyRestore(_PolicyRestore):
    """A role's trust policy."""

    def read(self) -> Document:
        """The live trust policy."""
        role = live_role(
            self._iam, parse_role(self._first.target["role_arn"]), self._first.account_id
        )
        return parse_policy(role["AssumeRolePolicyDocument"], self.resource)

    def write(self, document: Document) -> None:
        """Replace the trust policy."""
        self._iam.put_trust_policy(parse_role(self._first.target["role_arn"]).name, document)

    def guard(self, plan: Plan) -> None:
        """A service's own role cannot be changed either."""
        refuse_service_linked(self._first.target["role_arn"])
        super().guard(plan)


class _BucketPolicyRestore(_PolicyRestore):
    """A bucket's policy."""

    def read(self) -> Document:
        """The live bucket policy."""
        return parse_policy(self._bucket.policy(), self.resource)

    def write(self, document: Document) -> None:
        """Replace the bucket policy, or delete it where there was none."""
        if statements_of(document):
            self._bucket.put_policy(document)
        else:
            self._bucket.delete_policy()

    @property
    def _bucket(self) -> Bucket:
        return Bucket(self.session, self._first.target["bucket"], self._first.account_id)


@dataclasses.dataclass(frozen=True)
class _ConfigPlan(Plan):
    """A plan with the newest version of the compute config, and whether another one is to be
    published.
    """

    template: t.Mapping[str, t.Any] | None = None
    publishes: bool = False


class _ComputeConfigRestore(_OfOneDocument):
    """A compute config. Versions are immutable: the one before is published anew, or all are
    archived where there was none.
    """

    def __init__(
        self, params: t.Mapping[str, t.Any], connect: Connect, backups: t.Sequence[Backup]
    ) -> None:
        super().__init__(params, connect, backups)
        self._anyscale = anyscale_client(params)

    def plan(self) -> Plan:
        """Decide on the newest version."""
        name, wanted = self._first.target["name"], self._first.before
        template = self._anyscale.newest_compute_config(name, self._first.target["cloud_id"])
        live = None if template is None or template.get("archived_at") else template["config"]
        verdict = self._verdict(live, same_config)
        if not verdict.reason:
            wanted = live
        version = template["version"] if template else 0
        publishes = bool(wanted) and not (template and same_config(template["config"], wanted))
        return _ConfigPlan(
            before=live and normalise(live),
            after=wanted and normalise(wanted),
            reasons=(verdict.reason,) if verdict.reason else (),
            warnings=verdict.warnings,
            result={
                "document": wanted and normalise(wanted),
                "compute_config": f"{name}:{version + publishes}" if wanted else None,
            },
            template=template,
            publishes=publishes,
        )

    def backup(self, plan: Plan) -> Backup:
        """The compute config as the restore finds it."""
        template = t.cast(_ConfigPlan, plan).template
        live = template["config"] if template and plan.before else None
        return self._replaced(live and compose(live, deployments(live)), self._first.before)

    def apply(self, plan: Plan) -> None:
        """Archive, or take out of the archive and publish, whichever of these it takes."""
        parts, wanted = t.cast(_ConfigPlan, plan), self._first.before
        template = parts.template or {}
        if wanted is None:
            self._anyscale.archive_compute_config(template["id"])
            self.written.append(f"{self.resource} (archived)")
            return
        if template.get("archived_at"):
            self._anyscale.unarchive_compute_config(template["id"])
            self.written.append(f"{self.resource} (out of the archive)")
        if parts.publishes:
            config, name, previous = (
                compose(wanted, deployments(wanted)),
                self._first.target["name"],
                template.get("version", 0),
            )
            published = self._anyscale.publish_compute_config(
                name, config, previous_version=previous
            )
            self.written.append(f"version {published['version']} of {self.resource}")

    def verify(self, plan: Plan) -> Plan:
        """Read until it shows. Versions stay for ever, so that none is published twice."""
        for _attempt in backoff(_VISIBLE_SECONDS):
            later = self.plan()
            if not later.changed:
                return dataclasses.replace(plan, reasons=(), warnings=(), result=later.result)
        raise UnsettledError(
            f"The {self.resource} was put back, and what is live still differs after "
            f"{_VISIBLE_SECONDS:.0f} s.",
            "Somebody may have published another version meanwhile: look at it, then run again.",
        )


_KINDS: dict[str, type[_PolicyRestore] | type[_ComputeConfigRestore]] = {
    TRUST_POLICY: _TrustPolicyRestore,
    BUCKET_POLICY: _BucketPolicyRestore,
    COMPUTE_CONFIG: _ComputeConfigRestore,
}


class Task(BaseTask):
    """The document that backups are of, whichever kind it is."""

    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        "files": {"type": "list", "elements": "path", "required": True},
        "force": {"type": "bool", "default": False},
        "clouds": {"type": "list", "elements": "str"},
        "needed_by": {"type": "list", "elements": "str"},
        **anyscale_argument_spec(),
    }

    def __init__(self, params: t.Mapping[str, t.Any], connect: Connect = AwsSession) -> None:
        super().__init__(params, connect)
        if not all(str(name or "").strip() for name in params.get("needed_by") or ()):
            raise InputError("needed_by has a name that is empty.", "Leave it out.")
        backups = [read(path) for path in sorted(params["files"], key=_time_of)]
        first = the_one_resource(backups)
        account_id = params.get("account_id")
        if account_id and first.account_id not in ("", account_id):
            raise InputError(
                f"account_id is {account_id}; the {first.resource} is of account "
                f"{first.account_id}.",
                "Connect to that account.",
            )
        self._of_kind = _KINDS[first.kind](params, connect, backups)
        self.written = self._of_kind.written

    @property
    def resource(self) -> str:
        """The document, by the name that the task that wrote it has for it."""
        return self._of_kind.resource

    def display_document(self, document: t.Any) -> t.Any:
        """As its kind shows it."""
        return self._of_kind.display_document(document)

    def backup(self, plan: Plan) -> Backup | None:
        """The document as the restore finds it, so that a restore can be taken back as well."""
        return self._of_kind.backup(plan)

    def plan(self) -> Plan:
        """Decide on the live document."""
        return self._of_kind.plan()

    def apply(self, plan: Plan) -> None:
        """Write the document of the first backup."""
        self._of_kind.apply(plan)

    def verify(self, plan: Plan) -> Plan:
        """Read back until it is there."""
        return self._of_kind.verify(plan)


def _time_of(path: str) -> str:
    """The names of backups begin with their time, whichever folders they are in."""
    return path.rpartition("/")[2]

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restore a document to its state before a run, for the module ``backup_restore``.

This module util is private to the collection. The flow is that of all converging tasks. The
resource name, and so the lock, is that of the task that wrote the document.
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
    normalize,
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
    single_resource,
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
    refuse_deleted_arns,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import backoff

_VISIBLE_SECONDS = 30.0
_EMPTY = parse_policy(None, "")


class _DocumentRestore(BaseTask):
    """A task whose resource is the document of its backups."""

    def __init__(
        self, params: t.Mapping[str, t.Any], connect: Connect, backups: t.Sequence[Backup]
    ) -> None:
        super().__init__(params, connect)
        self._backups = backups
        self._first = backups[0]

    @property
    def resource(self) -> str:
        """The resource name that the task that wrote the document uses."""
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


class _PolicyRestore(_DocumentRestore, PolicyTask):
    """Restore a policy document to its state before the first backup."""

    def __init__(
        self, params: t.Mapping[str, t.Any], connect: Connect, backups: t.Sequence[Backup]
    ) -> None:
        super().__init__(params, connect, backups)
        self._iam = Iam(self.session)

    def display_document(self, document: t.Any) -> t.Any:
        """A policy without statements is displayed as none."""
        return document if statements_of(document) else None

    def decide(self, document: Document) -> Plan:
        """Plan the policy: its earlier state, unless another writer has changed it since."""
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
        """The policy before the restore."""
        return self._replaced(
            self.display_document(self.replaced_by(plan)), self.display_document(plan.after)
        )

    def arns(self, document: Document) -> t.Mapping[str, str]:
        """The principals of the account. They are listed only if a document contains a unique id."""
        documents = [
            document,
            *(
                version
                for backup in self._backups
                for version in (backup.before, backup.after)
                if version
            ),
        ]
        return self._iam.principals() if any(map(document_unique_ids, documents)) else {}

    def guard(self, plan: Plan) -> None:
        """Raise if the policy names principals that were deleted since: AWS would reject it."""
        refuse_dangling(plan.after, self.resource, self._iam.principals)
        refuse_deleted_arns(
            plan.before, plan.after, self.resource, self._first.account_id, self._iam.principals
        )


class _TrustPolicyRestore(_PolicyRestore):
    """A role's trust policy."""

    def read(self) -> Document:
        """The live trust policy."""
        # The account is in the ARN; the option account_id is not what names it here.
        role = live_role(self._iam, parse_role(self._first.target["role_arn"]), account_id=None)
        return parse_policy(role["AssumeRolePolicyDocument"], self.resource)

    def write(self, document: Document) -> None:
        """Replace the trust policy."""
        self._iam.put_trust_policy(parse_role(self._first.target["role_arn"]).name, document)

    def guard(self, plan: Plan) -> None:
        """A service-linked role cannot be changed either."""
        refuse_service_linked(self._first.target["role_arn"])
        super().guard(plan)


class _BucketPolicyRestore(_PolicyRestore):
    """A bucket's policy."""

    def read(self) -> Document:
        """The live bucket policy."""
        return parse_policy(self._bucket.policy(), self.resource)

    def write(self, document: Document) -> None:
        """Replace the bucket policy, or delete it if there was none."""
        if statements_of(document):
            self._bucket.put_policy(document)
        else:
            self._bucket.delete_policy()

    @property
    def _bucket(self) -> Bucket:
        return Bucket(self.session, self._first.target["bucket"], self._first.account_id)


@dataclasses.dataclass(frozen=True)
class _ConfigPlan(Plan):
    """A plan with the newest version of the compute config, and whether a new one is to be
    published.
    """

    template: t.Mapping[str, t.Any] | None = None
    publishes: bool = False


class _ComputeConfigRestore(_DocumentRestore):
    """Restore a compute config. Versions are immutable: the earlier content is published again, or
    the compute config is archived if there was none.
    """

    def __init__(
        self, params: t.Mapping[str, t.Any], connect: Connect, backups: t.Sequence[Backup]
    ) -> None:
        super().__init__(params, connect, backups)
        self._anyscale = anyscale_client(params)

    def plan(self) -> Plan:
        """Plan from the newest version."""
        name, wanted = self._first.target["name"], self._first.before
        template = self._anyscale.newest_compute_config(name, self._first.target["cloud_id"])
        live = None if template is None or template.get("archived_at") else template["config"]
        verdict = self._verdict(live, same_config)
        if not verdict.reason:
            wanted = live
        version = template["version"] if template else 0
        publishes = bool(wanted) and not (template and same_config(template["config"], wanted))
        return _ConfigPlan(
            before=live and normalize(live),
            after=wanted and normalize(wanted),
            reasons=(verdict.reason,) if verdict.reason else (),
            warnings=verdict.warnings,
            result={
                "document": wanted and normalize(wanted),
                "compute_config": f"{name}:{version + publishes}" if wanted else None,
            },
            template=template,
            publishes=publishes,
        )

    def backup(self, plan: Plan) -> Backup:
        """The compute config before the restore."""
        template = t.cast(_ConfigPlan, plan).template
        live = template["config"] if template and plan.before else None
        return self._replaced(live and compose(live, deployments(live)), self._first.before)

    def apply(self, plan: Plan) -> None:
        """Archive, or unarchive and publish, as needed."""
        parts, wanted = t.cast(_ConfigPlan, plan), self._first.before
        template = parts.template or {}
        if wanted is None:
            self._anyscale.archive_compute_config(template["id"])
            self.written.append(f"{self.resource} (archived)")
            return
        if template.get("archived_at"):
            self._anyscale.unarchive_compute_config(template["id"])
            self.written.append(f"{self.resource} (unarchived)")
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
        """Read until the change is visible. Versions cannot be deleted, so none is published twice."""
        for _attempt in backoff(_VISIBLE_SECONDS):
            current = self.plan()
            if not current.changed:
                return dataclasses.replace(plan, reasons=(), warnings=(), result=current.result)
        raise UnsettledError(
            f"The {self.resource} was restored, but the live one still differs after "
            f"{_VISIBLE_SECONDS:.0f} s.",
            "Another writer may have published another version at the same time: check it, then "
            "run again.",
        )


_KINDS: dict[str, type[_PolicyRestore] | type[_ComputeConfigRestore]] = {
    TRUST_POLICY: _TrustPolicyRestore,
    BUCKET_POLICY: _BucketPolicyRestore,
    COMPUTE_CONFIG: _ComputeConfigRestore,
}


class Task(BaseTask):
    """The document of the backups, of any kind."""

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
            raise InputError("needed_by contains an empty name.", "Remove it.")
        backups = [read(path) for path in sorted(params["files"], key=_time_of)]
        first = single_resource(backups)
        account_id = params.get("account_id")
        if account_id and first.account_id not in ("", account_id):
            raise InputError(
                f"account_id is {account_id}, but the {first.resource} is in account "
                f"{first.account_id}.",
                "Use credentials for that account and set account_id to it, or omit account_id.",
            )
        self._restore = _KINDS[first.kind](params, connect, backups)
        self.written = self._restore.written

    @property
    def resource(self) -> str:
        """The resource name that the task that wrote the document uses."""
        return self._restore.resource

    def display_document(self, document: t.Any) -> t.Any:
        """Delegate to the kind of document."""
        return self._restore.display_document(document)

    def backup(self, plan: Plan) -> Backup | None:
        """The document before the restore, so that a restore can be undone too."""
        return self._restore.backup(plan)

    def plan(self) -> Plan:
        """Plan from the live document."""
        return self._restore.plan()

    def apply(self, plan: Plan) -> None:
        """Write the document of the first backup."""
        self._restore.apply(plan)

    def verify(self, plan: Plan) -> Plan:
        """Read back until the change is visible."""
        return self._restore.verify(plan)


def _time_of(path: str) -> str:
    """The file name of a backup, which starts with its time, in any directory."""
    return path.rpartition("/")[2]

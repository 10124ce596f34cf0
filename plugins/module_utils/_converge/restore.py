# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restore a document to its state before a run, for the module ``backup_restore``.

This module util is private to the collection. Policies are kept where the modules that wrote them
keep them; only what is wanted of them differs. The resource name, and so the lock, is the same too.
"""

from __future__ import annotations

import dataclasses
import functools
import operator
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.auth import (
    anyscale_argument_spec,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
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
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import (
    AwsSession,
    Connect,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_policy import (
    BucketPolicyStore,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_publication import (
    overtaken_version,
    publish,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iam_mapping_plan import (
    MappingPlan,
    mapping_of,
    plan_of,
    restored_mapping,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iam_mapping_reconciler import (
    IamMappingReconciler,
    MappingPlanner,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iam_mapping_store import (
    IamMappingStore,
    LiveMapping,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.module import (
    ConvergingModule,
    Options,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    LivePolicy,
    PolicyPlanner,
    PolicyReconciler,
    PolicyStore,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.protected_roles import (
    refuse_reserved,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Live,
    Reconciler,
    Saved,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.restore_plan import (
    Equality,
    Obstacles,
    Verdict,
    decide,
    overtaken_versions,
    regained_by_role,
    regained_principals,
    single_resource,
    written_for,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_attachment import (
    AttachmentReconciler,
    LiveAttachment,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_policy import (
    RolePolicyStore,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.trust_policy import (
    TrustPolicyStore,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.written import noted
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    ConflictError,
    InputError,
    UnsettledError,
    option,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    COMPUTE_CONFIG,
    IAM_MAPPING,
    INSTANCE_PROFILE,
    ROLE_ATTACHMENT,
    ROLE_POLICY,
    TRUST_POLICY,
    Backup,
    StoredBackup,
    others_since,
    read,
    untrusted,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    parse_policy,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    policies_equal,
    policies_identical,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.principals import (
    refuse_dangling,
    refuse_deleted_arns,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import (
    SYSTEM_CLOCK,
    Clock,
    backoff,
)

_VISIBLE_SECONDS = 30.0
_EMPTY = parse_policy(None, "")


@dataclasses.dataclass(frozen=True)
class _Restore:
    """What is wanted: the document as it was before the first of its backups, oldest first.

    params: the options of the module, which say what the document is restored in spite of.
    """

    stored: t.Sequence[StoredBackup]
    params: t.Mapping[str, t.Any]

    @property
    def backups(self) -> list[Backup]:
        """What the backups contain."""
        return [one.backup for one in self.stored]

    @property
    def first(self) -> Backup:
        """The first backup, whose earlier document is wanted."""
        return self.stored[0].backup

    def verdict(
        self,
        live: t.Any,
        equality: Equality,
        regained: t.Sequence[str] = (),
        overtaken: t.Sequence[int] = (),
    ) -> Verdict:
        """Whether the live document is to be restored. Raises if that is refused. ``regained``: the
        principals that would be allowed something again. ``overtaken``: the versions of another
        writer that were published while the runs wrote.
        """
        obstacles = Obstacles(
            clouds=self.params.get("clouds"),
            needed_by=self.params.get("needed_by") or (),
            untrusted=untrusted(self.stored, self.params),
            accepts_untrusted=self.params["accept_unsigned"],
            regained=regained,
            runs=[one.origin.run_id for one in reversed(self.stored)],
            read_others=lambda: others_since(self.stored, self.params),
            overtaken=overtaken,
        )
        return decide(self.backups, live, equality, self.params["force"], obstacles)


@dataclasses.dataclass(frozen=True)
class _PolicyRestorer(PolicyPlanner[LivePolicy]):
    """Plan a policy document: its earlier state, unless another writer has changed it since."""

    wanted: _Restore
    store: PolicyStore[t.Any]
    iam: Iam

    def plan(self, live: LivePolicy) -> Plan:
        """Plan the policy."""
        display = self.store.display
        earlier = self.wanted.first.before or _EMPTY
        verdict = self.wanted.verdict(
            display(live.document),
            Equality(
                functools.partial(policies_equal, arns=live.arns),
                functools.partial(policies_identical, arns=live.arns),
            ),
            self._regained(earlier, live),
        )
        document = earlier if verdict.reason else live.document
        reasons = (verdict.reason,) if verdict.reason else ()
        result = {"document": display(document)}
        return Plan(live.document, document, reasons, verdict.warnings, result)

    def guard(self, live: LivePolicy, plan: Plan) -> None:
        """Raise if the policy names principals that were deleted since: AWS would reject it. A
        role of AWS cannot be changed either.
        """
        first = self.wanted.first
        if "role_arn" in first.target:
            refuse_reserved(first.target["role_arn"])
        refuse_dangling(plan.after, live.resource, self.iam.principals)
        refuse_deleted_arns(
            plan.before, plan.after, live.resource, first.account_id, self.iam.principals
        )

    def _regained(self, earlier: Document, live: LivePolicy) -> t.Sequence[str]:
        """The principals that would be allowed something again. Policies of roles name none: they
        are for the role.
        """
        if self.wanted.first.kind == ROLE_POLICY:
            return regained_by_role(self.wanted.first.target["role_arn"], earlier, live.document)
        return regained_principals(earlier, live.document, live.arns)


def _policy_reconciler(wanted: _Restore, session: AwsSession) -> Reconciler[t.Any]:
    iam, first = Iam(session), wanted.first
    store: PolicyStore[t.Any]
    if first.kind == TRUST_POLICY:
        # The account is in the ARN; the option account_id is not what names it here.
        store = TrustPolicyStore(iam, parse_role(first.target["role_arn"]), account_id=None)
    elif first.kind == ROLE_POLICY:
        store = _role_policy_store(first, iam)
    else:
        store = BucketPolicyStore(session, first.target["bucket"], (), first.account_id)
    versions = [
        version for backup in wanted.backups for version in (backup.before, backup.after) if version
    ]
    restorer = _PolicyRestorer(wanted, store, iam)
    return PolicyReconciler(
        store, [restorer], [restorer.guard], written_for(wanted.backups), versions
    )


def _role_policy_store(first: Backup, iam: Iam) -> RolePolicyStore:
    role = parse_role(first.target["role_arn"])
    name = first.target["policy_name"]
    return RolePolicyStore(iam, role, name, account_id=None, reads_own=False)


class _AttachmentRestorer(AttachmentReconciler):
    """Attach a managed policy to a role again, or detach it, as it was before."""

    def __init__(self, wanted: _Restore, iam: Iam, clock: Clock = SYSTEM_CLOCK) -> None:
        target = wanted.first.target
        role, clouds = parse_role(target["role_arn"]), written_for(wanted.backups)
        super().__init__(iam, role, target["policy_arn"], None, clouds, clock)
        self._wanted = wanted

    def plan(self, live: LiveAttachment) -> Plan:
        """Plan the attachment."""
        before = self.document(live.is_attached)
        regained = [live.role_arn] if self._wanted.first.before and not before else []
        verdict = self._wanted.verdict(before, Equality(operator.eq), regained)
        after = self._wanted.first.before if verdict.reason else before
        reasons = (verdict.reason,) if verdict.reason else ()
        return Plan(before, after, reasons, verdict.warnings, {"document": after})

    def guard(self, live: LiveAttachment, plan: Plan) -> None:
        """A role of AWS cannot be changed."""
        refuse_reserved(live.role_arn)


@dataclasses.dataclass(frozen=True)
class _LiveConfig(Live):
    """The newest version of the compute config, archived or not; ``None`` if there is none.

    since: the versions since the first backup, where there are more than that can have made.
    """

    template: t.Mapping[str, t.Any] | None
    since: tuple[t.Mapping[str, t.Any], ...] = ()

    @property
    def version(self) -> int:
        """The number of the newest version; 0 if there is none."""
        return int(self.template["version"]) if self.template else 0

    @property
    def is_archived(self) -> bool:
        """Whether it exists, but is archived."""
        return bool(self.template and self.template.get("archived_at"))

    @property
    def config(self) -> t.Mapping[str, t.Any] | None:
        """The config that clusters can use."""
        return self.template["config"] if self.template and not self.is_archived else None


class _ComputeConfigReconciler(Reconciler[_LiveConfig]):
    """Restore a compute config. Versions are immutable: the earlier content is published again, or
    the compute config is archived if there was none.
    """

    def __init__(
        self, wanted: _Restore, anyscale: AnyscaleClient, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._wanted = wanted
        self._anyscale = anyscale
        self._clock = clock
        self._name = wanted.first.target["name"]
        self.clouds = written_for(wanted.backups)

    def load(self) -> _LiveConfig:
        """Read the newest version."""
        first = self._wanted.first
        template = self._anyscale.newest_compute_config(self._name, first.target["cloud_id"])
        live = _LiveConfig(first.resource, template)
        previous = first.previous_version
        is_restored = live.config and first.before and same_config(live.config, first.before)
        if previous is None or live.version <= previous + 1 or is_restored:
            return live
        since = self._anyscale.compute_config_versions_after(
            self._name, first.target["cloud_id"], previous
        )
        return dataclasses.replace(live, since=tuple(since))

    def plan(self, live: _LiveConfig) -> Plan:
        """Plan from the newest version."""
        versions = [(one["version"], one["config"]) for one in live.since]
        overtaken = overtaken_versions(self._wanted.backups, versions, same_config)
        verdict = self._wanted.verdict(live.config, Equality(same_config), overtaken=overtaken)
        wanted = self._wanted.first.before if verdict.reason else live.config
        version = live.version + self._publishes(live, wanted)
        return Plan(
            before=live.config and normalize(live.config),
            after=wanted and normalize(wanted),
            reasons=(verdict.reason,) if verdict.reason else (),
            warnings=verdict.warnings,
            result={
                "document": wanted and normalize(wanted),
                "compute_config": f"{self._name}:{version}" if wanted else None,
            },
        )

    def guard(self, live: _LiveConfig, plan: Plan) -> None:
        """Nothing else is needed."""

    def backup(self, live: _LiveConfig, plan: Plan) -> Backup:
        """The compute config before the restore."""
        before = live.config and compose(live.config, deployments(live.config))
        first = self._wanted.first
        return dataclasses.replace(
            first,
            before=before,
            after=first.before,
            clouds=self.clouds,
            previous_version=live.version,
        )

    def save(self, live: _LiveConfig, plan: Plan, written: list[str]) -> Saved:
        """Archive, or unarchive and publish, as needed."""
        wanted, template = self._wanted.first.before, live.template or {}
        if wanted is None:
            with noted(f"{live.resource} (archived)", written):
                self._anyscale.archive_compute_config(template["id"])
            return Saved()
        if live.is_archived:
            with noted(f"{live.resource} (unarchived)", written):
                self._anyscale.unarchive_compute_config(template["id"])
        if self._publishes(live, wanted):
            config = compose(wanted, deployments(wanted))
            self._publish(live, config, written)
        return Saved()

    def _publish(self, live: _LiveConfig, config: dict[str, t.Any], written: list[str]) -> None:
        """Publish the earlier content. Raises if that overtook a version of another writer, which has
        not been judged.
        """
        published = publish(
            self._anyscale, self._name, config, live.version, live.resource, written
        )
        overtaken = overtaken_version(
            self._anyscale, self._name, config["cloud_id"], live.version, published
        )
        known = [one for one in (live.config, config) if one]
        if overtaken and not any(same_config(overtaken["config"], one) for one in known):
            raise ConflictError(
                f"Another writer published version {overtaken['version']} of {live.resource} at the "
                f"same time. Version {published}, which restores the earlier content, replaced it.",
                f"Compare the two at Anyscale. If the changes of version {overtaken['version']} are "
                "wanted, publish them again.",
                expected=normalize(config),
                found=normalize(overtaken["config"]),
            )

    def read_back(self, live: _LiveConfig, plan: Plan, saved: Saved) -> tuple[_LiveConfig, Plan]:
        """Read until the change is visible. Versions cannot be deleted, so none is published twice."""
        for _attempt in backoff(_VISIBLE_SECONDS, clock=self._clock):
            live = self.load()
            current = self.plan(live)
            if not current.changed:
                settled = dataclasses.replace(plan, reasons=(), warnings=(), result=current.result)
                return live, settled
        raise UnsettledError(
            f"The {live.resource} was restored, but the live one still differs after "
            f"{_VISIBLE_SECONDS:.0f} s.",
            "Another writer may have published another version at the same time: check it, then "
            "run again.",
        )

    @staticmethod
    def _publishes(live: _LiveConfig, wanted: t.Mapping[str, t.Any] | None) -> bool:
        """Whether the newest version, archived or not, has other content."""
        if not wanted:
            return False
        return not (live.template and same_config(live.template["config"], wanted))


@dataclasses.dataclass(frozen=True)
class _MappingRestorer(MappingPlanner):
    """Plan a Cloud IAM mapping: its earlier rules, unless another writer has changed it since. What
    else the config of the resource has stays as it is.
    """

    wanted: _Restore
    replaces_all = True

    def plan(self, live: LiveMapping) -> MappingPlan:
        """Plan the mapping."""
        verdict = self.wanted.verdict(live.spec, Equality(_same_mapping))
        spec = live.spec
        if verdict.reason:
            spec = restored_mapping(live.spec, self.wanted.first.before or {}, live.kind)
        reasons = (verdict.reason,) if verdict.reason else ()
        plan = plan_of(live.spec, spec, reasons, verdict.warnings)
        return dataclasses.replace(plan, result={"document": mapping_of(spec)})

    def guard(self, live: LiveMapping, plan: Plan) -> None:
        """Nothing else is needed."""


def _same_mapping(one: t.Any, other: t.Any) -> bool:
    return mapping_of(one) == mapping_of(other)


def _mapping_reconciler(wanted: _Restore, anyscale: AnyscaleClient) -> IamMappingReconciler:
    first = wanted.first
    store = IamMappingStore(anyscale, first.target["cloud_id"], first.target["resource_id"])
    clouds = written_for(wanted.backups)
    return IamMappingReconciler(store, _MappingRestorer(wanted), first.account_id, clouds)


class RestoreModule(ConvergingModule):
    """The module backup_restore, for documents of any kind."""

    options: t.ClassVar[Options] = {
        "files": {"type": "list", "elements": "path", "required": True},
        "force": {"type": "bool", "default": False},
        "accept_unsigned": {"type": "bool", "default": False},
        "clouds": {"type": "list", "elements": "str"},
        "needed_by": {"type": "list", "elements": "str"},
        **anyscale_argument_spec(),
    }

    def __init__(self, params: t.Mapping[str, t.Any], connect: Connect = AwsSession) -> None:
        super().__init__(params, connect)
        if not all(str(name or "").strip() for name in params.get("needed_by") or ()):
            raise InputError("needed_by contains an empty name.", "Remove it.")
        stored = [read(path) for path in sorted(params["files"], key=_time_of)]
        first = single_resource([one.backup for one in stored])
        if first.kind == INSTANCE_PROFILE:
            raise InputError(
                f"files are records of the {first.resource}, which is kept: instances may be using it.",
                "Leave them out. Delete the instance profile, or remove its role, by hand once nothing "
                "uses it.",
            )
        account_id = params.get("account_id")
        if account_id and first.account_id not in ("", account_id):
            raise InputError(
                f"account_id is {account_id}, but the {first.resource} is in account "
                f"{first.account_id}.",
                f"Use credentials for that account, and set {option('account_id')} to it, or leave it "
                "out.",
            )
        self._wanted = _Restore(stored, params)
        is_of_anyscale = first.kind in (COMPUTE_CONFIG, IAM_MAPPING)
        self._anyscale = anyscale_client(params) if is_of_anyscale else None

    def reconciler(self) -> Reconciler[t.Any]:
        """The document of the backups."""
        if self._anyscale is not None and self._wanted.first.kind == IAM_MAPPING:
            return _mapping_reconciler(self._wanted, self._anyscale)
        if self._anyscale is not None:
            return _ComputeConfigReconciler(self._wanted, self._anyscale)
        if self._wanted.first.kind == ROLE_ATTACHMENT:
            return _AttachmentRestorer(self._wanted, Iam(self.session))
        return _policy_reconciler(self._wanted, self.session)


def _time_of(path: str) -> str:
    """The file name of a backup, which starts with its time, in any directory."""
    return path.rpartition("/")[2]

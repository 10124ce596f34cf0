# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The outcomes of a check, and how a check ends where a fact that it needs could not be read.

This module util is private to the collection. Pure. A fact that could not be read ends every check
that asks for it as ``unknown``, with the missing permission, so that no check passes on a fact that
was never read.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.requests import permission_of
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AnyscaleError,
    AwsError,
    TaskError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._survey import answer

PASS = "pass"
FAIL = "fail"
WARN = "warn"
UNKNOWN = "unknown"
NOT_APPLICABLE = "not_applicable"
# Of several outcomes, the one whose status comes first here stands for all.
BY_WEIGHT = (FAIL, UNKNOWN, WARN, PASS, NOT_APPLICABLE)

_PROGRAM = "ansible-playbook"
_ONBOARD = f"{_PROGRAM} rayfleet.anyscale.onboard"
_HOST = "<cloud>"
# Only a remedy that begins with the command: where it stands after another remedy, a person decides.
_COMMAND = re.compile(rf"Run '({re.escape(_ONBOARD)} [^']*)'")
_OTHER_WAY = re.compile(r", or the module rayfleet\.anyscale\.[\w ]+\. ?")
# A host's name that --limit does not take for a pattern, a file or an option.
_PLAIN_HOST = re.compile(r"[\w.][\w.+=@ /-]*", re.ASCII)
# And one that the survey of AWX takes for the name of a cloud.
_SELECTABLE_HOST = re.compile(r"[\w.][\w .@+-]*", re.ASCII)
_MOST_HOSTS = 50  # that a command names
_UNAUTHENTICATED = 401
_REFUSALS = (
    "AccessDenied",
    "AccessDeniedException",
    "AllAccessDisabled",
    "MethodNotAllowed",
    "UnauthorizedOperation",
)

Value = t.TypeVar("Value")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome of a check: its status, the reason as a sentence, the evidence in JSON, and the
    remedy (a sentence or a document).
    """

    status: str
    reason: str
    remedy: str = ""
    evidence: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


def counting(checks: t.Iterable[t.Mapping[str, t.Any]]) -> list[t.Mapping[str, t.Any]]:
    """The checks in JSON that count: what the operator has acknowledged is no finding."""
    return [check for check in checks if not check.get("acknowledged")]


def effective_status(check: t.Mapping[str, t.Any]) -> str:
    """The status by which a check in JSON counts: what is acknowledged passes."""
    return PASS if check.get("acknowledged") else str(check["status"])


def is_drift(check: t.Mapping[str, t.Any]) -> bool:
    """Whether a check in JSON shows drift: it fails, or it warns or is unknown and its evidence has a
    document as onboarding would change it. What is acknowledged is to stay as it is.
    """
    status = effective_status(check)
    return status == FAIL or (
        status in (WARN, UNKNOWN) and "after" in (check.get("evidence") or {})
    )


def passed(reason: str, **evidence: t.Any) -> Outcome:
    """The check passes."""
    return Outcome(PASS, reason, evidence=evidence)


def failed(reason: str, remedy: str = "", **evidence: t.Any) -> Outcome:
    """Clusters do not get what they need, or get it from elsewhere."""
    return Outcome(FAIL, reason, remedy, evidence)


def warned(reason: str, remedy: str = "", **evidence: t.Any) -> Outcome:
    """It works, or may work, but the owner of the cloud should know."""
    return Outcome(WARN, reason, remedy, evidence)


def is_onboard(remedy: str) -> bool:
    """Whether a remedy is, or mentions as another way, to run the playbook onboard."""
    return _ONBOARD in remedy


def onboard(module: str, options: str = "") -> str:
    """The remedy for what ``onboard`` can fix. Who reads an audit runs playbooks, so the command
    comes first; the module is for playbooks of the reader's own. ``<cloud>`` is the host, which the
    module does not know.
    """
    command = f"{_ONBOARD} --limit {_HOST}{options}"
    return f"Run '{command}', or the module rayfleet.anyscale.{module}."


def command_of(remedy: str) -> str:
    """The command that a remedy is, or ``""`` where a person must decide."""
    found = _COMMAND.match(remedy)
    return found[1] if found else ""


def after_command(remedy: str, launch: str = "") -> str:
    """What a remedy that is a command, or a launch, says besides: what else to do, or to know."""
    rest = _COMMAND.sub("", remedy, count=1).removeprefix(f"{launch}.")
    return _OTHER_WAY.sub("", rest, count=1).strip()


def command_for(command: str, host: str, options: t.Sequence[str] = ()) -> str:
    """A command with the host in it, quoted for the shell, or ``""`` where ``--limit`` would take
    its name for something else. options: what it needs besides, such as an inventory.
    """
    if _HOST in command:
        command = command.replace(_HOST, shlex.quote(host)) if _PLAIN_HOST.fullmatch(host) else ""
    return command.replace(_PROGRAM, shlex.join([_PROGRAM, *options]), 1)


def launch_for(command: str, host: str, job_template: str) -> str:
    """What the operator of AWX does in place of a command for a host, or ``""`` where the survey would
    refuse the host's name. What the command sets besides, no survey asks for.
    """
    if not command or not _SELECTABLE_HOST.fullmatch(host):
        return ""
    given = [word for word in shlex.split(command.partition(" --limit ")[2])[1:] if word != "-e"]
    answers = f"{answer('fleet_mode', 'apply')} and {answer('fleet_clouds', host)}"
    first = f", after setting {' and '.join(given)} in the inventory" if given else ""
    return f"Launch the job template {job_template} with {answers}{first}"


def general_command(command: str, host: str) -> str:
    """A command, or a launch, for one host without the host, as several hosts have it in common."""
    for named, general in zip(_naming(shlex.quote(host), host), _naming(_HOST, _HOST), strict=True):
        command = command.replace(named, general, 1)
    return command


def command_for_all(command: str, hosts: t.Sequence[str]) -> str:
    """A general command for hosts, or for all hosts of the inventory where these are too many to
    name: what is in sync stays as it is.
    """
    names = ",".join(hosts)
    all_named = ("", "") if len(hosts) > _MOST_HOSTS else _naming(shlex.quote(names), names)
    for general, named in zip(_naming(_HOST, _HOST), all_named, strict=True):
        command = command.replace(general, named)
    return command


def names_hosts(command: str, hosts: t.Sequence[str]) -> bool:
    """Whether a command for all hosts names them."""
    names = ",".join(hosts)
    return any(named in command for named in _naming(shlex.quote(names), names))


def _naming(quoted: str, name: str) -> tuple[str, str]:
    """How a command and how a launch name their hosts."""
    return f" --limit {quoted}", f" and {answer('fleet_clouds', name)}"


class CheckAborted(Exception):
    """Ends a check that cannot be decided."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


def not_applicable(reason: str) -> CheckAborted:
    """There is nothing to check."""
    return CheckAborted(Outcome(NOT_APPLICABLE, reason))


def unknown(reason: str, remedy: str = "", **evidence: t.Any) -> CheckAborted:
    """A fact that the check needs could not be read."""
    return CheckAborted(Outcome(UNKNOWN, reason, remedy, evidence))


@dataclasses.dataclass(frozen=True)
class Fact(t.Generic[Value]):
    """A value that was read, or the reason why it is not known."""

    value: Value | None = None
    obstacle: CheckAborted | None = None

    def get(self) -> Value:
        """The value. Raises ``CheckAborted`` where it is not known."""
        if self.obstacle is not None:
            raise CheckAborted(self.obstacle.outcome)
        return t.cast(Value, self.value)

    @property
    def is_known(self) -> bool:
        """Whether there is a value, which may be ``None``."""
        return self.obstacle is None

    @property
    def is_not_applicable(self) -> bool:
        """Whether the thing that the fact is about does not exist."""
        return self.obstacle is not None and self.obstacle.outcome.status == NOT_APPLICABLE


def fact(read: t.Callable[[], Value], service: str = "") -> Fact[Value]:
    """The result of a read as a fact. A refusal by ``service``, and nearly any other error, makes
    it unknown and ends nothing else.
    """
    try:
        return Fact(read())
    except CheckAborted as aborted:
        # A new one: the frames in the traceback of this one hold all that was read of the cloud.
        return Fact(obstacle=CheckAborted(aborted.outcome))
    except TaskError as error:
        return Fact(obstacle=obstacle_of(error, service))


def obstacle_of(error: TaskError, service: str = "") -> CheckAborted:
    """Why a fact is unknown after a read failed. A token that Anyscale does not accept ends the
    task: it says nothing about the cloud.
    """
    if isinstance(error, AnyscaleError) and error.status == _UNAUTHENTICATED:
        raise error
    return unknown(error.message, error.remedy, **_evidence(error, service))


def outcome_of(judge: t.Callable[[], Outcome]) -> Outcome:
    """The outcome of a check, also where it cannot be decided."""
    try:
        return judge()
    except CheckAborted as aborted:
        return aborted.outcome


def _evidence(error: TaskError, service: str) -> dict[str, t.Any]:
    if isinstance(error, AwsError) and error.code in _REFUSALS:
        return {
            "missing_permission": permission_of(service, str(error.details.get("operation"))),
            **error.details,
        }
    return dict(error.details)

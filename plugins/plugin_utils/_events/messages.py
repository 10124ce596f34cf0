# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run of heal says of the clouds that it does not converge, or not for good.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.healing import WHOLE_CLOUD
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.rules import Rules
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import (
    counted,
    summarize_names,
)

Json = dict[str, t.Any]
# Why an audit does not note the drift of a cloud.
NOT_ONBOARDED = "no run of onboard is noted in {directory}"
NOT_ROLLED_OUT = "the variables are not those of the last run of onboard"
ROLELESS = "no variable names the role, and any one could be registered at Anyscale"
BY_TASKS = "needs tasks of its own"


def not_onboarded(names: t.Sequence[str], directory: str) -> str:
    """Of clouds that events are not to converge, since they would onboard them."""
    were, them, they = ("was", "it", "it was") if len(names) == 1 else ("were", "them", "they were")
    return (
        f"{counted(len(names), 'cloud')} {were} left, since no run of onboard has converged {them}, or "
        f"{they} rolled back or offboarded since, as {directory} tells: {summarize_names(names)}. "
        f"Onboard {them}."
    )


def not_rolled_out(names: t.Sequence[str], how_to_onboard: str) -> list[str]:
    """The warning of clouds that healing would converge to variables that onboard has not rolled out, if
    there are any.
    """
    if not names:
        return []
    was, its, them = ("was", "its", "it") if len(names) == 1 else ("were", "their", "them")
    return [
        f"{counted(len(names), 'cloud')} {was} left, since {its} variables are not those that onboard "
        f"has converged {them} with: {summarize_names(names)}. What has changed of {them} stays "
        f"pending. To roll {its} variables out first: {how_to_onboard}"
    ]


def were_invalid() -> str:
    """Of a cloud of which it is not known whether its variables are those that onboard has rolled out."""
    return (
        "The variables of this cloud could not be read when the run began, so it cannot be told whether "
        "they are those that onboard has converged it with. Nothing was changed. It stays pending."
    )


def too_many(account: str, names: t.Sequence[str], rules: Rules) -> str:
    """Of clouds of an account that are more than a run may converge. Variables with an error may name
    none.
    """
    of_account = f"account {account}" if account else "no account"
    are = "is" if len(names) == 1 else "are"
    return (
        f"More clouds of {of_account} are due at once than heal_max_clouds (option max_clouds), which is "
        f"{rules.max_clouds}, so that {counted(len(names), 'cloud')} {are} not converged: "
        f"{summarize_names(names)}."
    )


def pending_until(how_to_onboard: str) -> str:
    """What becomes of these clouds."""
    return (
        f"They stay pending. To onboard them, with a canary: {how_to_onboard}. Else set a higher limit in "
        "the inventory."
    )


def paused(pending: t.Sequence[str]) -> str:
    """What a run ends with while healing is paused."""
    are = "is" if len(pending) == 1 else "are"
    named = f": {summarize_names(pending)}" if pending else ""
    return f"Healing is paused (heal_paused), and {counted(len(pending), 'cloud')} {are} pending{named}."


def forgotten(names: t.Sequence[str], clouds: int, directory: str) -> str:
    """Of those of so many clouds that no event heals any more."""
    named = f": {summarize_names(names)}" if names else ""
    return f"The state of healing forgets {len(names)} of {counted(clouds, 'cloud')}, in {directory}{named}"


def had_by_another_run(names: t.Sequence[str]) -> list[str]:
    """The warning of clouds that were not waited for, if there are any."""
    if not names:
        return []
    return [
        f"Another run has {summarize_names(names)}, or was lost with it. A later run of heal takes "
        "what has changed since."
    ]


def not_converged(retries: t.Sequence[Json]) -> list[str]:
    """The warning of clouds that are tried again, each with the time from which on, if there are any."""
    if not retries:
        return []
    names = summarize_names([one["cloud"] for one in retries])
    first = min(one["at"] for one in retries)
    return [
        f"Not converged: {names}. The next run of heal after {first} tries again, and one with an "
        "event of such a cloud at once."
    ]


def left_as_it_is(stopped: Json, rules: Rules, how_to_onboard: str) -> str:
    """Of a cloud that changes again and again. stopped: the cloud, the document, or that it is the whole
    cloud, and the time.
    """
    cloud, what = stopped["cloud"], stopped["document"]
    most = rules.most_heals_of_cloud if what == WHOLE_CLOUD else rules.most_heals
    times = "once" if most == 1 else f"{most} times"
    return (
        f"{cloud}: {what} was put back {times} within {rules.window_of(what):.0f} s, and has changed "
        f"again. Until {stopped['until']}, runs of heal put back nothing of this cloud. Find the other "
        f"writer (for AWS, in CloudTrail). To converge it now: {how_to_onboard}"
    )


def lost(is_forgotten: bool) -> tuple[str, str]:
    """Of a cloud that a run has taken, and may write nothing for any more; and what to do."""
    if is_forgotten:
        return (
            "This cloud was offboarded or rolled back after this run of heal had taken it, so that the "
            "run writes nothing more for it.",
            "To have events heal it again, onboard it.",
        )
    return (
        "A run of onboard has converged this cloud with other variables, or another run of heal has taken "
        "it, after this one had, so that this one writes nothing more for it.",
        "If runs take longer than heal_run_seconds, set that to more.",
    )


def forgotten_since(names: t.Sequence[str], how_to_onboard: str) -> list[str]:
    """The warning of clouds that a run of onboard has converged, and that no event is to heal all the
    same, if there are any.
    """
    if not names:
        return []
    was, it = ("was", "it") if len(names) == 1 else ("were", "them")
    return [
        f"{counted(len(names), 'cloud')} {was} offboarded or rolled back while this run was going on, so "
        f"that no event heals {it}: {summarize_names(names)}. To converge {it} again, and have events heal "
        f"{it}: {how_to_onboard}"
    ]


def not_noted(error: Exception) -> str:
    """The warning of a run of onboard that cannot let events heal its clouds."""
    return f"{error} No event heals the clouds of this run, until a run of onboard can note them."


def not_forgotten(error: Exception) -> str:
    """The warning of a run that cannot keep events from healing its clouds."""
    return f"{error} A run of heal may converge these clouds again."


def noted_by_audit(
    noted: t.Sequence[str],
    pending: t.Sequence[str],
    left: t.Mapping[str, t.Sequence[str]],
    how_to_onboard: str,
) -> list[str]:
    """What an audit says of the clouds with drift: those that it has noted for healing, those of which
    something was pending before, and those that it left, by the reason.

    how_to_onboard: those that are pending.
    """
    lines = []
    if noted:
        lines.append(
            f"Noted for healing: {summarize_names(noted)}. The next run of heal takes this up."
        )
    if pending:
        lines.append(
            f"Noted for healing before, and still pending: {summarize_names(pending)}. To converge this "
            f"now: {how_to_onboard}"
        )
    lines += [
        f"Not noted for healing ({why}): {summarize_names(names)}" for why, names in left.items()
    ]
    return lines


def found_and_not_noted(error: Exception) -> str:
    """The warning of an audit that cannot note the drift that it has found."""
    return f"{error} No run of heal puts back what this audit has found."


def tried_again(names: t.Sequence[str]) -> str:
    """Of clouds that an earlier run failed for."""
    return f"Tried again, since a run failed: {summarize_names(names)}"

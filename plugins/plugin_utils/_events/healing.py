# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When which clouds are converged because of events: those that were onboarded, a burst once, a cloud
by one run at a time, a document that keeps changing only so often, and a cloud that failed again,
ever later.

This plugin util is private to the collection. Pure: a state in plain JSON, the time, and what
happened, in; the state after it, out. What an event says is only when to look: a run that finds
nothing to change does not count, so that no event can use up what a cloud has left.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.rules import (
    Rules,
    is_found,
)

SCHEMA_VERSION = 5
# What is stopped if a cloud is put back too often by changes of ever other documents. None is named so.
WHOLE_CLOUD = "the cloud"
# More documents of one cloud than it has are converged all the same: a run converges all of them.
_MOST_DOCUMENTS = 64
_LONGEST_TEXT = 200
_MOST_DOUBLINGS = 16

Json = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Claim:
    """What a run is to converge now.

    clouds: the documents that changed, by cloud. stopped: by cloud, the documents that changed too
    often, and when they may be put back again. Nothing of such a cloud is due before. wait: how long
    until there may be more to do; ``None`` if nothing is left that is not stopped, and that is not tried
    again later because it failed. too_many: by account, the clouds that are due, if they are more than
    a run takes of one. The run has none of them then.
    """

    clouds: dict[str, list[str]]
    stopped: dict[str, dict[str, float]]
    wait: float | None
    too_many: dict[str, list[str]] = dataclasses.field(default_factory=dict)


class Healing:
    """The state of all clouds. ``state`` is JSON, and has only clouds with something to remember."""

    def __init__(self, state: Json | None = None, rules: Rules | None = None) -> None:
        parts: Json = {"clouds": {}, "onboarded": {}, "forgotten": {}}
        self.state: Json = state or {"schema_version": SCHEMA_VERSION, **parts}
        self._rules = rules or Rules()

    def note(self, cloud: str, document: str, now: float) -> None:
        """An event has changed a document of a cloud. That may be what an earlier run failed for the
        lack of.
        """
        found = self._cloud(cloud)
        pending, retry = found["pending"], found["retry"]
        if retry:
            retry["at"] = min(retry["at"], now)
        document = document[:_LONGEST_TEXT]
        if document not in pending and len(pending) >= _MOST_DOCUMENTS:
            document = next(reversed(pending))
        first = pending.get(document, {"first": now})["first"]
        pending[document] = {"first": min(first, now), "last": now}

    def note_found(self, found: t.Mapping[str, t.Sequence[str]], now: float) -> list[str]:
        """An audit has found that documents of clouds have drifted. Returns the clouds that are due by that:
        not those that are already, since an audit is no reason to try a failed cloud earlier.
        """
        unfinished = self.unfinished
        noted = [name for name in found if name not in unfinished]
        for name in noted:
            for document in found[name]:
                self.note(name, document, now)
        return noted

    def note_onboarded(
        self, clouds: t.Mapping[str, str], began: float, now: float
    ) -> dict[str, str]:
        """A run of onboard has converged clouds, and with them what changed before it began. Returns
        those that are noted: not those that the operator has decided otherwise on since.

        clouds: the digest of the settings that each of them was converged with.
        """
        noted = {
            name: settings
            for name, settings in clouds.items()
            if not self._is_forgotten_since(began, name, now)
        }
        for name, settings in noted.items():
            before = self.state["onboarded"].get(name, {}).get("settings")
            self.state["onboarded"][name] = {"at": now, "settings": settings}
            self.state["forgotten"].pop(name, None)
            if cloud := self._clouds.get(name):
                if settings != before and cloud["in_flight"]:  # that run would undo this one
                    _give_back(cloud)
                pending = cloud["pending"]
                cloud["pending"] = {
                    document: seen for document, seen in pending.items() if seen["last"] >= began
                }
                cloud["retry"] = cloud["retry"] if cloud["pending"] else None
        self._drop_empty()
        return noted

    def claim(
        self,
        run: str,
        now: float,
        among: t.Container[str] | None = None,
        accounts: t.Mapping[str, str] | None = None,
    ) -> Claim:
        """Take the clouds that are due for a run, which no other run takes until it has ended.

        among: the clouds that the run may take; all by default. accounts: that of each cloud.
        """
        due, stopped, waits = {}, {}, []
        for name, cloud in self._clouds.items():
            self._forget(cloud, now)
            if among is not None and name not in among:
                continue
            if stops := self._stops(cloud, now):
                stopped[name] = stops
                continue
            wait = self._wait(cloud, now)
            if wait:
                waits.append(wait)
            elif wait is not None:
                due[name] = list(cloud["pending"])
        too_many = self._more_than_a_run_takes(run, due, accounts or {})
        for name in (name for names in too_many.values() for name in names):
            due.pop(name, None)
        self._take(run, due, now)
        self._drop_empty()
        return Claim(due, stopped, min(waits) if waits else None, too_many)

    def lost(self, run: str, clouds: t.Iterable[str]) -> dict[str, bool]:
        """Those of the clouds that a run has taken, and may write nothing for any more; whether because
        the operator has decided otherwise, or else since another run has converged them, or may.
        """
        return {
            name: name in self.state["forgotten"]
            for name in clouds
            if not _has(run, self._clouds.get(name, _new_cloud()))
        }

    def finish(
        self, run: str, changed: t.Collection[str], done: t.Collection[str], now: float
    ) -> dict[str, float]:
        """A run has ended. changed: the clouds of which it changed something. done: those that are in
        sync, or that no later run can do more for. Returns when the others are tried again.
        """
        retries = {}
        for name, cloud in self._clouds.items():
            if not _has(run, cloud):
                continue
            flight, cloud["in_flight"] = cloud["in_flight"], None
            for document in flight["documents"] if name in changed else ():
                cloud["heals"].setdefault(document, []).append(now)
            if name in done:
                cloud["retry"] = None
            else:
                retries[name] = self._retry(cloud, flight["documents"], now)
        self._drop_empty()
        return retries

    def forget(self, clouds: t.Iterable[str], now: float) -> list[str]:
        """The operator has decided otherwise on clouds than what was pending of them would do, and neither
        an event, nor a run that has begun, is to undo that. Returns those of which something was
        remembered.
        """
        onboarded, names = self.state["onboarded"], list(clouds)
        self.state["forgotten"] |= dict.fromkeys(names, now)
        return [name for name in names if any([self._clouds.pop(name, 0), onboarded.pop(name, 0)])]

    @property
    def onboarded(self) -> t.KeysView[str]:
        """The clouds that a run of onboard has converged, and that are to stay so."""
        return t.cast("dict[str, Json]", self.state["onboarded"]).keys()

    def as_onboarded(self, settings: t.Mapping[str, str]) -> set[str]:
        """Those of clouds whose settings are the ones that onboard has converged them with, by their
        digests.
        """
        onboarded = self.state["onboarded"]
        return {
            name
            for name, digest in settings.items()
            if name in onboarded and onboarded[name]["settings"] == digest
        }

    @property
    def unfinished(self) -> set[str]:
        """The clouds that something has changed of, and that no run has ended for since."""
        return {
            name for name, cloud in self._clouds.items() if cloud["pending"] or cloud["in_flight"]
        }

    @property
    def failed(self) -> set[str]:
        """The clouds that an earlier run failed for."""
        return {name for name, cloud in self._clouds.items() if cloud["retry"]}

    @property
    def pending(self) -> set[str]:
        """The clouds that something has changed of, and that no run has taken since."""
        return {name for name, cloud in self._clouds.items() if cloud["pending"]}

    @property
    def _clouds(self) -> dict[str, Json]:
        return t.cast("dict[str, Json]", self.state["clouds"])

    def _cloud(self, name: str) -> Json:
        return self._clouds.setdefault(name, _new_cloud())

    def _is_forgotten_since(self, began: float, name: str, now: float) -> bool:
        """Whether the operator has decided otherwise on a cloud since a run began."""
        forgotten = self.state["forgotten"]
        if name not in forgotten:
            return False
        forgotten[name] = min(forgotten[name], now)  # if a clock was set back
        return bool(forgotten[name] >= began)

    def _more_than_a_run_takes(
        self, run: str, due: t.Mapping[str, list[str]], accounts: t.Mapping[str, str]
    ) -> dict[str, list[str]]:
        """What is due, with what the run has already, of the accounts of which that is too much. It is
        given back then. What only audits have found is left first, for the events of others.
        """
        held = [name for name, cloud in self._clouds.items() if _has(run, cloud)]
        of_events = [*held, *(name for name in due if any(map(_is_of_event, due[name])))]
        too_many = self._rules.too_many([*held, *due], accounts)
        still_too_many = self._rules.too_many(of_events, accounts)
        for account in too_many.keys() - still_too_many.keys():
            too_many[account] = [name for name in too_many[account] if name not in of_events]
        given_back = {name for names in too_many.values() for name in names}
        for name in given_back.intersection(held):
            _give_back(self._clouds[name])
        return too_many

    def _take(self, run: str, due: t.Mapping[str, list[str]], now: float) -> None:
        """Let no other run take what this one converges."""
        until = now + self._rules.run_seconds
        for name, documents in due.items():
            cloud = self._clouds[name]
            noted = {document: cloud["pending"].pop(document) for document in documents}
            cloud["in_flight"] = {"run": run, "until": until, "documents": noted}

    def _retry(self, cloud: Json, documents: Json, now: float) -> float:
        """Keep what a run failed to converge. Returns when it is tried again: at once if something has
        changed since the run took it.
        """
        failures = (cloud["retry"] or {"failures": 0})["failures"] + 1
        doublings = min(failures - 1, _MOST_DOUBLINGS)
        delay = min(self._rules.first_retry * 2**doublings, self._rules.longest_retry)
        at = now if cloud["pending"] else now + delay
        cloud["retry"] = {"failures": failures, "at": at}
        cloud["pending"] = {**documents, **cloud["pending"]}
        return at

    def _forget(self, cloud: Json, now: float) -> None:
        """Forget old heals, and take a lost run's work back. A time that lies ahead, because a clock
        was set back, is now.
        """
        rules, heals, flight = self._rules, cloud["heals"], cloud["in_flight"]
        for document, times in list(heals.items()):
            oldest = now - rules.window_of(document)
            heals[document] = [min(at, now) for at in times if at > oldest]
            if not heals[document]:
                del heals[document]
        for noted in cloud["pending"].values():
            noted.update({key: min(at, now) for key, at in noted.items()})
        if cloud["retry"]:
            cloud["retry"]["at"] = min(cloud["retry"]["at"], now + rules.longest_retry)
        if flight and not now <= flight["until"] <= now + rules.run_seconds:
            _give_back(cloud)

    def _stops(self, cloud: Json, now: float) -> dict[str, float]:
        """Why a cloud with something to be converged is left, and until when: a document that was put back
        too often has changed again, or all of them together have been.
        """
        if not cloud["pending"]:
            return {}
        rules, heals = self._rules, cloud["heals"]
        found = {
            document: _stopped_until(
                heals.get(document, []), rules.most_heals, rules.window_of(document)
            )
            for document in cloud["pending"]
        }
        of_cloud = sorted(
            {at for times in heals.values() for at in times if at > now - rules.window}
        )
        found[WHOLE_CLOUD] = _stopped_until(of_cloud, rules.most_heals_of_cloud, rules.window)
        stops = {what: until for what, until in found.items() if until}
        # What audits find is left for long, which keeps no event from being seen to.
        of_events = any(map(_is_of_event, cloud["pending"]))
        return {what: stops[what] for what in stops if not (of_events and is_found(what))}

    def _wait(self, cloud: Json, now: float) -> float | None:
        """How long until a cloud is due: 0 if it is; ``None`` if it has nothing to be converged."""
        noted = cloud["pending"].values()
        if not noted or (cloud["retry"] and cloud["retry"]["at"] > now):
            return None
        if cloud["in_flight"]:
            return max(cloud["in_flight"]["until"] - now, 1.0)
        quiet_at = max(found["last"] for found in noted) + self._rules.quiet
        latest_at = min(found["first"] for found in noted) + self._rules.longest_wait
        return max(min(quiet_at, latest_at) - now, 0.0)

    def _drop_empty(self) -> None:
        for name in [name for name, cloud in self._clouds.items() if not any(cloud.values())]:
            del self._clouds[name]


def _is_of_event(document: str) -> bool:
    return not is_found(document)


def _stopped_until(times: t.Sequence[float], most: int, window: float) -> float:
    """When what was put back at these times may be again; 0 if it may be now."""
    return times[-most] + window if len(times) >= most else 0.0


def _has(run: str, cloud: Json) -> bool:
    """Whether a run has taken a cloud, and no other one since."""
    return bool(cloud["in_flight"] and cloud["in_flight"]["run"] == run)


def _give_back(cloud: Json) -> None:
    """Make what a run has taken pending again."""
    cloud["pending"] = {**cloud["in_flight"]["documents"], **cloud["pending"]}
    cloud["in_flight"] = None


def _new_cloud() -> Json:
    """A cloud with nothing to remember."""
    return {"pending": {}, "in_flight": None, "heals": {}, "retry": None}

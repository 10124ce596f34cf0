# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ten thousand records of CloudTrail: each drift is mapped to its clouds, and no run leads to another
one by what it writes.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import random
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.cloudtrail import (
    changes_in,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.healing import (
    Healing,
    Rules,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.own import is_own
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.touched import (
    Watch,
    Watched,
)
from ansible_collections.rayfleet.anyscale.tests.support.cloudtrail_records import (
    CALLS,
    bridged,
    notified,
    queued,
    record,
)

Json = dict[str, t.Any]
RECORDS, CLOUDS, ACCOUNTS = 10_000, 5_000, 50
WRITER = "arn:aws:sts::{account}:assumed-role/anyscale-onboarding/rayfleet-anyscale"
ROLES = [name for name, (_service, names) in CALLS.items() if set(names) >= {"roleName"}]
BUCKETS = [name for name, (service, _names) in CALLS.items() if service == "s3"]


def account_of(number: int) -> str:
    """The account of a cloud."""
    return f"{100_000_000_000 + number % ACCOUNTS}"


def fleet() -> list[Watched]:
    """Clouds of which all accounts have roles of the same names, and four share a bucket."""
    return [
        Watched(
            f"cloud-{number}",
            account_of(number),
            roles=frozenset([f"ray-{number // ACCOUNTS}"]),
            instance_profiles=frozenset([f"ray-{number // ACCOUNTS}"]),
            buckets=frozenset([f"data-{number // ACCOUNTS // 4}"]),
        )
        for number in range(CLOUDS)
    ]


def drift(number: int, chance: random.Random) -> tuple[Json, set[str]]:
    """A record of a call by another writer, and the clouds that it touches."""
    cloud = chance.randrange(CLOUDS)
    group, account = cloud // ACCOUNTS, account_of(cloud)
    kind = chance.random()
    if kind < 0.2:  # of nobody: the account is not one of the fleet's
        name = {"roleName": f"ray-{group}"}
        return record("DeleteRole", "999999999999", requestParameters=name), set()
    if kind < 0.4:
        call, parameters = chance.choice(BUCKETS), {"bucketName": f"data-{group // 4}"}
        sharing = {one for one in range(CLOUDS) if one // ACCOUNTS // 4 == group // 4}
        clouds = {f"cloud-{one}" for one in sharing if account_of(one) == account}
    else:
        call, clouds = chance.choice(ROLES), {f"cloud-{cloud}"}
        name = chance.choice([f"ray-{group}", f"RAY-{group}"])
        parameters = {"roleName": name, "instanceProfileName": name}
    # One in ten with the name of the session and the user agent of a run
    disguise = {"userAgent": "rayfleet-anyscale", "userIdentity": {"arn": writer(account)}}
    fields = disguise if number % 10 == 0 else {}
    parameters = {**CALLS[call][1], **parameters}
    return record(call, account, requestParameters=parameters, **fields), clouds


def writer(account: str) -> str:
    """The caller of the runs' writes in an account."""
    return WRITER.format(account=account)


@dataclasses.dataclass
class World:
    """What was delivered, and what runs did."""

    watch: Watch
    healing: Healing = dataclasses.field(
        default_factory=lambda: Healing(rules=Rules(max_clouds=CLOUDS))
    )
    recorded: dict[str, str] = dataclasses.field(default_factory=dict)
    own: int = 0
    now: float = 0.0
    runs: int = 0
    broken: set[str] = dataclasses.field(default_factory=set)
    converged: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)

    def deliver(self, messages: list[Json]) -> list[set[str]]:
        """What rulebook and playbook do with a burst. Returns the clouds of each change that counts."""
        found = changes_in({"events": {f"m_{n}": one for n, one in enumerate(messages)}})
        touched = []
        for change in found.changes:
            if is_own(change, self.recorded, []):
                self.own += 1
                continue
            documents = self.watch.documents_of(change)
            touched.append(set(documents))
            for cloud, document in documents.items():
                self.healing.note(cloud, document, self.now)
        return touched

    def run(self) -> list[Json]:
        """Converge what is due. Returns the records of what that wrote."""
        self.now += 20
        self.runs += 1
        claim = self.healing.claim(str(self.runs), self.now)
        changed = sorted(self.broken.intersection(claim.clouds))
        self.healing.finish(str(self.runs), changed, claim.clouds, self.now)
        self.broken -= set(changed)
        self.converged.update(changed)
        return [self._write(cloud) for cloud in changed]

    def _write(self, cloud: str) -> Json:
        number = int(cloud.partition("-")[2])
        account = account_of(number)
        name = {"roleName": f"ray-{number // ACCOUNTS}", "policyDocument": "{}"}
        caller = {"userIdentity": {"arn": writer(account)}}
        made = record("UpdateAssumeRolePolicy", account, requestParameters=name, **caller)
        self.recorded[made["requestID"]] = writer(account)
        return made


def test_ten_thousand_records() -> None:
    """In bursts of a hundred, with the events of the runs' own writes among those of the next burst."""
    chance, world = random.Random(7), World(Watch(fleet()))
    echoes: list[Json] = []
    writes = 0
    for first in range(0, RECORDS, 100):
        drifts = [drift(number, chance) for number in range(first, first + 100)]
        for _record, clouds in drifts:
            world.broken |= clouds
        sent = [queued(bridged(one)) for one, _clouds in drifts]
        world.now += 1000
        assert world.deliver(sent) == [clouds for _record, clouds in drifts]
        world.deliver([queued(notified(bridged(one))) for one in echoes])
        echoes = world.run()
        writes += len(echoes)
    # What runs wrote last leads to nothing, and neither does that again
    world.deliver([queued(bridged(one)) for one in echoes])
    while world.healing.state["clouds"] and world.now < 1e6:
        late = world.run()
        writes += len(late)
        world.deliver([queued(bridged(one)) for one in late])
        world.now += 4000
    assert world.own == writes
    assert not world.broken
    assert world.runs < 150
    assert max(world.converged.values()) > 1
    assert len(json.dumps(world.healing.state)) < 100

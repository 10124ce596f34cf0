# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan file contains, and whether a change is one of those that it shows.

This plugin util is private to the collection. Pure. A document is a set of parts: of a policy, each
combination of a principal, an action and a resource of each statement. A plan file keeps a keyed digest
of each part that the plan adds or removes, by cloud, and one of all other parts together. So it holds
whatever the batches are, and if some of the clouds that share a document are refused.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import hashlib
import hmac
import itertools
import json
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    RefusedError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    compact_json,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    Statement,
    canonical,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.states import WOULD_CHANGE

FORMAT, VERSION = "rayfleet.anyscale plan", 1
# Each key is for one purpose: a signed backup is no plan file.
_DIGESTS, _SIGNATURES = b"rayfleet.anyscale plan: digests", b"rayfleet.anyscale plan: signature"
# Why a change is refused, in the details of the error.
BEFORE_DIFFERS, AFTER_DIFFERS, NOT_IN_PLAN = "before_differs", "after_differs", "not_in_plan"
MADE_BEFORE = "made_before"
_VERSION_WHEN_ABSENT = "2008-10-17"
_REMEDY = "Review what it comes to now: make a new plan, with --check and the same variables."

Json = dict[str, t.Any]
Digests = frozenset[str]


@dataclasses.dataclass(frozen=True)
class Step:
    """A change of a document for some clouds. arns: of principals that it shows as unique ids."""

    document: str
    clouds: tuple[str, ...]
    before: t.Any
    after: t.Any
    arns: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class _Change:
    """The digests of the parts that are removed and added."""

    removed: Digests = frozenset()
    added: Digests = frozenset()

    def __or__(self, other: _Change) -> _Change:
        return _Change(self.removed | other.removed, self.added | other.added)

    def __and__(self, other: _Change) -> _Change:
        return _Change(self.removed & other.removed, self.added & other.added)

    def __sub__(self, other: _Change) -> _Change:
        return _Change(self.removed - other.removed, self.added - other.added)

    def __le__(self, other: _Change) -> bool:
        return self.removed <= other.removed and self.added <= other.added

    @property
    def parts(self) -> Digests:
        """All of them."""
        return self.removed | self.added

    def is_pending_in(self, digests: Digests) -> bool:
        """Whether nothing of it is done yet."""
        return self.removed <= digests and not self.added & digests

    def is_done_in(self, digests: Digests) -> bool:
        """Whether all of it is done."""
        return self.added <= digests and not self.removed & digests

    def as_json(self) -> Json:
        """As it stands in the file."""
        return {"before": sorted(self.removed), "after": sorted(self.added)}


def parts_of(document: t.Any, arns: t.Mapping[str, str] | None = None) -> list[str]:
    """The parts of a document by meaning. Two policies with the same parts mean the same; what is no
    policy is one part.
    """
    if document is None:
        return []
    if not isinstance(document, dict) or "Statement" not in document:
        return [compact_json(_sorted(document))]
    found = [
        part
        for raw in statements_of(document)
        for part in _parts_of_statement(canonical(raw, arns))
    ]
    if "${" in compact_json(document["Statement"]):
        found.append(compact_json(["Version", document.get("Version") or _VERSION_WHEN_ABSENT]))
    # A statement that is there twice is two parts
    counts: collections.Counter[str] = collections.Counter()
    numbered = []
    for part in found:
        numbered.append(f"{counts[part]} {part}")
        counts[part] += 1
    return numbered


def _parts_of_statement(statement: Statement) -> t.Iterator[str]:
    """One for each combination of what the statement lists. Exceptions and conditions apply to all."""
    common = json.dumps(
        [
            statement.sid,
            statement.effect,
            _ordered(statement.not_principals),
            _ordered(statement.not_actions),
            _ordered(statement.not_resources),
            sorted(
                [operator, key, sorted(values)] for operator, key, values in statement.conditions
            ),
            sorted(statement.others),
        ]
    )
    lists = (statement.principals, statement.actions, statement.resources)
    for combination in itertools.product(*map(_listed, lists)):
        yield f"{json.dumps(combination)} {common}"


def _sorted(document: t.Any) -> t.Any:
    """A document with its keys in order."""
    if isinstance(document, dict):
        return {key: _sorted(document[key]) for key in sorted(document)}
    return [_sorted(one) for one in document] if isinstance(document, list) else document


def _ordered(values: t.Collection[t.Any] | None) -> list[t.Any] | None:
    return None if values is None else sorted(values)


def _listed(values: t.Collection[t.Any] | None) -> list[t.Any]:
    """At least one value, so that a statement with an empty list has a part."""
    return ["absent"] if values is None else [[value] for value in sorted(values)] or ["empty"]


class Digester:
    """Digests that only the holder of the key can make, so that nobody can guess a document. salt:
    the plan's own, so that two plans cannot be compared.
    """

    def __init__(self, key: bytes, salt: str) -> None:
        self._key = hmac.digest(key, _DIGESTS + salt.encode(), "sha256")
        self._known: dict[tuple[str, str], str] = {}

    def of(self, document: str, content: t.Any, arns: t.Mapping[str, str]) -> Digests:
        """The digests of the parts of a document."""
        return frozenset(self._digest(document, part) for part in parts_of(content, arns))

    def together(self, document: str, digests: Digests) -> str:
        """One digest for the digests of many parts."""
        return self._digest(document, " ".join(sorted(digests)))

    def change(self, step: Step) -> _Change:
        """What a step removes and adds."""
        before = self.of(step.document, step.before, step.arns)
        after = self.of(step.document, step.after, step.arns)
        return _Change(before - after, after - before)

    def _digest(self, document: str, text: str) -> str:
        found = self._known.get((document, text))
        if found is None:
            message = f"{len(document)} {document} {text}".encode(errors="surrogatepass")
            found = hmac.digest(self._key, message, "sha256")[:16].hex()
            self._known[document, text] = found
        return found


def signed(content: Json, key: bytes) -> Json:
    """A plan file's content with its signature."""
    return {**content, "signature": _signature(content, key)}


def _signature(content: t.Mapping[str, t.Any], key: bytes) -> str:
    own = hmac.digest(key, _SIGNATURES, "sha256")
    text = _json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hmac.new(own, text.encode(), hashlib.sha256).hexdigest()


def make(
    states: t.Mapping[str, str],
    own: t.Sequence[Step],
    joint: t.Sequence[Step],
    key: bytes,
    facts: t.Mapping[str, str],
) -> Json:
    """The content of a plan file, signed.

    states: how each cloud was found. own: what each cloud needs by itself; joint: what is written for
    the clouds of each batch, which is what is shown. facts: the salt, and what else is to be signed.
    """
    digester = Digester(key, facts["salt"])
    first: dict[str, Digests] = {}
    for step in (*own, *joint):
        first.setdefault(step.document, digester.of(step.document, step.before, step.arns))
    alone, shown = _by_cloud(own, digester), _by_document(joint, digester)
    changing = {name for name, state in states.items() if state == WOULD_CHANGE}
    bound = {
        (step.document, cloud) for step in joint for cloud in changing.intersection(step.clouds)
    }
    documents = {}
    for document, change in shown.items():
        of_clouds = {cloud: one for (found, cloud), one in alone.items() if found == document}
        shared = change
        for one in of_clouds.values():
            shared -= one
        documents[document] = {
            "unchanged": digester.together(document, first[document] - change.parts),
            "changes": change.as_json(),
            "shared": shared.as_json(),
            "clouds": {
                cloud: (one & change).as_json()
                for cloud, one in of_clouds.items()
                if (document, cloud) in bound
            },
        }
    found = {"format": FORMAT, "version": VERSION, **facts, "clouds": dict(states)}
    return signed({**found, "documents": documents}, key)


def _by_cloud(own: t.Iterable[Step], digester: Digester) -> dict[tuple[str, str], _Change]:
    found: dict[tuple[str, str], _Change] = {}
    for step in own:
        for cloud in step.clouds:
            change = found.get((step.document, cloud), _Change())
            found[step.document, cloud] = change | digester.change(step)
    return found


def _by_document(joint: t.Iterable[Step], digester: Digester) -> dict[str, _Change]:
    found: dict[str, _Change] = {}
    for step in joint:
        found[step.document] = found.get(step.document, _Change()) | digester.change(step)
    return found


class Binding:
    """A plan file that a run is bound to.

    made: the changes that earlier runs made by it, by document and cloud, and when. on_made: what to do
    with a change that this run makes.
    """

    def __init__(self, content: t.Mapping[str, t.Any], key: bytes) -> None:
        self._content = content
        self._digester = Digester(key, content["salt"])
        self.clouds: t.Mapping[str, str] = content["clouds"]
        self.made: t.Mapping[tuple[str, str], str] = {}
        self.on_made: t.Callable[[str, tuple[str, ...]], None] = _ignore

    @property
    def salt(self) -> str:
        """What no other plan has."""
        return str(self._content["salt"])

    @property
    def made_at(self) -> str:
        """When the plan was made."""
        return str(self._content["made_at"])

    @property
    def summary_sha256(self) -> str:
        """The digest of the summary that was written with it."""
        return str(self._content["summary_sha256"])

    def check(self, step: Step, wanting: t.Collection[str] = ()) -> None:
        """Raise unless the plan shows this change of a document, from this state, for these clouds.
        wanting: others whose wants are part of it.
        """
        entry = self._content["documents"].get(step.document, {"clouds": {}})
        of_clouds = {cloud: _parsed(one) for cloud, one in entry["clouds"].items()}
        for cloud in step.clouds:
            if cloud not in of_clouds:
                raise self._not_planned(step.document, cloud)
            if when := self.made.get((step.document, cloud)):
                raise _refused(
                    f"The change of the {step.document} was made {when}, and is to be made again: it was "
                    "rolled back, or another writer changed the document. A plan is applied once.",
                    MADE_BEFORE,
                )
        shared = _parsed(entry["shared"])
        own = _together(of_clouds[cloud] for cloud in step.clouds)
        others = _together(one for cloud, one in of_clouds.items() if cloud not in step.clouds)
        wanted = _together(one for cloud, one in of_clouds.items() if cloud in wanting)
        before = self._digester.of(step.document, step.before, step.arns)
        after = self._digester.of(step.document, step.after, step.arns)
        # What other clouds of the plan change as well may be done already
        exclusive = own - (others | shared)
        if not self._has_unchanged(step.document, before) or not exclusive.is_pending_in(before):
            raise _refused(
                f"The {step.document} is not as it was when the plan was made.", BEFORE_DIFFERS
            )
        change = _Change(before - after, after - before)
        if not change <= own | wanted | shared or not own.is_done_in(after):
            raise _refused(
                f"The change of the {step.document} is another one than the plan shows: variables of "
                "the cloud, or of another one that shares it, or the collection, are not the same.",
                AFTER_DIFFERS,
            )

    def _has_unchanged(self, document: str, digests: Digests) -> bool:
        """Whether a document has what the plan leaves as it is, and nothing else that it does not
        show.
        """
        entry = self._content["documents"][document]
        rest = digests - _parsed(entry["changes"]).parts
        return self._digester.together(document, rest) == entry["unchanged"]

    def _not_planned(self, document: str, cloud: str) -> RefusedError:
        state = self.clouds.get(cloud)
        found = {
            None: "it does not have this cloud",
            "failed": "this cloud failed when it was made",
            WOULD_CHANGE: "it has none of this document for this cloud",
        }.get(state, f"when it was made, this cloud was {str(state).replace('_', ' ')}")
        return _refused(
            f"The {document} needs a change that the plan does not show: {found}.",
            NOT_IN_PLAN,
        )


def _ignore(_document: str, _clouds: tuple[str, ...]) -> None:
    """Where no record is kept."""


def _together(changes: t.Iterable[_Change]) -> _Change:
    return functools.reduce(_Change.__or__, changes, _Change())


def _parsed(found: t.Mapping[str, t.Any]) -> _Change:
    return _Change(frozenset(found["before"]), frozenset(found["after"]))


def _refused(message: str, why: str) -> RefusedError:
    return RefusedError(message, _REMEDY, plan_file=why)


def parse(text: str, key: bytes) -> Binding:
    """The plan of a file. Raises InputError for any that the holder of the key has not made, as it
    is.
    """
    try:
        found = _json.loads(text)
    except ValueError as error:
        raise _unusable("is not JSON, or incomplete") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise _unusable("is no plan file")
    if found.get("version") != VERSION:
        raise _unusable("was made by another version of the collection")
    content = {name: value for name, value in found.items() if name != "signature"}
    given = found.get("signature")
    right = _signature(content, key)
    if not isinstance(given, str) or not hmac.compare_digest(
        given.encode(errors="surrogatepass"), right.encode()
    ):
        raise _unusable("was edited since it was made, or signed with another key")
    return Binding(content, key)


def _unusable(why: str) -> InputError:
    return InputError(
        f"plan_file (onboard_plan_file in playbooks) {why}.",
        "Make a new plan with --check. Where it is applied on another machine, set "
        "cloud_iam_backup_key to the same key on both.",
    )

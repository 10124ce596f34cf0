# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policies that are not what they should be, and random ones that are, through the whole of both
modules that write policies.

A policy ends in a clear error with nothing written, or in a correct result: every unmanaged
statement is kept as it was, in its place, and the second run changes nothing.
"""

from __future__ import annotations

import json
import typing as t

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, reject, settings, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    policies_equal,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox, _aws_rules, _principals
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    LAMBDA,
    PARTNER,
    PARTNER_ACCOUNT,
    ROLE,
    ROLE_ARN,
    Json,
    bucket_policy_of,
    make_bucket,
    make_role,
    policy,
    put_bucket_policy,
    put_trust,
    trust_of,
)
from ansible_collections.rayfleet.anyscale.tests.support.fake_clock import pass_quickly
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import (
    Run,
    failure,
    refused,
    settled,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy import builders

TRUST, BUCKET, RESTORE = "iam_trust_ec2", "s3_cloud_access", "backup_restore"
NAME = "fleet-data"
OBJECTS = f"arn:aws:s3:::{NAME}/exports/*"
OTHER = "ray-team-b"
OTHER_ARN = f"arn:aws:iam::{ACCOUNT}:role/{OTHER}"
PARTNER_ROOT = f"arn:aws:iam::{PARTNER_ACCOUNT}:root"
FORMER_ID = "AROAQ3EGSIJTZ5OLDOLD1"
OTHER_ID = "<the unique id of the other role>"
MANY = 500
OUR_SIDS = {TRUST: "AnyscaleEC2Trust", BUCKET: "AnyscaleClusterAccess"}
# Who is let in: whatever does not name it has nothing to take back.
NAMED_BY = {TRUST: '"ec2.amazonaws.com"', BUCKET: f'"{ROLE_ARN}"'}
LETS_IN = {TRUST: '"sts:AssumeRole"', BUCKET: '"s3:'}
OPTIONS: dict[str, Json] = {TRUST: {"role": ROLE}, BUCKET: {"bucket": NAME, "roles": [ROLE_ARN]}}


class Odd(t.NamedTuple):
    """A policy as AWS shows it, a document or its text, and what comes of it.

    says: what a refusal names; empty where the write succeeds. by_aws: it is AWS that refuses,
    when it is to be written.
    kept: how AWS shows the unmanaged statements from then on, where it respells them.
    """

    found: t.Any
    says: tuple[str, ...] = ()
    by_aws: bool = False
    kept: tuple[Json, ...] | None = None

    def statements(self) -> list[Json]:
        """The unmanaged ones at the end."""
        document = self.found if isinstance(self.found, dict) else {}
        return list(self.kept if self.kept is not None else document.get("Statement") or [])


def without(raw: Json, *elements: str) -> Json:
    """A statement without some of its elements."""
    return {key: value for key, value in raw.items() if key not in elements}


def nested(depth: int) -> t.Any:
    """A text in so many lists."""
    value: t.Any = "x"
    for _level in range(depth):
        value = [value]
    return value


EXPORT: Json = {
    "Sid": "Export",
    "Effect": "Allow",
    "Principal": {"AWS": PARTNER_ROOT},
    "Action": "s3:GetObject",
    "Resource": OBJECTS,
}
LOGS: Json = {
    **EXPORT,
    "Sid": "Logs",
    "Principal": {"Service": "logging.s3.amazonaws.com"},
    "Action": "s3:PutObject",
}
BUT_FOR_THE_PARTNER: Json = {
    "NotPrincipal": {"AWS": PARTNER_ROOT},
    "Effect": "Deny",
    "Sid": "Others",
}
ALL_OBJECTS: Json = {"Action": "s3:*", "Resource": f"arn:aws:s3:::{NAME}/*"}
LATIN = "Übergröße"  # IAM takes no characters beyond U+00FF
UNICODE = f"{LATIN}\N{ROCKET}"
DEEPER_THAN_PYTHON_READS = "[" * 20_000
BEGUN = '{"Version": "2012-10-17", "Statement": [{"Effect": "All'
NO_OBJECT = ("Statement 1 of the ", "is not a JSON object", "Fix it in the AWS console")
NO_STRINGS = ("Principal with a value that is not a string",)


def odd(one: Json, other: Json) -> dict[str, Odd]:
    """What is odd in both kinds of policy, made from two statements of theirs that nothing is wrong
    with.
    """
    nameless = without(one, "Sid")
    public: Json = {
        **one,
        "Principal": {"AWS": "*"},
        "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    }
    return {
        "no Statement": Odd({"Version": "2012-10-17"}),
        "a Statement that is null": Odd({"Version": "2012-10-17", "Statement": None}),
        "a Statement that is a text": Odd(
            {"Version": "2012-10-17", "Statement": "Allow"}, NO_OBJECT
        ),
        "a statement that is null": Odd({"Version": "2012-10-17", "Statement": [None]}, NO_OBJECT),
        "lists in lists": Odd({"Version": "2012-10-17", "Statement": nested(200)}, NO_OBJECT),
        "more lists in lists": Odd(
            {"Version": "2012-10-17", "Statement": nested(400)}, ("too deeply nested",)
        ),
        "a list": Odd([], ("is not a JSON object",)),
        "half a document": Odd(BEGUN, ("is not JSON", "Run again")),
        "the Version of 2008": Odd(
            {"Version": "2008-10-17", "Id": LATIN, "Statement": [other, one]}
        ),
        "no Version": Odd({"Statement": [one]}),
        "a Version that is a number": Odd(
            {**policy(one), "Version": 2012}, ("valid version",), by_aws=True
        ),
        "an unknown element": Odd(
            policy({**one, "Priority": [1]}), ("Unknown field Priority",), by_aws=True
        ),
        "an Effect in lower case": Odd(
            policy({**one, "Effect": "allow"}), ("does not have the Effect Allow or Deny",)
        ),
        "an Effect that is a list": Odd(
            policy({**one, "Effect": ["Allow"]}), ("does not have the Effect Allow or Deny",)
        ),
        "no Action": Odd(
            policy(other, without(one, "Action")), ("Missing required field Action",), by_aws=True
        ),
        "a Principal that is a number": Odd(
            policy(other, {**one, "Principal": 5}), ("Statement 2", *NO_STRINGS)
        ),
        "a Principal in objects": Odd(
            policy({**one, "Principal": {"AWS": {"ARN": "*"}}}), NO_STRINGS
        ),
        "a Condition that is a list": Odd(
            policy({**one, "Condition": ["x"]}), ("Condition that is not a JSON object",)
        ),
        "a Condition of null": Odd(
            policy({**one, "Condition": {"Bool": None}}), ("Condition that is not a JSON object",)
        ),
        "NotPrincipal that allows": Odd(
            policy(other, {**without(one, "Principal"), "NotPrincipal": {"AWS": PARTNER_ROOT}})
        ),
        "many statements": Odd(policy(*numbered(one, MANY)), ("would ", "Remove statements")),
        "no Sids": Odd(policy(without(other, "Sid"), without(one, "Sid"), without(other, "Sid"))),
        "empty Sids": Odd(policy({**other, "Sid": ""}, {**one, "Sid": ""})),
        "a Sid that is a list": Odd(
            policy(other, {**one, "Sid": ["Team", "Group"]}),
            ("Statement 2", "has a Sid that is not a string"),
        ),
        "half of a character": Odd(
            policy({**one, "Sid": "Team\ud83d"}),
            ("contains an invalid Unicode character",),
        ),
        "a role by its id": Odd(
            policy({**one, "Principal": {"AWS": OTHER_ID}}, other),
            kept=({**one, "Principal": {"AWS": OTHER_ARN}}, other),
        ),
        "a role by its id, without a Sid": Odd(
            policy({**nameless, "Principal": {"AWS": OTHER_ID}}),
            kept=({**nameless, "Principal": {"AWS": OTHER_ARN}},),
        ),
        "a deleted role by its id": Odd(
            policy({**one, "Principal": {"AWS": FORMER_ID}}, other), (FORMER_ID, "was deleted")
        ),
        "everybody": Odd(policy(public, {**public, "Sid": "Again"})),
    }


def numbered(raw: Json, number: int) -> list[Json]:
    """So many statements that differ in their Sid."""
    return [{**raw, "Sid": f"Team{index}"} for index in range(number)]


ODD: dict[str, dict[str, Odd]] = {
    TRUST: {
        **odd(PARTNER, LAMBDA),
        "deeper than can be read": Odd(
            DEEPER_THAN_PYTHON_READS,
            (f"trust policy of role {ROLE}", "too deeply nested", "in the AWS console"),
        ),
        "a Condition of lists in lists": Odd(
            policy(
                LAMBDA, {**PARTNER, "Condition": {"StringEquals": {"sts:ExternalId": nested(200)}}}
            )
        ),
        "NotPrincipal that denies": Odd(
            policy(LAMBDA, {**BUT_FOR_THE_PARTNER, "Action": "sts:*"}),
            ("'Others'", "denies EC2 the role"),
        ),
        "everybody, denied": Odd(
            policy(LAMBDA, {**LAMBDA, "Effect": "Deny", "Principal": "*"}),
            ("Statement 2", "denies EC2 the role"),
        ),
        "an account by its id": Odd(policy({**PARTNER, "Principal": {"AWS": PARTNER_ACCOUNT}})),
        "an account by its id alone": Odd(
            policy({**PARTNER, "Principal": PARTNER_ACCOUNT}), ("Invalid principal",), by_aws=True
        ),
        "no Principal": Odd(
            policy(without(LAMBDA, "Principal")), ("Missing required field Principal",), by_aws=True
        ),
        "the same Sid twice": Odd(
            policy(PARTNER, {**LAMBDA, "Sid": PARTNER["Sid"]}), ("must be unique",), by_aws=True
        ),
        "a Sid in other letters": Odd(
            policy({**LAMBDA, "Sid": LATIN}), ("must be alpha-numeric",), by_aws=True
        ),
        "characters beyond Latin 1": Odd(
            policy({**LAMBDA, "Sid": UNICODE}), ("regular expression pattern",), by_aws=True
        ),
        "everybody, as a string": Odd(
            policy({**LAMBDA, "Principal": "*"}), ("Invalid principal",), by_aws=True
        ),
    },
    BUCKET: {
        **odd(EXPORT, LOGS),
        "deeper than can be read": Odd(DEEPER_THAN_PYTHON_READS, ("too deeply nested",)),
        "NotPrincipal that denies": Odd(
            policy(EXPORT, {**BUT_FOR_THE_PARTNER, **ALL_OBJECTS}), ("'Others'", "denies", ROLE_ARN)
        ),
        "everybody, denied": Odd(
            policy(EXPORT, {**LOGS, **ALL_OBJECTS, "Effect": "Deny", "Principal": "*"}),
            ("'Logs'", ROLE_ARN),
        ),
        "as many statements as fit": Odd(policy(*numbered(EXPORT, 100))),
        "many statements": Odd(
            policy(*numbered(EXPORT, MANY)),
            ("maximum allowed size of 20480 bytes", "Remove statements"),
            by_aws=True,
        ),
        "the same Sid thrice": Odd(
            policy(
                EXPORT,
                {**EXPORT, "Action": "s3:PutObject"},
                {**EXPORT, "Action": "s3:DeleteObject"},
            )
        ),
        "a Sid in other letters": Odd(policy({**EXPORT, "Sid": UNICODE})),
        "everybody, as a string": Odd(
            policy(
                LOGS, {**EXPORT, "Principal": "*", "Condition": {"Null": {"aws:username": "true"}}}
            )
        ),
        "an account by its id": Odd(
            policy({**EXPORT, "Principal": {"AWS": PARTNER_ACCOUNT}}), kept=(EXPORT,)
        ),
        "no Principal": Odd(
            policy(without(EXPORT, "Principal")), ("Missing required field Principal",), by_aws=True
        ),
    },
}


def cases() -> t.Iterator[t.Any]:
    """Each kind of odd policy in each module."""
    for module, kinds in ODD.items():
        for kind in kinds:
            yield pytest.param(module, kind, id=f"{module}-{kind}")


# --- accounts that show them ----------------------------------------------------------------------


@pytest.fixture(name="scene")
def _scene(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A bucket and the roles of the policies. A text in the place of a policy is shown as it is,
    whatever it says.
    """
    shown, compact = _principals.show, _aws_rules._compact
    monkeypatch.setattr(
        _principals,
        "show",
        lambda document: document if isinstance(document, str) else shown(document),
    )
    monkeypatch.setattr(
        _aws_rules,
        "_compact",
        lambda document: document if isinstance(document, str) else compact(document),
    )
    pass_quickly(monkeypatch)
    for arn in (builders.ROLE, builders.ROLE_B, builders.LOOKALIKE, builders.CONTROL):
        make_role(sandbox, arn.rpartition("/")[2])
    make_bucket(sandbox, NAME)
    return sandbox


def id_of(scene: Sandbox, name: str) -> str:
    """A role's unique id."""
    return str(scene.client("iam", ACCOUNT).get_role(RoleName=name)["Role"]["RoleId"])


class Shown:
    """The one policy that a module is about, as AWS has it."""

    def __init__(self, scene: Sandbox, module: str) -> None:
        self._scene = scene
        self._module = module
        self._store: t.Any = scene.accounts._policies
        self._key = NAME if module == BUCKET else id_of(scene, ROLE)

    def lay(self, found: t.Any) -> None:
        """Let AWS show a document or a text that it would not have taken."""
        text = found if isinstance(found, str) else json.dumps(found)
        self._store.put(self._key, text.replace(OTHER_ID, id_of(self._scene, OTHER)), settled=True)
        self._scene.clear_calls()

    def kept(self) -> t.Any:
        """What is in AWS's store, whether it is readable yet or not."""
        return self._store.get(self._key, 0.0)

    def document(self) -> Json:
        """The policy, as it is shown."""
        document = (
            bucket_policy_of(self._scene, NAME) if self._module == BUCKET else trust_of(self._scene)
        )
        return document or {"Statement": []}

    def put(self, document: Json) -> None:
        """Replace the policy as another writer does. A policy of a bucket that has no statements is
        none.
        """
        if self._module == TRUST:
            put_trust(self._scene, document)
        elif document["Statement"]:
            put_bucket_policy(self._scene, NAME, document)
        else:
            self._scene.client("s3", ACCOUNT).delete_bucket_policy(Bucket=NAME)


# --- odd ones -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("module", "kind"), list(cases()))
def test_an_unusual_policy_is_refused_or_kept(
    scene: Sandbox, run_module: Run, module: str, kind: str
) -> None:
    """As the table says; whatever is refused is as it was."""
    case, shown = ODD[module][kind], Shown(scene, module)
    shown.lay(case.found)
    before = shown.kept()
    if not case.says:
        assert_merged(scene, run_module, module, case)
        return
    if case.by_aws:
        message = failure(run_module(module, **OPTIONS[module]))["msg"]
        assert [phrase for phrase in case.says if phrase not in message] == []
        assert [write["status"] for write in scene.writes()] == [400]
    else:
        refused(scene, run_module, module, *case.says, **OPTIONS[module])
    assert shown.kept() == before


def assert_merged(scene: Sandbox, run_module: Run, module: str, case: Odd) -> None:
    """Our statement is added at the end. All else is byte for byte what it was, in its place, and
    stays so.
    """
    predicted = run_module(module, check=True, **OPTIONS[module])
    assert scene.writes() == []
    made = run_module(module, **OPTIONS[module])
    assert made["changed"] is predicted["changed"] is True, made.get("msg")
    assert made["reasons"] == predicted["reasons"]
    assert len(scene.writes()) == 1
    document = Shown(scene, module).document()
    *others, ours = document.pop("Statement")
    assert json.dumps(others) == json.dumps(case.statements())
    assert ours["Sid"] == OUR_SIDS[module]
    assert document == without(case.found, "Statement")
    assert not [warning for warning in made["warnings"] if "another writer removed" in warning]
    settled(scene, run_module, module, **OPTIONS[module])


def test_many_statements_within_a_raised_quota(scene: Sandbox, run_module: Run) -> None:
    """Neither their number nor their length is in the way."""
    scene.settings(trust_quota=200_000)
    put_trust(scene, policy(*numbered(PARTNER, MANY)))
    assert run_module(TRUST, **OPTIONS[TRUST], quota_chars=200_000)["changed"]
    assert trust_of(scene)["Statement"][:-1] == numbered(PARTNER, MANY)
    settled(scene, run_module, TRUST, **OPTIONS[TRUST], quota_chars=200_000)


# --- random ones ----------------------------------------------------------------------------------

# Each example runs a module some times.
EXAMPLES = settings(
    max_examples=settings().max_examples // 5, suppress_health_check=list(HealthCheck)
)
EFFECTS = (("Allow",), ("Allow", "Deny"))
RANDOM = {
    TRUST: st.one_of(*(builders.trust_policies(effects) for effects in EFFECTS)),
    BUCKET: st.one_of(*(builders.bucket_policies(effects) for effects in EFFECTS)),
}
FOR_EC2_ALONE: list[Json] = [{"Service": builders.EC2}, {"Service": [builders.EC2]}]
LONG: dict[str, Json] = {TRUST: {"quota_chars": 100_000}, BUCKET: {}}


@pytest.mark.parametrize("module", RANDOM)
@EXAMPLES
@given(data=st.data())
def test_a_random_policy_loses_nothing(
    scene: Sandbox, run_module: Run, module: str, data: st.DataObject
) -> None:
    """Present adds or respells a statement, and absent ends where it ends without present."""
    scene.settings(trust_quota=100_000)
    shown, options = Shown(scene, module), {**OPTIONS[module], **LONG[module]}
    put(shown, json.loads(json.dumps(data.draw(RANDOM[module])).replace(builders.ACCOUNT, ACCOUNT)))
    found = shown.document()
    if run_module(module, **options).get("failed"):
        assert shown.document() == found
        assert any(raw["Effect"] == "Deny" for raw in raws_of(found))
        return
    differences(module, raws_of(found), raws_of(shown.document()))
    settled(scene, run_module, module, **options)
    after_present = ended(scene, run_module, module, options)
    shown.put(found)
    assert ended(scene, run_module, module, options) == after_present
    if NAMED_BY[module] not in json.dumps(found) and after_present[0]:
        assert after_present[1] == raws_of(found)


@pytest.mark.parametrize("module", RANDOM)
@settings(EXAMPLES, max_examples=settings().max_examples // 8)
@given(data=st.data())
def test_a_rollback_gives_a_random_policy_back_as_it_was_spelled(
    scene: Sandbox, run_module: Run, module: str, data: st.DataObject
) -> None:
    """After onboarding, after offboarding, and after both at once; its own rollback gives back what
    there was before it. Check mode predicts each document.
    """
    scene.settings(trust_quota=100_000)
    shown = Shown(scene, module)
    put(shown, json.loads(json.dumps(data.draw(RANDOM[module])).replace(builders.ACCOUNT, ACCOUNT)))
    documents, files = [shown.document()], list[str]()
    for state in data.draw(st.sampled_from([["present"], ["absent"], ["present", "absent"]])):
        made = predicted(run_module, shown, module, **OPTIONS[module], **LONG[module], state=state)
        files += [made["backup_file"]] if made.get("changed") else []
        documents.append(shown.document())
    if not files:
        return
    back = predicted(run_module, shown, RESTORE, files=files)
    assert shown.document() == documents[0]
    if back["changed"]:
        predicted(run_module, shown, RESTORE, files=[back["backup_file"]])
        assert shown.document() == documents[-1]


def predicted(run_module: Run, shown: Shown, module: str, **options: t.Any) -> Json:
    """The result of a module, once check mode has predicted the document that there is then."""
    before = shown.document()
    prediction = run_module(module, **options, backup=True, check=True)
    assert shown.document() == before
    made = run_module(module, **options, backup=True)
    assert made.get("failed") == prediction.get("failed"), made
    if not made.get("failed"):
        assert made["changed"] == prediction["changed"]
        assert made["diff"]["after"] == prediction["diff"]["after"]
        after = json.loads(prediction["diff"]["after"] or '{"Statement": []}')
        # AWS itself shows a list with one principal as a text
        assert policies_equal(after, shown.document())
    return made


def raws_of(document: Json) -> list[Json]:
    """The statements of a document, which may have one without a list."""
    found = document["Statement"]
    return found if isinstance(found, list) else [found]


def put(shown: Shown, document: Json) -> None:
    """Put a policy into AWS, in the nearest form that it takes."""
    whole = [f"arn:aws:s3:::{NAME}", f"arn:aws:s3:::{NAME}/*"]
    plain = [
        {**without(raw, "Sid"), **({"Resource": whole} if "Resource" in raw else {})}
        for raw in raws_of(document)
    ]
    for candidate in (document, {**document, "Statement": plain}):
        try:
            shown.put(candidate)
            return
        except ClientError:
            continue
    reject()


def differences(module: str, found: list[Json], made: list[Json]) -> None:
    """Others' statements are there in their order. One for EC2 alone may have its Action as the
    text that it is a list of.
    """
    others, added = made[: len(found)], made[len(found) :]
    assert [raw["Sid"] for raw in added] in ([], [OUR_SIDS[module]])
    respelled = [(old, new) for old, new in zip(found, others, strict=True) if old != new]
    assert len(respelled) <= (0 if added or module == BUCKET else 1)
    assert all(
        new == {**old, "Action": old["Action"][0]} and old["Principal"] in FOR_EC2_ALONE
        for old, new in respelled
    )


def ended(scene: Sandbox, run_module: Run, module: str, options: Json) -> tuple[bool, list[Json]]:
    """Whether absent succeeded, and the statements then; a refusal leaves them as they were."""
    shown = Shown(scene, module)
    before = shown.document()
    options = {**options, "state": "absent"}
    result = run_module(module, **options)
    if result.get("failed"):
        assert "cannot be empty" in result["msg"]
        assert shown.document() == before
        return False, []
    settled(scene, run_module, module, **options)
    left = raws_of(shown.document())
    allowing = [json.dumps(raw) for raw in left if raw["Effect"] == "Allow"]
    assert [text for text in allowing if NAMED_BY[module] in text and LETS_IN[module] in text] == []
    return True, left

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What jobs of AWX tell their readers, who have templates, surveys and jobs, and no command line."""

from __future__ import annotations

import re
import typing as t

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.restore_plan import (
    Equality,
    Obstacles,
    decide,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    TaskError,
    naming_variables,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import Backup
from ansible_collections.rayfleet.anyscale.plugins.module_utils._survey import (
    QUESTIONS,
    check_mode,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.playbook_variables import (
    COLLECTION,
    load_playbook,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.role_users import (
    cloud_roles_of,
    refusals,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.messages import (
    pending_until,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file import content
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.in_use import refuse_old
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.assignment import (
    why_unassigned,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import Invocation
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.selection import (
    refuse_unconfirmed,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.undo import (
    how_to_have_hosts,
    how_to_onboard,
    how_to_preview,
    how_to_select,
    how_to_take_all,
    what_selects_hosts,
    where_the_hosts_are,
)

pytestmark = pytest.mark.core

ON_A_COMMAND_LINE = Invocation()
IN_AWX = Invocation(("/runner/inventory",), in_awx=True, template_prefix="Anyscale")
OF_A_COMMAND_LINE = re.compile(r"(^|[ (])-[ei] |--check|--limit|ansible-(?!core)")
ROLE = "arn:aws:iam::222222222222:role/shared"


def refused(act: t.Callable[[], t.Any]) -> str:
    """What an error says."""
    with pytest.raises(TaskError) as caught:
        act()
    return str(caught.value.failure()["msg"])


def of_role(invocation: Invocation) -> str:
    """Why the role of two clouds is not taken from one of them, and why a default role is not."""
    own = cloud_roles_of({"cloud_iam_role": ROLE})
    other = {"cloud_iam_role": ROLE, "anyscale_default_role_arn": ROLE}
    fleet = {"one": own, "other": cloud_roles_of(other)}
    both = [
        refusals(fleet, [name], default_role=["one"], shared_role=(), invocation=invocation)
        for name in fleet
    ]
    return " ".join(text for found in both for text in found.values())


def of_restoration(_invocation: Invocation) -> str:
    """Why a document that another writer changed is not restored."""
    backup = Backup("bucket_policy", {"bucket": "b"}, "222222222222", "a", "b")
    same = Equality(lambda one, other: bool(one == other))
    return refused(lambda: decide([backup], "c", same, False, Obstacles()))


# What has to be told, and the words of it that only AWX has.
TOLD: dict[str, tuple[t.Callable[[Invocation], str], str]] = {
    "many clouds to offboard": (
        lambda told: refused(lambda: refuse_unconfirmed(6, 5, None, told)),
        "check for Mode, which needs no number. Then launch the job template again with 6 for Number of",
    ),
    "an invalid answer": (
        lambda _told: refused(
            lambda: load_playbook("onboard").variables["onboard_canary_percent"].parse("ten")
        ),
        "For example: 10 for Canary",
    ),
    "drift": (how_to_preview, "Anyscale onboard with check for Mode"),
    "no selection": (how_to_select, "Answer Clouds, AWS accounts or Regions; * for Clouds"),
    "a selection of none": (where_the_hosts_are, "hosts of the inventory in AWX"),
    "a pattern of none": (lambda told: what_selects_hosts("audit_hosts", told), "audit_hosts"),
    "an empty inventory": (how_to_have_hosts, "the last job of its source"),
    "missing clouds": (how_to_take_all, "launch the job template without them"),
    "a role of others": (
        of_role,
        "launch the job template for this cloud alone, with yes for Shared",
    ),
    "a default role": (of_role, "with yes for Default roles"),
    "a document that another writer changed": (of_restoration, "check for Mode and yes for Force"),
    "documents of no cloud": (
        lambda told: why_unassigned(["role r"], False, ["speech"], told),
        "in the report of an audit",
    ),
    "too many clouds to heal": (
        lambda told: pending_until(how_to_onboard(["a", "b"], told)),
        "launch the job template Anyscale onboard with apply for Mode and a,b for Clouds",
    ),
    "a plan that is too old": (
        lambda _told: refused(lambda: refuse_old("2026-01-01T00:00:00+00:00", 1)),
        "Make a new plan with check for Mode",
    ),
    "a plan that was edited": (
        lambda _told: refused(lambda: content.parse("{}", b"key")),
        "check for Mode",
    ),
    "check mode": (lambda _told: check_mode(), "check for Mode"),
}


@pytest.mark.parametrize("case", TOLD)
def test_a_job_of_awx_names_no_option_of_a_command(case: str) -> None:
    tell, words = TOLD[case]
    with naming_variables(in_awx=True):
        text = tell(IN_AWX)
    assert words in text
    assert not OF_A_COMMAND_LINE.search(text)
    with naming_variables():
        assert words not in tell(ON_A_COMMAND_LINE) or case == "a pattern of none"


def test_the_questions_are_those_of_the_surveys() -> None:
    path = COLLECTION / "roles/awx_setup/vars/main.yml"
    # The tag is of Ansible alone: a text that is no template.
    variables = yaml.safe_load(path.read_text(encoding="utf-8").replace("!unsafe ", ""))
    asked = {
        question["variable"]: question["question_name"]
        for name, questions in variables.items()
        if name.startswith("awx_setup_ask_")
        for question in questions
    }
    assert asked == QUESTIONS

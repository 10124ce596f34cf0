# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tags of a run choose parts as they choose the tasks of the role, and an unknown one is refused:
the run would do nothing, and look like one with nothing to do.
"""

from __future__ import annotations

import pathlib

import pytest
import yaml
from ansible.playbook.block import Block
from ansible.playbook.play import Play
from ansible.playbook.task import Task

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.parts import (
    chosen_stages,
    stages_of_role,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import (
    CONFIG,
    MAPPING,
    OF_BUCKET,
    PASS_ROLE,
    PROFILE,
    TRUST,
)

pytestmark = pytest.mark.core

TASKS = pathlib.Path(__file__).parents[5] / "roles" / "cloud_iam" / "tasks"
STAGES = {
    "trust": [TRUST],
    "bucket": [*OF_BUCKET],
    "compute_config": [PROFILE, CONFIG],
    "iam_mapping": [PROFILE, MAPPING],
    "cloud_role": [PROFILE],
    "pass_role": [PASS_ROLE],
}
EVERYTHING = [TRUST, *OF_BUCKET, PROFILE, CONFIG, MAPPING, PASS_ROLE]
CASES: dict[str, tuple[list[str], list[str], list[str]]] = {
    "no tags": ([], [], EVERYTHING),
    "all": (["all"], [], EVERYTHING),
    "all with a part": (["all", "trust"], [], EVERYTHING),
    "one part": (["bucket"], [], [*OF_BUCKET]),
    "two parts, in any order": (["compute_config", "trust"], [], [TRUST, PROFILE, CONFIG]),
    "tagged": (["tagged"], [], EVERYTHING),
    "all but one part": (["all"], ["trust"], [*OF_BUCKET, PROFILE, CONFIG, MAPPING, PASS_ROLE]),
    "all but one of two that need the instance profile": (
        [],
        ["compute_config"],
        [TRUST, *OF_BUCKET, PROFILE, MAPPING, PASS_ROLE],
    ),
    "a part that is skipped": (["trust", "bucket"], ["trust"], [*OF_BUCKET]),
    "what has no tags skipped": ([], ["untagged"], EVERYTHING),
}


def runs(tag: str, tags: list[str], skipped: list[str]) -> bool:
    """Whether Ansible runs a task with a tag."""
    task = Task(block=Block(play=Play()))
    task.tags = [tag]
    return bool(task.evaluate_tags(tags or ["all"], skipped, {}))


@pytest.mark.parametrize(("tags", "skipped", "stages"), CASES.values(), ids=CASES)
def test_the_chosen_parts(tags: list[str], skipped: list[str], stages: list[str]) -> None:
    """Each as Ansible chooses a task with its tag."""
    assert chosen_stages(tags, skipped) == stages
    run = [stage for tag, own in STAGES.items() if runs(tag, tags, skipped) for stage in own]
    assert list(dict.fromkeys(run)) == stages


NOTHING: dict[str, tuple[list[str], list[str]]] = {
    "always": (["always"], []),
    "untagged": (["untagged"], []),
    "never": (["never"], []),
    "every part skipped": ([], [*STAGES]),
    "everything skipped that has a tag": ([], ["tagged"]),
    "everything skipped": ([], ["all"]),
    "a part that is skipped": (["trust"], ["trust"]),
}


@pytest.mark.parametrize(("tags", "skipped"), NOTHING.values(), ids=NOTHING)
def test_tags_that_choose_nothing_are_refused(tags: list[str], skipped: list[str]) -> None:
    """Ansible would run no task with one of them either."""
    with pytest.raises(InputError, match="choose nothing to do"):
        chosen_stages(tags, skipped)
    assert not any(runs(tag, tags, skipped) for tag in STAGES)


def test_without_a_command_line_everything_is_chosen() -> None:
    """As where Ansible runs from Python."""
    assert chosen_stages(None, None) == EVERYTHING


@pytest.mark.parametrize("file", ["main.yml", "absent.yml"])
def test_the_tasks_of_the_role_have_these_tags(file: str) -> None:
    tasks = yaml.safe_load((TASKS / file).read_text(encoding="utf-8"))
    [block] = [task["block"] for task in tasks if "block" in task]
    tags = [[task["tags"]] if isinstance(task["tags"], str) else task["tags"] for task in block]
    without = {"cloud_role"} if file == "absent.yml" else set()  # an instance profile is kept
    assert {tag for one in tags for tag in one} == set(STAGES) - without


@pytest.mark.parametrize(
    ("tags", "skipped"),
    [(["buckets"], []), (["trust", "buckets"], []), ([], ["buckets"]), (["all"], ["buckets"])],
)
def test_an_unknown_tag_is_refused(tags: list[str], skipped: list[str]) -> None:
    """Also one to skip: more would be done than was meant."""
    with pytest.raises(InputError, match="'buckets' is not a tag of this playbook") as caught:
        chosen_stages(tags, skipped)
    assert (
        caught.value.remedy
        == "Use bucket, cloud_role, compute_config, iam_mapping, pass_role, trust."
    )


@pytest.mark.parametrize(
    ("own", "tags", "skipped", "stages"),
    [
        pytest.param((), ["all"], [], EVERYTHING, id="no tags"),
        pytest.param((), ["bucket"], [], [*OF_BUCKET], id="a part"),
        pytest.param((), ["deploy"], [], [], id="a tag of another task"),
        pytest.param(["deploy"], ["deploy"], [], EVERYTHING, id="the tag of the role"),
        pytest.param(["deploy"], ["deploy"], ["trust"], EVERYTHING[1:], id="but for a part"),
        pytest.param(["deploy"], ["all"], ["deploy"], [], id="the role is skipped"),
        pytest.param(["deploy"], ["pass_role"], [], [PASS_ROLE], id="a part of a tagged role"),
    ],
)
def test_the_tags_of_a_role_choose_all_its_parts(
    own: list[str], tags: list[str], skipped: list[str], stages: list[str]
) -> None:
    """With which a playbook applies it. An unknown one is no mistake: it may be of another task."""
    assert list(dict.fromkeys(stages_of_role(own, tags, skipped))) == stages

# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The specification of the playbooks' variables, and what it says about the values of a run.

This plugin util is private to the collection. The specification is playbooks/meta/variables.yml.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import re
import typing as t
from pathlib import Path

from ansible.module_utils.common import validation
from ansible.module_utils.common.yaml import yaml_load

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    reads_in_awx,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._survey import JOB_OF_AWX, answer

Json = dict[str, t.Any]

COLLECTION = Path(__file__).parents[3]
SPECIFICATION = COLLECTION / "playbooks/meta/variables.yml"
# The extra variables that AWX 24.6.1 sets itself, each as awx_... and as tower_...: awx_meta_vars of
# awx/main/models/unified_jobs.py and jobs.py.
_SET_BY_AWX = frozenset(
    f"{prefix}_{name}"
    for prefix in ("awx", "tower")
    for name in (
        *("job_id", "job_launch_type", "job_template_id", "job_template_name", "job_scm_branch"),
        *("workflow_job_id", "workflow_job_name", "workflow_job_launch_type"),
        *("parent_job_schedule_id", "parent_job_schedule_name", "schedule_id", "schedule_name"),
        *("user_id", "user_name", "user_email", "user_first_name", "user_last_name"),
        *("inventory_id", "inventory_name", "project_revision", "project_scm_branch"),
        "execution_node",
    )
)
_TAGS_OF_ANSIBLE = frozenset(("all", "always", "never", "tagged", "untagged"))
_DOCS = "https://github.com/rayfleet/ansible-collection-anyscale/blob/main/docs/docsite/rst"
_CONVERSIONS: dict[str, tuple[t.Callable[[t.Any], t.Any], str]] = {
    "str": (validation.check_type_str, "text"),
    "path": (validation.check_type_path, "a path"),
    "int": (validation.check_type_int, "a whole number"),
    "float": (validation.check_type_float, "a number"),
    "bool": (validation.check_type_bool, "true or false"),
    "list": (validation.check_type_list, "a list"),
    "dict": (validation.check_type_dict, "a dictionary"),
}


@dataclasses.dataclass(frozen=True)
class Variable:
    """A variable, with the keys of its entry in the specification.

    empty_is_unset: whether an empty text stands for no value, although it is not of the type. Not for
    a variable that restrains a run: an empty failure budget is an error. for_some: the variable of
    hosts, with its value, that has the effect for some of them.
    """

    name: str
    type: str
    elements: str = ""
    description: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    default: t.Any = None
    default_description: str = ""
    minimum: float | None = None
    maximum: float | None = None
    pattern: str = ""
    pattern_description: str = ""
    per_host: bool = False
    required: bool = False
    no_log: bool = False
    empty_is_unset: bool = False
    for_some: str = ""
    example: str = ""

    def parse(self, value: t.Any) -> t.Any:
        """A value in the type of the variable. Raises InputError for an invalid one."""
        if self.type != "list":
            return self._parse_item(value, self.type)
        items = self._convert(value, "list")
        return [self._parse_item(item, self.elements or "str") for item in items]

    def is_unset(self, value: t.Any) -> bool:
        """Whether a value stands for none. A survey of AWX answers with an empty text."""
        is_free = self.empty_is_unset or (self.type in ("str", "list") and not self.choices)
        return value is None or (value == "" and is_free)

    def _parse_item(self, value: t.Any, kind: str) -> t.Any:
        parsed = self._convert(value, kind)
        if self.choices and parsed not in self.choices:
            raise self._error(value, f"one of {', '.join(self.choices)}")
        if self._is_out_of_bounds(parsed):
            raise self._error(value, self._bounds())
        if self.pattern and not re.fullmatch(self.pattern, parsed):
            raise self._error(value, self.pattern_description)
        return parsed

    def _convert(self, value: t.Any, kind: str) -> t.Any:
        convert, noun = _CONVERSIONS[kind]
        # Ansible takes the text of a list for a text, and 1 for true as much as true for 1.
        is_other_kind = (kind in ("str", "path") and isinstance(value, (list, dict))) or (
            kind in ("int", "float") and isinstance(value, bool)
        )
        if is_other_kind:
            raise self._error(value, noun)
        try:
            return convert(value)
        except (TypeError, ValueError):
            raise self._error(value, noun) from None

    def _is_out_of_bounds(self, value: t.Any) -> bool:
        # Written so that what is not a number is out of bounds as well.
        return (self.minimum is not None and not value >= self.minimum) or (
            self.maximum is not None and not value <= self.maximum
        )

    def _bounds(self) -> str:
        if self.maximum is None:
            return f"a number of at least {self.minimum}"
        return f"a number from {self.minimum} to {self.maximum}"

    def _error(self, value: t.Any, expected: str) -> InputError:
        return InputError(
            f"{self.name} is {value!r}, which is not {expected}", f"For example: {self._example()}"
        )

    def _example(self) -> str:
        return answer(self.name, self.example) if reads_in_awx() else self.command()

    def command(self) -> str:
        """The option of ansible-playbook that sets the variable to its example."""
        return f"-e '{self.example}'" if self.example[:1] == "{" else f"-e {self._assignment()}"

    def _assignment(self) -> str:
        text = f"{self.name}={self.example}"
        return f"'{text}'" if re.search(r"[*!]", text) else text


@dataclasses.dataclass(frozen=True)
class Playbook:
    """A playbook and its variables.

    reserved: names that are no mistake besides those of its variables. refused: names that it must
    not ignore, with what to do.
    """

    name: str
    prefixes: tuple[str, ...]
    variables: dict[str, Variable]
    reserved: frozenset[str]
    refused: t.Mapping[str, str]
    entry: Json

    @property
    def hosts_variable(self) -> str:
        """The variable with the pattern of its hosts; empty if it has none."""
        name = f"{self.prefixes[0]}hosts"
        return name if name in self.variables else ""

    @property
    def read_once(self) -> list[str]:
        """The variables that have one value for all hosts."""
        return [name for name, variable in self.variables.items() if not variable.per_host]

    def refuse_launched(self, extra: t.Iterable[str]) -> None:
        """Raise InputError for the first extra variable of a job of AWX that none of this playbook needs,
        where the job template prompts for variables: its launch could set any, and nothing tells what
        the launch has set from what the template sets.
        """
        names = sorted(extra)
        known = self.entry.get("launched")
        if known is None or JOB_OF_AWX not in names:
            return
        for name in names:
            if name not in known and name not in _SET_BY_AWX:
                raise InputError(
                    f"{name} is an extra variable of this job, but the launch of {self.name} in AWX may "
                    f"set {', '.join(known)} alone",
                    "Set it in the group_vars of the inventory.",
                )

    def refuse_names(self, names: t.Iterable[str], extra: t.Container[str]) -> None:
        """Raise InputError for the first of the names that would be ignored against the user's will.

        extra: the names that -e sets for this run. Of the inventory's, only those are refused that
        are nearly a variable: others may be the user's own, as fleet_owner.
        """
        for name in sorted(names):
            if name in self.refused:
                raise InputError(f"{name} is set, but not for {self.name}", self.refused[name])
            if not name.startswith(self.prefixes) or name in (*self.variables, *self.reserved):
                continue
            near = self._nearest(name)
            if near or name in extra:
                raise InputError(
                    f"{name} is not a variable of the playbook {self.name}",
                    f"{f'Did you mean {near}? ' if near else ''}Its variables are on "
                    f"{_DOCS}/playbook_{self.name}.rst.",
                )

    def ignored(self, extra: t.Iterable[str], names: t.Container[str]) -> list[InputError]:
        """The names that -e sets and that are nearly a variable, but have not even its prefix.

        names: of all variables. What the user passes on, as a variable that is set, is no mistake.
        """
        return [
            InputError(
                f"{name} is set, which is not a variable of the playbook {self.name}",
                f"Did you mean {near}?",
            )
            for name in sorted(extra)
            if name not in self.reserved
            and not name.startswith(self.prefixes)
            and (near := self._nearly(name))
            and near not in names
        ]

    def refuse_tags(self, tags: t.Iterable[str], own: t.Container[str]) -> None:
        """Raise InputError for the first tag of the command line that means nothing here: what it was
        to choose or to leave out would be done all the same.

        own: the tags with which another playbook imports this one.
        """
        known = self.entry.get("tags", {})
        for tag in sorted(tags):
            if tag not in known and tag not in _TAGS_OF_ANSIBLE and tag not in own:
                fix = f"Use {', '.join(sorted(known))}." if known else "It has none; leave it out."
                raise InputError(f"{tag!r} is not a tag of the playbook {self.name}", fix)

    def _nearly(self, name: str) -> str:
        """The variable that a name without its prefix is, or with another one nearly."""
        plain = re.sub(r"\W", "_", name.lower())
        whole = (prefix + plain for prefix in ("", *self.prefixes))
        exact = next((known for known in whole if known in self.variables), "")
        return exact or next(iter(difflib.get_close_matches(plain, self.variables, 1, 0.85)), "")

    def _nearest(self, name: str) -> str:
        """The variable that a name is nearly, apart from their common prefix."""
        prefix = next(prefix for prefix in self.prefixes if name.startswith(prefix))
        rests = [known.removeprefix(prefix) for known in self.variables if known.startswith(prefix)]
        near = difflib.get_close_matches(name.removeprefix(prefix), rests, 1, 0.75)
        return prefix + near[0] if near else ""

    def parse(self, value_of: t.Callable[[str], t.Any], names: t.Container[str]) -> Json:
        """The values of the variables for all hosts, with defaults for those that are not set.

        value_of: a variable of these names. Raises InputError for an invalid value.
        """
        found: Json = {}
        for name, variable in self.variables.items():
            if not variable.per_host:
                value = value_of(name) if name in names else None
                is_unset = variable.is_unset(value)
                found[name] = variable.default if is_unset else variable.parse(value)
        return found


@functools.cache
def _specification() -> Json:
    return t.cast(Json, yaml_load(SPECIFICATION.read_text(encoding="utf-8")))


def playbook_names() -> tuple[str, ...]:
    """The playbooks of the specification, in its order."""
    return tuple(_specification()["playbooks"])


def load_playbook(name: str) -> Playbook:
    """The specification of a playbook."""
    entry = _specification()["playbooks"][name]
    others = {
        variable
        for other in _specification()["playbooks"].values()
        for variable in other.get("options", ())
    }
    return Playbook(
        name,
        tuple(entry["prefixes"]),
        {key: _variable(key, rule) for key, rule in _options(entry).items()},
        frozenset({*others, *_specification()["results"]}),
        {name: _plain(fix) for name, fix in entry.get("refused", {}).items()},
        entry,
    )


def _plain(text: str) -> str:
    """A text of the specification without the markup of documentation."""
    return re.sub(r"C\(([^)]+)\)", r"\1", text)


def _options(entry: Json) -> Json:
    """The options of a playbook, or those of the role that it applies, which the role validates."""
    if "role" not in entry:
        return t.cast(Json, entry["options"])
    path = COLLECTION / "roles" / entry["role"] / "meta/argument_specs.yml"
    options = yaml_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    return {name: {**rule, "per_host": True} for name, rule in options.items()}


def _variable(name: str, rule: Json) -> Variable:
    given: Json = {
        key: tuple(value) if isinstance(value, list) else value for key, value in rule.items()
    }
    given.pop("options", None)
    if isinstance(rule.get("default"), list):
        given["default"] = rule["default"]
    if isinstance(rule.get("description"), str):
        given["description"] = (rule["description"],)
    return Variable(name, **given)

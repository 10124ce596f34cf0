# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The job templates of AWX as the role awx_setup defines them, with what their launches pass on."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

ROLE = ROOT / "roles/awx_setup"

Json = dict[str, t.Any]


def launched(name: str, data_dir: Path, **answers: t.Any) -> Json:
    """The extra variables of a job: those of its template, and an answer to each question of its
    survey, which is the default of a question without one here.

    An answer to no question is an error, as AWX ignores it.
    """
    templates = _render(
        "{{ awx_setup_fleet_templates + [awx_setup_heal_template] }}", awx_setup_data_dir=data_dir
    )
    [template] = [one for one in templates if one["name"] == name]
    asked = {question["variable"]: question["default"] for question in template["ask"]}
    assert set(answers) <= set(asked), f"{sorted(set(answers) - set(asked))} are not asked for"
    return {**template["extra_vars"], **asked, **answers}


def _render(template: str, **variables: t.Any) -> t.Any:
    loader = DataLoader()
    of_role = {
        key: value
        for folder in ("defaults", "vars")
        for key, value in loader.load_from_file(
            str(ROLE / folder / "main.yml"), trusted_as_template=True
        ).items()
    }
    given = {key: str(value) for key, value in variables.items()}
    return Templar(loader, variables={**of_role, **given}).template(trust_as_template(template))

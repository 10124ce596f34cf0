# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the reference page of each playbook, from the specification of its variables."""

from __future__ import annotations

import json
import re
import textwrap
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.playbook_variables import (
    Playbook,
    Variable,
    load_playbook,
    playbook_names,
)
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

FOLDER = ROOT / "docs/docsite/rst"
LABEL = "ansible_collections.rayfleet.anyscale.docsite"

_WIDTH = 140
_HEAD = """\
..
  Written from playbooks/meta/variables.yml by
  python -m ansible_collections.rayfleet.anyscale.docs.tools.playbook_pages

  Copyright (c) 2026, Rayfleet contributors
  GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
  SPDX-License-Identifier: GPL-3.0-or-later
"""


def page(name: str) -> str:
    """The page of a playbook."""
    playbook = load_playbook(name)
    entry = playbook.entry
    blocks = [
        _HEAD + f"\n.. _{LABEL}.playbook_{name}:",
        _title(f"The playbook {name}", "="),
        f"{entry['short_description']}.",
        *map(_paragraph, entry["description"]),
        ".. code-block:: console\n\n" + textwrap.indent(_prompted(entry["examples"]), "   "),
        *_variables(playbook),
        *_tags(entry.get("tags", {})),
        _title("What it writes", "-"),
        _paragraph(entry["writes"]),
        _title("Permissions", "-"),
        _paragraph(f"{entry['permissions']} See :ref:`{LABEL}.permissions`."),
        _title("Exit status", "-"),
        _paragraph(f"{entry['exit_status']} All statuses: :ref:`{LABEL}.exit_status`."),
        _title("See also", "-"),
        "\n".join(f"* :ref:`{LABEL}.{label}`" for label in ("playbooks", *entry["howto"])),
    ]
    return "\n\n".join(blocks) + "\n"


def _title(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}"


def _variables(playbook: Playbook) -> t.Iterator[str]:
    yield _title("Variables", "-")
    role = playbook.entry.get("role")
    if role:
        yield f"The options of the role :ansplugin:`rayfleet.anyscale.{role}#role` are its variables."
        return
    rows = "\n".join(_row(variable) for variable in playbook.variables.values())
    yield (
        ".. list-table::\n   :header-rows: 1\n   :widths: 30 70\n\n   * - variable\n     - meaning\n"
        + rows
    )


def _row(variable: Variable) -> str:
    kind = f"{variable.type} of {variable.elements}" if variable.elements else variable.type
    name = [f"``{variable.name}``", f"*{kind}*", _default(variable)]
    choices = ", ".join(f"``{choice}``" for choice in variable.choices)
    bounds = [variable.minimum, variable.maximum]
    limits = {
        "Choices": choices,
        "From": " to ".join(f"``{bound}``" for bound in bounds if bound is not None),
        "Form": variable.pattern_description,
        "Example": _example(variable),
    }
    if variable.minimum is not None and variable.maximum is None:
        limits["At least"] = limits.pop("From")
    told = [f"{label}: {text}." for label, text in limits.items() if text]
    cells = (name, [*map(_marked, variable.description), *told])
    return "\n".join(
        f"   {'* -' if number == 0 else '  -'} " + _cell(lines)
        for number, lines in enumerate(cells)
    )


def _cell(paragraphs: list[str]) -> str:
    filled = "\n\n".join(_fill(text) for text in paragraphs if text)
    return textwrap.indent(filled, " " * 7).lstrip()


def _default(variable: Variable) -> str:
    if variable.default_description:
        return f"Default: {_marked(variable.default_description)}"
    if variable.default is None:
        return "Required" if variable.required else ""
    value = variable.default
    text = value if isinstance(value, str) else json.dumps(value)
    return f"Default: ``{text}``"


def _example(variable: Variable) -> str:
    if not variable.example:
        return ""
    if variable.per_host:
        return f"``{variable.name}: {variable.example}`` in the inventory"
    return f"``{variable.command()}``"


def _tags(tags: t.Mapping[str, str]) -> t.Iterator[str]:
    if tags:
        yield _title("Tags", "-")
        yield "``--tags`` chooses parts of the set-up. Another tag is an error."
        yield "\n".join(f"* ``{tag}``: {text}" for tag, text in tags.items())


def _prompted(commands: str) -> str:
    return "\n".join(f"$ {line}" for line in commands.splitlines())


def _paragraph(text: str) -> str:
    return _fill(_marked(text))


def _fill(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _marked(text: str) -> str:
    return re.sub(r"C\(([^)]+)\)", r"``\1``", " ".join(text.split()))


if __name__ == "__main__":
    for playbook_name in playbook_names():
        (FOLDER / f"playbook_{playbook_name}.rst").write_text(page(playbook_name))

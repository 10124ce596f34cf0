# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draw the rooms of plugins/ and the imports between them, and check the rule of the layers.

Run as a program, it writes docs/docsite/rst/architecture.svg.
"""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path
from xml.sax.saxutils import escape

from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

PICTURE = ROOT / "docs/docsite/rst/architecture.svg"
PLUGINS = ROOT / "plugins"

# From the top: a room may import from those on layers below its own, and from no other.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("modules", "action", "inventory", "callback", "lookup"),
    ("_rollback", "_fleet"),
    ("_plan_file", "_outcome", "_events"),
    ("_clouds",),
    ("_resources", "_run"),
    ("_inventory", "_permissions", "_report"),
    ("_action", "_progress", "_text"),
    ("_audit",),
    ("_converge",),
    ("_aws", "_anyscale"),
    ("_files",),
    ("_policy",),
    ("_arns", "_json", "_retry", "_credentials", "_requirements", "_survey"),
    ("_errors",),
    ("_escape",),
)
_DRAWN_ELSEWHERE = ("doc_fragments",)  # documentation only: nothing imports it
_SHARED = ("module_utils", "plugin_utils")
_PACKAGE = ("ansible_collections", "rayfleet", "anyscale", "plugins")

Arrows = dict[str, set[str]]

_WIDTH, _ROW, _BOX_HEIGHT, _GAP = 960, 78, 38, 18
_FLOOR_OF_PLUGIN_UTILS, _FLOOR_OF_MODULE_UTILS = 1, 7


def arrows(plugins: Path = PLUGINS) -> Arrows:
    """Which rooms each room imports from."""
    found: Arrows = {}
    for path in sorted(plugins.rglob("*.py")):
        source = _room(path.relative_to(plugins).with_suffix("").parts)
        if source not in _DRAWN_ELSEWHERE:
            targets = {_room(parts) for parts in _imported(path, plugins) if parts}
            found.setdefault(source, set()).update(targets - {source})
    return found


def _imported(path: Path, plugins: Path) -> t.Iterator[tuple[str, ...]]:
    """What a file imports from plugins/, as the parts of the path below it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                below = _below(node.module)
                is_file = plugins.joinpath(*below, f"{alias.name}.py").is_file()
                yield (*below, alias.name) if is_file else below
        elif isinstance(node, ast.Import):
            yield from (_below(alias.name) for alias in node.names)


def _below(module: str) -> tuple[str, ...]:
    """The parts of a module's name below plugins/; none for what is not there."""
    parts = tuple(module.split("."))
    return parts[len(_PACKAGE) :] if parts[: len(_PACKAGE)] == _PACKAGE else ()


def _room(parts: tuple[str, ...]) -> str:
    return parts[1] if parts[0] in _SHARED else parts[0]


def violations(found: Arrows, layers: t.Sequence[t.Sequence[str]] = LAYERS) -> list[str]:
    """What breaks the rule of the layers, a sentence each."""
    floor = {room: number for number, rooms in enumerate(layers) for room in rooms}
    rooms = {*found, *(target for targets in found.values() for target in targets)}
    unknown = [f"{room} is on no layer" for room in sorted(rooms - floor.keys())]
    gone = [f"{room} is on a layer and not in plugins/" for room in sorted(floor.keys() - rooms)]
    upwards = [
        f"{source} imports from {target}, which is not below it"
        for source, targets in sorted(found.items())
        for target in sorted(targets)
        if source in floor and target in floor and floor[target] <= floor[source]
    ]
    return unknown + gone + upwards


def is_implied(source: str, target: str, found: Arrows) -> bool:
    """Whether a room can be reached by way of another one as well: such an arrow is not drawn."""
    todo, seen = list(found.get(source, set()) - {target}), set[str]()
    while todo:
        room = todo.pop()
        if room == target:
            return True
        if room not in seen:
            seen.add(room)
            todo.extend(found.get(room, ()))
    return False


def picture(found: Arrows) -> str:
    """The rooms on their floors and the arrows between them, as SVG."""
    places = _places()
    height = _GAP + _ROW * len(LAYERS)
    lines = [
        _curve(places[source], places[target])
        for source, targets in sorted(found.items())
        for target in sorted(targets)
        if not is_implied(source, target, found)
    ]
    boxes = [_box(room, place) for room, place in places.items()]
    return "\n".join([*_head(height, found), *lines, *boxes, "</svg>", ""])


def _places() -> dict[str, tuple[float, float]]:
    """The middle of each room's box."""
    places = {}
    for floor, rooms in enumerate(LAYERS):
        step = (_WIDTH - 150) / len(rooms)
        for number, room in enumerate(rooms):
            places[room] = (150 + step * (number + 0.5), _GAP + _ROW * floor + _BOX_HEIGHT / 2)
    return places


def _head(height: int, found: Arrows) -> list[str]:
    count = sum(map(len, found.values()))
    bands = (
        (0, _FLOOR_OF_PLUGIN_UTILS, "what Ansible calls"),
        (_FLOOR_OF_PLUGIN_UTILS, _FLOOR_OF_MODULE_UTILS, "plugin_utils"),
        (_FLOOR_OF_MODULE_UTILS, len(LAYERS), "module_utils"),
    )
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        "<!-- Written by docs/tools/architecture.py from the imports in plugins/. -->",
        f"<title>The rooms of plugins/: {len(found)} rooms, {count} arrows</title>",
        "<style>text{font:14px sans-serif;fill:#1b2733}.band{fill:#5b6b7b}"
        "path{fill:none;stroke:#2563a8;stroke-width:1.4}rect.room{fill:#fff;stroke:#2563a8}</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#f6f8fa"/>',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" style="fill:#2563a8"/></marker>'
        "</defs>",
        *(_band(*band) for band in bands),
    ]


def _band(first: int, end: int, name: str) -> str:
    top, bottom = _GAP + _ROW * first - 9, _GAP + _ROW * end - 9 - 12
    return (
        f'<rect x="6" y="{top}" width="{_WIDTH - 12}" height="{bottom - top}" rx="6" '
        f'fill="#eaf0f6"/><text class="band" x="16" y="{top + 22}">{escape(name)}</text>'
    )


def _box(room: str, place: tuple[float, float]) -> str:
    x, y = place
    width = 24 + 8.2 * len(room)
    return (
        f'<rect class="room" x="{x - width / 2:.0f}" y="{y - _BOX_HEIGHT / 2:.0f}" '
        f'width="{width:.0f}" height="{_BOX_HEIGHT}" rx="5"/>'
        f'<text x="{x:.0f}" y="{y + 5:.0f}" text-anchor="middle">{escape(room)}</text>'
    )


def _curve(source: tuple[float, float], target: tuple[float, float]) -> str:
    (x, y), (to_x, to_y) = source, target
    begin, end = y + _BOX_HEIGHT / 2, to_y - _BOX_HEIGHT / 2
    bend = (end - begin) / 2
    return (
        f'<path marker-end="url(#tip)" d="M{x:.0f} {begin:.0f} C{x:.0f} {begin + bend:.0f} '
        f'{to_x:.0f} {end - bend:.0f} {to_x:.0f} {end:.0f}"/>'
    )


def main() -> None:
    """Write the picture."""
    PICTURE.write_text(picture(arrows()))


if __name__ == "__main__":
    main()

"""Imports run one way: no circle between packages, and nothing that runs on a node knows the control side."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
PREFIX = "ansible_collections.pgfleet.cluster.plugins"


def imports(path: Path) -> Iterator[tuple[str, ...]]:
    """What a file imports of this collection, as parts of a path below plugins."""
    here = path.relative_to(PLUGINS).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            yield (*here[: -node.level], *(node.module or "").split("."))
        elif (node.module or "").startswith(f"{PREFIX}."):
            yield tuple((node.module or "").removeprefix(f"{PREFIX}.").split("."))


def rooms() -> dict[str, set[str]]:
    """Packages and single files of module_utils and plugin_utils, and those that each imports."""
    found: dict[str, set[str]] = {}
    for folder in ("module_utils", "plugin_utils"):
        for path in (PLUGINS / folder).rglob("*.py"):
            room = "/".join(path.relative_to(PLUGINS).with_suffix("").parts[:2])
            used = {"/".join(parts[:2]) for parts in imports(path) if parts[0] in ("module_utils", "plugin_utils")}
            found.setdefault(room, set()).update(used - {room})
    return found


def test_there_is_no_circle() -> None:
    left = rooms()
    while free := {room for room, used in left.items() if not used & set(left)}:
        left = {room: used for room, used in left.items() if room not in free}
    assert left == {}


def test_nodes_do_not_know_the_control_side() -> None:
    assert [
        room
        for room, used in rooms().items()
        if room.startswith("module_utils/") and any("plugin_utils" in each for each in used)
    ] == []
    for path in (PLUGINS / "modules").glob("*.py"):
        assert not [parts for parts in imports(path) if parts[0] == "plugin_utils"], path

"""What ``ansible-test sanity`` is told to accept, as everybody runs it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LISTS = sorted((ROOT / "tests/sanity").glob("ignore-*.txt"))
MODULES = sorted(
    str(path.relative_to(ROOT))
    for folder in ("lookup", "modules")
    for path in (ROOT / "plugins" / folder).iterdir()
    if path.is_file()
)


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_our_licence_is_accepted_for_every_module_and_nothing_else_is(path: Path) -> None:
    """ansible-test wants modules under the GPL; ours are under the MIT licence, as galaxy.yml says."""
    assert path.read_text().splitlines() == [f"{module} validate-modules:missing-gplv3-license" for module in MODULES]


def test_one_version_is_promised_everywhere() -> None:
    promised = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["requires_ansible"].removeprefix(">=")
    release = promised.rpartition(".")[0]
    assert f"ansible-core>={promised}," in (ROOT / "requirements.txt").read_text()
    assert f"ansible-core {promised} or newer" in (ROOT / "README.md").read_text()
    assert f"ignore-{release}.txt" in [path.name for path in LISTS]
    for meta in (ROOT / "roles").glob("*/meta/main.yml"):
        assert re.search(rf'min_ansible_version: "{release}"', meta.read_text()), meta

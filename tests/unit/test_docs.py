"""What the documentation promises about the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = "\n".join(path.read_text() for path in (ROOT / "plugins").rglob("*.py"))
ERRORS = {"PgFleetError", *re.findall(r"^class (\w+)\(PgFleetError\):", PLUGINS, re.MULTILINE)}
#: Ansible gives these results a meaning of its own and, from 2.21 on, its own type: a list of nodes became a boolean.
TAKEN = {
    "attempts", "async_result", "exception", "failed", "finished", "invocation", "module_stderr", "module_stdout", "no_log", "results",
    "retries", "skipped", "unreachable", "warnings", "deprecations",
}  # fmt: skip


def returned_by(module: Path) -> set[str]:
    """Names of what a module returns, as it is documented."""
    text = module.read_text()
    if module.suffix == ".yml":
        return set(yaml.safe_load(text).get("RETURN") or {})
    found = re.search(r'^RETURN = r?"""(.*?)"""', text, re.MULTILINE | re.DOTALL)
    return set(yaml.safe_load(found[1]) or {}) if found else set()


def codes_in_notes() -> set[str]:
    """Codes that modules name in their notes."""
    texts = [path.read_text() for path in (ROOT / "plugins/modules").glob("*.py")]
    notes = [
        text.split("On failure RV(ignore:code)")[1].split("\nseealso")[0] for text in texts if "On failure" in text
    ]
    return {code for note in notes for code in re.findall(r"C\(([a-z_]+)\)", note)}


def codes_of_classes() -> set[str]:
    """Codes that error classes carry."""
    return set(re.findall(r'^    code = "([a-z_]+)"$', PLUGINS, re.MULTILINE))


def codes_of_errors() -> Iterator[str]:
    """Codes that errors are raised with: their third argument, after sentence and remedy."""
    for node in ast.walk(ast.parse(PLUGINS)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS:
            code = node.args[2] if len(node.args) > 2 else None
            if isinstance(code, ast.Constant) and re.fullmatch("[a-z_]+", str(code.value)):
                yield str(code.value)


def test_every_code_has_its_line() -> None:
    families = {"error", "directory_refused", "topology_conflict", "slot_conflict"}  # every error of theirs has its own
    documented = set(re.findall(r"`([a-z_]+)`", (ROOT / "docs/reason-codes.md").read_text()))
    codes = {*codes_in_notes(), *codes_of_classes(), *codes_of_errors()}
    assert codes > {"no_hba_entry", "clone_failed", "standby_ahead"}
    assert codes - documented - families == set()


def test_no_module_returns_what_ansible_keeps_for_itself() -> None:
    modules = [path for path in (ROOT / "plugins/modules").iterdir() if path.suffix in (".py", ".yml")]
    returned = {path.stem: returned_by(path) for path in modules}
    assert "no_answer" in returned["fleet_plan"] and "action" in returned["initdb"]
    assert {name: names & TAKEN for name, names in returned.items() if names & TAKEN} == {}

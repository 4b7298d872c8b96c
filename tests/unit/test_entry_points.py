"""What other roles and playbooks use of a role is described in its argument specifications."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CALLS = ("ansible.builtin.import_role", "ansible.builtin.include_role")


class Call(NamedTuple):
    file: str
    role: str
    entry: str
    given: tuple[str, ...]
    validates: bool


def calls() -> Iterator[Call]:
    for folder, pattern in (("playbooks", "*.yml"), ("roles", "*/tasks/**/*.yml")):
        for path in sorted((ROOT / folder).glob(pattern)):
            for task in tasks(yaml.safe_load(path.read_text())):
                for word in CALLS:
                    if word in task:
                        yield call(str(path.relative_to(ROOT)), task[word], task.get("vars", {}))


def call(file: str, words: dict[str, Any], given: dict[str, Any]) -> Call:
    role = words["name"].rpartition(".")[2]
    names = tuple(name for name in given if not name.startswith("__"))
    return Call(file, role, words.get("tasks_from", "main"), names, words.get("rolespec_validate", True))


def tasks(value: Any) -> Iterator[dict[str, Any]]:
    for each in value if isinstance(value, list) else ():
        if isinstance(each, dict):
            yield each
            for key in ("tasks", "pre_tasks", "block", "rescue", "always"):
                yield from tasks(each.get(key))


def specification(role: str) -> dict[str, Any]:
    text = (ROOT / "roles" / role / "meta/argument_specs.yml").read_text()
    found: dict[str, Any] = yaml.safe_load(text)["argument_specs"]
    return found


ALL = list(calls())


def test_there_are_calls() -> None:
    assert {each.role for each in ALL} > {"pg_server", "pg_operate", "pagila_load"}


@pytest.mark.parametrize("role", sorted({each.role for each in ALL}))
def test_used_entry_points_are_described(role: str) -> None:
    used = {each.entry for each in ALL if each.role == role and not each.file.startswith(f"roles/{role}/")}
    assert used - set(specification(role)) == set()


@pytest.mark.parametrize("each", [each for each in ALL if each.given], ids=lambda each: f"{each.file}-{each.entry}")
def test_what_is_given_is_an_option_or_a_fact(each: Call) -> None:
    """Of whatever role: one that is called may call another one."""
    facts = {"pg_server_node", "pg_server_facts"}
    known = {name for called in {call.role for call in ALL} for entry in specification(called).values() for name in entry.get("options", {})}  # fmt: skip
    assert set(each.given) - known - facts == set()


def test_our_own_calls_are_not_validated_again() -> None:
    """The first play of a playbook checks all options of all entry points at once."""
    assert [each for each in ALL if each.validates] == []

"""Every option of every role is what its argument specification says, wherever it comes from.

A new option: describe it in the role's ``meta/argument_specs.yml`` and README, give it a default, and, unless it is a plain string, one
line in ``__ROLE_options`` of the role's ``vars/main.yml``. Tasks use ``__ROLE_options.NAME``; other roles get it as a fact.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.parsing.convert_bool import BOOLEANS

from ansible_collections.pgfleet.cluster.plugins.plugin_utils._fleet.options import (
    OptionRefused,
    TypesAreLost,
    check_types_are_kept,
    problems,
    typed,
)

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
EXPRESSIONS = {"when", "that", "until", "failed_when", "changed_when"}


def specification(role: str) -> dict[str, dict[str, Any]]:
    """The options of all entry points of a role."""
    entries = yaml.safe_load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text())["argument_specs"]
    return {name: option for entry in entries.values() for name, option in entry.get("options", {}).items()}


SPECIFICATIONS = {name: option for role in ROLES for name, option in specification(role).items()}


def must_be_converted(option: dict[str, Any]) -> bool:
    """Everything but strings, strings among whose choices are words that YAML reads as booleans, and what a plan hands on (raw)."""
    words = {choice for choice in option.get("choices", []) if choice in BOOLEANS}
    return option.get("type", "str") not in ("str", "path", "raw") or bool(words)


def conversion(name: str, option: dict[str, Any]) -> str:
    """The one line that converts an option."""
    words = [repr(name)]
    if option.get("type", "str") != "str":
        words.append(repr(option["type"]))
    if option.get("elements", "str") != "str":
        words.append(repr(option["elements"]))
    if option.get("choices"):
        words.append(f"choices={option['choices']!r}")
    return f"{{{{ {name} | pgfleet.cluster.typed({', '.join(words)}) }}}}"


@pytest.mark.parametrize("role", ROLES)
def test_converted_where_they_enter(role: str) -> None:
    variables = yaml.safe_load((ROOT / "roles" / role / "vars/main.yml").read_text())
    assert variables.get(f"__{role}_options", {}) == {
        name.removeprefix(f"{role}_"): conversion(name, option)
        for name, option in specification(role).items()
        if must_be_converted(option)
    }


@pytest.mark.parametrize("role", ROLES)
def test_ranges_are_of_numbers(role: str) -> None:
    ranges = yaml.safe_load((ROOT / "roles" / role / "vars/main.yml").read_text()).get(f"__{role}_ranges", {})
    numbers = {
        name.removeprefix(f"{role}_")
        for name, option in specification(role).items()
        if option.get("type") in ("int", "float")
    }
    assert set(ranges) <= numbers


def expressions(value: Any, is_expression: bool = False) -> Iterator[str]:
    """The Jinja in a YAML document, without the words that are quoted in it."""
    if isinstance(value, dict):
        for key, below in value.items():
            if not (isinstance(key, str) and re.fullmatch("__[a-z_]+_options", key)):
                yield from expressions(below, key in EXPRESSIONS)
    elif isinstance(value, list):
        for below in value:
            yield from expressions(below, is_expression)
    elif isinstance(value, str):
        found = [value] if is_expression else re.findall(r"{{.*?}}|{%.*?%}", value, re.DOTALL)
        yield from (re.sub(r"'[^']*'|\"[^\"]*\"", "''", part) for part in found)


def documents() -> Iterator[tuple[Path, Any]]:
    for folder in ("roles", "playbooks", "molecule", "inventory"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix == ".yml" and path.parent.name not in ("defaults", "meta", "files"):
                yield path, yaml.safe_load(path.read_text())
            elif path.suffix == ".j2":
                yield path, path.read_text()


def test_nobody_uses_them_unconverted() -> None:
    raw = {name for name, option in SPECIFICATIONS.items() if must_be_converted(option)}
    used = [
        f"{path.relative_to(ROOT)}: {word}: use __ROLE_options, or a fact such as pg_server_facts"
        for path, document in documents()
        for expression in expressions(document)
        for word in re.findall(r"(?<!_options\.)(?<!\w)[a-z]\w+", expression)
        if word in raw
    ]
    assert used == [
        "roles/pg_server/tasks/unreachable.yml: pg_server_port: use __ROLE_options, or a fact such as pg_server_facts"
    ]


def set_facts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value.get("ansible.builtin.set_fact", {})
        yield from filter(None, [value.get("register")])
        for below in value.values():
            yield from set_facts(below)
    elif isinstance(value, list):
        for below in value:
            yield from set_facts(below)


def test_no_fact_has_the_name_of_an_option() -> None:
    """It would win over the inventory for the rest of the run, and -e would win over it.

    Those that are kept are published as they are, for later plays.
    """
    names = {name for _path, document in documents() for name in set_facts(document)}
    kept = {"pg_server_replication_password", "kvm_host_network_name", "kvm_host_network_cidr", "kvm_host_pool_name",
            "kvm_host_pool_path", "kvm_host_uri"}  # fmt: skip
    assert names & set(SPECIFICATIONS) - kept == set()


@pytest.mark.parametrize("role", ROLES)
def test_the_readme_names_every_option(role: str) -> None:
    text = (ROOT / "roles" / role / "README.md").read_text()
    assert {name for name in specification(role) if name not in text} == set()


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_described_and_the_described_have_defaults(role: str) -> None:
    defaults = set(yaml.safe_load((ROOT / "roles" / role / "defaults/main.yml").read_text()))
    described = specification(role)
    assert defaults - set(described) == set()
    assert {name for name, option in described.items() if not option.get("required")} - defaults == set()


TAKEN = [
    ("int", "5432", 5432), ("int", 5432, 5432), ("int", 5432.0, 5432), ("float", "0.5", 0.5), ("float", 60, 60.0),
    ("bool", "false", False), ("bool", "no", False), ("bool", "off", False), ("bool", "0", False), ("bool", 0, False),
    ("bool", "True", True), ("bool", "yes", True), ("bool", 1, True), ("bool", True, True),
    ("str", 17, "17"), ("str", "", ""), ("str", "no", "no"),
    ("list", "node3", ["node3"]), ("list", "node2, node3", ["node2", "node3"]), ("list", '["node2", "node3"]', ["node2", "node3"]),
    ("list", "['node2']", ["node2"]), ("list", "", []), ("list", [], []), ("list", ["node2"], ["node2"]), ("list", "[]", []),
    ("dict", '{"work_mem": "5MB"}', {"work_mem": "5MB"}), ("dict", "work_mem=5MB", {"work_mem": "5MB"}), ("dict", "", {}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "given", "wanted"), TAKEN)
def test_taken(kind: str, given: Any, wanted: Any) -> None:
    result = typed(given, "an_option", kind)
    assert (result, type(result)) == (wanted, type(wanted))


REFUSED = [
    ("int", "abc"), ("int", ""), ("int", "none"), ("int", None), ("int", True), ("int", "5.5"), ("int", [1]), ("int", {}),
    ("float", "abc"), ("float", "nan"), ("float", "inf"), ("float", False), ("float", "1 s"),
    ("bool", "maybe"), ("bool", ""), ("bool", 2), ("bool", None), ("bool", []), ("bool", "none"),
    ("str", None), ("str", ["a"]), ("str", {"a": 1}), ("str", False),
    ("list", None), ("list", {"a": 1}), ("list", True), ("list", "a,,b"), ("list", "[a"), ("list", [None]), ("list", [["a"]]),
    ("dict", "abc"), ("dict", ["a"]), ("dict", None), ("dict", 5), ("dict", '{"a": '), ("dict", True),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "given"), REFUSED)
def test_refused(kind: str, given: Any) -> None:
    with pytest.raises(OptionRefused) as refused:
        typed(given, "an_option", kind)
    assert str(refused.value).startswith(f"an_option is {'null' if given is None else repr(given)}, but must be ")


def test_elements() -> None:
    assert typed("1, 3", "steps", "list", "int") == [1, 3]
    assert typed([{"contype": "host"}], "rules", "list", "dict") == [{"contype": "host"}]
    for given in ("[1, 3]", "a", ["a"], "1,"):
        with pytest.raises(OptionRefused, match=r"must be a list of whole numbers"):
            typed(given, "steps", "list", "int")
    for rules in ('[{"contype": "host"}]', "abc", ["abc"], {"contype": "host"}):
        with pytest.raises(
            OptionRefused, match=r"must be a list of dictionaries. On the command line: -e '\{\"rules\": \[…\]\}'"
        ):
            typed(rules, "rules", "list", "dict")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [(False, "off"), ("False", "off"), ("off", "off"), (True, "on"), ("on", "on"), ("quorum", "quorum")],
)
def test_words_that_yaml_reads_as_booleans(given: Any, wanted: str) -> None:
    assert typed(given, "synchronous", choices=["off", "on", "quorum"]) == wanted


@pytest.mark.parametrize(
    ("core", "native"), [("2.17.14", True), ("2.19.0", True), ("2.19.5", False), ("2.21.5rc1", False), ("3.0.0", False)]
)
def test_types_are_kept(core: str, native: bool) -> None:
    check_types_are_kept(core, native)


@pytest.mark.parametrize("core", ["2.9.27", "2.17.14", "2.18.0rc1"])
def test_types_are_lost(core: str) -> None:
    with pytest.raises(TypesAreLost, match=r"Use 2\.19\.5 or newer, or set jinja2_native = true"):
        check_types_are_kept(core, False)


def test_choices() -> None:
    with pytest.raises(OptionRefused, match=r"output is 'jsn', but must be one of table, json\."):
        typed("jsn", "output", choices=["table", "json"])


def test_problems_name_each_option_and_no_secret() -> None:
    specifications: dict[str, dict[str, Any]] = {
        "a": {"type": "int"},
        "b": {"type": "bool"},
        "c": {"type": "dict", "no_log": True},
        "d": {"type": "list"},
    }
    found = problems(specifications, {"a": "x", "b": "no", "c": "secret", "other": 1})
    assert [str(problem).partition(",")[0] for problem in found] == ["a is 'x'", "c is another value"]


@pytest.mark.parametrize(
    ("limits", "value", "words"),
    [
        ({}, -1, "a_port is -1, but must be a whole number of at least 0."),
        ({}, "-1", "a_port is '-1', but must be a whole number of at least 0."),
        ({}, 0, ""),
        ({"range": [1]}, 0, "a_port is 0, but must be a whole number of at least 1."),
        ({"range": [1, 65535]}, "70000", "a_port is '70000', but must be a whole number from 1 to 65535."),
        ({"range": [1, 65535]}, 65535, ""),
    ],
)
def test_ranges(limits: dict[str, Any], value: Any, words: str) -> None:
    found = problems({"a_port": {"type": "int", **limits}}, {"a_port": value})
    assert [problem.message for problem in found] == ([words] if words else [])

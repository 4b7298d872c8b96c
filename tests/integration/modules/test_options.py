"""Options of all roles from all places that they can come from, through Ansible as people run it."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
# For each type: a value, the same as a string, and what neither a person nor Ansible can take for it.
GOOD: dict[str, tuple[Any, str]] = {
    "bool": (False, "no"),
    "int": (512, "512"),
    "float": (1.5, "1.5"),
    "dict": ({"a": "b"}, '{"a":"b"}'),
    "list of str": (["a", "b"], "a,b"),
    "list of int": ([1, 3], "1,3"),
    "list of dict": ([{"a": "b"}], "[{'a': 'b'}]"),
}
BAD = {
    "bool": "maybe",
    "int": "abc",
    "float": "abc",
    "dict": "abc",
    "list of str": "a,,b",
    "list of int": "abc",
    "list of dict": "abc",
}
PLAY = """
- hosts: all
  gather_facts: false
  vars:
    typed: "{{ {%s} }}"
  tasks:
%s
    - ansible.builtin.debug:
        msg: "DATA:{{ inventory_hostname }}:{{ typed | to_json | b64encode }}:"
      when: "'good' in inventory_hostname"
    - pgfleet.cluster.check_options: {roles: [%s], words: {output: {type: str, choices: [table, json]}}}
      register: checked
      ignore_errors: true
    - ansible.builtin.debug:
        msg: "DATA:{{ inventory_hostname }}_checked:{{ checked | to_json | b64encode }}:"
"""


def unit_test() -> Any:
    """The unit test's notion of what must be converted."""
    found = importlib.util.spec_from_file_location("unit_test_options", ROOT / "tests/unit/_fleet/test_options.py")
    assert found
    assert found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


UNIT = unit_test()
OPTIONS: dict[str, dict[str, Any]] = {
    name: option for name, option in UNIT.SPECIFICATIONS.items() if UNIT.must_be_converted(option)
}


def kind(option: dict[str, Any]) -> str:
    name = str(option.get("type", "str"))
    return f"list of {option.get('elements', 'str')}" if name == "list" else name


def good(option: dict[str, Any], text: bool) -> Any:
    if option.get("choices"):
        return "off" if text else False
    return GOOD[kind(option)][text]


def wanted() -> dict[str, Any]:
    return {name: "off" if option.get("choices") else GOOD[kind(option)][0] for name, option in OPTIONS.items()}


def bad(option: dict[str, Any]) -> Any:
    return "jsn" if option.get("choices") else BAD[kind(option)]


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Runs the play and returns what it said of each host."""
    folder = tmp_path_factory.mktemp("options")
    entries = []
    for role in ROLES:
        names = [name for name in OPTIONS if name.startswith(f"{role}_")]
        entries += [f"'{name}': __{role}_options.{name.removeprefix(role + '_')}" for name in names]
    imports = "".join(
        f"    - ansible.builtin.import_role: {{name: pgfleet.cluster.{role}, rolespec_validate: false}}\n      when: false\n"
        for role in ROLES
    )
    (folder / "play.yml").write_text(PLAY % (", ".join(entries), imports, ", ".join(ROLES)))

    def run(*arguments: str, **inventories: str) -> dict[str, Any]:
        words = list(arguments)
        for suffix, text in inventories.items():
            (folder / f"hosts.{suffix}").write_text(text)
            words += ["-i", str(folder / f"hosts.{suffix}")]
        done = subprocess.run(
            [Path(sys.executable).parent / "ansible-playbook", folder / "play.yml", *words],
            capture_output=True, text=True, check=False, cwd=ROOT, timeout=120,
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        )  # fmt: skip
        found = re.findall(r"DATA:(\w+):([\w+/=]+):", done.stdout)
        assert found, done.stdout + done.stderr
        return {host: json.loads(base64.b64decode(data)) for host, data in found}

    return run


def assert_refused_by_name(checked: dict[str, Any], names: set[str]) -> None:
    assert checked["code"] == "wrong_option"
    assert checked["msg"].endswith("Nothing was changed.")
    said = dict(re.findall(r"(\w+) is ('.*?'|\{.*?\}|null), but must be ", checked["msg"]))
    assert set(said) == names
    assert all(name in OPTIONS and said[name] == repr(bad(OPTIONS[name])) for name in names), said


def test_inventories(play: Any) -> None:
    """YAML has types, INI has strings."""
    hosts = {
        "yaml_good": {name: good(option, False) for name, option in OPTIONS.items()},
        "yaml_text_good": {
            name: good(option, True) for name, option in OPTIONS.items() if kind(option) != "list of dict"
        },
        "yaml_bad": {name: bad(option) for name, option in OPTIONS.items()},
    }
    hosts["yaml_text_good"] |= {
        name: [{"a": "b"}] for name, option in OPTIONS.items() if kind(option) == "list of dict"
    }
    ini = [
        "[all:children]",
        "ini_goods",
        "ini_bads",
        "[ini_goods]",
        "ini_good",
        "[ini_bads]",
        "ini_bad",
        "[ini_goods:vars]",
    ]
    ini += [f"{name}={good(option, True)}" for name, option in OPTIONS.items()]
    ini += ["[ini_bads:vars]", *(f"{name}={bad(option)}" for name, option in OPTIONS.items())]
    said = play(yml=yaml.safe_dump({"all": {"hosts": hosts}}), ini="\n".join(ini))
    for host in ("yaml_good", "yaml_text_good", "ini_good"):
        assert said[host] == wanted(), host
        assert "msg" not in said[f"{host}_checked"], host
    assert_refused_by_name(said["yaml_bad_checked"], set(OPTIONS))
    assert_refused_by_name(said["ini_bad_checked"], set(OPTIONS))


ONE_HOST = "[all]\ngood ansible_connection=local\n"


@pytest.mark.parametrize("form", ["key=value", "json"])
def test_extra_variables(play: Any, form: str) -> None:
    """Strings in both; of dictionaries in a list they can hold none, which is refused."""
    given = {name: good(option, True) for name, option in OPTIONS.items() if kind(option) != "list of dict"}
    words = ["-e", json.dumps(given)]
    if form == "key=value":
        words = [word for name, value in given.items() for word in ("-e", f"{name}={value}")]
    rules = {name: [{"a": "b"}] for name in OPTIONS.keys() - given.keys()}
    said = play(*words, "-e", json.dumps(rules), ini=ONE_HOST)
    assert said["good"] == wanted()
    assert "msg" not in said["good_checked"]


def test_wrong_extra_variables(play: Any) -> None:
    given = {**{name: bad(option) for name, option in OPTIONS.items()}, "output": "jsn"}
    names = sorted(given)
    words = [word for name in names[::2] for word in ("-e", f"{name}={given[name]}")]
    words += ["-e", json.dumps({name: given[name] for name in names[1::2]})]
    words += ["-e", json.dumps({"pg_server_address": "{{ nowhere }}", "pg_server_slot": "{{ pg_server_node.slot }}"})]
    said = play(*words, ini=ONE_HOST.replace("good", "bad"))["bad_checked"]
    assert said["msg"].startswith("pg_server_address cannot be computed: 'nowhere' is undefined. Correct it. ")
    assert "pg_server_slot" not in said["msg"]
    assert "output is 'jsn', but must be one of table, json." in said["msg"]
    said["msg"] = said["msg"].replace("output is 'jsn'", "")
    assert_refused_by_name(said, set(OPTIONS))

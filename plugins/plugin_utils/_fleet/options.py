# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Options of roles and playbooks as what they are, wherever they come from.

An INI inventory and ``-e key=value`` hold strings only: ``false`` is a string there, and a true one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from textwrap import shorten
from typing import Any

import yaml
from ansible.module_utils.common.validation import (
    check_type_bool,
    check_type_dict,
    check_type_float,
    check_type_int,
)
from ansible.module_utils.parsing.convert_bool import BOOLEANS_FALSE, BOOLEANS_TRUE

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError

_NOUNS = {
    "str": "a string",
    "path": "a path",
    "bool": "a boolean (true or false)",
    "int": "a whole number",
    "float": "a number",
    "list": "a list",
    "dict": "a dictionary",
}


class OptionRefused(PgFleetError):
    """An option of a role or a word of a playbook is not what it must be."""

    code = "wrong_option"


class TypesAreLost(PgFleetError):
    """Templates make a string of every number and boolean."""

    code = "types_lost"


def check_types_are_kept(core: str, native: bool) -> None:
    """Before 2.19, ansible-core keeps the types of what templates compute only where it is told to."""
    if not native and tuple(map(int, core.split(".")[:2])) < (2, 19):
        raise TypesAreLost(
            f"ansible-core {core} makes a string of every number and boolean.",
            "Use 2.19.5 or newer, or set jinja2_native = true in ansible.cfg.",
        )


def typed(
    value: Any, name: str, kind: str = "str", elements: str = "str", choices: Iterable[Any] = (), secret: bool = False
) -> Any:
    """The value as its type, or a refusal by name."""
    try:
        if kind == "str" and isinstance(value, bool) and not choices:
            raise TypeError(value)
        return _chosen(_list(value, elements) if kind == "list" else _CONVERTERS[kind](value), list(choices))
    except (TypeError, ValueError) as error:
        raise OptionRefused(
            f"{name} is {_found(value, secret)}, but must be {_noun(kind, elements, list(choices))}.",
            _remedy(name, kind, elements),
        ) from error


def typed_by(specification: Mapping[str, Any], value: Any, name: str) -> Any:
    """The value as an argument specification describes it."""
    return typed(
        value,
        name,
        specification.get("type", "str"),
        specification.get("elements", "str"),
        specification.get("choices", ()),
        specification.get("no_log", False),
    )


def problems(specifications: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]) -> list[OptionRefused]:
    """Why options that were given cannot be taken, one for each that is wrong."""
    found = []
    for name in sorted(set(specifications) & set(given)):
        try:
            _in_range(specifications[name], given[name], name)
        except OptionRefused as error:
            found.append(error)
    return found


def _in_range(specification: Mapping[str, Any], given: Any, name: str) -> None:
    """Numbers have a ``range``, from and to; without one they may not be negative."""
    value, kind = typed_by(specification, given, name), specification.get("type", "str")
    if kind not in ("int", "float"):
        return
    lowest, highest = [*specification.get("range", [0]), None][:2]
    if value < lowest or (highest is not None and value > highest):
        limits = f"from {lowest} to {highest}" if highest is not None else f"of at least {lowest}"
        raise OptionRefused(
            f"{name} is {_found(given, False)}, but must be {_NOUNS[kind]} {limits}.", _remedy(name, kind, "")
        )


def _found(value: Any, secret: bool) -> str:
    if value is None:
        return "null"
    return "another value" if secret else shorten(repr(value), 100, placeholder=" …")


def _noun(kind: str, elements: str, choices: Sequence[Any]) -> str:
    if choices:
        return "one of " + ", ".join(map(str, choices))
    if kind == "list":
        return f"a list of {_NOUNS[elements].split(' (')[0].split(' ', 1)[1].replace('dictionary', 'dictionarie')}s"
    return _NOUNS[kind]


def _remedy(name: str, kind: str, elements: str) -> str:
    if kind == "list" and elements == "str":
        return f"On the command line: -e {name}=ONE,TWO."
    if kind in ("list", "dict"):
        sample = "{…}" if kind == "dict" else "[…]"
        return f"On the command line: -e '{{\"{name}\": {sample}}}'."
    return "Leave it out for its default." if kind != "bool" else ""


def _chosen(value: Any, choices: list[Any]) -> Any:
    """YAML reads off and on as booleans; the choice that means the same is taken."""
    if not choices or value in choices:
        return value
    for word, meaning in (("False", BOOLEANS_FALSE), ("True", BOOLEANS_TRUE)):
        matching = [choice for choice in choices if choice in meaning]
        if value == word and len(matching) == 1:
            return matching[0]
    raise ValueError(value)


def _string(value: Any) -> str:
    if value is None or isinstance(value, (Mapping, list, tuple)):
        raise TypeError(value)
    return value if isinstance(value, str) else str(value)


def _boolean(value: Any) -> bool:
    return bool(check_type_bool(value))


def _whole(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError(value)
    return int(check_type_int(value))


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError(value)
    number = float(check_type_float(value))
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _dictionary(value: Any) -> Any:
    if value == "":
        return {}
    return value if isinstance(value, Mapping) else check_type_dict(value)


def _list(value: Any, elements: str) -> list[Any]:
    return [_CONVERTERS[elements](element) for element in _elements(value, elements)]


def _elements(value: Any, elements: str) -> Sequence[Any]:
    if isinstance(value, (list, tuple)):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool) and elements != "dict":
        return [value]
    if not isinstance(value, str) or (elements == "dict" and value.strip()):
        raise TypeError(value)
    if elements == "str" and value.strip().startswith("["):
        return _written_list(value)
    words = [word.strip() for word in value.split(",")] if value.strip() else []
    if "" in words:
        raise ValueError(value)
    return words


def _written_list(text: str) -> list[Any]:
    try:
        parsed = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(text) from error
    if not isinstance(parsed, list):
        raise TypeError(text)
    return parsed


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "str": _string,
    "path": _string,
    "bool": _boolean,
    "int": _whole,
    "float": _number,
    "dict": _dictionary,
}

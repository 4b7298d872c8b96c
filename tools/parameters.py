"""Write docs/parameters.md, a table of every option of every role, from the roles' argument specs; with --check only compare."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/parameters.md"
ROLES = (
    "pg_server", "pg_primary", "pg_standby", "pg_operate", "pagila_load", "pg_drill", "pki", "pg_backup", "container_host", "container", "kvm_host",
    "kvm_image", "kvm_vm",
)  # fmt: skip
HEAD = """# Parameters

Every option of every role. All of them work from YAML, from an INI inventory, from `-e key=value` and from `-e '{json}'`; one that cannot be
what it must be is refused by its name before anything is done. `make format` writes this page from the roles' `meta/argument_specs.yml`.
"""
_MARKUP = re.compile(r"\b[A-Z]\(([^()]*)\)")


def options_of(role: str) -> dict[str, Mapping[str, Any]]:
    """By name, each once, whichever entry point takes it."""
    entries = yaml.safe_load((ROOT / f"roles/{role}/meta/argument_specs.yml").read_text())["argument_specs"]
    return {name: option for entry in entries.values() for name, option in entry.get("options", {}).items()}


def plain(text: str) -> str:
    """Ansible's markup as Markdown's."""
    return _MARKUP.sub(
        lambda found: f"`{found[1].removesuffix('#role').removesuffix('#module')}`", " ".join(text.split())
    )


def row(name: str, option: Mapping[str, Any]) -> str:
    said = option.get("description", "")
    sentences = plain(said if isinstance(said, str) else " ".join(said))
    kind = option.get("type", "str") + (f" of {option['elements']}" if "elements" in option else "")
    choices = (
        f" One of {', '.join(f'`{each}`' for each in map(shown, option['choices']))}." if "choices" in option else ""
    )
    default = "required" if option.get("required") else f"`{shown(option['default'])}`" if "default" in option else ""
    return f"| `{name}` | {kind} | {default} | {(sentences + choices).replace('|', chr(92) + '|')} |".replace("``", "")


def shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def page() -> Iterator[str]:
    yield HEAD
    for role in ROLES:
        options = options_of(role)
        if options:
            yield f"## [{role}](../roles/{role}/README.md)\n"
            yield "| option | type | default | what it says |\n| --- | --- | --- | --- |"
            yield from (row(name, option) for name, option in options.items())
            yield ""


def main() -> int:
    text = "\n".join(page()).rstrip("\n") + "\n"
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text)
    elif not PAGE.exists() or PAGE.read_text() != text:
        print("docs/parameters.md is not that of the argument specs: run make format.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

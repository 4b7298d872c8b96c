"""What the documentation promises about the code."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def codes_in_notes() -> set[str]:
    """Codes that modules name in their notes."""
    texts = [path.read_text() for path in (ROOT / "plugins/modules").glob("*.py")]
    notes = [
        text.split("On failure RV(ignore:code)")[1].split("\nseealso")[0] for text in texts if "On failure" in text
    ]
    return {code for note in notes for code in re.findall(r"C\(([a-z_]+)\)", note)}


def codes_of_classes() -> set[str]:
    """Codes that error classes carry."""
    texts = [path.read_text() for path in (ROOT / "plugins").rglob("*.py")]
    return {code for text in texts for code in re.findall(r'^    code = "([a-z_]+)"$', text, re.MULTILINE)}


def test_every_code_has_its_line() -> None:
    families = {"error", "directory_refused", "topology_conflict", "slot_conflict"}  # every error of theirs has its own
    documented = set(re.findall(r"`([a-z_]+)`", (ROOT / "docs/reason-codes.md").read_text()))
    assert codes_in_notes() | codes_of_classes() > {"no_hba_entry", "clone_failed"}
    assert (codes_in_notes() | codes_of_classes()) - documented - families == set()

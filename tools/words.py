"""Find retired words: those of the table in CONTRIBUTING.md, in everything that people read but the tests."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIST = "CONTRIBUTING.md"
READ = (".md", ".yml", ".j2", ".py", ".sh")
NOT_READ = ("tests/", "molecule/", "changelogs/", LIST)
_ROW = re.compile(r"^\| ([a-z' ]+) \| (.+) \|$", re.MULTILINE)


def retired(text: str) -> dict[str, str]:
    """Words and what to write instead, from the table under the heading Words."""
    section = text.split("\n## Words\n", 1)[1].split("\n## ", 1)[0]
    rows = dict(_ROW.findall(section))
    rows.pop("instead of", None)
    return rows


def main() -> int:
    words = retired((ROOT / LIST).read_text())
    pattern = re.compile(rf"\b({'|'.join(words)})\b", re.IGNORECASE)
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    found = 0
    for name in listed:
        if not name.endswith(READ) or name.startswith(NOT_READ) or not (ROOT / name).is_file():
            continue
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
            for word in pattern.findall(line):
                print(f"{name}:{number}: '{word}'; write {words[word.lower()]}")
                found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Small files as they are wanted and as they are found, and which of them to write. No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .._errors import InvalidInput

SECRET = "(a secret)"


@dataclass(frozen=True)
class FoundFile:
    """What lies at a path. ``text`` is known only where the file itself is read."""

    sha256: str = ""
    owner: str = ""
    mode: str = ""
    text: str = ""

    @property
    def exists(self) -> bool:
        return bool(self.sha256)


@dataclass(frozen=True)
class WantedFile:
    """One file. ``keep``: whatever is there already stays as it is."""

    path: str
    text: str
    owner: str
    mode: str = "0644"
    secret: bool = False
    keep: bool = False
    validate: tuple[str, ...] = ()

    @classmethod
    def from_params(cls, params: Mapping[str, Any], owner: str) -> WantedFile:
        secret = params.get("secret_content")
        content = params.get("content")
        if (content is None) == (secret is None):
            raise InvalidInput(
                f"The file '{params['path']}' has {'no' if secret is None else 'two kinds of'} content.",
                "Give either content or secret_content.",
            )
        return cls(
            path=params["path"],
            text=str(content if secret is None else secret),
            owner=owner,
            mode=params.get("mode") or ("0644" if secret is None else "0600"),
            secret=secret is not None,
            keep=bool(params.get("keep")),
            validate=tuple(params.get("validate") or ()),
        )

    @property
    def sha256(self) -> str:
        return digest_of(self.text.encode())

    def is_met_by(self, found: FoundFile) -> bool:
        if self.keep and found.exists:
            return True
        return (found.sha256, found.owner, found.mode) == (self.sha256, self.owner, self.mode)


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def files_to_write(wanted: Iterable[WantedFile], found: Mapping[str, FoundFile]) -> list[WantedFile]:
    """The files that are not there as they are wanted, in the order of the wish."""
    return [file for file in wanted if not file.is_met_by(found.get(file.path, FoundFile()))]


def differing(wanted: Iterable[Mapping[str, Any]], found: Mapping[str, Any], owner: str) -> list[Mapping[str, Any]]:
    """The same for options of config_files, and for what node_info says of the files."""
    have = {path: FoundFile(**facts) for path, facts in found.items()}
    return [options for options in wanted if files_to_write([WantedFile.from_params(options, owner)], have)]


def file_diff(wanted: WantedFile, found: FoundFile) -> dict[str, str]:
    """Before and after of one file, for ``--diff``; never the text of a secret."""
    after = SECRET if wanted.secret else wanted.text
    before = SECRET if wanted.secret and found.exists else found.text
    if found.exists and (found.owner, found.mode) != (wanted.owner, wanted.mode):
        before = f"# {found.owner} {found.mode}\n{before}"
        after = f"# {wanted.owner} {wanted.mode}\n{after}"
    return {"before_header": wanted.path, "after_header": wanted.path, "before": before, "after": after}

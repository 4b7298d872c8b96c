# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What no archive can be made of, by the inventory and what the look at the machines has told. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

PLAIN, PATH = "plain", "path"


def archive_problems(wanted: Mapping[str, Any]) -> list[str]:
    """A sentence with its remedy for each.

    ``wanted`` has C(provider), C(repository), C(path), C(shared), C(cipher) and C(options), as the variables of role pg_backup,
    C(addresses) and C(adopted) nodes of the fleet, and C(data_directory) of the node.
    """
    return [*_of_nodes(wanted), *(_of_path(wanted) if wanted["repository"] == PATH else ()), *_of_provider(wanted)]


def _of_nodes(wanted: Mapping[str, Any]) -> Iterator[str]:
    if wanted["adopted"]:
        names = ", ".join(wanted["adopted"])
        yield f"{names}: adopted, so its settings for the archive stay its own. Set pg_backup_enabled to false for this fleet."


def _of_path(wanted: Mapping[str, Any]) -> Iterator[str]:
    path, data = str(wanted["path"]).rstrip("/"), str(wanted["data_directory"]).rstrip("/")
    if not path.startswith("/"):
        yield f"pg_backup_path '{wanted['path']}' is no directory below the root. Give one that begins with '/'."
    elif f"{path}/".startswith(f"{data}/") or f"{data}/".startswith(f"{path}/"):
        yield f"pg_backup_path '{path}' and the data directory '{data}' lie one in the other, so one would be lost with the other. Give another path."
    if len(wanted["addresses"]) > 1 and not wanted["shared"]:
        yield (
            f"{path} would be another directory on each of {', '.join(wanted['addresses'])}, so that a backup and its WAL would be torn apart."
            " Mount one directory on all of them and set pg_backup_path_shared to true, or choose another pg_backup_repository."
        )


def _of_provider(wanted: Mapping[str, Any]) -> Iterator[str]:
    if wanted["provider"] == PLAIN and (wanted["repository"] != PATH or wanted["cipher"] == "on"):
        yield (
            "pg_backup_provider is plain, which knows nothing but a directory and no encryption. Set pg_backup_repository to path and"
            " pg_backup_cipher to auto or off, or use pgbackrest."
        )
    if wanted["repository"] != PATH and not any(str(name).startswith("repo1-") for name in wanted["options"]):
        yield (
            "pg_backup_repository is options, and pg_backup_options says nothing of a repository. Give at least repo1-type and repo1-path."
        )

# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  provider:
    description:
      - What keeps the backups and the archive of the WAL.
      - V(pgbackrest) is a stanza of pgBackRest, 2.45 or newer, as O(config_file) says. It may lie anywhere that pgBackRest can reach.
      - >-
        V(plain) needs nothing but PostgreSQL: a directory, O(repository), which may be a mount that all nodes share. The server archives into
        C(archive) below it, by C(archive_library=basic_archive) (PostgreSQL 15 and newer) or by a command that never writes over a file, and base
        backups of C(pg_basebackup) lie in C(backups).
    type: str
    default: pgbackrest
    choices: [pgbackrest, plain]
  stanza:
    description: Stanza of the cluster. For O(provider=pgbackrest), and needed there.
    type: str
  config_file:
    description:
      - Configuration file of pgBackRest. For O(provider=pgbackrest), and needed there.
      - It says where the repository is, its passphrase, and how pgBackRest reaches the server (C(pg1-path)). None of that goes on a command line.
    type: path
  repository:
    description: Directory of the repository. For O(provider=plain), and needed there.
    type: path
  bin_dir:
    description: Directory of pg_basebackup and its companions. Without it, that of the server's major version is looked for.
    type: path
notes:
  - Run the task as the operating-system user of the server (C(become_user)), never as root, whose files the server could not archive beside.
  - pgBackRest's own words come first where it refuses something, and C(remedy) says what to do.
"""

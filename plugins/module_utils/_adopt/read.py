# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Read a server that is to be adopted, by its own psql: the machine may lack psycopg2 yet."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from .._datadir.facts import find_server
from .._host.machine import owner_name, read_text
from .._node.place_read import OWNED_SETTINGS
from .._postgres.settings import read_settings
from .._settings.conf import ServerConf, read_server_conf
from .plan import AdoptionRefused, FoundServer

_SQL = """
SELECT json_build_object(
  'settings', (SELECT json_object_agg(name, current_setting(name)) FROM pg_settings WHERE name = ANY (string_to_array(:'names', ','))),
  'restarting', (SELECT coalesce(json_agg(name), '[]') FROM pg_settings WHERE context = 'postmaster'),
  'checksums', current_setting('data_checksums'),
  'slots', (SELECT count(*) FROM pg_replication_slots WHERE NOT slot_name = ANY (string_to_array(:'slots', ','))),
  'senders', (SELECT coalesce(json_agg(json_build_object('name', application_name, 'address', host(client_addr))), '[]')
              FROM pg_stat_replication WHERE application_name <> 'pg_basebackup'),
  'role', (SELECT json_build_object('login', rolcanlogin, 'replication', rolreplication, 'superuser', rolsuper, 'password', rolpassword)
           FROM pg_authid WHERE rolname = :'role'))
"""


@dataclass(frozen=True)
class Subject:
    """The server that is to be adopted: where it lies, how its own user reaches it, and what of it will be the fleet's."""

    node: str
    owner: str
    config_directory: str
    data_directory: str
    bin_dir: str
    login_unix_socket: str
    login_port: int
    address: str
    slots: Sequence[str]
    replication_user: str

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Subject:
        return cls(**{each.name: params[each.name] for each in fields(cls)})


def ask(subject: Subject, names: Iterable[str]) -> dict[str, Any]:
    """What the running server says; raises with its own words where it does not let its own user in."""
    variables = {"names": ",".join(names), "slots": ",".join(subject.slots), "role": subject.replication_user}
    command = [os.path.join(subject.bin_dir, "psql"), "-XAtqw", "-v", "ON_ERROR_STOP=1", "-d", "postgres",
               "-h", subject.login_unix_socket, "-p", str(subject.login_port), "-U", subject.owner]  # fmt: skip
    command += [word for name, value in variables.items() for word in ("-v", f"{name}={value}")]
    environment = {**os.environ, "PGCONNECT_TIMEOUT": "10", "LC_ALL": "C", "PGOPTIONS": "-c statement_timeout=30s"}
    done = subprocess.run(command, input=_SQL, capture_output=True, text=True, check=False, env=environment, cwd="/")
    if done.returncode:
        raise AdoptionRefused(
            f"The server of {subject.node} does not let user '{subject.owner}' look at it: {' '.join(done.stderr.split())}",
            f"It must be a superuser that logs in by the socket (local all {subject.owner} peer). Nothing was changed.",
            "adopt_no_login",
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def refuse_layout(subject: Subject, conf: ServerConf) -> None:
    """Raise for a server that is not as postgresql-common makes and starts them."""
    config, data = subject.config_directory, subject.data_directory
    problem, remedy, code = "", "", "adopt_layout"
    hba = conf.values.get("hba_file", "")
    if not os.path.exists(os.path.join(data, "PG_VERSION")):
        problem, remedy = f"has no data in '{data}'", "Give it its data, or remove its configuration (pg_dropcluster)."
    elif os.path.realpath(hba) != os.path.realpath(f"{config}/pg_hba.conf"):
        problem = f"has its rules in '{hba or 'its data directory'}', not in {config}/pg_hba.conf"
        remedy = "Move the file there and set hba_file."
    elif os.path.realpath(f"{config}/conf.d") not in conf.directories:
        problem, code = f"does not read {config}/conf.d", "adopt_no_conf_d"
        remedy = f"Write the line include_dir 'conf.d' at the end of {config}/postgresql.conf."
    else:
        owner = owner_name(os.stat(data).st_uid)
        pid = find_server(data)
        runs_as = owner_name(os.stat(f"/proc/{pid}").st_uid) if pid else owner
        if {owner, runs_as} != {subject.owner}:
            problem, code = (
                f"belongs to user '{owner}' and runs as '{runs_as}', not as '{subject.owner}'",
                "adopt_owner",
            )
            remedy = "Only servers of that user can be adopted."
    if problem:
        raise AdoptionRefused(f"The server of {subject.node} {problem}.", f"{remedy} Nothing was changed.", code)


def covers(listens: str, address: str) -> bool:
    """Whether a server that listens so is reached at an address; both may be names."""
    words = [word.strip() for word in listens.split(",") if word.strip()]
    if "*" in words:
        return True
    wanted = _addresses(address)
    have = {found for word in words for found in _addresses(word)}
    every = {
        ":" in each: wildcard in words for each in wanted for wildcard in (("::",) if ":" in each else ("0.0.0.0",))
    }
    return bool(wanted & have) or any(every.values())


def _addresses(name: str) -> set[str]:
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(name, None)}
    except OSError:
        return {name}


def read_found(subject: Subject, names: Iterable[str]) -> tuple[FoundServer, Mapping[str, Any] | None]:
    """The server as its own files and its session have it, and the replication role where there is one."""
    own = f"{subject.config_directory}/{OWNED_SETTINGS}"
    conf = read_server_conf(subject.config_directory, {own: ""})
    refuse_layout(subject, conf)
    answer = ask(subject, names) if find_server(subject.data_directory) else None
    running = answer["settings"] if answer else None
    listens = conf.values.get("listen_addresses", "localhost")
    found = FoundServer(
        name=subject.node,
        values=conf.values,
        files=conf.files,
        running=running,
        restarting=frozenset(answer["restarting"] if answer else ()),
        written=read_settings(read_text(own)),
        checksums=bool(answer and answer["checksums"] == "on"),
        covered=covers(listens, subject.address),
        running_covered=covers((running or {}).get("listen_addresses", listens), subject.address),
        senders=tuple(answer["senders"] if answer else ()),
        slots=answer["slots"] if answer else 0,
    )
    return found, answer["role"] if answer else None

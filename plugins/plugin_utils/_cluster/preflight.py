# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What makes machines and their inventory unfit for a fleet, found before anything is changed. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._hba.check import check_rules
from ansible_collections.pgfleet.cluster.plugins.module_utils._hba.wanted import wanted_rules
from ansible_collections.pgfleet.cluster.plugins.module_utils._postgres.passfile import check_password
from ansible_collections.pgfleet.cluster.plugins.module_utils._role.names import role_names_problem
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.certificate import is_address

_MB = 1024 * 1024
#: What PostgreSQL keeps of a name (NAMEDATALEN - 1).
_NAME_BYTES = 63
_PLAIN_NAME = re.compile(r"[!$-&(-.0-\[\]-~]+")  # printable ASCII without blanks, quotes, '#', '/' and backslash
_FLEET = re.compile(r"[^\s/.]([^/\n]*[^\s/])?")
_CLUSTER = re.compile(r"[A-Za-z0-9_.-]+")
_SLOT = re.compile(r"[a-z0-9_]+")
#: libpq compares addresses with those of a certificate since then.
_FIRST_WITH_ADDRESSES = 15
_WILDCARDS = ("*", "0.0.0.0", "::", "0", "[::]")


class NotFit(PgFleetError):
    """Something must be put right first, on a machine or in the inventory; ``code`` is that of the first problem."""

    code = "not_fit"


@dataclass(frozen=True)
class Problem:
    """One thing that is not fit."""

    node: str
    code: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.node}: {self.message} {self.remedy}"


@dataclass(frozen=True)
class Member:
    """One node: what node_info says of its machine, and what the inventory says of it."""

    name: str
    info: Mapping[str, Any]
    address: str = ""
    slot: str = ""
    cluster: str = ""
    adopt: bool = False
    hba_rules: Sequence[Mapping[str, Any]] = ()
    replication_user: str = "replicator"
    rewind_user: str = "pgfleet_rewind"
    local: bool = False

    @property
    def config_directory(self) -> str:
        return str(self.info["config_directory"])

    @property
    def endpoint(self) -> str:
        return f"{self.address}:{self.info['port']['number']}"


@dataclass(frozen=True)
class Neighbour:
    """A node of another fleet in the same inventory; of one that the run leaves out only the inventory tells."""

    name: str
    fleet: str
    endpoint: str
    config_directory: str = ""
    secrets_directory: str = ""
    local: bool = False


@dataclass(frozen=True)
class Wishes:
    """What holds for all nodes; ``nodes`` are the names of the whole inventory."""

    fleet: str
    nodes: Sequence[str]
    min_free_mb: int = 0
    repository: str = "pgdg"
    releases: Mapping[str, int] | None = None
    replication_password: str | None = None
    neighbours: Sequence[Neighbour] = ()
    secrets_directory: str = ""
    certificates: bool = False


def refuse(problems: Sequence[Problem]) -> None:
    """Raise for problems, with all of them in the message."""
    if problems:
        text = " ".join(map(str, problems))
        raise NotFit(text, "Nothing was changed.", problems[0].code, problems=[asdict(each) for each in problems])


def identity_problems(members: Sequence[Member], wishes: Wishes) -> list[Problem]:
    """Where the inventory says something else than the machines, in every node's own words."""
    return [problem for member in members for problem in _identity(member, wishes)]


def _identity(member: Member, wishes: Wishes) -> Iterator[Problem]:
    for each in member.info.get("differences", ()):
        yield Problem(member.name, each["code"], each["message"], each["remedy"])
    found = member.info.get("node", "")
    if found and found != member.name and found in wishes.nodes and not member.info["unused"]:
        yield Problem(
            member.name,
            "node_differs",
            f"{member.info['config_directory']} belongs to the node '{found}' of this fleet.",
            "Give each node of one machine its own pg_server_cluster.",
        )


def destroy_problems(members: Sequence[Member]) -> list[Problem]:
    """Servers of the fleet that somebody else made: destroying them needs a word of its own."""
    return [
        Problem(
            member.name,
            "adopted",
            f"Its server ({member.info['data_directory']}) was made by somebody else and adopted; it may hold data that nobody else has.",
            "-e adopted=yes removes it too.",
        )
        for member in members
        if member.info["adopted"]
    ]


def preflight_problems(members: Sequence[Member], wishes: Wishes) -> list[Problem]:
    """Every reason not to begin; an empty list for machines and an inventory that are fit."""
    return [
        *([] if _is_fleet_name(wishes.fleet) else [_fleet_name(members, wishes)]),
        *_doubles(members),
        *(problem for member in members for problem in _neighbourhood(member, wishes)),
        *_shared_secrets(members, wishes),
        *_password(members, wishes),
        *(_certificates(members) if wishes.certificates else ()),
        *(problem for member in members for problem in _member(member, wishes)),
    ]


def _is_fleet_name(name: str) -> bool:
    return bool(_FLEET.fullmatch(name)) and name.isprintable()


def _fleet_name(members: Sequence[Member], wishes: Wishes) -> Problem:
    return Problem(
        members[0].name if members else "fleet",
        "fleet_name_invalid",
        f"pg_server_fleet is '{wishes.fleet}', which cannot be the name of a directory of its own.",
        "Give it letters, digits, '-' and '_'.",
    )


def _member(member: Member, wishes: Wishes) -> Iterator[Problem]:
    info = member.info
    if wishes.releases is not None and _system(info) not in wishes.releases:
        yield Problem(
            member.name,
            "system_not_supported",
            f"This machine runs {info['os']['name'] or _system(info)}, which is not supported.",
            f"Use one of: {', '.join(sorted(wishes.releases))}.",
        )
        return
    checks = (_node_name, _cluster_name, _slot_name, _address, _rules, _roles, _foreign_port, _foreign_cluster)
    yield from (problem for check in checks if (problem := check(member)))
    yield from (problem for each in (_space, _version) if (problem := each(member, wishes)))
    yield from _place(member)


def _system(info: Mapping[str, Any]) -> str:
    return f"{info['os']['id']}-{info['os']['version_id']}"


def _node_name(member: Member) -> Problem | None:
    if not member.name.isascii():
        return Problem(
            member.name,
            "node_name_invalid",
            f"The name '{member.name}' has characters outside of ASCII, which PostgreSQL replaces by '?' in application_name.",
            "Give the node a name of plain letters; ansible_host may have any address.",
        )
    if len(member.name) > _NAME_BYTES:
        return Problem(
            member.name,
            "node_name_invalid",
            f"The name has {len(member.name)} bytes, and PostgreSQL keeps {_NAME_BYTES} of application_name.",
            "Give the node a shorter name; ansible_host may have any address.",
        )
    if not _PLAIN_NAME.fullmatch(member.name):
        return Problem(
            member.name,
            "node_name_invalid",
            f"The name '{member.name}' has blanks, quotes, slashes or the like in it.",
            "Give the node a name of letters, digits, '-', '_' and '.'.",
        )
    return None


def _cluster_name(member: Member) -> Problem | None:
    name = member.cluster
    if _CLUSTER.fullmatch(name) and name not in (".", ".."):
        return None
    return Problem(
        member.name,
        "cluster_name_invalid",
        f"pg_server_cluster is '{name}', which pg_createcluster would refuse.",
        "Give it letters, digits, '-', '_' and '.'.",
    )


def _slot_name(member: Member) -> Problem | None:
    if _SLOT.fullmatch(member.slot) and len(member.slot) <= _NAME_BYTES:
        return None
    why = "is too long" if len(member.slot) > _NAME_BYTES else "is not of lower-case letters, digits and '_' only"
    return Problem(
        member.name,
        "slot_name_invalid",
        f"Its slot '{member.slot}' {why}.",
        f"Give this node a pg_server_slot of at most {_NAME_BYTES} such characters.",
    )


def _address(member: Member) -> Problem | None:
    address = member.address
    if address and address not in _WILDCARDS and not re.search(r"[\s,/'\"\\]", address):
        return None
    return Problem(
        member.name,
        "address_invalid",
        f"pg_server_address is '{address}', and nobody can connect to that.",
        "Give one address or name by which the other nodes reach this one.",
    )


def _foreign_port(member: Member) -> Problem | None:
    port = member.info["port"]
    if not port["busy"] or port["ours"]:
        return None
    return Problem(
        member.name,
        "port_in_use",
        f"Port {port['number']} is in use by {_holder(port.get('holder'))}.",
        "Stop it, or give this node another port (pg_server_port).",
    )


def _holder(holder: Mapping[str, Any] | None) -> str:
    if not holder:
        return "another program"
    if holder["program"] != "postgres":
        return f"another program ({holder['program']}, process {holder['pid']})"
    if not holder.get("cluster"):
        return f"a PostgreSQL server with its data in '{holder['data_directory']}', process {holder['pid']}, not made by this collection"
    whose = (
        f"node '{holder['node']}' of the fleet '{holder['fleet']}'" if holder["ours"] else "not made by this collection"
    )
    return (
        f"the PostgreSQL server of the cluster {holder['cluster']}, {whose},"
        f" with its data in '{holder['data_directory']}', process {holder['pid']}"
    )


def _foreign_cluster(member: Member) -> Problem | None:
    info = member.info
    if not info["configured"] or info["ours"] or member.adopt:
        return None
    return Problem(
        member.name,
        "cluster_foreign",
        f"{info['config_directory']} belongs to a server that this collection did not make.",
        "pg_server_adopt: true makes it a node of this fleet and keeps its data and settings;"
        " otherwise give this node another cluster name (pg_server_cluster).",
    )


def _space(member: Member, wishes: Wishes) -> Problem | None:
    space = member.info["filesystem"]
    free = space["free_bytes"] // _MB
    if free >= wishes.min_free_mb or member.info["configured"]:
        return None
    return Problem(
        member.name,
        "not_enough_space",
        f"{space['path']} has {free} MB free, but {wishes.min_free_mb} MB are needed.",
        "Make room, or lower pg_server_min_free_mb.",
    )


def _version(member: Member, wishes: Wishes) -> Problem | None:
    info = member.info
    shipped = (wishes.releases or {}).get(_system(info))
    if wishes.repository != "distribution" or info["version"] == shipped or not info["missing_packages"]:
        return None
    return Problem(
        member.name,
        "version_not_shipped",
        f"{info['os']['name']} ships PostgreSQL {shipped}, not {info['version']}.",
        "Set pg_server_version to 'distribution', or pg_server_repository to 'pgdg'.",
    )


def _place(member: Member) -> Iterator[Problem]:
    """What would stop a data directory from being made; one that is there and is a cluster is judged by others."""
    data, path = member.info.get("data"), member.info["data_directory"]
    if not data or data["cluster"]:
        return
    if data["exists"] and not data["is_directory"]:
        yield _not_usable(member, "not_a_directory", f"'{path}' is not a directory.", "Move it away.")
    elif data["mount_point"]:
        below = f"such as '{path.rstrip('/')}/data'"
        with_what = " (with lost+found in it)" if "lost+found" in data["entries"] else ""
        yield _not_usable(
            member,
            "mount_point",
            f"'{path}' is a mount point{with_what}: a finished directory cannot be renamed over it.",
            f"Give a directory below it, {below}.",
        )
    elif data["entries"]:
        names = ", ".join(data["entries"][:3])
        yield _not_usable(
            member,
            "foreign_files",
            f"'{path}' has files in it that are not those of a cluster ({names}).",
            "Move them away.",
        )
    elif data["parent_writable"] is False:
        yield _not_usable(
            member,
            "not_permitted",
            f"The server's user may not write in '{data['parent']}', where '{path}' is to be made.",
            "Make its parent directory, owned by that user.",
        )


def _not_usable(member: Member, code: str, message: str, remedy: str) -> Problem:
    return Problem(member.name, code, message, f"{remedy} Or give another pg_server_data_directory.")


def _doubles(members: Sequence[Member]) -> Iterator[Problem]:
    for member in members:
        twins = [each.name for each in members if each.endpoint == member.endpoint]
        if len(twins) > 1 and twins[0] == member.name:
            yield Problem(
                member.name,
                "address_taken",
                f"{len(twins)} nodes of the inventory have the address {member.endpoint} ({', '.join(twins)}).",
                "Give each its own pg_server_address or port.",
            )
        twins = [each.name for each in members if each.slot == member.slot]
        if len(twins) > 1 and twins[0] == member.name:
            yield Problem(
                member.name,
                "slot_name_taken",
                f"The nodes {' and '.join(twins)} would have one slot, '{member.slot}'.",
                "Give all of them but one another pg_server_slot.",
            )

        twins = [each.name for each in members if _same_cluster(each, member)]
        if len(twins) > 1 and twins[0] == member.name:
            yield _cluster_taken(member, " and ".join(twins))


def _same_cluster(one: Member | Neighbour, other: Member | Neighbour) -> bool:
    """Whether two nodes that this machine runs itself would be one of its clusters."""
    return one.local and other.local and one.config_directory == other.config_directory


def _cluster_taken(member: Member, who: str) -> Problem:
    return Problem(
        member.name,
        "cluster_taken",
        f"The nodes {who} would both be the cluster '{member.cluster}' of this machine.",
        "Give each its own pg_server_cluster, such as {{ pg_server_fleet }}_{{ inventory_hostname }}.",
    )


def _neighbourhood(member: Member, wishes: Wishes) -> Iterator[Problem]:
    """What a node of another fleet has already."""
    for other in wishes.neighbours:
        if other.endpoint == member.endpoint:
            yield Problem(
                member.name,
                "address_taken",
                f"Its address {member.endpoint} is also that of {other.name} of the fleet {other.fleet}.",
                "Give each its own pg_server_address or port.",
            )
        elif _same_cluster(other, member):
            yield _cluster_taken(member, f"{member.name} and {other.name} (fleet {other.fleet})")


def _shared_secrets(members: Sequence[Member], wishes: Wishes) -> Iterator[Problem]:
    where = wishes.secrets_directory
    sharing = sorted({each.fleet for each in wishes.neighbours if where and each.secrets_directory == where})
    if sharing and members:
        yield Problem(
            members[0].name,
            "secrets_shared",
            f"The fleets {', '.join([wishes.fleet, *sharing])} have one directory for their secrets, '{where}'.",
            "Give each fleet its own pg_server_secrets_directory; the default has the fleet's name in it.",
        )


def _rules(member: Member) -> Problem | None:
    try:
        check_rules(wanted_rules(member.hba_rules)[0])
    except PgFleetError as error:
        return Problem(member.name, error.code, f"pg_server_hba_rules: {error.message}", error.remedy)
    return None


def _roles(member: Member) -> Problem | None:
    problem = role_names_problem(member.replication_user, member.rewind_user)
    return Problem(member.name, "role_name_invalid", *problem) if problem else None


def _password(members: Sequence[Member], wishes: Wishes) -> Iterator[Problem]:
    if wishes.replication_password is None:
        return
    try:
        check_password(wishes.replication_password)
    except PgFleetError as error:
        yield Problem(members[0].name if members else "fleet", error.code, error.message, error.remedy)


def _certificates(members: Sequence[Member]) -> Iterator[Problem]:
    """Where nodes cannot prove to each other who they are, although pki_mode says so, or nobody has said otherwise."""
    line = "Write 'pki_mode: snakeoil' into the inventory's variables of this fleet"
    adopted = [each.name for each in members if each.info["adopted"] or _becomes_adopted(each)]
    if adopted:
        yield Problem(
            ", ".join(adopted),
            "certificates_of_adopted",
            "A server that somebody else made keeps its own settings for TLS, so the other nodes could not check its certificate.",
            f"{line}: nodes then log in at each other with a password, over TLS as each server offers it.",
        )
    for each in members:
        if each.info["version"] < _FIRST_WITH_ADDRESSES and is_address(each.address):
            yield Problem(
                each.name,
                "certificates_by_address",
                f"The client library of PostgreSQL {each.info['version']} looks for names in a certificate, not for addresses such as {each.address}.",
                f"Give pg_server_address a name that all nodes can look up, such as {{{{ inventory_hostname }}}}. Or: {line[0].lower()}{line[1:]}.",
            )


def _becomes_adopted(member: Member) -> bool:
    return bool(member.adopt and member.info["configured"] and not member.info["ours"])

"""pg_hba.conf: what a rule may be, and what becomes of a file."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._hba.check import check_rules
from ansible_collections.pgfleet.cluster.plugins.module_utils._hba.file import (
    FLEET,
    LAST,
    HbaText,
    WantedBlocks,
    fleet_rules,
    plan_text,
    read_text,
    unique,
    without_effect,
)
from ansible_collections.pgfleet.cluster.plugins.module_utils._hba.rule import parse_line
from ansible_collections.pgfleet.cluster.plugins.module_utils._hba.wanted import wanted_rules

LOGINS = (("replication", "replicator"), ("postgres", "pgfleet_rewind"))
APP = {"contype": "host", "databases": "app", "users": "app", "address": "192.0.2.0/24", "method": "scram-sha-256"}


def rule(**more: Any) -> dict[str, Any]:
    return {key: value for key, value in {**APP, **more}.items() if value is not None}


@pytest.mark.parametrize(
    ("given", "line"),
    [
        pytest.param(rule(), "host app app 192.0.2.0/24 scram-sha-256", id="plain"),
        pytest.param(rule(databases=None, users=None), "host all all 192.0.2.0/24 scram-sha-256", id="everybody"),
        pytest.param(rule(databases="app,other", users=["a", "b"]), "host app,other a,b 192.0.2.0/24 scram-sha-256", id="lists"),
        pytest.param(rule(databases="app, other"), "host app,other app 192.0.2.0/24 scram-sha-256", id="space after a comma"),
        pytest.param(rule(users='"Odd Name",b'), 'host app "Odd Name",b 192.0.2.0/24 scram-sha-256', id="quoted text"),
        pytest.param(rule(users=["Odd, name", "b"]), 'host app "Odd, name",b 192.0.2.0/24 scram-sha-256', id="list quotes"),
        pytest.param(rule(users=['a"b']), 'host app "a""b" 192.0.2.0/24 scram-sha-256', id="a quote in a name"),
        pytest.param(rule(users='"all"'), 'host app "all" 192.0.2.0/24 scram-sha-256', id="a role called all"),
        pytest.param(rule(users="+group"), "host app +group 192.0.2.0/24 scram-sha-256", id="group"),
        pytest.param(rule(databases="/^app"), "host /^app app 192.0.2.0/24 scram-sha-256", id="regular expression"),
        pytest.param(rule(databases=123), "host 123 app 192.0.2.0/24 scram-sha-256", id="a name that YAML reads as a number"),
        pytest.param(rule(address="192.0.2.7"), "host app app 192.0.2.7/32 scram-sha-256", id="one address"),
        pytest.param(rule(address="2001:db8::7"), "host app app 2001:db8::7/128 scram-sha-256", id="one IPv6 address"),
        pytest.param(rule(address="192.0.2.0", netmask="255.255.255.0"), "host app app 192.0.2.0/24 scram-sha-256", id="netmask"),
        pytest.param(rule(address="::", netmask="ffff::"), "host app app ::/16 scram-sha-256", id="IPv6 netmask"),
        pytest.param(rule(address="samenet"), "host app app samenet scram-sha-256", id="samenet"),
        pytest.param(rule(address=".example.com"), "host app app .example.com scram-sha-256", id="domain"),
        pytest.param(rule(address=None, src="node1"), "host app app node1 scram-sha-256", id="alias"),
        pytest.param({"contype": "local", "method": "peer", "options": "map=ops"}, "local all all peer map=ops", id="map"),
        pytest.param({"contype": "local", "method": "peer", "address": "samehost"}, "local all all peer", id="local has none"),
        pytest.param(rule(method="reject", contype="hostgssenc"), "hostgssenc app app 192.0.2.0/24 reject", id="hostgssenc"),
        pytest.param(
            rule(contype="hostssl", method="cert", options={"map": "ops", "clientcert": "verify-full"}),
            "hostssl app app 192.0.2.0/24 cert map=ops clientcert=verify-full", id="options",
        ),
        pytest.param(
            rule(method="ldap", options=["ldapserver=a", 'ldapprefix="cn=x, "']),
            'host app app 192.0.2.0/24 ldap ldapserver=a ldapprefix="cn=x, "', id="quoted option",
        ),
        pytest.param(rule(comment="# the office"), "host app app 192.0.2.0/24 scram-sha-256 # the office", id="comment"),
    ],
)  # fmt: skip
def test_a_rule_becomes_a_line_and_the_same_rule_again(given: dict[str, Any], line: str) -> None:
    (wanted,), _absent = wanted_rules([given])
    check_rules([wanted])
    assert wanted.line() == line
    read = parse_line(line)
    assert read is not None and read.meaning == wanted.meaning


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param("host all all", "not a dictionary", id="text"),
        pytest.param(rule(contype=None), "no contype", id="no contype"),
        pytest.param(rule(contype="tcp"), "'tcp' is not a contype", id="unknown contype"),
        pytest.param(rule(method=None), "no method", id="no method"),
        pytest.param(rule(method="scram"), "'scram' is not a method", id="unknown method"),
        pytest.param(rule(method="sspi"), "'sspi' is not a method", id="a method of another system"),
        pytest.param(rule(address=None), "no address", id="no address"),
        pytest.param(rule(address="192.0.2.0/33"), "'192.0.2.0/33' is not a network", id="bad mask"),
        pytest.param(rule(address="192.0.2.300"), "'192.0.2.300' is not a network", id="bad address"),
        pytest.param(rule(address="192.0.2.7/24"), "host bits set. Write 192.0.2.0/24, or 192.0.2.7/32", id="host bits"),
        pytest.param(rule(address="my host"), "neither an address", id="a host name with a space"),
        pytest.param(rule(address="192.0.2.0", netmask="255.0.255.0"), "do not fit", id="netmask with a hole"),
        pytest.param(rule(address="192.0.2.0", netmask="ffff::"), "do not fit", id="netmask of another family"),
        pytest.param(rule(adress="x"), "'adress' is not a part of a rule", id="wrong key"),
        pytest.param(rule(user="x"), "'user' is not a part of a rule", id="singular key"),
        pytest.param(rule(src="samenet"), "more than one address", id="address twice"),
        pytest.param(rule(state="gone"), "state is 'gone'", id="state"),
        pytest.param(rule(users="odd name"), "not one field", id="two fields"),
        pytest.param(rule(users='"odd'), "does not end", id="open quote"),
        pytest.param(rule(users="a#b"), "not one field", id="begin of a comment"),
        pytest.param(rule(users="a\nhost all all all trust"), "one line", id="a line break"),
        pytest.param(rule(comment="x\\"), "backslash", id="a line that goes on"),
        pytest.param(rule(users=True), "True, not text", id="what YAML reads as yes"),
        pytest.param(rule(users=["x" * 256]), "more than 255 bytes", id="too long for the server"),
        pytest.param(rule(address=".example.com", method="cert"), "method cert is not for contype host", id="cert without TLS"),
        pytest.param(rule(method="peer"), "method peer is not for contype host", id="peer over TCP"),
        pytest.param({"contype": "local", "method": "gss"}, "not for contype local", id="gss on the socket"),
        pytest.param(rule(options="map=x"), "option map is not for method scram", id="map without users"),
        pytest.param(rule(options="nonsense=x"), "'nonsense' is not an option", id="unknown option"),
        pytest.param(rule(options="clientcert=verify-ca"), "hostssl only", id="clientcert without TLS"),
        pytest.param(rule(contype="hostssl", options="clientcert=1"), "clientcert is '1'", id="clientcert of old"),
        pytest.param(rule(options="map"), "no value", id="option without a value"),
        pytest.param(rule(method="radius"), "needs the option radiusservers", id="radius without servers"),
        pytest.param(rule(method="ldap", options="ldapserver=a"), "needs one of the options ldapbasedn", id="ldap without a search"),
        pytest.param({"contype": "local", "method": "peer", "netmask": "255.0.0.0"}, "no netmask", id="local netmask"),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_refused_by_name(given: Any, words: str) -> None:
    with pytest.raises(PgFleetError) as caught:
        check_rules(wanted_rules([rule(), given])[0])
    assert words in str(caught.value)
    assert caught.value.code == "hba_rule_invalid"


def test_a_password_of_a_directory_service_is_not_shown() -> None:
    given = rule(method="ldap", options={"ldapbindpasswd": "hush", "nonsense": "x"})
    with pytest.raises(PgFleetError) as caught:
        check_rules(wanted_rules([given])[0])
    assert "hush" not in str(caught.value)
    with pytest.raises(PgFleetError) as caught:
        wanted_rules([{**given, "contype": "tcp"}])
    assert "hush" not in str(caught.value)


def test_the_rules_of_a_fleet() -> None:
    first, last = fleet_rules(
        ["192.0.2.1", "2001:db8::1", "node1", "192.0.2.1"], (("replication", "Odd role"), LOGINS[1])
    )
    assert [rule.line() for rule in first] == [
        "local all postgres peer",
        'host replication "Odd role" 192.0.2.1/32 scram-sha-256',
        'host replication "Odd role" 2001:db8::1/128 scram-sha-256',
        'host replication "Odd role" node1 scram-sha-256',
        "host postgres pgfleet_rewind 192.0.2.1/32 scram-sha-256",
        "host postgres pgfleet_rewind 2001:db8::1/128 scram-sha-256",
        "host postgres pgfleet_rewind node1 scram-sha-256",
    ]
    assert [rule.line() for rule in last] == ["local all all peer"]


def test_logins_that_must_show_a_certificate() -> None:
    first, last = fleet_rules(["192.0.2.1"], LOGINS, certificates=True)
    assert [rule.line() for rule in first] == [
        "local all postgres peer",
        "hostssl replication replicator 192.0.2.1/32 scram-sha-256 clientcert=verify-full",
        "hostssl postgres pgfleet_rewind 192.0.2.1/32 scram-sha-256 clientcert=verify-full",
    ]
    assert [rule.line() for rule in last] == ["local all all peer"]


def test_rules_that_are_there_twice_or_never_match() -> None:
    own = wanted_rules([rule(), rule(comment="again"), rule(method="md5"), rule(users='"app"')])[0]
    assert [item.line() for item in unique(own)] == [
        "host app app 192.0.2.0/24 scram-sha-256",
        "host app app 192.0.2.0/24 md5",
    ]
    assert [(item.method, before.method) for item, before in without_effect(own)] == [("md5", "scram-sha-256")]


def wanted(*own: dict[str, Any]) -> WantedBlocks:
    present, absent = wanted_rules(own)
    first, last = fleet_rules(["192.0.2.1", "192.0.2.2"], LOGINS, present)
    return WantedBlocks({FLEET: first, LAST: last}, absent, LOGINS)


HEAD = """# BEGIN pgfleet: rules of the fleet
local all postgres peer
host replication replicator 192.0.2.1/32 scram-sha-256
host replication replicator 192.0.2.2/32 scram-sha-256
host postgres pgfleet_rewind 192.0.2.1/32 scram-sha-256
host postgres pgfleet_rewind 192.0.2.2/32 scram-sha-256
"""
END = "# END pgfleet: rules of the fleet\n"
TAIL = "# BEGIN pgfleet: last rules of the fleet\nlocal all all peer\n# END pgfleet: last rules of the fleet\n"
DEBIAN = "# a comment\n\nlocal   all   postgres   peer\nlocal\tall all peer\nhost all all 127.0.0.1/32 scram-sha-256"
OLD = """local\tall\tpostgres\tpeer
local\tall\tall\tpeer
host\treplication\treplicator\t192.0.2.1/32\tscram-sha-256
host\treplication\treplicator\t192.0.2.9/32\tscram-sha-256
host\treplication\treplicator\t198.51.100.1/32\tscram-sha-256
host\tpostgres\tpgfleet_rewind\t192.0.2.1/32\tscram-sha-256
host\tpostgres\tpgfleet_rewind\t192.0.2.9/32\tscram-sha-256
host\tapp\tapp\t192.0.2.0/24\tscram-sha-256
host\tother\tapp\t192.0.2.0/24\tscram-sha-256
host\tmine\tmine\t192.0.2.0/24\tmd5"""


@pytest.mark.parametrize(
    ("before", "own", "after"),
    [
        pytest.param("", (), HEAD + END + TAIL, id="no file"),
        pytest.param(DEBIAN, (), HEAD + END + DEBIAN + "\n" + TAIL, id="the distribution's lines stay"),
        pytest.param("odd \xff\r\nline", (), HEAD + END + "odd \xff\r\nline\n" + TAIL, id="what is no rule stays"),
        pytest.param(
            OLD, (rule(databases=["app", "other"]),),
            HEAD + "host app,other app 192.0.2.0/24 scram-sha-256\n" + END
            + "host\treplication\treplicator\t198.51.100.1/32\tscram-sha-256\nhost\tmine\tmine\t192.0.2.0/24\tmd5\n" + TAIL,
            id="lines of an earlier version move into the block",
        ),
        pytest.param(HEAD + "host x x all trust\n" + END + "mine\n" + TAIL, (), HEAD + END + "mine\n" + TAIL, id="a rule left"),
        pytest.param(
            "local all all reject\n" + HEAD + END + TAIL + "local app app trust\n", (),
            HEAD + END + "local all all reject\nlocal app app trust\n" + TAIL, id="lines around the blocks",
        ),
        pytest.param(
            "# BEGIN pgfleet: drill\nx\n# END pgfleet: drill\n" + HEAD + END, (),
            "# BEGIN pgfleet: drill\nx\n# END pgfleet: drill\n" + HEAD + END + TAIL, id="another block stays before it",
        ),
        pytest.param(
            HEAD + END + "host all all 0.0.0.0/0 trust\n" + TAIL,
            ({"contype": "host", "address": "0.0.0.0/0", "method": "trust", "state": "absent"},),
            HEAD + END + TAIL, id="a line that is to go",
        ),
    ],
)  # fmt: skip
def test_what_becomes_of_a_file(before: str, own: tuple[dict[str, Any], ...], after: str) -> None:
    assert plan_text(before, "pg_hba.conf", wanted(*own)) == after
    assert plan_text(after, "pg_hba.conf", wanted(*own)) == after


def test_a_block_without_rules_goes() -> None:
    text = HEAD + END + DEBIAN + "\n" + TAIL
    more = plan_text(text, "", WantedBlocks({"drill": wanted_rules([rule()])[0]}))
    assert more.startswith("# BEGIN pgfleet: drill\nhost app app")
    assert plan_text(more, "", WantedBlocks({"drill": []})) == text
    assert plan_text(text, "", WantedBlocks({FLEET: [], LAST: []})) == DEBIAN + "\n"


@pytest.mark.parametrize(
    "text", [HEAD, END, HEAD + HEAD + END, HEAD + END + HEAD + END], ids=["no end", "no begin", "nested", "twice"]
)
def test_damaged_marks_are_refused(text: str) -> None:
    with pytest.raises(PgFleetError, match="damaged") as caught:
        read_text(text, "pg_hba.conf")
    assert caught.value.code == "hba_marks_broken"


def test_an_empty_file_of_nothing() -> None:
    assert HbaText({}, "").render() == ""

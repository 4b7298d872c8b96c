# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""What the server's own parser would refuse in a rule (hba.c: parse_hba_line, parse_hba_auth_opt). No I/O."""

from __future__ import annotations

from collections.abc import Iterable

from .rule import LOCAL, Rule
from .wanted import HbaRuleInvalid

_EVERYWHERE = ("trust", "reject", "scram-sha-256", "md5", "password", "ident", "pam", "ldap", "radius", "oauth")
#: Methods that only some types of connections have.
_ONLY_FOR = {
    "peer": (LOCAL,),
    "cert": ("hostssl",),
    "gss": ("host", "hostssl", "hostnossl", "hostgssenc", "hostnogssenc"),
}
METHODS = (*_EVERYWHERE, *_ONLY_FOR)
_LDAP = (
    "ldapurl", "ldaptls", "ldapscheme", "ldapserver", "ldapport", "ldapbinddn", "ldapbindpasswd", "ldapsearchattribute",
    "ldapsearchfilter", "ldapbasedn", "ldapprefix", "ldapsuffix",
)  # fmt: skip
_RADIUS = ("radiusservers", "radiussecrets", "radiusports", "radiusidentifiers")
#: Options and the methods that take them.
_OPTIONS = {
    "map": ("ident", "peer", "gss", "cert", "oauth"),
    "pamservice": ("pam",),
    "pam_use_hostname": ("pam",),
    "krb_realm": ("gss",),
    "include_realm": ("gss",),
    "issuer": ("oauth",),
    "scope": ("oauth",),
    "validator": ("oauth",),
    "delegate_ident_mapping": ("oauth",),
    **dict.fromkeys(_LDAP, ("ldap",)),
    **dict.fromkeys(_RADIUS, ("radius",)),
}
_VALUES = {"clientcert": ("verify-ca", "verify-full"), "clientname": ("CN", "DN")}
_LDAP_SEARCHES = ("ldapbasedn", "ldapprefix", "ldapsuffix", "ldapurl")
_NEEDED = {"radius": ("radiusservers", "radiussecrets"), "oauth": ("issuer", "scope")}


def check_rules(rules: Iterable[Rule]) -> None:
    """Raise for the first rule that no server accepts."""
    for rule in rules:
        problem, remedy = _problem(rule)
        if problem:
            raise HbaRuleInvalid(
                f"The rule for pg_hba.conf '{rule.line(secrets=False)}' cannot be used: {problem}", remedy
            )


def _problem(rule: Rule) -> tuple[str, str]:
    if rule.method not in METHODS:
        return f"'{rule.method}' is not a method.", f"Use one of {', '.join(sorted(METHODS))}."
    contypes = _ONLY_FOR.get(rule.method, (rule.contype,))
    if rule.contype not in contypes:
        return f"method {rule.method} is not for contype {rule.contype}.", f"Use contype {' or '.join(contypes)}."
    for name, value in rule.options:
        problem, remedy = _option_problem(rule, name, value)
        if problem:
            return problem, remedy
    missing = [name for name in _NEEDED.get(rule.method, ()) if name not in dict(rule.options)]
    if missing:
        return f"method {rule.method} needs the option {missing[0]}.", "Add it to options."
    if rule.method == "ldap" and not set(_LDAP_SEARCHES) & set(dict(rule.options)):
        return f"method ldap needs one of the options {', '.join(_LDAP_SEARCHES)}.", "Add it to options."
    return "", ""


def _option_problem(rule: Rule, name: str, value: str) -> tuple[str, str]:
    if name in _VALUES:
        if rule.contype != "hostssl":
            return f"option {name} is for contype hostssl only.", "Leave it out, or use hostssl."
        allowed = ("verify-full",) if name == "clientcert" and rule.method == "cert" else _VALUES[name]
        return ("", "") if value in allowed else (f"{name} is '{value}'.", f"Use {' or '.join(allowed)}.")
    if name not in _OPTIONS:
        return f"'{name}' is not an option.", f"Use one of {', '.join(sorted([*_OPTIONS, *_VALUES]))}."
    if rule.method not in _OPTIONS[name]:
        return f"option {name} is not for method {rule.method}.", f"It is for {', '.join(_OPTIONS[name])}."
    return "", ""

# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Options that modules share. Names are those of community.postgresql."""

from __future__ import annotations

from typing import Any

CHANNEL_BINDINGS = ("disable", "prefer", "require")
SSL_MODES = ("allow", "disable", "prefer", "require", "verify-ca", "verify-full")


def tls_spec() -> dict[str, Any]:
    """The options of an encrypted connection (manual: SSL Support)."""
    return {
        "ssl_mode": {"type": "str", "default": "prefer", "choices": list(SSL_MODES)},
        "ca_cert": {"type": "path", "aliases": ["ssl_rootcert"]},
        "ssl_cert": {"type": "path"},
        "ssl_key": {"type": "path"},
        "channel_binding": {"type": "str", "default": "prefer", "choices": list(CHANNEL_BINDINGS)},
    }


def connection_spec(**more: Any) -> dict[str, Any]:
    """The argument spec of a module that connects to a server, with its own options added."""
    spec: dict[str, Any] = {
        "login_host": {"type": "str", "default": "", "aliases": ["host"]},
        "login_hostaddr": {"type": "str", "default": "", "aliases": ["hostaddr"]},
        "login_port": {"type": "int", "default": 5432, "aliases": ["port"]},
        "login_unix_socket": {"type": "str", "default": "", "aliases": ["unix_socket"]},
        "login_user": {"type": "str", "default": "postgres", "aliases": ["login"]},
        "login_password": {"type": "str", "default": "", "no_log": True},
        "login_db": {"type": "str", "default": "postgres"},
        "connect_timeout": {"type": "int", "default": 10},
        **tls_spec(),
    }
    spec.update(more)
    return spec


def repository_spec() -> dict[str, Any]:
    """The options that say where backups and WAL are kept."""
    return {
        "provider": {"type": "str", "default": "pgbackrest", "choices": ["pgbackrest", "plain"]},
        "stanza": {"type": "str"},
        "config_file": {"type": "path"},
        "repository": {"type": "path"},
        "bin_dir": {"type": "path"},
    }


def upstream_spec() -> dict[str, Any]:
    """Where a standby gets its WAL from."""
    return {"upstream": {"type": "str", "default": "stream", "choices": ["stream", "archive"]}}


def following_spec(**more: Any) -> dict[str, Any]:
    """The argument spec of a module whose connection options are those of a standby to its upstream server."""
    return connection_spec(
        login_user={"type": "str", "default": "replicator", "aliases": ["login"]},
        passfile={"type": "path"},
        slot={"type": "str"},
        application_name={"type": "str"},
        **more,
    )

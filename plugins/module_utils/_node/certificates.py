# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The certificates of a node: what there is, and what is wrong with them that nobody else says."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

from .._errors import PgFleetError
from .._host.machine import owner_name, read_text
from .._tls.certificate import Certificate, leaf_of
from .._tls.flaws import NO_TLS, NOT_ITS_KEY, NOT_LOADED, Flaw, Verdict, date_flaws
from .._tls.handshake import look_at
from .._tls.layout import Layout, Place
from .._tls.peer import Peer
from .._tls.rehearsal import rehearse_all

#: From then on it is a finding; site renews them long before.
WARN_DAYS = 30
_PATIENCE_SECONDS = 3
_SETTINGS = "conf.d/pgfleet.conf"


def describe_certificates(config_directory: str) -> dict[str, Any]:
    """Enough to tell whether certificate_files would change anything; never a key."""
    layout = Layout(f"{config_directory}/pki")
    return {
        "authorities": read_text(layout.authorities),
        "authorities_mode": _mode(layout.authorities),
        "found": {name: _described(layout.current(name), layout) for name in _names(layout)},
    }


def _names(layout: Layout) -> list[str]:
    return sorted(os.path.basename(os.path.dirname(path)) for path in glob.glob(f"{layout.directory}/*/certificate.pem")
                  if os.path.islink(os.path.dirname(path)))  # fmt: skip


def _described(place: Place, layout: Layout) -> dict[str, Any]:
    verdict = _verdict(place, layout)
    return {
        "text": read_text(place.certificate),
        "verdict": [verdict.code, verdict.words],
        "files": {os.path.basename(path): _owned(path) for path in (place.certificate, place.key)},
    }


def _verdict(place: Place, layout: Layout) -> Verdict:
    """That of somebody who trusts the node's authorities, on whatever it is for."""
    try:
        usages = leaf_of(read_text(place.certificate)).usages
        return rehearse_all(place.certificate, place.key, read_text(layout.authorities), usages)
    except (PgFleetError, OSError) as error:
        return Verdict(NOT_ITS_KEY, str(error))


def _owned(path: str) -> list[str]:
    try:
        found = os.stat(path)
    except OSError:
        return []
    return [owner_name(found.st_uid), f"{stat.S_IMODE(found.st_mode):04o}"]


def _mode(path: str) -> str:
    return next(iter(_owned(path)[1:]), "")


def certificate_findings(config_directory: str, address: str = "", port: int = 0) -> list[dict[str, Any]]:
    """What is wrong with those that the server is to use, each with its code and remedy. With an address the server is asked what it shows."""
    layout = Layout(f"{config_directory}/pki")
    if layout.current("server").certificate not in read_text(f"{config_directory}/{_SETTINGS}"):
        return []
    found: list[dict[str, Any]] = []
    for name in _names(layout):
        path = layout.current(name).certificate
        try:
            flaws = date_flaws(leaf_of(read_text(path), path), f"'{path}'", datetime.now(timezone.utc), WARN_DAYS)
            found += [flaw.as_result() for flaw in flaws]
        except PgFleetError as error:
            found.append(
                {"code": error.code, "message": error.message, "remedy": "Run site.yml, which issues it again."}
            )
    if address:
        found += [flaw.as_result() for flaw in _not_shown(Peer(address, port, seconds=_PATIENCE_SECONDS), layout)]
    return found


def _not_shown(peer: Peer, layout: Layout) -> Iterator[Flaw]:
    """A server that could not use new files goes on with those that it has; of one that cannot be reached others speak."""
    shown, wanted = look_at(peer), _leaf(layout)
    if shown.trouble == NO_TLS:
        yield Flaw(NO_TLS, f"{peer.address} does not offer TLS.")
    elif shown.leaf and wanted and shown.leaf.fingerprint != wanted.fingerprint:
        yield Flaw(
            NOT_LOADED,
            f"{peer.address} shows the certificate {shown.leaf.serial}, while its file has {wanted.serial}.",
        )


def _leaf(layout: Layout) -> Certificate | None:
    with suppress(PgFleetError):
        return leaf_of(read_text(layout.current("server").certificate))
    return None

# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""Where the certificates of a fleet come from: its own authority, or files that somebody else gave."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import PgFleetError
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.certificate import certificates_of
from ansible_collections.pgfleet.cluster.plugins.module_utils._tls.wanted import Wanted

from .authorities import Authorities
from .folder import Folder
from .issue import Issuer

#: What is known where there is no authority yet: a node that trusts anybody is another fleet's, or the directory was lost.
NOBODY = ["none yet"]


class GivenMissing(PgFleetError):
    """A file that was to be given is not there."""

    code = "given_file_missing"


class Source(Protocol):
    """What the node is told, and what it gets for a request."""

    def trust(self) -> dict[str, Any]: ...

    def wanted(self) -> list[dict[str, Any]]: ...

    def issue(self, requests: Sequence[Mapping[str, str]], now: datetime, /) -> list[dict[str, str]]: ...


@dataclass(frozen=True)
class OwnSource:
    """The authority of the fleet."""

    folder: Folder
    authorities: Authorities
    options: Mapping[str, Any]

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> OwnSource:
        folder = Folder(options["authority"])
        return cls(folder, folder.read(), options)

    def trust(self) -> dict[str, Any]:
        have = self.authorities
        signer = have.current.pem if have.current else ""
        return {"trusted": have.trusted, "signer": signer, "known": have.known or NOBODY}

    def wanted(self) -> list[dict[str, Any]]:
        return [_said(each) for each in self.options["certificates"]]

    def issue(self, requests: Sequence[Mapping[str, str]], now: datetime, /) -> list[dict[str, str]]:
        if self.authorities.current is None:
            raise PgFleetError(
                "The fleet has no authority.", "Make it first (certificate_authority, role pki).", "no_authority"
            )
        with open(self.folder.key(), "rb") as file:
            key = file.read()
        issuer = Issuer.load(self.authorities.current, key, self.options["passphrase"], self.options["fleet"])
        wanted = {each["name"]: Wanted.from_params(each) for each in self.options["certificates"]}
        days = self.options["days"]
        return [
            {"name": each["name"], "certificate": issuer.issue(wanted[each["name"]], each["request"], now, days)}
            for each in requests
        ]


@dataclass(frozen=True)
class GivenSource:
    """Files on the control machine: ca.pem, and for each host a directory with NAME.pem and NAME.key."""

    directory: str
    host: str
    certificates: Sequence[Mapping[str, Any]]

    def trust(self) -> dict[str, Any]:
        path = f"{self.directory}/ca.pem"
        text = _read(path)
        if not certificates_of(text, f"'{path}'"):
            raise GivenMissing(f"'{path}' has no certificate in it.", "Give the authority's in the PEM format.")
        return {"trusted": text, "signer": "", "known": []}

    def wanted(self) -> list[dict[str, Any]]:
        return [{**_said(each), "certificate": _read(self._path(each["name"], "pem"))} for each in self.certificates]

    def issue(self, requests: Sequence[Mapping[str, str]], _now: datetime, /) -> list[dict[str, str]]:
        """Nobody issues; a key is read only where it is needed."""
        return [self._given(each["name"]) for each in requests]

    def _given(self, name: str) -> dict[str, str]:
        return {"name": name, "certificate": _read(self._path(name, "pem")), "key": _read(self._path(name, "key"))}

    def _path(self, name: str, kind: str) -> str:
        return f"{self.directory}/{self.host}/{name}.{kind}"


def source_of(options: Mapping[str, Any], host: str) -> Source:
    """By the options of the module certificates."""
    if options["authority"]:
        return OwnSource.read(options)
    return GivenSource(os.path.expanduser(options["given"]), host, options["certificates"])


def _said(certificate: Mapping[str, Any]) -> dict[str, Any]:
    """Options that were given; a module takes no null."""
    return {name: value for name, value in certificate.items() if value is not None}


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        raise GivenMissing(
            f"The control machine has no file '{path}'.",
            "pki_given_directory needs ca.pem, and HOST/NAME.pem and HOST/NAME.key for each certificate.",
        ) from None

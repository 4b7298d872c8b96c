# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""The certificates of a node: read, made, and put into force."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import stat
import subprocess
from contextlib import suppress
from dataclasses import dataclass

from .._errors import PgFleetError
from .._host.atomic import sync_directory, unlink
from .._host.files import WantedFile
from .._host.files_io import make_directory, user_called, write
from .._host.machine import owner_name, read_text
from .certificate import leaf_of
from .flaws import CertificateRefused, chain_flaws
from .layout import Layout, Place
from .plan import Found
from .rehearsal import rehearse_all
from .wanted import Wanted

_CERTIFICATE_MODE = "0644"


@dataclass(frozen=True)
class Store:
    """The directory belongs to whoever runs this, so that no server can replace its own certificates."""

    layout: Layout

    def authorities(self) -> str:
        return read_text(self.layout.authorities)

    def authorities_are_public(self) -> bool:
        """Every user's client must be able to read them."""
        return stat.S_IMODE(os.stat(self.layout.authorities).st_mode) == int(_CERTIFICATE_MODE, 8)

    def text(self, wanted: Wanted) -> str:
        return read_text(self.layout.current(wanted.name).certificate)

    def found(self, wanted: Wanted, signer: str) -> Found:
        """What is there, judged by those who trust only the authority that issues certificates now."""
        place = self.layout.current(wanted.name)
        text, key = self.text(wanted), bool(read_text(place.key))
        if not text or not key:
            return Found(text, key)
        verdict = rehearse_all(place.certificate, place.key, signer, wanted.usages)
        return Found(text, key, verdict, tuple(_drifted(place, wanted)))

    def write_authorities(self, text: str) -> None:
        self._make()
        me = pwd.getpwuid(os.geteuid())
        write(WantedFile(self.layout.authorities, text, me.pw_name, _CERTIFICATE_MODE), me)
        sync_directory(self.layout.authorities)
        sync_directory(self.layout.directory)

    def request(self, wanted: Wanted) -> str:
        """Make a new key, which never leaves the node, and a request that proves that it is here."""
        place = self._begin(wanted)
        return _make_key(place.key)

    def install(self, wanted: Wanted, certificate: str, trusted: str, key: str = "") -> None:
        """Put a certificate into force with the key that was made for it, or that came with it."""
        place = self._begin(wanted) if key else self.layout.pending(wanted.name)
        me = pwd.getpwuid(os.geteuid())
        if key:
            write(WantedFile(place.key, key, me.pw_name, "0600"), me)
        write(WantedFile(place.certificate, certificate, me.pw_name, _CERTIFICATE_MODE), me)
        _prove(place, wanted, trusted)
        _settle(place, wanted)
        self._switch(wanted, place)

    def repair(self, wanted: Wanted) -> None:
        _settle(self.layout.current(wanted.name), wanted)

    def _make(self) -> None:
        if not os.path.isdir(self.layout.directory):
            make_directory(self.layout.directory, pwd.getpwuid(os.geteuid()))

    def _begin(self, wanted: Wanted) -> Place:
        """An empty directory for what is being made; that of a killed run is made again."""
        self._make()
        place = self.layout.pending(wanted.name)
        shutil.rmtree(place.directory, ignore_errors=True)
        os.mkdir(place.directory, 0o700)
        return place

    def _switch(self, wanted: Wanted, place: Place) -> None:
        link = self.layout.link(wanted.name)
        target = self.layout.generation(wanted.name, leaf_of(read_text(place.certificate))).directory
        before = os.path.basename(os.path.realpath(link))
        while os.path.lexists(target):  # the same certificate once more, with a key that was replaced
            target += "-again"
        os.chmod(place.directory, 0o755)
        os.rename(place.directory, target)
        unlink(f"{link}.link")
        os.symlink(os.path.basename(target), f"{link}.link")
        os.rename(f"{link}.link", link)
        sync_directory(self.layout.directory)
        self._tidy(wanted.name, keep=(os.path.basename(target), before))

    def _tidy(self, name: str, keep: tuple[str, ...]) -> None:
        """Servers may still read the generation before."""
        for entry in os.listdir(self.layout.directory):
            if entry.startswith(f"{name}.") and entry not in keep:
                shutil.rmtree(f"{self.layout.directory}/{entry}", ignore_errors=True)


def _prove(place: Place, wanted: Wanted, trusted: str) -> None:
    what = f"The new certificate '{wanted.name}'"
    leaf = leaf_of(read_text(place.certificate), what)
    verdict = rehearse_all(place.certificate, place.key, trusted, wanted.usages)
    flaws = list(chain_flaws(leaf, what, verdict))
    if flaws:
        raise CertificateRefused.of(flaws, "The one in force stays.")


def _wanted_files(place: Place, wanted: Wanted) -> dict[str, str]:
    secret = {place.key: wanted.mode, **({place.combined: wanted.mode} if wanted.combined else {})}
    return {place.certificate: _CERTIFICATE_MODE, **secret}


def _drifted(place: Place, wanted: Wanted) -> list[str]:
    """Files that are not there with their owner and mode."""
    found = []
    for path, mode in _wanted_files(place, wanted).items():
        with suppress(FileNotFoundError):
            state = os.stat(path)
            group = wanted.group in ("", _group_name(state.st_gid))
            if (owner_name(state.st_uid), stat.S_IMODE(state.st_mode)) == (wanted.owner, int(mode, 8)) and group:
                continue
        found.append(path)
    return found


def _settle(place: Place, wanted: Wanted) -> None:
    """Owner and mode of the files, and the one that has both certificate and key."""
    user = user_called(wanted.owner)
    group = _group_id(wanted.group) if wanted.group else user.pw_gid
    if wanted.combined:
        text = read_text(place.certificate) + read_text(place.key)
        write(WantedFile(place.combined, text, wanted.owner, wanted.mode), user)
    for path, mode in _wanted_files(place, wanted).items():
        os.chown(path, user.pw_uid, group)
        os.chmod(path, int(mode, 8))
        sync_directory(path)
    sync_directory(place.directory)


def _make_key(path: str) -> str:
    """A key on the curve that every TLS library has, and its request; nothing but the key in the request is used."""
    if not shutil.which("openssl"):
        raise PgFleetError("This machine has no program openssl.", "Install the package openssl.", "openssl_missing")
    done = subprocess.run(
        ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path, "-subj", "/CN=pgfleet"],
        check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, umask=0o077, env={**os.environ, "OPENSSL_CONF": os.devnull},
    )  # fmt: skip
    if done.returncode:
        raise PgFleetError(
            f"openssl made no key: {' '.join(done.stderr.split())}", "As its words say.", "openssl_failed"
        )
    return done.stdout


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _group_id(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise PgFleetError(f"This machine has no group '{name}'.", "Give another group.", "no_such_group") from None

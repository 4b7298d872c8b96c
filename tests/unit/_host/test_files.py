"""Which of the small files of a server are written."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pgfleet.cluster.plugins.module_utils._errors import InvalidInput
from ansible_collections.pgfleet.cluster.plugins.module_utils._host.files import (
    SECRET,
    FoundFile,
    WantedFile,
    differing,
    digest_of,
    file_diff,
    files_to_write,
)

TEXT = "work_mem = '8MB'\n"


def found(text: str = TEXT, owner: str = "postgres", mode: str = "0644") -> FoundFile:
    return FoundFile(digest_of(text.encode()), owner, mode, text)


@pytest.mark.parametrize(
    ("there", "keep", "written"),
    [
        pytest.param(FoundFile(), False, True, id="missing"),
        pytest.param(FoundFile(), True, True, id="missing-though-kept"),
        pytest.param(found(), False, False, id="as-wanted"),
        pytest.param(found("other"), False, True, id="other-content"),
        pytest.param(found("other"), True, False, id="other-content-kept"),
        pytest.param(found(owner="root"), False, True, id="other-owner"),
        pytest.param(found(mode="0600"), False, True, id="other-mode"),
        pytest.param(found(mode="0600"), True, False, id="other-mode-kept"),
    ],
)
def test_files_to_write(there: FoundFile, keep: bool, written: bool) -> None:
    wanted = WantedFile("/a", TEXT, "postgres", keep=keep)
    assert files_to_write([wanted], {"/a": there}) == ([wanted] if written else [])


@pytest.mark.parametrize(
    ("options", "mode", "secret"),
    [
        ({"content": TEXT}, "0644", False),
        ({"content": TEXT, "mode": "0640"}, "0640", False),
        ({"content": ""}, "0644", False),
        ({"secret_content": TEXT}, "0600", True),
        ({"secret_content": TEXT, "mode": "0400"}, "0400", True),
    ],
)
def test_options(options: dict[str, Any], mode: str, secret: bool) -> None:
    file = WantedFile.from_params({"path": "/a", **options}, "postgres")
    assert (file.mode, file.secret) == (mode, secret)


@pytest.mark.parametrize(
    ("options", "words"), [({}, "no content"), ({"content": "", "secret_content": "x"}, "two kinds of content")]
)
def test_content_is_given_once(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        WantedFile.from_params({"path": "/a", **options}, "postgres")


def test_differing_speaks_the_languages_of_both_modules() -> None:
    wanted = [
        {"path": "/same", "content": TEXT},
        {"path": "/other", "content": TEXT},
        {"path": "/new", "content": TEXT},
    ]
    have = {
        "/same": {"sha256": digest_of(TEXT.encode()), "owner": "postgres", "mode": "0644"},
        "/other": {"sha256": "0", "owner": "postgres", "mode": "0644"},
        "/new": {},
    }
    assert [options["path"] for options in differing(wanted, have, "postgres")] == ["/other", "/new"]


@pytest.mark.parametrize(
    ("secret", "there", "before", "after"),
    [
        pytest.param(False, FoundFile(), "", TEXT, id="new"),
        pytest.param(False, found("x\n"), "x\n", TEXT, id="changed"),
        pytest.param(False, found(owner="root"), f"# root 0644\n{TEXT}", f"# postgres 0644\n{TEXT}", id="owner"),
        pytest.param(True, FoundFile(), "", SECRET, id="new-secret"),
        pytest.param(True, found("old password"), SECRET, SECRET, id="changed-secret"),
    ],
)
def test_diff_shows_no_secret(secret: bool, there: FoundFile, before: str, after: str) -> None:
    diff = file_diff(WantedFile("/a", TEXT, "postgres", secret=secret), there)
    assert (diff["before"], diff["after"]) == (before, after)

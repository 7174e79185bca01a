"""A trusted root says whose word counts, and since when."""

import json
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import pytest
from tests.parts.forge import Forge

from intoto_action.formats.trusted_root import (
    LARGEST_ROOT,
    MEDIA_TYPE,
    LogId,
    Period,
    TrustedKey,
    TrustedLog,
    parse_trusted_root,
)
from intoto_action.reason import Malformed

START = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    root: dict[str, Any] = json.loads(Forge().trusted_root)
    return root


def changed(document: dict[str, Any], *path: str | int, to: object = None) -> bytes:
    """The document with one member set, or taken out."""
    copy = json.loads(json.dumps(document))
    inside = copy
    for step in path[:-1]:
        inside = inside[step]
    if to is None:
        del inside[path[-1]]
    else:
        inside[path[-1]] = to
    return json.dumps(copy).encode()


def test_the_logs_and_authorities_of_an_instance_are_read(document: dict[str, Any]) -> None:
    root = parse_trusted_root(json.dumps(document).encode(), "x")
    assert [each.base_url for each in root.tlogs] == ["https://rekor.forge.test", "https://log.forge.test"]
    assert [len(each.cert_chain.certificates) for each in root.certificate_authorities] == [2]
    assert len(root.ctlogs) == len(root.timestamp_authorities) == 1


@pytest.mark.parametrize("host", ["tuf-repo-cdn.sigstore.dev", "tuf-repo-cdn.sigstage.dev"])
def test_the_public_instances_are_read(host: str) -> None:
    folder = files("sigstore._store") / quote(f"https://{host}", safe="")
    root = parse_trusted_root((folder / "trusted_root.json").read_bytes(), "x")
    assert root.timestamp_authorities


def test_an_instance_may_have_no_timestamp_authority(document: dict[str, Any]) -> None:
    assert not parse_trusted_root(changed(document, "timestampAuthorities"), "x").timestamp_authorities


def test_a_member_that_is_not_known_is_passed_over(document: dict[str, Any]) -> None:
    assert parse_trusted_root(changed(document, "tlogs", 0, "operator", to="somebody"), "x")


@pytest.mark.parametrize("member", ["tlogs", "ctlogs", "certificateAuthorities"])
@pytest.mark.parametrize("to", [None, []])
def test_an_instance_without_logs_or_authorities_is_none(
    document: dict[str, Any], member: str, to: object
) -> None:
    with pytest.raises(Malformed, match="a certificate authority, a CT log and a transparency log"):
        parse_trusted_root(changed(document, member, to=to), "x")


@pytest.mark.parametrize(
    "path",
    [
        ("tlogs", 0, "publicKey", "validFor"),
        ("tlogs", 0, "publicKey", "validFor", "start"),
        ("tlogs", 0, "logId"),
        ("ctlogs", 0, "publicKey", "validFor", "start"),
        ("certificateAuthorities", 0, "validFor"),
        ("timestampAuthorities", 0, "validFor", "start"),
    ],
)
def test_nobody_is_trusted_for_all_times(document: dict[str, Any], path: tuple[str | int, ...]) -> None:
    with pytest.raises(Malformed, match="missing required field"):
        parse_trusted_root(changed(document, *path), "x")


@pytest.mark.parametrize("start", ["2026-01-01T00:00:00", "yesterday", 0])
def test_a_time_without_a_zone_is_none(document: dict[str, Any], start: object) -> None:
    with pytest.raises(Malformed):
        parse_trusted_root(changed(document, "tlogs", 0, "publicKey", "validFor", "start", to=start), "x")


def test_an_authority_has_certificates(document: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        parse_trusted_root(
            changed(document, "certificateAuthorities", 0, "certChain", "certificates", to=[]), "x"
        )


def test_another_media_type_is_told(document: dict[str, Any]) -> None:
    with pytest.raises(Malformed, match=MEDIA_TYPE.replace("+", r"\+")):
        parse_trusted_root(changed(document, "mediaType", to="application/x"), "x")


def test_a_document_that_is_too_large_is_not_read() -> None:
    with pytest.raises(Malformed, match="at most"):
        parse_trusted_root(b" " * (LARGEST_ROOT + 1), "x")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://log.test", "log.test"),
        ("https://log.test/", "log.test"),
        ("http://127.0.0.1:3003/path?x#y", "127.0.0.1"),
        ("http://[::1]:3003", "::1"),
        ("https://log.test:", "log.test"),
        ("https://user@log.test", ""),
        ("https://log.test@evil.test/", ""),
        ("log.test", ""),
        ("https://", ""),
        ("", ""),
    ],
)
def test_a_log_is_at_a_host(url: str, host: str) -> None:
    log = TrustedLog(url, TrustedKey(b"", "", Period(START)), LogId(b""))
    assert log.host == host


def test_a_period_has_its_first_and_its_last_instant() -> None:
    period = Period(START, START + 10 * SECOND)
    assert START in period
    assert START + 10 * SECOND in period
    assert START - SECOND not in period
    assert START + 11 * SECOND not in period


def test_a_period_without_an_end_goes_on() -> None:
    assert START + timedelta(days=10_000) in Period(START)

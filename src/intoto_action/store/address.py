"""Hosts, ports and origins: to whom something is sent, and who counts as this machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import urljoin, urlsplit

import msgspec

_LONGEST = 8192
_PORTS = {"https": 443, "http": 80}


class Origin(msgspec.Struct, frozen=True):
    """Scheme, host (lower case) and port: a credential for one origin goes to no other."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")


def origin_of(url: str) -> Origin | None:
    """The origin of an http or https URL without user and password in it; None for anything else."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not host or "@" in parts.netloc:
        return None
    return Origin(parts.scheme, host.lower(), port if port is not None else _PORTS[parts.scheme])


def follow(base: str, reference: str) -> str:
    """The URL that `reference`, relative or absolute, means on a page at `base`; empty when it can be none."""
    plain = (
        0 < len(reference) <= _LONGEST
        and all("!" <= each <= "~" for each in reference)
        and "\\" not in reference
    )
    try:
        return urljoin(base, reference).partition("#")[0] if plain else ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether a host name is this machine: `localhost`, 127.0.0.0/8 or ::1. No name is looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False

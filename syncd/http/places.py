"""Which places an app may be reached at: the origin in its URL, and the addresses that its name stands for.

Knows names and addresses; opens no connection. Hard rule: an address that is not proven allowed is refused, and where one
address of a name is refused, all are.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from syncd.errors import ConfigError, TransientError

Network: TypeAlias = Literal["public", "private"]
Lookup: TypeAlias = Callable[..., list[tuple[Any, ...]]]
"""As socket.getaddrinfo."""

_PORTS: Final = {"https": 443, "http": 80}
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_NUMBER: Final = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)")
"""Resolvers read such names as IPv4 addresses, each in its own way: octal, hexadecimal, fewer parts."""

_PRIVATE: Final = tuple(
    ipaddress.ip_network(block)
    for block in "127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 ::1/128 fc00::/7".split()
)
_NO_PUBLIC_V4: Final = tuple(
    ipaddress.ip_network(block)
    for block in (
        "0.0.0.0/8 169.254.0.0/16 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 198.51.100.0/24 "
        "203.0.113.0/24 224.0.0.0/3"
    ).split()
)
# What is handed out lies in 2000::/3; of that, these stand for something else (a v4 address, a tunnel, an example).
_PUBLIC_V6: Final = ipaddress.ip_network("2000::/3")
_NO_PUBLIC_V6: Final = tuple(
    ipaddress.ip_network(block) for block in "2001::/23 2001:db8::/32 2002::/16 3fff::/20".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Scheme, host and port: whom credentials are for. The host in ASCII and lower case, an IPv6 one without brackets."""

    scheme: str
    host: str
    port: int

    @property
    def netloc(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


def parse_url(url: str, network: Network) -> tuple[Origin, str]:
    """Take a configured URL apart into origin and path; raise ConfigError. The message never quotes it."""
    if not url.isprintable() or " " in url or "\\" in url:
        raise ConfigError("the url holds a space, a backslash or a character that is not printable")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError("the url cannot be read; it looks like https://host/path/") from None
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or not parts.hostname:
        raise ConfigError("the url must begin with https:// and a host")
    if scheme == "http" and network == "public":
        raise ConfigError("http:// is plain text: use https://, or say `network: private` for this app")
    if "@" in parts.netloc:
        raise ConfigError("the url holds a user name or password; put them under `secrets`")
    if parts.query or parts.fragment or port == 0:
        raise ConfigError("the url must end with its path: no ?query, no #fragment, no port 0")
    return Origin(scheme=scheme, host=_host(parts.hostname), port=port or _PORTS[scheme]), parts.path or "/"


def _host(name: str) -> str:
    if ":" in name:
        return _address(name)
    name = name.removesuffix(".")
    if not name.isascii():
        import idna

        try:
            name = idna.encode(name, uts46=True).decode()
        except idna.IDNAError:
            raise ConfigError("the url's host is no valid name") from None
    if not _NAME.fullmatch(name):
        raise ConfigError("the url's host is no valid name")
    return _address(name) if _NUMBER.fullmatch(name) else name


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ConfigError("the url's host is no IP address in its usual form") from None


def resolve(origin: Origin, network: Network, lookup: Lookup = socket.getaddrinfo) -> list[str]:
    """Give the addresses of a host, all of them allowed; raise ConfigError or TransientError."""
    try:
        found = lookup(origin.host, origin.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise TransientError(
            f"{origin.host}: this name has no address at present; check the name and the DNS"
        ) from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not addresses:
        raise TransientError(f"{origin.host}: this name has no address at present; check the name and the DNS")
    for address in addresses:
        why = refusal(address, network)
        if why:
            raise ConfigError(f"{origin.host}: {why}")
    return addresses


def refusal(address: str, network: Network) -> str | None:
    """Say why this address may not be connected to; None where it may."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:  # a zone (fe80::1%eth0) is never public
        return "its address is one that syncd never connects to"
    if any(ip in block for block in _PRIVATE):
        hint = "its address is private; if that is meant, say `network: private` for this app"
        return hint if network == "public" else None
    if isinstance(ip, ipaddress.IPv4Address):
        public = not any(ip in block for block in _NO_PUBLIC_V4)
    else:
        public = ip in _PUBLIC_V6 and not any(ip in block for block in _NO_PUBLIC_V6)
    return None if public else "its address is one that syncd never connects to (link-local, multicast or reserved)"

"""How the directory is reached: the address in the settings, TCP, TLS and StartTLS, and whole messages in and out.

Knows sockets and certificates; nothing of what is asked. Hard rule: a password leaves only over TLS with a certificate that
was checked, unless the operator said both `network: private` and `starttls: false`; every wait ends at a deadline, and no
answer is larger than a cap.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from syncd.connector import Opening
from syncd.errors import AccessError, ConfigError, SyncdError, TransientError
from syncd.http.places import Origin, parse_url, resolve

from .ber import BadAnswer, length

CONNECT_SECONDS: Final = 10.0
MESSAGE_MAX: Final = 16 << 20
ANSWER_MAX: Final = 64 << 20
_RECEIVE: Final = 1 << 16
_PORTS: Final = {"ldap": 389, "ldaps": 636}


class LostError(Exception):
    """The connection broke, or no answer came in time: nobody knows whether what was sent has arrived."""


class Address:
    """Where the directory is, and how it is spoken to there."""

    def __init__(self, opening: Opening) -> None:
        settings = opening.settings
        self.network = opening.network
        scheme, self.origin = _origin(opening.app, settings["url"])
        self.name = f"{opening.app}: {scheme}://{self.origin.netloc}"
        self.tls = scheme == "ldaps"
        self.starts_tls = not self.tls and bool(settings.get("starttls", True))
        if not self.tls and not self.starts_tls and opening.network != "private":
            raise ConfigError(
                f"{self.name}: without TLS everybody on the way reads the password; use ldaps:// or leave `starttls` as it is, "
                "or say `network: private` for this app"
            )
        self._ca_file = settings.get("ca_file")

    def connect(self, seconds: float, clock: Callable[[], float]) -> Door:
        """Open a connection; TransientError, AccessError or ConfigError: nothing was asked yet."""
        until = clock() + seconds
        failure = "no connection in time"
        for address in self._addresses():
            left = min(until - clock(), CONNECT_SECONDS)
            if left <= 0:
                break
            try:
                sock = socket.create_connection((address, self.origin.port), left)
            except OSError as error:
                failure = f"no connection ({error.strerror or 'it takes too long'})"
            else:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                door = Door(sock, clock)
                if self.tls:
                    self.secure(door, left)
                return door
        raise TransientError(f"{self.name}: {failure}; is the directory running and reachable?")

    def _addresses(self) -> list[str]:
        try:
            return resolve(self.origin, self.network)
        except SyncdError as error:
            raise type(error)(f"{self.name}: {error}") from None

    def secure(self, door: Door, seconds: float) -> None:
        """Begin TLS, and look whether this is the server whose name is in the settings."""
        try:
            context = ssl.create_default_context()
            if self._ca_file:
                context.load_verify_locations(self._ca_file)
        except (OSError, ssl.SSLError) as error:
            door.close()
            raise ConfigError(
                f"{self.name}: ca_file: cannot be read as certificates ({type(error).__name__})"
            ) from None
        try:
            door.wrap(context, self.origin.host, seconds)
        except ssl.SSLCertVerificationError as error:
            door.close()
            raise AccessError(
                f"{self.name}: its certificate is not trusted: {error.verify_message}. Repair it there, or name the authority "
                "that signed it in `ca_file`"
            ) from None
        except (OSError, ValueError) as error:
            door.close()
            told = error.reason if isinstance(error, ssl.SSLError) else type(error).__name__
            raise TransientError(
                f"{self.name}: no TLS connection ({told or 'it broke'}); is this a TLS port?"
            ) from None


def _origin(app: str, url: str) -> tuple[str, Origin]:
    """Take the address apart with the words of HTTP, whose rules for hosts and ports hold here as well."""
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    if scheme not in _PORTS or not rest:
        raise ConfigError(
            f"{app}: url: it looks like ldaps://directory.example.org or ldap://directory.example.org:389"
        )
    try:
        origin, path = parse_url(f"https://{rest}", "private")
        port = urlsplit(f"//{rest}").port
    except ConfigError as error:
        raise ConfigError(f"{app}: {re.sub('https?://', f'{scheme}://', str(error))}") from None
    if path != "/":
        raise ConfigError(f"{app}: url: ends with the host; the branch with the people is the setting `base`")
    return scheme, Origin(scheme="https", host=origin.host, port=port or _PORTS[scheme])


class Door:
    """One connection."""

    def __init__(self, sock: socket.socket, clock: Callable[[], float]) -> None:
        self._sock, self._clock = sock, clock
        self._held = bytearray()
        self._until = 0.0
        self._room = 0

    def begin(self, seconds: float) -> None:
        """From now on an exchange has this long, and so much room."""
        self._until, self._room = self._clock() + seconds, ANSWER_MAX

    def send(self, data: bytes) -> None:
        self._wait(lambda: self._sock.sendall(data))

    def receive(self) -> bytes:
        """Give the body of the next message."""
        while True:
            whole = self._whole()
            if whole is not None and len(self._held) >= whole[1]:
                body = bytes(self._held[slice(*whole)])
                del self._held[: whole[1]]
                return body
            data = self._wait(lambda: self._sock.recv(_RECEIVE))
            self._room -= len(data)
            if not data:
                raise LostError("the connection broke before the answer was complete")
            if self._room < 0:
                raise LostError(f"an answer of more than {ANSWER_MAX >> 20} MiB")
            self._held += data

    def _whole(self) -> tuple[int, int] | None:
        """Say where the body of the first message begins and ends; None where too little is there to tell."""
        if len(self._held) < 2:
            return None
        if self._held[0] != 0x30:
            raise BadAnswer("what answers is no LDAP")
        if self._held[1] > 0x80 and len(self._held) < 2 + (self._held[1] & 0x7F):
            return None
        size, start = length(bytes(self._held[:8]), 1)
        if size > MESSAGE_MAX:
            raise BadAnswer(f"a message of more than {MESSAGE_MAX >> 20} MiB")
        return start, start + size

    def wrap(self, context: ssl.SSLContext, host: str, seconds: float) -> None:
        if self._held:
            raise ValueError("something came before TLS began")  # it would be taken for what came over TLS
        self._sock.settimeout(seconds)
        self._sock = context.wrap_socket(self._sock, server_hostname=host)

    def is_idle(self) -> bool:
        """Say whether nothing came since the last answer: else the server has hung up, or is about to."""
        return not self._held and not select.select([self._sock], [], [], 0)[0]

    def close(self) -> None:
        self._sock.close()

    def _wait(self, do: Callable[[], Any]) -> Any:
        left = self._until - self._clock()
        if left <= 0:
            raise LostError("no complete answer in time")
        try:
            self._sock.settimeout(left)
            return do()
        except TimeoutError:
            raise LostError("no complete answer in time") from None
        except OSError as error:
            raise LostError(f"the connection broke ({type(error).__name__})") from None

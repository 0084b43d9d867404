"""Secrets by reference: `env:NAME`, `file:/path`, `cmd:["program", "argument"]`, resolved when they are needed.

Must not log, and must not print: no `repr`, message or problem ever holds what a reference leads to. A secret is read once
and kept, so that what was checked is what is used.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from syncd.errors import ConfigError, Problem

CMD_TIMEOUT_SECONDS: Final = 30
BYTES_MAX: Final = 64 * 1024
KEY_BYTES: Final = 32
WRONG_KEY: Final = f"expected a key of {KEY_BYTES} bytes as base64 or hex; `openssl rand -base64 {KEY_BYTES}` makes one"
NEVER_INLINE: Final = (
    "a secret is never written here, give a reference: env:NAME, file:/path or cmd:[program, argument]; "
    "if this was the secret itself, consider it exposed"
)
_TOKEN_IN_QUERY: Final = re.compile(r"[?&;](?:password|passwd|pwd|token|api_?key|secret)=[^&;\s]", re.IGNORECASE)


def has_password(url: str) -> bool:
    """Say whether a URL carries a password or a token."""
    rest = url.partition("//")[2]
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    user, at, _ = authority.rpartition("@")
    if not at:  # a password with a slash in it: `//user:pass/word@host`, where a port would be a number
        user = authority if "@" in rest and not re.fullmatch(r"(?:\[.*\]|[^:]*)(?::[0-9]*)?", authority) else ""
    return ":" in user or _TOKEN_IN_QUERY.search(url) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Where a secret lies: kind and the name, path or command."""

    kind: str
    """env, file, cmd or plain (a value that is no secret, such as a store's path)."""
    target: str | tuple[str, ...]


def reference(text: str) -> Reference:
    """Parse a reference; ValueError says what is wrong without repeating the text, which may be the secret."""
    kind, colon, target = text.partition(":")
    if not colon or kind not in ("env", "file", "cmd"):
        raise ValueError(NEVER_INLINE)
    if kind == "cmd":
        return Reference(kind="cmd", target=_command(target))
    if kind == "env" and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", target, re.ASCII):
        raise ValueError("env: wants the name of an environment variable (letters, digits, underscores)")
    if not target.strip():
        raise ValueError(f"{kind}: names nothing")
    return Reference(kind=kind, target=target)


def key_bytes(text: str) -> bytes:
    """Decode a key of 32 bytes, written as hex or base64 (also the URL's); ValueError does not repeat what was there."""
    text = text.strip()
    try:
        key = bytes.fromhex(text) if len(text) == 2 * KEY_BYTES else b64decode(text.translate(_OF_URLS), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(WRONG_KEY)
    return key


_OF_URLS: Final = str.maketrans("-_", "+/")


def _command(text: str) -> tuple[str, ...]:
    import json

    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        words = None
    if not isinstance(words, list) or not words or not all(isinstance(word, str) and word for word in words):
        raise ValueError('cmd: wants a list of texts: cmd:["program", "argument"], or {cmd: [program, argument]}')
    return tuple(words)


class Secret:
    """A secret that can be revealed; it shows only what kind of reference it is."""

    __slots__ = ("_name", "_reveal", "_value", "kind")

    def __init__(self, name: str, kind: str, reveal: Callable[[], str]) -> None:
        self._name = name
        self.kind = kind
        self._reveal = reveal
        self._value: str | None = None

    def __repr__(self) -> str:
        return f"<secret {self._name}, by {self.kind}>"

    def reveal(self) -> str:
        """Return the secret. Raise ConfigError with the places looked at, never with a value."""
        if self._value is None:
            try:
                self._value = self._reveal()
            except ValueError as error:
                message = str(error)
            else:
                return self._value
            # Raised outside of `except`: the first error may hold what a file or a program said.
            raise ConfigError(message, problems=(Problem(place="", path=self._name, message=message),))
        return self._value


def by_reference(value: Reference | Mapping[str, Sequence[str]]) -> Reference:
    """Return the reference of either notation: `cmd:[...]` as one text, or as a map."""
    return value if isinstance(value, Reference) else Reference(kind="cmd", target=tuple(value.get("cmd", ())))


def secret(name: str, where: Reference, folder: Path, environ: Mapping[str, str]) -> Secret:
    """Make a secret out of a reference; relative paths count from the configuration's folder."""
    readers: dict[str, Callable[[], str]] = {
        "env": lambda: _from_environment(str(where.target), environ),
        "file": lambda: _from_file(folder / str(where.target)),
        "cmd": lambda: _from_command(tuple(where.target), folder, environ),
        "plain": lambda: str(where.target),
    }
    return Secret(name, where.kind, readers[where.kind])


def _from_environment(name: str, environ: Mapping[str, str]) -> str:
    value = environ.get(name)
    if value:
        return value
    raise ValueError(f"not found; looked at: environment variable {name} ({'empty' if value == '' else 'not set'})")


def _from_file(path: Path) -> str:
    problem = "empty"
    try:
        with path.open("rb") as stream:
            content = stream.read(BYTES_MAX + 1)
        text = content.decode().rstrip("\r\n")
        if text and len(content) <= BYTES_MAX:
            return text
        problem = "empty" if not text else f"larger than {BYTES_MAX >> 10} KiB"
    except OSError as error:
        problem = error.strerror or type(error).__name__
    except ValueError:  # not UTF-8, or a NUL in the path
        problem = "not readable as UTF-8 text"
    raise ValueError(f"not found; looked at: file {path} ({problem})")


def _from_command(command: tuple[str, ...], folder: Path, environ: Mapping[str, str]) -> str:
    """Run the program without a shell. What it prints to stderr is not shown: it may hold secrets."""
    import subprocess

    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command, without a shell
            command,
            check=False,
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=CMD_TIMEOUT_SECONDS,
        )
        text = done.stdout[:BYTES_MAX].decode().rstrip("\r\n")
        if done.returncode == 0 and text:
            return text
        problem = f"exit code {done.returncode}" if done.returncode else "printed nothing"
    except OSError as error:
        problem = error.strerror or type(error).__name__
    except subprocess.TimeoutExpired:
        problem = f"no end within {CMD_TIMEOUT_SECONDS} s"
    except ValueError:
        problem = "printed no UTF-8 text"
    raise ValueError(f"not found; looked at: command {Path(command[0]).name} ({problem})")

"""What a connector must do, may do, and states about itself.

A connector is a folder `connectors/<name>/` with a `connector.py` that exposes one name, `CONNECTOR`. Reads raise one of
the reactions of `syncd.errors`; a write never raises, it returns one `Applied | Rejected | Unknown` for each thing asked.
Hard rule: whatever a connector did not classify is `Unknown`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from syncd.errors import AccessError
from syncd.model import FieldMap, Finding, Offered, Page, Record, Result, Spec, Write


class Keeper(Protocol):
    """What the login of one app must remember (tokens): sealed, in the store; nothing else is to be kept here."""

    def alone(self) -> AbstractContextManager[None]:
        """Let one process in at a time. Raises TransientError where another one stays too long."""

    def load(self) -> dict[str, Any] | None:
        """Give what was kept last, None where there was nothing. Raises AccessError where it cannot be opened."""

    def save(self, doc: Mapping[str, Any]) -> None:
        """Keep it instead of the last; durable when this returns."""


class Authorization(Protocol):
    """A login that a person agrees to in a browser, under way."""

    host: str
    """What the vendor calls this machine in the address to which the browser is sent: 127.0.0.1 or localhost."""

    def url(self, redirect: str) -> str:
        """Give the page where the person agrees; the browser comes back to `redirect`."""

    def finish(self, query: str) -> Mapping[str, str]:
        """Take what the browser brought back (what stands behind the `?`), and keep what it is good for.

        Give the settings that the login has told: they are kept with it.

        Raises WrongAnswer where it is not the answer to `url`, AccessError where it is a no, TransientError.
        """

    def close(self) -> None:
        """Let go of everything."""


class WrongAnswer(AccessError):
    """What came back from the browser belongs to another question than ours: it is not used, and ours is still open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """How an app waits, and what time it is: the machine's, but on a sandbox the sandbox's."""

    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.time
    """Seconds since 1970."""
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Everything a connector is given when an app is opened."""

    app: str
    settings: Mapping[str, Any]
    """Checked against `Spec.settings`, defaults filled in, paths absolute."""
    secrets: Mapping[str, str]
    fields: Mapping[str, FieldMap]
    """What the operator (or the default map) says. A connector with `any_path` adds what it finds by itself."""
    known: Mapping[str, str]
    """Every field syncd knows here -> its type name: the names that map by themselves."""
    network: Literal["public", "private"] = "public"
    data_dir: Path | None = None
    """Where lock and temporary files may lie."""
    time: Time = field(default_factory=Time)
    keeper: Keeper | None = None
    """Where the login of this app is kept; None: it is forgotten with the process."""


class App(Protocol):
    """One connected account. Used by one thread at a time."""

    spec: Spec
    """`Connector.spec` narrowed to what holds for this very account (a read-only table, a key that the table draws)."""
    fields: Mapping[str, FieldMap]
    """The fields in effect: what is not in a record although it is here is unknown there, never blank."""

    def check(self) -> list[Finding]:
        """Prove cheaply that address, credentials and permissions work; raise AccessError, TransientError, ConfigError."""

    def fingerprint(self) -> str:
        """Name the account: another tenant, file or table gives another text. No secret in it."""

    def read(self, cursor: str | None) -> Iterator[Page]:
        """Yield pages since the cursor; everything without one. A cursor that is no longer good: one page, `expired`."""

    def get(self, ids: Sequence[str]) -> dict[str, Record]:
        """Read these records now. An id that is not in the answer is proven gone."""

    def write(self, writes: Sequence[Write]) -> list[Result]:
        """Do these (at most `Spec.write_batch`), one result each in the same order. Never raise."""

    def new_id(self, token: str) -> str:
        """Make the id of a new record out of 16 random hex digits (rungs A and B; else return "")."""

    def find(self, field: str, value: Any) -> list[Record]:
        """Look records up by a field, exactly as stored; only called for rungs C-E."""

    def close(self) -> None:
        """Let go of everything. May be called twice."""


@runtime_checkable
class SparesDownloads(Protocol):
    """An app whose listing names versions first and contents later: what is known already need not be fetched again."""

    known_versions: Callable[[Sequence[str]], Mapping[str, str | None]] | None
    """Set by the engine before each read: id -> the version that the hub holds."""


@runtime_checkable
class Discovers(Protocol):
    """An app that tells what fields the account has (`Spec.discovers`)."""

    def offered(self) -> list[Offered]:
        """List them, those that nobody mapped as well. Raises one of the reactions."""


@runtime_checkable
class PassesOwn(Protocol):
    """An app that need not tell again what was written into it by us."""

    def passed(self, cursor: str) -> str:
        """Give the cursor behind our own writes since the last read, where answers told of each; else the same one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One request as it came to the daemon; nothing in it has been believed yet."""

    method: str
    url: str
    """As the sender spelled it: the public address where the operator gives one."""
    headers: Mapping[str, str]
    """Names in lower case."""
    query: Mapping[str, str]
    body: bytes
    secret: str = ""
    """What the path ends with, behind the name of the app."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a genuine webhook says: at most ids. All of it is a hint."""

    ids: tuple[str, ...] = ()
    something: bool = False
    """Something has changed, and it does not say what."""
    once: bytes | None = None
    """Names this very delivery: the same one again says nothing new. None: deliveries cannot be told apart."""
    answer: str = ""
    """What the vendor wants to hear back."""
    note: str = ""
    """What is odd about it, for the operator; nothing of its content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """It is not genuine, or too old: why, for the operator; nothing of its content."""

    why: str
    unknown: bool = False
    """The address itself is wrong: as if there was nothing here."""


class Ear(Protocol):
    """Tells genuine webhooks of one app from others. May be asked by any thread."""

    def hear(self, arrival: Arrival) -> Heard | Refused:
        """Judge one request by the bytes that came; never raise for what it holds."""


@runtime_checkable
class Subscribes(Protocol):
    """An app whose vendor can be told by its API where webhooks go."""

    def subscribed(self, url: str) -> bool:
        """Say whether webhooks go to this address already."""

    def subscribe(self, url: str) -> None:
        """Have webhooks sent to this address. Raises one of the reactions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """The one name a connector module exposes: what it states and how an app of it is opened."""

    spec: Spec
    open: Callable[[Opening], App]
    """Open an app. Raises ConfigError, AccessError or TransientError; must not write anything."""
    authorize: Callable[[Opening], Authorization] | None = None
    """Begin a login in a browser, where the app has such. Raises ConfigError where the operator chose another login."""
    listen: Callable[[Opening], Ear] | None = None
    """Give what hears the webhooks of an app (`Spec.hooking`); reaches nothing. Raises ConfigError."""

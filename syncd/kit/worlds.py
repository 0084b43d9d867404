"""What a `connectors/<name>/world.py` is made of: one empty account of the app, opened by the connector, and the people in it.

A connector's own `World` says what people do there, in syncd's names of fields; opening, faults and time are done here.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from syncd import registry
from syncd.connector import App, Connector, Ear, Opening, Time
from syncd.core.fields import STANDARD
from syncd.http.sandbox import Letter, Said, Sandbox, Server, serving
from syncd.kit.forwarding import forwarding
from syncd.model import FieldMap, Raw
from syncd.store.keeper import StoreKeeper
from syncd.store.opening import open_store
from syncd.store.store import Store

FIELDS: Final = ("email", "first_name", "phone", "company", "notes")
HALF_A_PAIR: Final = "half \ud800 a pair"
"""A text that no wire can carry."""
AT_ONCE: Final = Time(sleep=lambda _: None)
"""Nobody waits before trying again."""

S = TypeVar("S", bound=Sandbox)


def opening(connector: Connector, settings: Mapping[str, Any], **more: Any) -> Opening:
    """Fill in the defaults, as the configuration does."""
    defaults = {setting.name: setting.default for setting in connector.spec.settings}
    given = {"app": "app", "secrets": {}, "fields": {}, "known": STANDARD, **more}
    return Opening(settings={**defaults, **settings}, **given)


class AppWorld(ABC):
    """One empty account, and what people do in it behind the connector's back. Fields go by syncd's names.

    It is opened by the connector whose folder the module of the class lies in, or by one that is given.
    """

    people: int = 25
    """So many records make more than two pages, and more than any cap on one answer."""
    exact: bool = True
    """A text is kept as it was written (no capitals, no cutting)."""
    overlaps: bool = False
    """A read from a cursor tells again what happened shortly before."""
    fields: tuple[str, ...] = FIELDS
    """Text fields that can be read and written; `email` first, `first_name` among them."""
    changed: str = "phone"
    """The one of them that is changed and cleared by itself."""
    refused: Mapping[str, Raw] = {"company": HALF_A_PAIR}
    """Values that the app refuses in an update; {} where it takes everything."""
    labels: Mapping[str, str] = {}
    """A text field that no manifest knows -> what people there call it, where the account tells of its fields."""
    mapped: Mapping[str, FieldMap] = {}
    """What the operator says of fields, where the connector does not know them by itself."""
    secrets: Mapping[str, str] = {}

    def __init__(self, connector: Connector | None = None) -> None:
        self.stack = contextlib.ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="syncd-kit-")))
        self.connector = registry.load(str(_folder_of(self))) if connector is None else connector

    def opened(self, settings: Mapping[str, Any], **more: Any) -> App:
        """Open the account that these settings name; it is closed with the world."""
        said = {
            "network": "private",
            "secrets": dict(self.secrets),
            "fields": self.mapped,
            "data_dir": self.folder,
            **more,
        }
        app = self.connector.open(opening(self.connector, settings, **said))
        self.stack.callback(app.close)
        return app

    @abstractmethod
    def open(self) -> App:
        """Open the account; TransientError where it is out of reach."""

    @abstractmethod
    def open_other(self) -> App:
        """Open another account of the same kind."""

    def add(self, **fields: Raw) -> str:
        """Somebody makes a record; give its id."""
        return self.add_all([fields])[0]

    def add_all(self, people: Iterable[Mapping[str, Raw]]) -> list[str]:
        """Somebody makes many at once. A world has one of both."""
        return [self.add(**fields) for fields in people]

    @abstractmethod
    def edit(self, id_: str, **fields: Raw) -> None:
        """Somebody changes fields of a record; None clears one."""

    def edit_all(self, ids: Iterable[str], **fields: Raw) -> None:
        """Somebody changes fields of many records in the same way."""
        for id_ in ids:
            self.edit(id_, **fields)

    def at_once(self) -> contextlib.AbstractContextManager[None]:
        """What happens in this block happens in one second, as far as that can be said of the app."""
        return contextlib.nullcontext()

    @abstractmethod
    def delete(self, id_: str) -> None:
        """Somebody deletes a record."""

    @abstractmethod
    def untouched(self, id_: str) -> object:
        """Give all that no write to this record may change: what is not mapped in it, and every other record."""

    @abstractmethod
    def everything(self) -> object:
        """Give a copy of all that the app holds, as it holds it."""

    @abstractmethod
    def break_off(self) -> None:
        """Make the app unreachable."""

    @abstractmethod
    def is_there(self) -> bool:
        """Say whether there is anything at its address."""

    def merge(self, kept: str, lost: str) -> None:
        """Somebody merges two records in the app; only where the app knows such a thing."""
        raise AssertionError("asked of a world in which nobody merges")

    def opt_out(self, id_: str) -> None:
        """Somebody opts out; only where the app knows consent."""
        raise AssertionError("asked of a world without consent")

    def hook(self, url: str, key: str) -> None:
        """Somebody tells the app where webhooks go, and it shows what it signs them with, which is this."""
        raise AssertionError("asked of a world without webhooks")

    def letters(self) -> list[Letter]:
        """Give the webhooks that the app sends now; only where it sends any."""
        raise AssertionError("asked of a world without webhooks")

    def listen(self, **secrets: str) -> Ear:
        """Give what hears the webhooks of the account, with these secrets besides its own."""
        raise AssertionError("asked of a world without webhooks")

    def samples(self) -> list[Path]:
        """List the files of sample answers beside the connector; only where answers come over a wire of ours."""
        raise AssertionError("asked of a world without sample answers")

    def can(self, what: str) -> bool:
        """Say whether this world has one of the things that a world may leave out (`wire`, `merge`, `letters`)."""
        return getattr(type(self), what, None) is not getattr(AppWorld, what, None)

    def close(self) -> None:
        self.stack.close()


class ApiWorld(AppWorld, Generic[S]):
    """An account on a sandbox of ours, over real HTTP on loopback; time is the sandbox's."""

    overlaps = True
    settings: Mapping[str, Any] = {}
    resends: bool = False
    """An update has to send again what it does not change, or the app erases it."""
    busy: Said = Said(status=429, headers={"Retry-After": "1"})
    """How the app says: not now, and nothing was done."""
    path = ""
    """What follows the address of the server in the setting `url`."""

    def __init__(self, connector: Connector | None = None) -> None:
        super().__init__(connector)
        self.sandbox, other = self.make(0), self.make(1)
        self.server = self.stack.enter_context(serving(self.sandbox))
        self._other = self.stack.enter_context(serving(other))
        self._broken = False

    @cached_property
    def store(self) -> Store:
        """Give the store in which logins are kept; made when the first one is."""
        return self.stack.enter_context(
            contextlib.closing(open_store(f"sqlite:///{self.folder}/syncd.db", self.folder))
        )

    @abstractmethod
    def make(self, number: int) -> S:
        """Make the sandbox of this account (0) or of another one (1)."""

    def settings_at(self, url: str) -> Mapping[str, Any]:
        """Give the settings of an account whose server is there."""
        return {"url": f"{url}{self.path}", **self.settings}

    def open(self) -> App:
        """Open it. Where opening sends nothing it cannot fail though the server is gone: `check` is what tells."""
        app = self._at(self.server.url, self.sandbox, "app")
        if self._broken:
            app.check()
        return app

    def open_other(self) -> App:
        return self._at(self._other.url, self._other.sandbox, "other")

    def _at(self, url: str, sandbox: Sandbox, name: str) -> App:
        clock = sandbox.clock
        time = Time(sleep=clock.pass_seconds, now=clock.seconds, clock=clock.seconds)
        keeper = StoreKeeper(lambda: self.store, name, sleep=time.sleep)
        return self.opened(self.settings_at(url), app=name, time=time, keeper=keeper)

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """A second begins, and lasts as long as the block: neither edits nor requests take any time."""
        sandbox: Any = self.sandbox
        clock, steps = sandbox.clock, getattr(sandbox, "step_seconds", 0.0)
        usual, clock.step_us = clock.step_us, 1
        clock.now_us += -clock.now_us % 1_000_000
        if steps:
            sandbox.step_seconds = 0.0
        try:
            yield
        finally:
            clock.step_us = usual
            if steps:
                sandbox.step_seconds = steps

    def hook(self, url: str, key: str) -> None:
        sandbox: Any = self.sandbox
        sandbox.hook = (url, key)

    def letters(self) -> list[Letter]:
        sandbox: Any = self.sandbox
        return list(sandbox.letters())

    def listen(self, **secrets: str) -> Ear:
        assert self.connector.listen is not None, "it claims webhooks and listens to none"
        clock = self.sandbox.clock
        time = Time(sleep=clock.pass_seconds, now=clock.seconds, clock=clock.seconds)
        given = {"app": "app", "network": "private", "secrets": {**self.secrets, **secrets}, "time": time}
        return self.connector.listen(opening(self.connector, self.settings_at(self.server.url), **given))

    def can(self, what: str) -> bool:
        return hasattr(self.sandbox, "letters") if what == "letters" else super().can(what)

    def samples(self) -> list[Path]:
        return sorted((_folder_of(self) / "samples").glob("*.json"))

    def break_off(self) -> None:
        self._broken = True
        self.server.before = lambda _: Said(cut=True)

    def is_there(self) -> bool:
        return not self._broken

    @property
    def wire(self) -> Server:
        """The server: what it was asked, and faults."""
        return self.server


class PeerWorld(AppWorld):
    """One account on a real server; time is the machine's, but that nobody waits: what is broken off here stays so."""

    overlaps = True

    def open(self) -> App:
        """Open it. Opening sends nothing, so that it cannot fail where the server is gone: `check` is what tells."""
        app = self.opened(self.settings(), time=AT_ONCE)
        if not self.is_there():
            app.check()
        return app

    def open_other(self) -> App:
        return self.opened(self.other_settings(), time=AT_ONCE)

    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """Give the settings of the account."""

    @abstractmethod
    def other_settings(self) -> Mapping[str, Any]:
        """Give those of another one."""


class PeerApiWorld(PeerWorld):
    """One account on a real server that speaks HTTP. A wire leads there, on which faults are put as before a sandbox."""

    resends: bool = ApiWorld.resends
    busy: Said = ApiWorld.busy

    def __init__(self, port: int, connector: Connector | None = None) -> None:
        super().__init__(connector)
        self.server = self.stack.enter_context(forwarding(port))
        self._broken = False

    @property
    def wire(self) -> Server:
        """The way to the server: what it was asked, and faults."""
        return self.server

    def break_off(self) -> None:
        self._broken = True
        self.server.before = lambda _: Said(cut=True)

    def is_there(self) -> bool:
        return not self._broken


def _folder_of(world: AppWorld) -> Path:
    file = sys.modules[type(world).__module__].__file__
    assert file is not None
    return Path(file).parent

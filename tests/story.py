"""Stories: given apps, someone edits, a pass runs, this is what everybody holds.

A `Story` is a folder with a configuration, apps in it and a real store; each run is made by a fresh session, as a command
would. The clock, randomness and every boundary of the engine are the story's own (`StoryWorld`); nothing is patched.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, cast

from syncd import registry
from syncd.config import Config, load_config
from syncd.engine import runs
from syncd.engine.finish import Outcome
from syncd.engine.resolve import Decision
from syncd.engine.runs import Session
from syncd.engine.seam import Transacting
from syncd.engine.undo import Selection
from syncd.model import Write
from syncd.store.codec import Sealer
from syncd.store.copy import throwaway
from syncd.store.store import Store
from syncd.store.tx import Tx
from tests.crash.sweep import in_source
from tests.sim import model_store
from tests.sim.model_store import ModelStore
from tests.story_apps import KINDS, CsvKept, Fields, Kept, MemoryKept, SqlKept

T = TypeVar("T")
P = ParamSpec("P")

MINUTE: Final = 60_000
START_MS: Final = 1_750_000_000_000

COMPILED: Final[dict[Any, Any]] = {}
"""Statements that were compiled once in this process: no story pays for them again."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One boundary of the engine: right before it is crossed, or right after."""

    kind: str
    """call or transact."""
    app: str
    what: str
    after: bool


Hook = Callable[[Moment], None]


@dataclass(slots=True)
class Clock:
    """Time and chance, as the story wants them. Every look at the clock takes some milliseconds."""

    now_ms: int = START_MS
    draws: int = 0


class StoryWorld:
    """The seam of engine/seam.py answered by a story: real effects, a clock of its own, and a hook at each boundary."""

    def __init__(self, store: Transacting, clock: Clock, hooks: list[Hook]) -> None:
        self._store, self._clock, self._hooks = store, clock, hooks

    def over(self, store: Transacting) -> StoryWorld:
        return StoryWorld(store, self._clock, self._hooks)

    def call(self, app: str, what: str, action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._cross(Moment("call", app, what, after=False))
        answer = action(*args, **kwargs)
        self._cross(Moment("call", app, what, after=True))
        return answer

    def transact(self, what: str, step: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._cross(Moment("transact", "", what, after=False))
        answer = self._store.transact(lambda tx: step(tx, *args, **kwargs))
        self._cross(Moment("transact", "", what, after=True))
        return answer

    def now_ms(self) -> int:
        self._clock.now_ms += 7
        return self._clock.now_ms

    def sleep(self, seconds: float) -> None:
        self._clock.now_ms += int(seconds * 1000)

    def draw(self, size: int) -> bytes:
        self._clock.draws += 1
        return hashlib.blake2b(b"%d" % self._clock.draws, digest_size=size).digest()

    def _cross(self, moment: Moment) -> None:
        label = f"{'app' if moment.kind == 'call' else 'store'}.{moment.what}"
        assert label in boundaries(), f"{label} is no boundary at which anybody has tried to die"
        for hook in [*self._hooks]:
            hook(moment)


boundaries: Final = cache(in_source)
"""What the crash sweep dies at: a story crosses nothing else."""


@dataclass(slots=True)
class Story:
    """Apps, a configuration, a store, and what happens to them."""

    folder: Path
    apps: dict[str, Kept]
    doc: dict[str, Any]
    store: Store
    config: Config | None = None
    clock: Clock = field(default_factory=Clock)
    hooks: list[Hook] = field(default_factory=list)

    def __getitem__(self, app: str) -> Kept:
        return self.apps[app]

    def log(self, app: str) -> list[Write]:
        """Give every write that a memory app was ever asked for."""
        kept = self[app]
        assert isinstance(kept, MemoryKept)
        return cast("list[Write]", kept.store.log)

    def path(self, app: str) -> Path:
        """Name the file of a csv or sql app."""
        kept = self[app]
        assert isinstance(kept, CsvKept | SqlKept)
        return kept.path

    # -- the configuration

    def configure(self, **sections: Any) -> None:
        """Change sections of the configuration; `app_NAME` changes one app's."""
        self.config = None
        for name, value in sections.items():
            if name.startswith("app_"):
                self.doc["apps"][name.removeprefix("app_")] |= value
            else:
                self.doc[name] = value
        (self.folder / "syncd.yaml").write_text(
            json.dumps(self.doc, indent=1)
        )  # YAML as well, in the order it was given

    def add_app(self, name: str, kind: str, **options: Any) -> Kept:
        """Connect one more app, empty as yet."""
        kept = KINDS[kind](self.folder, name, **options)
        self.apps[name] = kept
        self.doc["apps"][name] = kept.entry()
        self.configure()
        return kept

    # -- what an operator does

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open everything afresh, as a new process would (but for compiled statements, to be quick)."""
        if self.config is None:
            self.config = load_config(self.folder / "syncd.yaml", registry.spec, environ={})
        config = self.config
        try:
            yield Session(
                config=config,
                store=self.store,
                world=StoryWorld(self.store, self.clock, self.hooks),
                load=lambda app: registry.load(app.connector_at, config.connector_folders),
                throwaway=model_store.throwaway if isinstance(self.store, ModelStore) else throwaway,
            )
        finally:
            self.store.close()

    def sync(self, *, approve: bool = False) -> Outcome:
        return self._do(runs.sync, approve=approve)

    def resync(self, **chosen: Any) -> Outcome:
        return self._do(runs.resync, **chosen)

    def plan(self, **chosen: Any) -> Outcome:
        return self._do(runs.plan, **chosen)

    def apply(self, planned: dict[str, Any]) -> Outcome:
        return self._do(runs.apply, planned)

    def undo(self, *, approve: bool = True, **chosen: Any) -> Outcome:
        return self._do(runs.undo, Selection(**chosen), approve=approve)

    def resolve(self, case: int, **decision: Any) -> Outcome:
        return self._do(runs.resolve, case, Decision(**decision))

    def approve(self, run: int) -> dict[str, Any]:
        return self._do(runs.approve, run)

    def pause(self, app: str | None = None, *, paused: bool = True) -> dict[str, Any]:
        return self._do(runs.pause, app, paused=paused)

    def _do(self, run: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        self.clock.now_ms += MINUTE
        with self.session() as session:
            return run(session, *args, **kwargs)

    def settle(self, runs_max: int = 6) -> Outcome:
        """Sync until a run writes nothing, as a daemon would."""
        for _ in range(runs_max):
            outcome = self.sync()
            if not written(outcome) and outcome.code in (0, 4):
                return outcome
        raise AssertionError("it never comes to rest")

    def saved(self) -> Callable[[], None]:
        """Remember the whole world; give what brings it back."""
        path = self.folder / "var" / "syncd.db"
        self.store.close()
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        kept, clock, apps = path.read_bytes(), replace(self.clock), [app.saved() for app in self.apps.values()]

        def back() -> None:
            self.store.close()
            for file in path.parent.glob("syncd.db*"):
                file.unlink()
            path.write_bytes(kept)
            self.clock.now_ms, self.clock.draws = clock.now_ms, clock.draws
            for app in apps:
                app()

        return back

    # -- what there is to see

    def holds(self) -> dict[str, list[Fields]]:
        """Say what every app holds, without ids and blanks, in an order of its own."""
        return {name: sorted(app.rows().values(), key=repr) for name, app in self.apps.items()}

    def everywhere(self, email: str) -> dict[str, Fields]:
        """Say what each app holds of the one person with this address."""
        return {name: app.one(email) for name, app in self.apps.items()}

    def ask(self, question: Callable[[Tx], T]) -> T:
        """Look into the store."""
        with self.session() as session:
            return session.store.transact(question)

    def cases(self) -> list[dict[str, Any]]:
        return self.ask(lambda tx: tx.cases(limit=1000))

    def contact(self, app: str, record: str) -> int:
        """Find the number of the contact that a record belongs to; 0 when it has none."""

        def look(tx: Tx) -> int:
            link = tx.link(tx.apps()[app].id, record)
            return 0 if link is None else link.contact

        return self.ask(look)

    def journal(self, contact: int) -> list[tuple[str, str | None, Any, Any]]:
        """Read the journal of one contact: (kind, field, old, new), oldest first."""
        entries = self.ask(lambda tx: tx.journal_entries([contact], None, None)).get(contact, [])
        return [(entry.kind, entry.field, entry.old, entry.new) for entry in entries]

    # -- what goes wrong

    @contextmanager
    def when(
        self, app: str, what: str, happens: Callable[[], None], *, nth: int = 1, after: bool = False
    ) -> Iterator[None]:
        """Let something happen at the nth call of this sort, right before it or right after."""
        left = nth

        def hook(moment: Moment) -> None:
            nonlocal left
            if moment == Moment("call", app, what, after):
                left -= 1
                if left == 0:
                    happens()

        self.hooks.append(hook)
        try:
            yield
        finally:
            self.hooks.remove(hook)

    @contextmanager
    def calls(self) -> Iterator[list[tuple[str, str]]]:
        """Note every call that an app gets meanwhile: (app, what)."""
        noted: list[tuple[str, str]] = []

        def hook(moment: Moment) -> None:
            if moment.kind == "call" and not moment.after:
                noted.append((moment.app, moment.what))

        self.hooks.append(hook)
        try:
            yield noted
        finally:
            self.hooks.remove(hook)


def given(folder: Path, apps: Mapping[str, str | tuple[str, Mapping[str, Any]]], **sections: Any) -> Story:
    """Begin a story: apps by name and kind (`memory`, `csv`, `sql`), in this order, and sections of the configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "var").mkdir(exist_ok=True)
    store = _empty_store(folder)
    story = Story(folder, {}, {"version": 1, "store": "sqlite:///var/syncd.db", "apps": {}}, store)
    for name, wanted in apps.items():
        kind, options = (wanted, {}) if isinstance(wanted, str) else wanted
        story.add_app(name, kind, **options)
    story.configure(**sections)
    return story


def _empty_store(folder: Path) -> Store:
    if os.environ.get("STORY_STORE") == "model":  # tests.mutants.judge, to be quick
        return ModelStore(Sealer(b"k" * 32))
    store = Store(f"sqlite:///{folder}/var/syncd.db", Sealer(b"k" * 32))
    store.engine = store.engine.execution_options(compiled_cache=COMPILED)
    store.create()
    return store


TRIO: Final = {"crm": "memory", "books": "sql", "desk": "csv"}
ANN: Final = {"email": "ann@x.org", "first_name": "Ann", "last_name": "Lee", "phone": "+49 171 2345678"}
BOB: Final = {"email": "bob@x.org", "first_name": "Bob", "last_name": "Ray", "company": "Acme"}


def agreed(folder: Path, apps: Mapping[str, str | tuple[str, Mapping[str, Any]]] = TRIO, **sections: Any) -> Story:
    """Begin a story in which every app holds Ann and Bob already, each typed into one of them only."""
    story = given(folder, apps, **sections)
    first, *_, last = story.apps.values()
    first.put("101", **ANN)
    last.put("102", **BOB)
    assert story.sync(approve=True).code == 0
    assert story.settle().code == 0
    return story


def raising(error: BaseException) -> Callable[[], None]:
    """Make something that raises."""

    def happen() -> None:
        raise error

    return happen


def written(outcome: Outcome) -> int:
    """Count what a run wrote, over all apps."""
    return sum(
        app[verb] for app in outcome.doc["apps"].values() for verb in ("created", "updated", "archived", "consents")
    )


def held(outcome: Outcome) -> set[tuple[str, str]]:
    """Name what was held: (app, verb)."""
    return {(held["app"], held["verb"]) for held in outcome.doc["held"]}


def fields_of(intents: Sequence[Mapping[str, Any]], app: str) -> dict[str, Any]:
    """Say what a plan writes into one app: field -> new value, over all its intents."""
    return {
        name: change["to"] for intent in intents if intent["app"] == app for name, change in intent["fields"].items()
    }

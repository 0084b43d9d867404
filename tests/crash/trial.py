"""One trial: syncd dies at a moment, is started again until it has nothing left to do, and the vendors are asked.

Hard rule: whatever is wrong is listed, in words that name the moment; nothing is repaired or forgiven here.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg

from tests.crash.lab import APPS, Fields, Holdings, Vendors, vendors
from tests.crash.scenes import Scene
from tests.crash.zygote import Ended, Zygote

RUNS_MAX: Final = 6
RUNS_QUIET: Final = 2
"""So many runs after a crash and there is nothing left to write; one for most."""
KINDS: Final = ("duplicates", "lost", "opt_ins", "unequal", "resurrected", "restless", "stuck")
"""What may be wrong in the end. restless: it goes on writing."""


@dataclass(slots=True)
class Bench:
    """A scene that can be had again and again, and the processes that play in it."""

    scene: Scene
    three: Vendors
    zygote: Zygote
    store: str
    renew: Callable[[], None]
    """Bring everything back to before the command that dies."""
    calm: Holdings = field(default_factory=dict)
    """How it ends when nobody dies."""

    def syncd(self, *words: str, point: str = "", **more: Any) -> Ended:
        """Run a command. `point`: where it dies; for `more` see `Zygote.run`."""
        env = {"STORE_AT": self.store, "DAV_USER": "sync"}
        if point:
            env["SYNCD_DEBUG_CRASH"] = point
        words = (*words, "--json", "-c", "syncd.yaml")
        return self.zygote.run(self.three.folder, *words, env=env, **more)

    def drain(self) -> list[str]:
        """Sync until reading everything again writes nothing; say what hinders that, or that it took too long."""
        told = ""
        for attempt in range(1, RUNS_MAX + 1):
            ended = self.syncd(*self.scene.drain)
            told = f"exit {ended.code}: {ended.err[-300:]}"
            if ended.code == 0:
                before = self._counts()
                again = self.syncd("resync")
                if again.code == 0 and self._counts() == before:
                    return [] if attempt <= RUNS_QUIET else [f"restless: {attempt} runs until nothing was written"]
        return [f"stuck: {told}"]

    def verdict(self) -> list[str]:
        """Drain, and say what is wrong, each with its kind."""
        return self.drain() + self.judged()

    def judged(self) -> list[str]:
        """Say what is wrong at the vendors now."""
        wrong: list[str] = []
        three, scene = self.three, self.scene
        holds = {app: three.rows(app) for app in APPS}
        written = three.written()
        wrong += [f"duplicates: {what}" for what in _twice(holds, written)]
        wrong += [f"lost: {what}" for what in self._lost(holds)]
        for app, what, email, consent in written:
            if consent == "opted_in" and email not in scene.opted_in:
                wrong.append(f"opt_ins: {app} was asked ({what}) to opt {email} in")
        for app, rows in holds.items():
            for row in rows.values():
                if row["email_consent"] == "opted_in" and row["email"] not in scene.opted_in:
                    wrong.append(f"opt_ins: {app} ends with an opt-in of {row['email']}")
        wrong += [f"resurrected: {row['email']}" for row in holds["books"].values() if row["email"] in scene.removed]
        wrong += _unequal(holds, scene)
        if self.calm and three.holdings() != self.calm:
            wrong.append("unequal: not the same end as without a crash")
        return wrong

    def _counts(self) -> tuple[int, bytes]:
        return len(self.three.written()), (self.three.folder / "desk.csv").read_bytes()

    def _lost(self, holds: dict[str, dict[str, Fields]]) -> Iterator[str]:
        people = {app: {row["email"]: row for row in rows.values()} for app, rows in holds.items()}
        for email, name, value in self.scene.typed:
            for app in APPS:
                if not (app == "books" and email in self.scene.removed):
                    found = people[app].get(email, {}).get(name)
                    if found != value:
                        yield f"{name}={value} of {email} in {app}, which holds {found}"
        for email, name, values in self.scene.conflicts:
            winners = {people[app].get(email, {}).get(name) for app in APPS}
            history = self.syncd("explain", email).out
            for value in values:
                if value not in winners and value not in history:
                    yield f"{name}={value} of {email}, which is not in the journal either"
            if not winners <= {*values}:
                yield f"{name} of {email} is {winners}"


def _twice(holds: dict[str, dict[str, Fields]], written: Sequence[tuple[str, str, str, str]]) -> Iterator[str]:
    for app, rows in holds.items():
        for email, count in Counter(row["email"] for row in rows.values()).items():
            if count > 1:
                yield f"{count} records of {email} in {app}"
    inserts = Counter((app, email) for app, what, email, _ in written if what == "insert")
    yield from (
        f"{app} was asked {count} times to make {email}" for (app, email), count in inserts.items() if count > 1
    )


def _unequal(holds: dict[str, dict[str, Fields]], scene: Scene) -> Iterator[str]:
    people = {app: {row["email"]: row for row in rows.values()} for app, rows in holds.items()}
    for email in sorted({email for mine in people.values() for email in mine}):
        apps = [app for app in APPS if not (app == "books" and email in scene.removed)]
        if any(people[app].get(email) != people[apps[0]].get(email) for app in apps):
            yield f"unequal: {email}: {[people[app].get(email) for app in apps]}"


def is_killed(ended: Ended) -> bool:
    return ended.code == -signal.SIGKILL


@contextmanager
def bench(folder: Path, scene: Scene, zygote: Zygote, postgres: str | None = None) -> Iterator[Bench]:
    """Play a scene up to the command that dies, and see how it ends when it does not. `postgres`: a server's URL."""
    with vendors(folder / scene.name) as three:
        scene.begin(three)
        store, renewed = _databases(postgres, scene) if postgres else ("sqlite:///var/syncd.db", lambda: None)
        it = Bench(scene, three, zygote, store, lambda: None)
        if scene.edits:
            ended = it.syncd("sync", "--approve")
            assert ended.code == 0, ended.err
            assert it.drain() == []
        for number, edit in enumerate(scene.edits):
            if number:
                ended = it.syncd("sync")
                assert ended.code == 0, ended.err
            edit(three)
        three.forget_log()
        back = three.keep()
        if postgres:
            _template(postgres, scene)

        def renew() -> None:
            back()
            renewed()

        it.renew = renew
        renew()
        wrong = it.verdict()
        assert wrong == [], wrong
        it.calm = three.holdings()
        renew()
        yield it


def _databases(server: str, scene: Scene) -> tuple[str, Callable[[], None]]:
    """Make an empty database for the scene; give its address, and what brings back the one that is the template."""
    _admin(server, f'CREATE DATABASE "{scene.name}" TEMPLATE template0')

    def renewed() -> None:
        _admin(server, f'DROP DATABASE "{scene.name}" WITH (FORCE)')
        _admin(server, f'CREATE DATABASE "{scene.name}" TEMPLATE "{scene.name}_kept"')

    return f"{server}/{scene.name}", renewed


def _template(server: str, scene: Scene) -> None:
    _admin(server, f'CREATE DATABASE "{scene.name}_kept" TEMPLATE "{scene.name}"')


def _admin(server: str, statement: str) -> None:
    with psycopg.connect(server.replace("+psycopg", "") + "/postgres", autocommit=True) as admin:
        admin.execute(statement.encode())

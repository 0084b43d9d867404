"""CardDAV: n cards in book A, none in B; syncd beside vdirsyncer (where its environment is) and beside the floor.

Phases: first; noop (right after it, so the books tell of our own writes); settled (nothing at all to tell); changed (1 % of
the cards on each side, not the same ones). Hard rule: a sync that is not right gets no figure: after each phase both books
hold the same people.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from floor import QUERY, Http
from measure import Taken, once

HERE = Path(__file__).resolve().parent
SHARED = HERE.parent.parent / "shared" / "bench"
VENVS = Path(os.environ.get("TMPDIR", "/tmp")) / "bench"
VDIRSYNCER = VENVS / "venv-vds" / "bin" / "vdirsyncer"
PEER_PYTHON = VENVS / "venv-api" / "bin" / "python"
DAV, CARD = "{DAV:}", "{urn:ietf:params:xml:ns:carddav}"
PAIR = """[general]
status_path = "{folder}/status/"
[pair p]
a = "a"
b = "b"
collections = null
conflict_resolution = "a wins"
"""
SIDE = '[storage {side}]\ntype = "carddav"\nurl = "{url}"\nusername = "u"\npassword = "p"\n'


ALONE = "SYNCD_BENCH_ALONE"
"""Set in the environment: leave everything out that is not in this repository."""


def has_shared() -> bool:
    """Tell whether the harness that all products are measured with can run here."""
    return not os.environ.get(ALONE) and (SHARED / "fakedav.py").is_file() and PEER_PYTHON.is_file()


def has_vdirsyncer() -> bool:
    return not os.environ.get(ALONE) and VDIRSYNCER.is_file()


class Server:
    """One address book in its own process."""

    def __init__(self, n: int, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        ours = [sys.executable, str(HERE / "dav.py"), str(n), str(self._port)]
        theirs = [str(PEER_PYTHON), str(SHARED / "fakedav.py"), "-n", str(n), "--port", str(self._port)]
        with log.open("ab") as out:
            self._process = subprocess.Popen(theirs if has_shared() else ours, stdout=out, stderr=out)
        self.url = f"http://127.0.0.1:{self._port}/u/c/"
        self._wait()

    def admin(self, what: str, **asked: Any) -> Any:
        body = None if what == "counters" else json.dumps(asked).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/_admin/{what}", body) as answer:
            return json.load(answer)

    def people(self) -> Counter[tuple[str, ...]]:
        """Give the values of all cards, without what is each book's own: UID, the kind of an address or a number."""
        return Counter(tuple(sorted(_values(text))) for text in self._cards().values())

    def edit(self, emails: Iterable[str], note: str) -> None:
        """Change the notes of the people with these addresses, as somebody at the book would."""
        http, wanted = Http(self.url), {f":{email}\n" for email in emails}
        for href, text in self._cards().items():
            if any(each in text for each in wanted):
                lines = [f"NOTE:{note}" if line.startswith("NOTE:") else line for line in text.split("\n")]
                http.call("PUT", href, "\r\n".join(lines).encode())

    def emails(self) -> list[str]:
        """Give everybody's first address, in an order that is the same in both books."""
        return sorted(
            text.partition("\nEMAIL")[2].partition(":")[2].partition("\n")[0] for text in self._cards().values()
        )

    def _cards(self) -> dict[str, str]:
        http = Http(self.url)
        answer = ET.fromstring(http.call("REPORT", http.path, QUERY))
        texts = [each.findtext(f".//{CARD}address-data") or "" for each in answer]
        hrefs = [each.findtext(f"{DAV}href") or "" for each in answer]
        return {href: text.replace("\r", "") for href, text in zip(hrefs, texts, strict=True)}

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _wait(self) -> None:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", self._port)).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError("an address book does not start; see the log")


def _values(card: str) -> Iterator[str]:
    """Give each property as NAME:value."""
    for line in card.replace("\n ", "").split("\n"):
        name, _, value = line.partition(":")
        if name == "CATEGORIES":
            value = ",".join(sorted(value.split(",")))  # a set
        if name not in {"UID", "PRODID", "REV"}:
            yield f"{name.partition(';')[0]}:{value}"


@contextmanager
def pair(n: int, folder: Path) -> Iterator[tuple[Server, Server]]:
    """Start a book of n cards and an empty one, over an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        books = [Server(count, folder / "log") for count in (n, 0)]
        for book in books:
            stack.callback(book.stop)
        yield books[0], books[1]


def syncd(n: int, folder: Path) -> dict[str, Taken]:
    """Measure our own phases."""
    with pair(n, folder) as (a, b):
        command = [sys.executable, str(HERE / "once.py"), "carddav", a.url, b.url, str(folder / "state")]
        return _phases(n, a, b, folder, lambda: once(command, folder / "log"))


def vdirsyncer(n: int, folder: Path) -> dict[str, Taken]:
    """Measure the peer's."""
    with pair(n, folder) as (a, b):
        conf = folder / "config"
        sides = [SIDE.format(side=side, url=book.url) for side, book in (("a", a), ("b", b))]
        conf.write_text(PAIR.format(folder=folder) + "".join(sides))
        command = [str(VDIRSYNCER), "-c", str(conf)]
        with (folder / "log").open("ab") as log:
            subprocess.run([*command, "discover"], input=b"y\n" * 9, stdout=log, stderr=log, check=True)
        return _phases(n, a, b, folder, lambda: once([*command, "sync"], folder / "log"))


def floor(n: int, folder: Path) -> dict[str, Taken]:
    """Measure the least that can be done: the shared floor where it is, else our own."""
    steps = {"first": "dav", "noop": "dav-noop"}
    python, file = sys.executable, HERE / "floor.py"
    if has_shared():
        steps, python, file = {"first": "dav-copy", "noop": "dav-noop"}, str(PEER_PYTHON), SHARED / "floor.py"
    with pair(n, folder) as (a, b):
        found = {}
        for phase, step in steps.items():
            command = [python, str(file), step, a.url, b.url, str(folder / "map.db")]
            found[phase] = once(command, folder / "log")
        return found


def jobs() -> dict[str, Callable[[int, Path], dict[str, Taken]]]:
    """Name what can be measured here; ratios are to the first."""
    return {**({"vdirsyncer": vdirsyncer} if has_vdirsyncer() else {}), "syncd": syncd, "floor": floor}


def _phases(n: int, a: Server, b: Server, folder: Path, sync: Callable[[], Taken]) -> dict[str, Taken]:
    """Run all phases; each is checked, and its requests are counted."""
    found: dict[str, Taken] = {}
    changes = max(1, n // 100)
    a.people()  # a server's first listing may fill its own caches
    for phase in ("first", "noop", "settled", "changed"):
        if phase == "changed":
            everybody = a.emails()
            a.edit(everybody[:changes], "edited in a")
            b.edit(everybody[-changes:], "edited in b")
        for book in (a, b):
            book.admin("reset")
        taken = sync()
        requests = sum(book.admin("counters")["requests"] for book in (a, b))
        found[phase] = Taken(taken.cpu, taken.wall, taken.rss_mib, str(requests).encode())
        if a.people() != b.people():
            raise RuntimeError(f"after {phase} the two books differ; see {folder}")
        notes = [line for card in a.people() for line in card if line.startswith("NOTE:edited")]
        if phase == "changed" and len(notes) != 2 * changes:
            raise RuntimeError(f"{2 * changes} edits, of which {len(notes)} arrived; see {folder}")
    return found

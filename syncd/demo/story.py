"""The story of the demo: three apps that disagree, one first look, one approval, edits everywhere, two mishaps, figures.

Everything syncd does here is a command that is shown. Hard rule: nothing is left running, and nothing is left lying
about unless `--keep` asks for it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from syncd.demo import mess
from syncd.demo.figures import Figures, count
from syncd.demo.people import Person, people
from syncd.demo.places import RAGGED, Books, Crm, Phonebook, Spreadsheet
from syncd.demo.screen import Screen
from syncd.demo.servers import PASSWORD, USER, available, carddav_server
from syncd.errors import ConfigError

CONFIG: Final = """\
version: 1
store: sqlite:///../var/syncd.db          # relative to this file

apps:                                     # the order decides between changes at the same time
  crm:
    connector: csv
    settings: {{path: ../crm.csv, key: No}}
    fields:                               # "First name", "Phone" ... map by themselves
      email: {{path: E-mail}}
      email_consent: {{path: Mailing, values: {{opted_in: "yes", opted_out: "no"}}}}
  books:
    connector: sql
    settings: {{url: "sqlite:///../accounting.db", table: customers, key: customer_no}}
    fields:
      postal_code: {{path: zip}}
      email_consent: {{path: newsletter, values: {{opted_in: "yes", opted_out: "no"}}}}
  phonebook:
{phonebook}
match:                                    # who is who: by address, else by number and name
  - [email]
  - [phone, last_name]

fields:
  phone: {{region: DE}}                     # a number without a country is assumed to be German
  company: {{policy: {{owner: books}}}}       # the accountant knows what a firm is really called
  last_name: {{policy: ask}}                # nobody gets another name unless a person says so
"""
CARDDAV: Final = """\
    connector: carddav
    settings: {{url: "{url}"}}
    secrets: {{username: "file:phonebook.user", password: "file:phonebook.password"}}
    network: private                      # this server is on this machine
"""
SECOND_FILE: Final = """\
    connector: csv
    settings: {path: ../phonebook.csv}
"""
HERO: Final = 91
OPTS_OUT: Final = 127
DELETED: Final = 134
INTERNS: Final = (71, 94, 101, 104, 121)
"""Whose job titles an intern breaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What the story plays with."""

    folder: Path
    screen: Screen
    everyone: list[Person]
    crm: Crm
    books: Books
    phonebook: Phonebook | Spreadsheet

    @property
    def config(self) -> Path:
        return self.folder / "config" / "syncd.yaml"

    def email(self, number: int) -> str:
        found = self.everyone[number].email
        assert found is not None, "the people of the story have an address"
        return found


def run(keep: Path | None = None, *, carddav: bool | None = None) -> int:
    """Play it. 0: everything went as told. `keep`: play it in this folder, which stays.

    `carddav`: whether there is a CardDAV server in it; None: if one is installed.
    """
    with _folder(keep) as folder, stage(folder, carddav=available() if carddav is None else carddav) as built:
        return _play(built, keep)


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="syncd-demo-") as name:
            yield Path(name).resolve()
        return
    if keep.exists() and any(keep.iterdir()):
        raise ConfigError(f"{keep}: is not empty; name a folder that is, or that is not there yet")
    keep.mkdir(parents=True, exist_ok=True)
    yield keep.resolve()


@contextlib.contextmanager
def stage(folder: Path, *, carddav: bool) -> Iterator[Stage]:
    """Build the three apps, fill them with a mess, write the configuration."""
    with contextlib.ExitStack() as stack:
        phonebook: Phonebook | Spreadsheet
        if carddav:
            url = stack.enter_context(carddav_server(folder / "radicale"))
            phonebook, part = Phonebook(url, USER, PASSWORD), CARDDAV.format(url=url)
        else:
            phonebook, part = Spreadsheet(folder / "phonebook.csv"), SECOND_FILE
        everyone = people()
        built = Stage(
            folder=folder,
            screen=Screen(folder, os.environ),
            everyone=everyone,
            crm=Crm(folder / "crm.csv"),
            books=Books(folder / "accounting.db"),
            phonebook=phonebook,
        )
        built.crm.fill(mess.crm(everyone))
        built.books.fill(mess.books(everyone))
        built.phonebook.fill(mess.phonebook(everyone))
        built.config.parent.mkdir()
        built.config.write_text(CONFIG.format(phonebook=part), "utf-8")
        for name, text in (("user", USER), ("password", PASSWORD)):
            secret = built.config.with_name(f"phonebook.{name}")
            secret.write_text(text, "utf-8")
            secret.chmod(0o600)
        yield built


def _play(stage: Stage, keep: Path | None) -> int:
    began = time.monotonic()
    before = count(stage.config)
    unmapped = _unmapped(stage)
    _introduce(stage)
    wrong = [
        *_first_look(stage),
        *_first_sync(stage),
        *_edits(stage),
        *_mishap(stage),
        *_worse_mishap(stage),
        *_last_sync(stage),
    ]
    after = count(stage.config)
    if unmapped != _unmapped(stage):
        wrong.append("a column or property that syncd knows nothing of has changed")
    _figures(stage, before, after, time.monotonic() - began)
    _farewell(stage, keep)
    for line in wrong:
        stage.screen.show(f"unexpected: {line}")
    return 1 if wrong else 0


def _expect(stage: Stage, *words: str, code: int | None = None, lines_max: int | None = None) -> Iterator[str]:
    """Run a command; say so if it does not end as the story goes. Without a `code`: 0, or 4 while cases are open."""
    found = stage.screen.run(*words, lines_max=lines_max)
    if found not in ((0, 4) if code is None else (code,)):
        yield f"syncd {' '.join(words)} ended with {found}, not {code or 0}"


def _introduce(stage: Stage) -> None:
    screen = stage.screen
    screen.show()
    screen.say("A tea wholesaler keeps 200 customers in three apps that know nothing of each other:")
    screen.show()
    screen.show("   crm        a CSV file that sales works with    153 rows: 3 people twice, 1 row broken")
    screen.show("   books      an accounting table in SQLite       130 customers")
    if isinstance(stage.phonebook, Phonebook):
        screen.show("   phonebook  a real CardDAV server (Radicale)     60 cards")
    else:
        screen.show("   phonebook  a second CSV file                    60 rows")
        screen.say("(Radicale is not installed here, so there is no CardDAV server; `make demo` brings it.)")
    screen.show()
    screen.say("The configuration is 30 lines of YAML. Each command below really runs.")


def _first_look(stage: Stage) -> Iterator[str]:
    screen = stage.screen
    screen.chapter("The first run only looks")
    yield from _expect(stage, "check", code=0)
    yield from _expect(stage, "sync", code=4)
    screen.show()
    screen.say("Nothing was written. Each write that would follow can be read first, with its reason:")
    yield from _expect(stage, "plan", code=4, lines_max=14)


def _first_sync(stage: Stage) -> Iterator[str]:
    screen = stage.screen
    screen.chapter("A person approves, and three apps agree")
    yield from _expect(stage, "sync", "--approve", code=4)
    screen.show()
    screen.say("What syncd will not guess waits in the inbox: double rows, and names that differ.")
    yield from _expect(stage, "inbox", "list", code=0)
    screen.show()
    screen.say("One customer has married, and the accountant has heard of it:")
    for case in screen.ask("inbox", "list")["cases"]:
        if case["kind"] == "conflict":
            yield from _expect(stage, "inbox", "resolve", str(case["case"]), "--app", "books", code=0)


def _edits(stage: Stage) -> Iterator[str]:
    screen, hero = stage.screen, stage.everyone[HERO]
    screen.chapter("Everybody edits at once")
    screen.show(f"   crm        {hero.full_name} gets a job title; the broken row {RAGGED} is mended;")
    screen.show("              the three rows that were there twice are deleted")
    screen.show(f"   books      {hero.first_name} has a new number; {stage.everyone[OPTS_OUT].full_name} opts out;")
    screen.show("              Mira Kettleby is a new customer")
    screen.show(f"   phonebook  {hero.first_name} has another new number; the card of")
    screen.show(f"              {stage.everyone[DELETED].full_name} is deleted")
    stage.crm.change(stage.email(HERO), "Job title", "Director of Tea")
    stage.crm.mend()
    stage.crm.drop(["C151", "C152", "C153"])
    stage.books.execute("UPDATE customers SET phone = '+44 20 7946 0999' WHERE email = ?", stage.email(HERO))
    stage.books.execute("UPDATE customers SET newsletter = 'no' WHERE email = ?", stage.email(OPTS_OUT))
    stage.books.execute(
        "INSERT INTO customers (email, first_name, last_name, company, phone, country, newsletter)"
        " VALUES ('mira@kettleby.example.com', 'Mira', 'Kettleby', 'Kettleby & Co', '+44 20 7946 0777', 'GB', '')"
    )
    stage.phonebook.change(stage.email(HERO), "phone", "+44 7700 900222")
    stage.phonebook.delete(stage.email(DELETED))
    yield from _expect(stage, "sync")
    screen.show()
    screen.say("Title and number both arrived. But two apps had a new number: which one won, and why?")
    yield from _expect(stage, "explain", stage.email(HERO), "phone", code=0)


def _mishap(stage: Stage) -> Iterator[str]:
    screen = stage.screen
    screen.chapter("A mishap, and the way back")
    screen.say(f"An intern fills down a column of crm.csv: {len(INTERNS)} customers become interns everywhere.")
    for number in INTERNS:
        stage.crm.change(stage.email(number), "Job title", "Intern")
    yield from _expect(stage, "sync")
    last = str(screen.ask("history", "--limit", "1")["runs"][0]["run"])
    screen.show()
    screen.say("Undo is shown first, like everything else:")
    yield from _expect(stage, "undo", "--run", last, code=4)
    yield from _expect(stage, "undo", "--run", last, "--approve")


def _worse_mishap(stage: Stage) -> Iterator[str]:
    screen = stage.screen
    screen.chapter("A worse mishap: the file is nearly empty")
    whole = stage.crm.path.read_bytes()
    stage.crm.path.write_bytes(b"".join(whole.splitlines(keepends=True)[:8]))
    screen.say("Somebody saves crm.csv with 7 rows of 200. Is that 193 deletions?")
    yield from _expect(stage, "sync", code=4)
    screen.show()
    screen.say("No: nothing was deleted, blanked or unlinked anywhere. The file is restored:")
    stage.crm.path.write_bytes(whole)


def _last_sync(stage: Stage) -> Iterator[str]:
    yield from _expect(stage, "sync")
    yield from _expect(stage, "status", code=0)


def _figures(stage: Stage, before: Figures, after: Figures, seconds: float) -> None:
    screen = stage.screen
    runs: list[dict[str, Any]] = screen.ask("history")["runs"]
    screen.chapter("Figures, counted by reading the three apps, not by asking syncd")
    screen.show()
    rows = (
        ("", "before", "after"),
        ("people whom all three apps know", before.everywhere, after.everywhere),
        ("fields on which two apps disagree", before.disagreeing, after.disagreeing),
        ("fields blank in one app, known in another", before.missing, after.missing),
        ("opt-outs of which another app has not heard", before.unheard, after.unheard),
    )
    for name, was, now in rows:
        screen.show(f"   {name:45}{was:>8}{now:>8}")
    screen.show()
    screen.say(
        """The one that is left is "ask at reception": no telephone number, so it is not spread; typed by a
        person, so it is not overwritten. Nobody is created for the customer without address and number, and the
        deleted card stays deleted."""
    )
    screen.show()
    screen.show(f"   {_sum(runs, 'created')} records created, {_sum(runs, 'updated')} updated;"
                f" {_sum(runs[:1], 'created', 'updated', 'consents')} writes in the last pass; {seconds:.0f} seconds")  # fmt: skip


def _sum(runs: list[dict[str, Any]], *names: str) -> int:
    return sum(int(counts.get(name, 0)) for run in runs for counts in run["apps"].values() for name in names)


def _unmapped(stage: Stage) -> tuple[object, ...]:
    """Gather what syncd was never told of: sales reps, balances, nicknames; but for the row and the card of the story."""
    reps = {n: stage.crm.find(p.email).get("Sales rep") for n, p in enumerate(stage.everyone[:150]) if p.email}
    nicknames = stage.phonebook.nicknames() - {f"{stage.everyone[DELETED].first_name[:3]}{DELETED}"}
    return {**reps, 40: ""}, stage.books.balance(), nicknames


def _farewell(stage: Stage, keep: Path | None) -> None:
    screen = stage.screen
    screen.show()
    if keep is None:
        screen.say("Everything is gone again: the server is stopped, the files are removed.")
        return
    screen.say("The server is stopped; the files stay. To go on by hand:")
    screen.show(f"   cd {stage.folder}")
    if isinstance(stage.phonebook, Phonebook):
        screen.show("   python -m radicale --config radicale/config &")
    screen.show("   syncd status")

"""The story of the demo: four apps that disagree, one first look, one approval, edits everywhere, a limit, a mishap, webhooks.

Everything syncd does here is a command that is shown. Hard rule: nothing is left running, and nothing is left lying
about unless `--keep` asks for it.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from syncd.demo import live, mess
from syncd.demo.figures import Figures, count
from syncd.demo.people import PEOPLE, WITHOUT_ADDRESS
from syncd.demo.setting import Stage, stage
from syncd.errors import ConfigError

HERO: Final = 196
OPTS_OUT: Final = 228
CALLED: Final = 172
IMPORTED: Final = (182, 199, 214, 251, 312)
"""Whom an import gives the number of their switchboard."""
JOINS: Final = {
    "email": "mira@kettleby.example.com",
    "first_name": "Mira",
    "last_name": "Kettleby",
    "phone": "+44 20 7946 0977",
}
VENDORS: Final = {
    "crm": ("HubSpot", "contacts; three people twice, a few opt-outs"),
    "news": ("Mailchimp", "members; some have unsubscribed, some bounced"),
    "books": ("Xero", "contacts; two customers were entered twice"),
    "desk": ("Zendesk", "users; consent is a field of its own: no thanks"),
}
KNOWN_EVERYWHERE: Final = PEOPLE + 1 - len(WITHOUT_ADDRESS)
"""Mira has joined; Mailchimp takes nobody without an address."""
USED_UP_SECONDS: Final = 2.5


def run(keep: Path | None = None, *, as_json: bool = False) -> int:
    """Play it. 0: everything went as told. `keep`: play it in this folder, which stays.

    `as_json`: the story goes to stderr, and one document with the figures to stdout.
    """
    out = sys.stderr if as_json else sys.stdout
    with _told_to_stop(), _folder(keep) as folder, stage(folder, out) as built:
        doc = play(built, keep)
    if as_json:
        import json

        sys.stdout.write(json.dumps(doc) + "\n")
    return 1 if doc["unexpected"] else 0


@contextlib.contextmanager
def _told_to_stop() -> Iterator[None]:
    """Clear everything away also where we are ended by SIGTERM."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


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


def play(stage: Stage, keep: Path | None) -> dict[str, Any]:
    """Tell it from the beginning to the end; give its figures."""
    began = time.monotonic()
    before, unmapped = count(stage.apps), _unmapped(stage)
    _introduce(stage)
    doc: dict[str, Any] = {}
    wrong = [
        *_first_look(stage),
        *_first_sync(stage),
        *_edits(stage),
        *_limit(stage, doc),
        *_mishap(stage),
        *_webhooks(stage, doc),
        *_last_sync(stage, doc),
    ]
    after = count(stage.apps)
    if any(now != unmapped[record] for record, now in _unmapped(stage).items()):
        wrong.append("something that syncd was never told of has changed")
    if after.disagreeing or after.unheard or after.everywhere != KNOWN_EVERYWHERE:
        wrong.append("the four apps do not hold the same")
    seconds = time.monotonic() - began
    _figures(stage, before, after, seconds)
    _farewell(stage, keep)
    for line in wrong:
        stage.screen.show(f"unexpected: {line}")
    figures = {"before": asdict(before), "after": asdict(after), "seconds": round(seconds, 1)}
    return {**figures, **doc, "unexpected": wrong}


def _expect(stage: Stage, *words: str, code: int = 0, lines_max: int | None = None) -> Iterator[str]:
    """Run a command; say so if it does not end as the story goes."""
    found = stage.screen.run(*words, lines_max=lines_max)
    if found != code:
        yield f"syncd {' '.join(words)} ended with {found}, not {code}"


def _introduce(stage: Stage) -> None:
    screen = stage.screen
    screen.show()
    screen.say("A tea wholesaler keeps 500 customers in four apps that know nothing of each other:")
    screen.show()
    for name, (vendor, note) in VENDORS.items():
        screen.show(f"   {name:7}{vendor:11}{stage.records[name]:>4} {note}")
    screen.show()
    screen.say(
        """The vendors are stand-ins on this machine, four servers that speak real HTTP and behave as the vendors'
        documents say: pages, logins, limits, lags, webhooks, refusals. Nothing leaves this machine. Their clocks are
        set forward between the scenes, as nobody wants to wait for Zendesk's export, which is a minute late."""
    )
    screen.show()
    screen.say("The configuration is 60 lines of YAML. Each command below really runs.")


def _first_look(stage: Stage) -> Iterator[str]:
    screen = stage.screen
    screen.chapter("The first run only looks")
    yield from _expect(stage, "sync", code=4)
    if stage.writes():
        yield "the first look has written"
    screen.show()
    screen.say("Nothing was written. Each write that would follow can be read first, with its reason:")
    yield from _expect(stage, "plan", "--app", "books", code=4, lines_max=12)


def _first_sync(stage: Stage) -> Iterator[str]:
    screen = stage.screen
    screen.chapter("A person approves, and four apps agree")
    yield from _expect(stage, "approve", "1")
    stage.later()
    yield from _expect(stage, "sync", code=4)
    screen.show()
    screen.say("What syncd will not guess waits for a person: who is there twice, and names that differ.")
    yield from _expect(stage, "inbox", "list")
    screen.show()
    screen.say(
        "One customer has married, and the accountant has heard of it. The two who are in Xero twice are merged there."
    )
    for case in screen.ask("inbox", "list")["cases"]:
        if case["kind"] == "conflict":
            yield from _expect(stage, "inbox", "resolve", str(case["case"]), "--app", "books")
    for number in mess.BOOKED_TWICE:
        stage.books.merge_doubles(stage.email(number))


def _edits(stage: Stage) -> Iterator[str]:
    screen, hero = stage.screen, stage.everyone[HERO]
    screen.chapter("Everybody edits at once, in all four apps")
    screen.show(f"   crm    {hero.full_name} gets a job title")
    screen.show(f"   news   {stage.everyone[OPTS_OUT].full_name} clicks on unsubscribe; Mira Kettleby joins")
    screen.show(f"   books  {hero.full_name} has a new number")
    screen.show(f"   desk   {hero.full_name} has another new number")
    stage.crm.edit(stage.email(HERO), job_title="Director of Tea")
    stage.news.leave(stage.email(OPTS_OUT))
    stage.news.join(JOINS)
    stage.books.call(stage.email(HERO), "+44|20|79460998")
    stage.desk.edit(stage.email(HERO), phone="+44 20 7946 0999")
    stage.later()
    yield from _expect(stage, "sync", code=4)
    screen.show()
    screen.say("Title and number both arrived. But two apps had a new number: which one won, and why?")
    yield from _expect(stage, "explain", stage.email(HERO), "phone")
    screen.show()
    screen.say("The opt-out reached every app that keeps consent, each in its own words:")
    yield from _expect(stage, "explain", stage.email(OPTS_OUT), "email_consent")


def _limit(stage: Stage, doc: dict[str, Any]) -> Iterator[str]:
    screen, books = stage.screen, stage.books
    screen.chapter("An app says: too many requests")
    screen.say(
        f"""Sales types a new number for {stage.everyone[CALLED].full_name}. Another program of the accountant's has just spent
        the 60 requests a minute that Xero allows."""
    )
    stage.crm.edit(stage.email(CALLED), phone="+44 20 7946 0811")
    stage.later()
    books.use_up(USED_UP_SECONDS)
    books.vendor.statuses.clear()
    yield from _expect(stage, "sync", code=4)
    refused = next((at for at, status in books.vendor.statuses if status == 429), None)
    if refused is None:
        yield "Xero refused nothing"
        return
    good = min(at for at, status in books.vendor.statuses if at > refused and status == 200)
    doc["waited"] = {"app": "books", "status": 429, "seconds": round(good - refused, 1)}
    screen.show()
    screen.say(f"Xero answered 429 with Retry-After; syncd came back after {good - refused:.1f} seconds, and went on.")


def _mishap(stage: Stage) -> Iterator[str]:
    screen = stage.screen
    screen.chapter("A mishap, and the way back")
    screen.say(
        f"An import into HubSpot gives {len(IMPORTED)} customers the number of a switchboard, and all apps take it over."
    )
    for number in IMPORTED:
        stage.crm.edit(stage.email(number), phone="+49 30 23125 999")
    stage.later()
    yield from _expect(stage, "sync", code=4)
    last = str(screen.ask("history", "--limit", "1")["runs"][0]["run"])
    screen.show()
    screen.say("Undo is shown first, like everything else:")
    yield from _expect(stage, "undo", "--run", last, code=4, lines_max=8)
    yield from _expect(stage, "undo", "--run", last, "--approve", code=4)


def _webhooks(stage: Stage, doc: dict[str, Any]) -> Iterator[str]:
    screen = stage.screen
    screen.chapter("The daemon, and webhooks")
    screen.say("From here on nobody types `sync`. Three vendors sign what they send; Mailchimp has a secret address.")
    stage.clock.catch_up()
    stage.listen_to()
    screen.show()
    screen.command("syncd run &")
    travelled: list[live.Travelled] = []
    with live.daemon(stage) as log:
        for edit in live.edits(stage):
            came = live.travel(stage, edit)
            travelled += came
            for each in came:
                if each.milliseconds is None:
                    yield f"a change in {each.app} did not reach {each.reaches}"
            times = ", ".join(f"{each.reaches} {each.milliseconds or 0:.0f}" for each in came)
            screen.show(f"   {edit.app:6}{edit.words:34}-> {times} ms")
        screen.show("   crm   the three who are there twice are merged")
        if not live.merge(stage, log):
            yield "nobody heard of the merges"
        yield from _expect(stage, "inbox", "list")
    doc["webhooks"] = [asdict(each) for each in travelled]
    screen.show()
    screen.say(
        """Nothing is left to decide, and the daemon has ended in order. (Mailchimp's webhooks name no contact, so what has
        changed there is read, a moment later.)"""
    )


def _last_sync(stage: Stage, doc: dict[str, Any]) -> Iterator[str]:
    stage.screen.chapter("One more pass, which writes nothing")
    stage.later()
    stage.writes()
    yield from _expect(stage, "sync")
    writes = doc["writes_in_last_pass"] = stage.writes()
    if writes:
        yield f"the last pass has written {writes} times"
    yield from _expect(stage, "status")


def _figures(stage: Stage, before: Figures, after: Figures, seconds: float) -> None:
    screen = stage.screen
    screen.chapter("Figures, counted by looking into the four apps, not by asking syncd")
    screen.show()
    rows = (
        ("", "before", "after"),
        ("people whom all four apps know", before.everywhere, after.everywhere),
        ("fields on which two apps disagree", before.disagreeing, after.disagreeing),
        ("fields blank in one app, known in another", before.missing, after.missing),
        ("opt-outs of which another app has not heard", before.unheard, after.unheard),
    )
    for name, was, now in rows:
        screen.show(f"   {name:45}{was:>8}{now:>8}")
    screen.show()
    screen.show(f"   {before.records} records were there, {after.records} are there now; {seconds:.0f} seconds")


def _unmapped(stage: Stage) -> dict[tuple[str, str], object]:
    """Gather what syncd was never told of: what Xero calls a contact, loyalty, ids of an older helpdesk."""
    return {(name, id_): held for name, app in stage.apps.items() for id_, held in app.unmapped().items()}


def _farewell(stage: Stage, keep: Path | None) -> None:
    screen = stage.screen
    screen.show()
    if keep is None:
        screen.say("Everything is gone again: the servers are stopped, the files are removed.")
        return
    screen.say("The servers are stopped; configuration and memory stay. To look around:")
    screen.show(f"   cd {stage.folder}")
    screen.show("   syncd history")

"""An opt-out counts from the moment at which it was read, whatever else waits: found by simulated histories."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from syncd.core.consent import Consented, Event, Latch
from syncd.core.match import address_hash
from syncd.core.state import Contact
from syncd.engine import runs
from syncd.engine.decide import Outcome as Merging
from syncd.engine.decide import merge_contact, observed
from syncd.engine.hearing import Heard, subject
from syncd.engine.setup import make_hub
from syncd.store.tx import Tx
from tests.crashes import Crash, dying, first_boundary, hooked
from tests.story import Moment, Story, agreed, given
from tests.story_apps import MemoryKept

ADA = {"email": "ada@x.org", "first_name": "Ada"}
PROOF = {"consent_at": "2025-06-01T10:00:00Z", "consent_source": "form"}


def test_nobody_is_opted_in_while_an_app_with_their_opt_out_waits_for_its_first_look(tmp_path: Path) -> None:
    """Seed 20426: read, held, and not matched; a new record elsewhere carried the opt-in of a third app."""
    story = given(tmp_path, {"shop": "memory", "news": "memory", "desk": "memory"})
    shop, news, desk = story["shop"], story["news"], story["desk"]
    assert isinstance(shop, MemoryKept)
    shop.put("ada", **ADA, email_consent="opted_out")
    desk.put("1", email="bob@x.org")
    shop.store.down = True
    story.sync(approve=True)
    shop.store.down = False
    desk.put("2", **ADA, email_consent="opted_in", **PROOF)
    outcome = story.sync()
    assert [(each["app"], each["verb"]) for each in outcome.doc["held"]] == [("shop", "first_look")]
    assert "opted_in" not in [row.get("email_consent") for row in news.rows().values()]
    story.sync(approve=True)
    story.settle()
    assert news.one("ada@x.org")["email_consent"] == "opted_out"


def test_an_opt_out_in_a_held_app_is_told_at_once(tmp_path: Path) -> None:
    """It is never held back: not even where the listing that brought it lost too many others."""
    story = agreed(tmp_path, {"crm": "memory", "news": ("memory", {"feed": False})})
    crm, news = story["crm"], story["news"]
    for number in range(10):
        crm.put(f"c{number}", email=f"c{number}@x.org")
    story.sync(approve=True)
    story.settle()
    news.remove(*[news.id_of(f"c{number}@x.org") for number in range(10)])
    news.put(news.id_of("ann@x.org"), email_consent="opted_out")
    assert story.sync().code == 4
    assert crm.one("ann@x.org")["email_consent"] == "opted_out"


def test_what_was_read_is_not_forgotten_when_the_app_hides_it(tmp_path: Path) -> None:
    """Seed 5084: read, not merged, then hidden: the next reading took its place, and the opt-out was gone."""
    story = given(tmp_path, {"crm": "memory", "news": ("memory", {"feed": False})})
    crm, news = story["crm"], story["news"]
    assert isinstance(news, MemoryKept)
    crm.put("1", **ADA, email_consent="opted_in", **PROOF)
    news.put("11", **ADA, email_consent="opted_out")
    with dying(story, first_boundary(story, "match"), Crash):
        story.sync(approve=True)
    news.store.hidden.add("email_consent")
    news.put("11", first_name="Adele")
    story.sync(approve=True)
    story.sync(approve=True)
    assert crm.one("ada@x.org")["email_consent"] == "opted_out"


@pytest.mark.parametrize("email", ["ann@x.org", "bob@x.org"])
def test_an_opt_out_that_a_feed_tells_when_its_record_is_gone_already_is_heard(tmp_path: Path, email: str) -> None:
    """Seed 311898: the app said first that the record is gone; what the feed told of it afterwards was dropped."""
    story = agreed(tmp_path, {"crm": ("memory", {"lag": 2}), "news": "memory"})
    crm, news = story["crm"], story["news"]
    story.settle()
    id_ = crm.id_of(email)
    crm.put(id_, email_consent="opted_out")
    story.sync()
    crm.remove(id_)
    news.put(news.id_of(email), job_title="Clerk")
    for _ in range(6):
        story.sync(approve=True)
    assert news.one(email)["email_consent"] == "opted_out"
    assert not [row for row in crm.rows().values() if row["email"].startswith(email)]


def test_an_opt_out_of_somebody_else_under_an_id_that_is_gone_is_not_theirs(tmp_path: Path) -> None:
    """An id proves nothing: some apps use it again."""
    story = agreed(tmp_path, {"crm": ("memory", {"lag": 2}), "news": "memory"})
    crm, news = story["crm"], story["news"]
    story.settle()
    id_ = crm.id_of("ann@x.org")
    crm.put(id_, email="zoe@x.org", email_consent="opted_out")
    story.sync()
    crm.remove(id_)
    news.put(news.id_of("ann@x.org"), first_name="Anna")
    for _ in range(6):
        story.sync(approve=True)
    assert "email_consent" not in news.one("ann@x.org")


@pytest.mark.parametrize("what", ["match", "merge"])
def test_an_opt_out_is_heard_although_another_reading_takes_its_place(tmp_path: Path, what: str) -> None:
    """Seeds 15780 and 14671: read, not merged (or not even matched), and typed over before the next run."""
    story = given(tmp_path, {"crm": "memory", "news": "memory"})
    story["news"].put("11", **ADA)
    story["crm"].put("1", **ADA, email_consent="opted_out")
    with dying(story, first_boundary(story, what), Crash):
        story.sync(approve=True)
    story["crm"].put("1", email_consent="opted_in")
    for _ in range(3):
        story.sync(approve=True)
    assert {story[app].one("ada@x.org")["email_consent"] for app in ("crm", "news")} == {"opted_out"}


def test_an_opt_out_in_a_listing_that_is_not_believed_outlives_it(tmp_path: Path) -> None:
    """Seed 56322: her only record got another id, so that its listing lacked everybody; the new one was forgotten with it."""
    story = given(tmp_path, {"crm": "memory", "news": ("memory", {"feed": False})})
    crm, news = story["crm"], story["news"]
    news.put("11", **ADA)
    story.sync(approve=True)
    story.settle()
    news.remove("11")
    news.put("12", **ADA, email_consent="opted_out")
    outcome = story.sync()
    assert [(each["app"], each["verb"]) for each in outcome.doc["held"]] == [("news", "unlinks")]
    news.put("12", email_consent="opted_in")
    story.approve(outcome.doc["run"])
    story.settle()
    assert {app.one("ada@x.org")["email_consent"] for app in (crm, news)} == {"opted_out"}


def test_who_takes_over_an_address_hears_of_it_whatever_people_are_matched_by(tmp_path: Path) -> None:
    """The address is no match key here; its owner, who opts out, never was the same person."""
    story = given(
        tmp_path, {"crm": "memory", "news": "memory"}, match=[["phone"]], app_news={"writes": {"create": False}}
    )
    crm, news = story["crm"], story["news"]
    crm.put("1", **ADA, phone="+49 171 2345678")
    news.put("2", email="desk@x.org", phone="+49 171 2345679")
    story.sync(approve=True)
    story.settle()
    crm.put("1", email="desk@x.org")
    story.settle()
    news.put("2", email_consent="opted_out")
    story.settle()
    assert crm.rows()["1"]["email_consent"] == "opted_out"


def sharing(folder: Path) -> Story:
    """Two people with one address, of whom the first was edited, and the second opted in."""
    story = given(folder, {"crm": "memory", "news": "memory"}, match=[["phone"]])
    crm = story["crm"]
    for number in (1, 2):
        crm.put(f"{number}", email="desk@x.org", phone=f"+49 171 234567{number}")
    story.sync(approve=True)
    story.settle()
    crm.put("1", job_title="Clerk")
    crm.put("2", email_consent="opted_in", **PROOF)
    return story


def test_an_opt_in_is_the_word_of_one_person_though_two_share_an_address(tmp_path: Path) -> None:
    story = sharing(tmp_path)
    story.settle()
    for app in story.apps.values():
        assert sorted(str(row.get("email_consent")) for row in app.rows().values()) == ["None", "opted_in"]


def test_an_opt_out_is_heard_by_both_who_share_an_address_and_an_opt_in_after_it_by_one(tmp_path: Path) -> None:
    """The one whose turn was before it was read is merged once more."""
    story = sharing(tmp_path)
    story.settle()
    story["crm"].put("2", email_consent="opted_out")
    story["crm"].put("1", job_title="Head")
    story.sync()
    for app in story.apps.values():
        assert {row["email_consent"] for row in app.rows().values()} == {"opted_out"}
    story["crm"].put("2", email_consent="opted_in", consent_at="2030-01-01T00:00:00Z", consent_source="form")
    story.clock.now_ms = 1_924_992_000_000  # 2031
    story.settle()
    for app in story.apps.values():
        assert {row["phone"][-1]: row["email_consent"] for row in app.rows().values()} == {
            "1": "opted_out",
            "2": "opted_in",
        }


@pytest.mark.parametrize("mended", [False, True])
def test_nobody_is_opted_in_by_having_got_somebody_elses_address_by_mistake(tmp_path: Path, *, mended: bool) -> None:
    """A hostile reader: all of Ann's records were opted in with the evidence of Bob, and stayed so."""
    story = agreed(tmp_path, {"crm": "memory", "shop": "memory", "news": "memory"})
    crm = story["crm"]
    crm.put(crm.id_of("bob@x.org"), email_consent="subscribed", **PROOF)
    story.settle()
    ann = crm.id_of("ann@x.org")
    crm.put(ann, email="bob@x.org")
    story.sync()
    assert len(story.cases()) == 1
    if mended:
        crm.put(ann, email="ann@x.org")
        assert story.settle().code == 0
    for app in ("shop", "news"):
        assert story[app].one("ann@x.org").get("email_consent") != "opted_in"
        assert story[app].one("bob@x.org")["email_consent"] == "opted_in"


def test_the_log_of_consent_names_everybody_who_said_something() -> None:
    said = [Event(channel="email_consent", state="opted_out", at_ms=number, app=1) for number in (1, 2)]
    heard = Heard()
    for number, event in enumerate(said, 1):
        latches = {"email_consent": Latch(out_ms=event.at_ms, app=1)}
        heard.latch(Contact(id=number, secret=b""), [b"address"], Consented(events=[event], latches=latches), {})
    assert heard.events == [(b"c1", said[0]), (b"address", said[0]), (b"c2", said[1]), (b"address", said[1])]


def test_an_opt_out_that_the_look_before_a_write_shows_is_heard_although_the_write_fails(tmp_path: Path) -> None:
    """Seeds 400604 and 401937: only the field that was to be written was compared, and the app refused the call after the look."""
    story = agreed(tmp_path, {"crm": "memory", "news": ("memory", {"cas": False})})
    crm, news = story["crm"], story["news"]
    assert isinstance(news, MemoryKept)
    id_ = news.id_of("ann@x.org")
    crm.put(crm.id_of("ann@x.org"), first_name="Anna")
    out = partial(news.put, id_, email_consent="opted_out")
    with (
        story.when("news", "get", out),
        story.when("news", "get", partial(setattr, news.store, "down", True), after=True),
    ):
        story.sync()
    news.store.down = False
    news.put(id_, email_consent="opted_in")
    story.settle()
    assert [story[app].one("ann@x.org")["email_consent"] for app in ("crm", "news")] == ["opted_out"] * 2
    assert news.one("ann@x.org")["first_name"] == "Anna", "it is written all the same"


def test_only_an_opt_out_outlives_the_reading_that_it_was_in(tmp_path: Path) -> None:
    """Nobody is opted out for having said something else of consent."""
    story = given(tmp_path, {"crm": "memory", "news": "memory"})
    story["news"].put("11", **ADA)
    story["crm"].put("1", **ADA, email_consent="opted_in", **PROOF)
    with dying(story, first_boundary(story, "match"), Crash):
        story.sync(approve=True)
    story["crm"].put("1", email_consent="unknown")
    for _ in range(3):
        story.sync(approve=True)
    assert {story[app].one("ada@x.org").get("email_consent") for app in ("crm", "news")} <= {None, "unknown"}


def test_a_plan_about_two_who_share_an_address_is_done_in_full(tmp_path: Path) -> None:
    """The first one's turn was before the other one's word was heard."""
    story = sharing(tmp_path)
    story["crm"].put("2", email_consent="opted_out")
    planned = story.plan().doc
    assert planned["counts"] == {"crm": {"consent": 1}, "news": {"consent": 2, "update": 1}}
    outcome = story.apply(planned)
    assert (outcome.code, outcome.doc["skipped"]) == (0, [])
    assert [app.rows()["1"]["email_consent"] for app in story.apps.values() if "1" in app.rows()] == ["opted_out"]


@pytest.mark.parametrize("channel", ["email_consent", "sms_consent"])
def test_an_opt_out_of_somebody_who_is_nobodys_yet_is_latched_by_channel_and_app(tmp_path: Path, channel: str) -> None:
    columns = ("email", "first_name", "email_consent", "sms_consent")
    apps = dict.fromkeys(("crm", "news"), ("memory", {"columns": columns}))
    story = given(tmp_path, apps, fields={"sms_consent": {"type": "consent"}})

    def dies(moment: Moment) -> None:
        if moment.what == "match":
            raise Crash

    story["news"].put("11", **ADA)
    story["crm"].put("1", **ADA, **{channel: "opted_out"})
    with hooked(story, dies), suppress(Crash):
        story.sync(approve=True)
    story["crm"].put("1", **{channel: "opted_in"})
    with hooked(story, dies), suppress(Crash):
        story.sync(approve=True)
    [latches] = story.ask(lambda tx: tx.latches([address_hash(ADA["email"])])).values()
    assert {name: (latch.closed, latch.app) for name, latch in latches.items()} == {channel: (True, 1)}
    for _ in range(3):
        story.sync(approve=True)
    assert {story[app].one("ada@x.org")[channel] for app in ("crm", "news")} == {"opted_out"}


def test_an_opt_out_counts_for_the_address_that_the_contact_had_though_no_record_shows_it(tmp_path: Path) -> None:
    """Its record was removed, and the only other one is given a new address in the same breath."""
    story = agreed(tmp_path, {"crm": "memory", "news": "memory"})
    number = story.contact("crm", "101")
    with story.session() as session:
        hub = make_hub(session.world, session.config, session.load)

        def moved(tx: Tx) -> set[bytes]:
            [person], [link, *_] = tx.contacts([number]).values(), tx.links_of([number])[number]
            person.golden["email"] = "ann@old.org"
            said = {**link.base, "email": "ann@new.org", "email_consent": "opted_out"}
            observed(link, said, link.version, story.clock.now_ms)
            out = Merging(now_ms=story.clock.now_ms)
            merge_contact(person, [link], (), {}, hub, out)
            return {each for _, each in out.heard.latches}

        told = session.store.transact(moved)
        runs.close(hub)
    addresses = {address_hash(f"ann@{host}.org") for host in ("old", "x", "new")}
    assert told == {subject(number), *addresses}

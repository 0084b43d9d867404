"""What no store could keep, wherever an app says it: it costs one record at most, and the same on every store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from syncd import registry
from syncd.connector import App, SparesDownloads
from syncd.engine import runs
from syncd.engine.finish import Outcome
from syncd.engine.runs import Session
from syncd.engine.texts import CANNOT_BE_KEPT, clean, is_broken, storable
from syncd.errors import TransientError
from syncd.model import Applied, Rejected, Result, Unknown, Write
from tests.stores import STORES, empty_store
from tests.story import ANN, BOB, Story, StoryWorld, given

HALF = "\ud83d"


@pytest.fixture(params=STORES)
def story(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Story]:
    """Two people, each in one of two apps."""
    story = given(tmp_path, {"crm": "memory", "desk": "memory"})
    if request.param != "sqlite":
        story.store.close()
        story.store = empty_store(request, tmp_path)
    with closing(story.store):
        story["crm"].put("1", **ANN)
        story["desk"].put("2", **BOB)
        yield story


def synced(story: Story, answers: Callable[[App], App]) -> Outcome:
    """Sync with a CRM that answers like this."""
    with story.session() as session:

        def load(app: Any) -> Any:
            real = registry.load(app.connector_at)
            return replace(real, open=lambda opening: answers(real.open(opening))) if app.name == "crm" else real

        world = StoryWorld(story.store, story.clock, story.hooks)
        return runs.sync(Session(config=session.config, store=story.store, world=world, load=load), approve=True)


class Odd:
    """An app that answers oddly to writes."""

    def __init__(self, app: App, answer: Callable[[Result], Result]) -> None:
        self._app, self._answer = app, answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._app, name)

    def write(self, writes: Sequence[Write]) -> list[Result]:
        return [self._answer(result) for result in self._app.write(writes)]


def applied(**other: Any) -> Callable[[Result], Result]:
    """Change the record of an answer."""

    def answer(result: Result) -> Result:
        assert isinstance(result, Applied)
        assert result.record is not None
        fields = {**result.record.fields, **other.pop("fields", {})}
        return Applied(record=replace(result.record, fields=fields, **other))

    return answer


@pytest.mark.parametrize("text", ["a\0b", f"a{HALF}b"])
@pytest.mark.parametrize("what", ["version", "field", "rejected", "unknown"])
def test_an_answer_that_cannot_be_kept_costs_nobody_else_anything(story: Story, what: str, text: str) -> None:
    odd: Mapping[str, Callable[[Result], Result]] = {
        "version": applied(version=text),
        "field": applied(fields={"company": text}),
        "rejected": lambda _: Rejected(why="invalid", message=text),
        "unknown": lambda _: Unknown(message=text),
    }
    outcome = synced(story, lambda app: Odd(app, odd[what]))
    assert outcome.code in (0, 3)
    assert story["desk"].one("ann@x.org")["first_name"] == "Ann"
    story.sync()
    assert story["crm"].one("bob@x.org")["first_name"] == "Bob"


@pytest.mark.parametrize("error", ["read", "write"])
def test_an_error_that_cannot_be_kept_stops_only_its_app(story: Story, error: str) -> None:
    def fail() -> None:
        raise TransientError(f"odd: {HALF}\0")

    with story.when("crm", error, fail):
        outcome = story.sync(approve=True)
    assert outcome.code == 3
    assert outcome.errors == {"crm": "odd: \ufffd\ufffd"}
    assert story.ask(lambda tx: tx.apps()["crm"].error) == "odd: \ufffd\ufffd"
    assert story.sync(approve=True).code == 0


@pytest.mark.parametrize("value", [f"Acme{HALF}", [HALF], {HALF: "x"}, 1 << 70])
def test_a_record_that_cannot_be_kept_is_parked_until_it_is_mended(story: Story, value: Any) -> None:
    assert story.sync(approve=True).code == 0
    story["crm"].put("1", company=value)
    story["crm"].put("9", email="new@x.org", company=value)
    story["desk"].put("2", company="Goes on")
    outcome = story.sync()
    assert outcome.code == 3
    assert outcome.parked == {"crm": [("1", CANNOT_BE_KEPT), ("9", CANNOT_BE_KEPT)]}
    assert story["crm"].one("bob@x.org")["company"] == "Goes on"
    assert "company" not in story["desk"].one("ann@x.org")
    story["crm"].put("1", company="Mended")
    story["crm"].remove("9")
    story.sync()
    assert story["desk"].one("ann@x.org")["company"] == "Mended"
    assert story.settle().code == 0


@pytest.mark.parametrize("id_", [f"a{HALF}", "a\0"])
def test_a_record_whose_id_cannot_be_kept_is_parked(story: Story, id_: str) -> None:
    story["crm"].put(id_, email="odd@x.org")
    outcome = story.sync(approve=True)
    assert outcome.code == 3
    assert [record for record, _ in outcome.parked["crm"]] == ["a\ufffd"]
    assert [len(app.rows()) for app in story.apps.values()] == [3, 2]


def test_a_text_is_shown_as_far_as_it_can_be_kept() -> None:
    assert [is_broken(text) for text in ("", "a", "\u00e4\U0001f600", "a\0", HALF)] == [False, False, False, True, True]
    assert storable(f"\u00e4\0{HALF}") == "\u00e4\ufffd\ufffd"


def test_an_app_that_spares_downloads_still_does() -> None:
    class Book:
        known_versions: Any = None

    book = Book()
    found: Any = clean(cast("App", book))
    assert isinstance(found, SparesDownloads)
    vars_of: Any = found
    vars_of.known_versions = len
    assert book.known_versions is len
    assert not isinstance(clean(cast("App", object())), SparesDownloads)


def test_a_list_of_something_else_than_texts_can_be_kept(story: Story) -> None:
    story["crm"].put("1", tags=[5, 1.5, True, "vip"])
    assert story.sync(approve=True).parked == {}
    assert story["desk"].one("ann@x.org")["tags"] == ["5", "1.5", "true", "vip"]

"""What a page may hold: a NUL character costs one record at most, never the page, and the same on every store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from syncd.connector import App
from syncd.engine.pull import NUL_IN_ID, NUL_IN_VERSION, pull
from syncd.engine.setup import make_hub
from syncd.model import Page, Record
from tests.stores import STORES, empty_store
from tests.story import Story, given

ODD = "a\ufffdb"


@pytest.fixture(params=STORES)
def story(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Story]:
    """Give a story with one app that is empty."""
    story = given(tmp_path, {"crm": ("memory", {"page": 9})})
    if request.param != "sqlite":
        story.store.close()
        story.store = empty_store(request, tmp_path)
    with closing(story.store):
        yield story


class Reader:
    """An app that shows these pages, and asks for each which versions the hub has."""

    known_versions: Callable[[Sequence[str]], Mapping[str, str | None]]

    def __init__(self, pages: Sequence[Page]) -> None:
        self._pages = pages
        self.known_versions = lambda _: {}

    def read(self, cursor: str | None) -> Iterator[Page]:
        del cursor
        for page in self._pages:
            self.known_versions([record.id for record in page.records])
            yield page


def seen(story: Story, *pages: Page) -> dict[str, str | None]:
    """Pull these pages; give the problems of all records."""
    ids = {record.id for page in pages for record in page.records} | {ODD}
    with story.session() as session:
        [app] = (hub := make_hub(session.world, session.config, session.load)).apps.values()
        app.app = cast("App", Reader(pages))
        pull(hub, app)
        assert app.error is None
        marks = session.store.read(lambda tx: tx.marks(app.index, [i for i in ids if "\0" not in i]))
    return {id_: mark.problem for id_, mark in sorted(marks.items())}


def record(id_: str, **given: str) -> Record:
    return Record(id=id_, fields={"email": f"{len(id_)}@x.org", "company": "A\0B"}, **given)


def test_a_nul_parks_its_record_and_nothing_else(story: Story) -> None:
    page = Page(
        records=[record("a\0b"), record("v", version="1\0"), record("p", problem="torn\0off"), record("sound")],
        same=("s\0",),
        gone=("g\0",),
        cursor="c\0",
        complete=True,
    )
    for _ in range(2):
        found = seen(story, page)
        assert found == {ODD: NUL_IN_ID, "p": "torn\ufffdoff", "v": NUL_IN_VERSION, "sound": None}
    assert story.ask(lambda tx: tx.apps()["crm"].cursor) is None
    link = story.ask(lambda tx: tx.link(tx.apps()["crm"].id, "sound"))
    assert link is not None
    assert link.seen is not None
    assert link.seen.fields["company"] == "A\0B"


def test_a_record_that_has_the_id_is_not_parked_for_another(story: Story) -> None:
    odd, real = record("a\0b"), record(ODD)
    for pages in ([[odd]], [[odd, real]], [[real, odd]], [[odd], [real]], [[real], [odd]]):
        found = seen(story, *[Page(records=records) for records in pages])
        assert found == {ODD: NUL_IN_ID if pages == [[odd]] else None}


def test_the_version_of_what_could_not_be_read_is_not_known(story: Story) -> None:
    """Else a write that names it would go over what nobody has seen."""
    page = Page(records=[record("p", version="1", problem="torn off")], cursor="c", complete=True)
    for _ in range(2):
        assert seen(story, page)["p"] == "torn off"
    assert story.ask(lambda tx: tx.marks(1, ["p"])["p"].version) is None

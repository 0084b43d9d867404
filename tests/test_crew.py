"""Several requests at once: as many as the manifest allows, never two of one record, and nothing under way at the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import orjson
import pytest

from syncd.connector import App, Opening
from syncd.http.app import connector
from syncd.http.crew import Crew
from syncd.model import Applied, Rejected, Unknown, Write
from tests.wire import Answer, Asked, Cut, Wire, reply, wire

HANDS = 8
MANIFEST = """
manifest: 1
summary: An app that takes several requests at once
settings:
  url: {type: url, required: true, help: its address}
address: "{url}"
check: {call: GET /me}
record: {id: id}
fields: {email: {path: email}}
list: {call: GET /people, query: {after: "{cursor}"}, items: people, page: {cursor: next}}
get: {call: "GET /people/{id}"}
create: {call: POST /people, body: {"...": "{record}"}, answer: .}
update: {call: "PATCH /people/{id}", body: {"...": "{record}"}, answer: .}
errors: [{status: [422], then: invalid}]
limits: {concurrency: 8}
"""


class People:
    """Answers when as many as `together` are there at once, so many times; remembers who was there with whom."""

    def __init__(self, together: int, times: int) -> None:
        self._meeting = threading.Barrier(together, timeout=20)
        self._left = together * times
        self._lock = threading.Lock()
        self.inside: list[str] = []
        self.most = 0
        self.met: list[tuple[str, ...]] = []

    def __call__(self, asked: Asked) -> Answer:
        with self._lock:
            self.inside.append(asked.target)
            self.most = max(self.most, len(self.inside))
            self.met.append(tuple(self.inside))
            self._left -= 1
            meet = self._left >= 0
        try:
            if meet:
                self._meeting.wait()
            return self.answer(asked)
        finally:
            with self._lock:
                self.inside.remove(asked.target)

    def answer(self, asked: Asked) -> Answer:
        id_ = asked.target.rpartition("/")[2]
        return reply(200, orjson.dumps({"id": id_, "email": "x@example.org"}), content_type="application/json")


@contextmanager
def app_at(folder: Path, people: People) -> Iterator[tuple[App, Wire]]:
    file = folder / "manifest.yaml"
    file.write_text(MANIFEST)
    with wire(people) as server:
        opening = Opening(
            app="crm", settings={"url": server.url}, secrets={}, fields={}, known={"email": "email"}, network="private"
        )
        with closing(connector(file, "several").open(opening)) as app:
            yield app, server


def updates(ids: list[str]) -> list[Write]:
    return [Write(kind="update", id=id_, fields={"email": f"{id_}@example.org"}) for id_ in ids]


def test_reads_and_writes_go_out_as_many_at_once_as_allowed(tmp_path: Path) -> None:
    ids = [f"p{number}" for number in range(3 * HANDS)]
    people = People(HANDS, 6)
    with app_at(tmp_path, people) as (app, server):
        assert sorted(app.get(ids)) == sorted(ids)
        results = app.write(updates(ids))
        assert [each.record.id for each in results if isinstance(each, Applied) and each.record] == ids
        assert server.connections == HANDS
    assert people.most == HANDS


def test_two_writes_to_one_record_are_never_under_way_at_once(tmp_path: Path) -> None:
    people = People(2, 2)
    with app_at(tmp_path, people) as (app, server):
        app.write(updates(["a", "b", "a", "b", "b", "c"]))
        assert [asked.target for asked in server.asked[4:]] in (["/people/b", "/people/c"], ["/people/c", "/people/b"])
    assert not any(len(set(inside)) < len(inside) for inside in people.met)


class Refusing(People):
    """Lets nobody in who is named p3."""

    def answer(self, asked: Asked) -> Answer:
        return reply(403) if asked.target.endswith("/p3") else super().answer(asked)


def test_a_refusal_ends_it_and_what_was_under_way_is_told(tmp_path: Path) -> None:
    with app_at(tmp_path, Refusing(HANDS, 1)) as (app, server):
        results = app.write(updates([f"p{number}" for number in range(5 * HANDS)]))
        sent = len(server.asked)
    assert sent < 5 * HANDS
    assert sum(isinstance(each, Applied) for each in results) == sent - 1
    assert {each.why for each in results if isinstance(each, Rejected)} == {"busy"}


class Losing(People):
    """Does what it is asked, and says nothing."""

    def answer(self, asked: Asked) -> Answer:
        return Cut()


def test_lost_answers_are_unknown_and_soon_nothing_more_is_sent(tmp_path: Path) -> None:
    with app_at(tmp_path, Losing(HANDS, 1)) as (app, server):
        results = app.write(updates([f"p{number}" for number in range(5 * HANDS)]))
        assert sum(isinstance(each, Unknown) for each in results) == len(server.asked) < 5 * HANDS


def test_a_crew_gives_results_in_order_and_the_first_failure() -> None:
    crew = Crew(4)
    assert crew.each(lambda number: number * 2, range(100)) == list(range(0, 200, 2))
    assert crew.each(lambda number: crew.each(lambda n: n + 1, [number, number]), [1, 2]) == [[2, 2], [3, 3]]
    before = threading.active_count()

    def fail(number: int) -> int:
        if number == 5:
            raise ValueError(number)
        return number

    with pytest.raises(ValueError, match="5"):
        crew.each(fail, range(1000))
    assert threading.active_count() == before

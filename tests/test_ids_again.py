"""Ids that are used again: whoever gets the id of somebody who was removed is not that person. Found by a hostile reader."""

from __future__ import annotations

from pathlib import Path

from syncd.ops import inbox
from tests.story import Story, given

XAVER = {"first_name": "Xaver", "last_name": "Alt", "phone": "+49 171 2345678"}
YVONNE = {"first_name": "Yvonne", "last_name": "Neu"}


def _two(folder: Path, **xaver: str) -> Story:
    """Ann and Xaver in a table that gives the number of its last row again once it is removed."""
    story = given(folder, {"crm": "memory", "books": ("sql", {"drawn": True})})
    story["books"].put("1", email="ann@x.org", first_name="Ann")
    story["books"].put("2", **XAVER, **xaver)
    assert story.sync(approve=True).code == 0
    assert story.settle().code == 0
    return story


def _removed(story: Story, app: str, *ids: str) -> None:
    story[app].remove(*ids)
    for _ in range(3):
        story.sync()


def test_a_row_number_without_an_address_is_no_proof_of_who_it_is(tmp_path: Path) -> None:
    """Neither of the two had a key, which counted as the same keys: the row was overwritten with whoever was removed."""
    story = _two(tmp_path)
    _removed(story, "books", "2")
    story["books"].put("2", **YVONNE)
    story.sync()
    assert story.settle().code == 0
    assert story["books"].rows()["2"] == YVONNE


def test_a_row_without_an_address_that_is_put_back_is_who_it_was(tmp_path: Path) -> None:
    story = _two(tmp_path)
    whose = story.contact("books", "2")
    _removed(story, "books", "2")
    story["books"].put("2", **XAVER)
    assert story.settle().code == 0
    assert story.contact("books", "2") == whose


def test_two_records_that_come_back_for_one_contact_are_asked_about(tmp_path: Path) -> None:
    """Both were linked to it: the store refused that, in this run and in every later one."""
    story = given(tmp_path, {"crm": "memory", "books": "csv"})
    crm, books = story["crm"], story["books"]
    books.put("1", email="ann@x.org")
    books.put("2", email="x@x.org", **XAVER)
    story.sync(approve=True)
    _removed(story, "books", "2")
    books.put("3", email="x@x.org", **XAVER)
    story.settle()
    books.put("3", email="xx@x.org")
    story.settle()
    whose = story.contact("books", "3")
    crm.remove(crm.id_of("xx@x.org"))
    _removed(story, "books", "3")
    books.put("2", email="x@x.org", **XAVER)
    books.put("3", email="xx@x.org", **XAVER)
    assert story.sync().code == 4
    assert story.contact("books", "2") == whose
    assert [case["record"] for case in story.cases()] == ["3"]
    assert [row["email"] for row in crm.rows().values()] == ["ann@x.org"]
    [case] = story.cases()
    story.resolve(case["id"], new=True)
    story.settle()


def test_a_record_that_we_make_under_a_number_that_is_free_again_is_nobody_else(tmp_path: Path) -> None:
    """The last row was removed, and the same pass made another one: everybody was told that the one is the other now."""
    story = _two(tmp_path, email="x@x.org", email_consent="opted_out")
    crm, books = story["crm"], story["books"]
    whose, before = story.contact("books", "2"), crm.one("x@x.org")
    books.remove("2")
    crm.put("new", email="y@x.org", **YVONNE)
    story.sync()
    assert story.settle().code == 0
    assert books.rows()["2"] == {"email": "y@x.org", **YVONNE}
    assert story.contact("books", "2") == story.contact("crm", "new") != whose
    assert crm.one("x@x.org") == before
    assert crm.one("y@x.org") == {"email": "y@x.org", **YVONNE}
    assert [entry for entry in story.journal(whose) if entry[0] == "unlink"]
    assert "x@x.org" not in [row["email"] for row in books.rows().values()], "who was removed stays removed"


def test_whose_it_was_is_asked_again_although_the_first_question_was_never_answered(tmp_path: Path) -> None:
    """The undecided contact went with its record; the id was remembered as its own, and the next one was somebody new."""
    story = _two(tmp_path, email="x@x.org")
    books = story["books"]
    _removed(story, "books", "2")
    for _ in range(2):
        books.put("2", email="y@x.org", **YVONNE)
        assert story.sync().code == 4
        assert [case["record"] for case in story.cases()] == ["2"]
        _removed(story, "books", "2")
        assert not story.cases()


def test_the_inbox_shows_who_had_the_id(tmp_path: Path) -> None:
    """It showed the new row alone: nobody could say whether that is the person of before."""
    story = _two(tmp_path, email="x@x.org")
    _removed(story, "books", "2")
    story["books"].put("2", email="y@x.org", **YVONNE)
    story.sync()
    [case] = story.cases()
    doc = story.ask(lambda tx: inbox.show(tx, case["id"]))
    assert [(each["app"], each["fields"]["email"]) for each in doc["records"]] == [
        ("books", "y@x.org"),
        ("crm", "x@x.org"),
    ]
    assert [word for word in doc["decisions"] if word.startswith("--link")] == [
        f"--link {doc['records'][1]['contact']}"
    ]


def test_two_who_come_back_at_once_are_each_who_they_were(tmp_path: Path) -> None:
    """Their addresses are others by now: the table's own spelling, and nothing else, says who is who."""
    story = _two(tmp_path)
    books = story["books"]
    books.put("3", email="cid@x.org", first_name="Cid")
    story.settle()
    whose = {id_: story.contact("books", id_) for id_ in ("2", "3")}
    rows = books.rows()
    _removed(story, "books", "2", "3")
    for id_ in whose:
        books.put(id_, **rows[id_])
    assert story.settle().code == 0
    assert {id_: story.contact("books", id_) for id_ in whose} == whose
    assert story.cases() == []

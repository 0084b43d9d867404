"""What a fresh user found, each as he told it: words that were not true, values that were sure of too much."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.core.policies import ASSUMED
from syncd.ops.explain import POLICIES
from tests.hubs import COLUMNS, Hub, person
from tests.story import ANN, Story, agreed, given, held


def test_asking_means_asking_where_apps_disagree(tmp_path: Path) -> None:
    """Fault: the words promised that a person decides, whatever is edited."""
    assert POLICIES["ask"].endswith("an edit that nobody contradicts travels")
    story = agreed(tmp_path, fields={"company": {"policy": "ask"}})
    crm, books = story["crm"], story["books"]
    crm.put(crm.id_of("bob@x.org"), company="Acme Ltd")
    story.settle()
    assert {row["company"] for row in story.everywhere("bob@x.org").values()} == {"Acme Ltd"}

    crm.put(crm.id_of("bob@x.org"), company="One")
    books.put(books.id_of("bob@x.org"), company="Two")
    story.settle()
    assert [(case["kind"], case["field"]) for case in story.cases()] == [("conflict", "company")]


@pytest.mark.parametrize("order", [("crm", "card"), ("card", "crm")])
@pytest.mark.parametrize("apart", [(), ("crm",), ("card",)])
def test_an_assumed_country_never_wins_over_a_written_one(
    tmp_path: Path, order: tuple[str, str], apart: tuple[str, ...]
) -> None:
    """Fault: crm's `region: DE` made +49211123456 of a French number, and it was written over the French one."""
    typed = {"crm": "02 11 12 34 56", "card": "+33 2 11 12 34 56"}
    story = given(tmp_path, dict.fromkeys(apart or order, "memory"))
    for round_ in (apart, order):  # `apart`: one app was synced alone before, and had no rival then
        for name in round_:
            if name not in story.apps:
                story.add_app(name, "memory")
            if not story[name].rows():
                story[name].put("1", email="ann@x.org", first_name="Ann", phone=typed[name])
        story.configure(apps={name: story.doc["apps"][name] for name in order if name in story.apps})
        if "crm" in story.apps:
            story.configure(app_crm={"fields": {"phone": {"region": "DE"}}})
        if round_:
            story.sync(approve=True)
    story.settle()
    assert {row["phone"] for row in story.everywhere("ann@x.org").values()} <= {"+33211123456", typed["card"]}
    contact = story.contact("crm", "1")
    lost = story.ask(lambda tx: tx.journal_entries([contact], None, None))[contact]
    assert any(entry.reason == ASSUMED and entry.old == "+49211123456" for entry in lost)


def test_an_assumed_number_that_somebody_types_later_is_a_change_as_any_other(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": "memory", "card": "memory"})
    story.configure(app_crm={"fields": {"phone": {"region": "DE"}}})
    story["card"].put("1", **ANN)
    story.sync(approve=True)
    story.settle()
    story["crm"].put(story["crm"].id_of("ann@x.org"), phone="030 23125499")
    story.settle()
    assert story["card"].one("ann@x.org")["phone"] == "+493023125499"


NAMES = ("Иван", "Ольга", "Zoë", "Ann")


def crowd(folder: Path) -> Story:
    """Thirty people, of whom some have names that Latin-1 spells otherwise, and some that it cannot spell at all."""
    story = given(folder, {"desk": "csv", "crm": "memory"})
    for number in range(30):
        story["desk"].put(str(number), email=f"p{number}@x.org", first_name=NAMES[number % 4], last_name="Müller")
    story.sync(approve=True)
    story.settle()
    return story


def spoil(path: Path, rows: int) -> bytes:
    """Save the file as Latin-1, but for all but the first rows; what it cannot spell becomes ????."""
    right = path.read_bytes()
    lines = right.decode().splitlines(keepends=True)
    wrong = [line.encode("latin-1", "replace") for line in lines[1 : rows + 1]]
    path.write_bytes(
        b"".join([lines[0].encode(), *wrong, *(line.replace("Иван", "????").encode() for line in lines[rows + 1 :])])
    )
    return right


def test_a_file_saved_in_another_encoding_is_not_believed(tmp_path: Path) -> None:
    """Fault: what could not be read was parked, and of the rest "Иван -> ????" was written everywhere."""
    story = crowd(tmp_path)
    before = story["crm"].rows()
    right = spoil(story.path("desk"), rows=17)
    for _ in range(3):
        outcome = story.sync()
        assert held(outcome) == {("desk", "unreadable")}
        assert [(each["count"], each["limit"]) for each in outcome.doc["held"]] == [(17, 6)]
        assert story["crm"].rows() == before
    story.path("desk").write_bytes(right)
    assert (story.sync().code, held(story.sync())) == (0, set())
    assert story["crm"].rows() == before


def test_missing_and_unreadable_records_count_together(tmp_path: Path) -> None:
    story = crowd(tmp_path)
    spoil(story.path("desk"), rows=4)
    lines = story.path("desk").read_bytes().splitlines(keepends=True)
    story.path("desk").write_bytes(b"".join(lines[:-3]))
    outcome = story.sync()
    assert [(each["verb"], each["count"]) for each in outcome.doc["held"]] == [("unreadable", 7)]


def test_an_unreadable_listing_that_a_person_approves_is_taken(tmp_path: Path) -> None:
    story = crowd(tmp_path)
    spoil(story.path("desk"), rows=17)
    story.approve(story.sync().doc["run"])
    assert held(story.sync()) == set()
    assert story.ask(lambda tx: len(tx.parked(tx.apps()["desk"].id, 100))) == 17
    assert {row["first_name"] for row in story["crm"].rows().values()} >= {"????"}


def test_a_few_unreadable_rows_are_parked_as_before(tmp_path: Path) -> None:
    story = crowd(tmp_path)
    spoil(story.path("desk"), rows=2)
    assert held(story.sync()) == set()
    assert story.ask(lambda tx: len(tx.parked(tx.apps()["desk"].id, 100))) == 2


def test_a_case_shows_what_every_app_holds(tmp_path: Path) -> None:
    """Fault: books held the contact's own value, was not shown, and was written over by the decision."""
    story = agreed(
        tmp_path, {"crm": "memory", "books": "memory", "phones": "memory"}, fields={"last_name": {"policy": "ask"}}
    )
    for app, name in {"crm": "Müller", "phones": "Mueller-Ray"}.items():
        story[app].put(story[app].id_of("bob@x.org"), last_name=name)
    story.settle()
    [case] = story.cases()
    assert case["values"] == {"crm": "Müller", "books": "Ray", "phones": "Mueller-Ray"}


@pytest.mark.parametrize(("rows", "code", "level"), [(2, 0, "warning"), (17, 3, "error")])
def test_check_counts_rows_that_cannot_be_read(tmp_path: Path, rows: int, code: int, level: str) -> None:
    hub = Hub(tmp_path)
    people = [person(number, last_name="Müller", id=str(number)) for number in range(30)]
    hub.csv("crm", people)
    hub.csv("news", people)
    spoil(tmp_path / "crm.csv", rows)
    found = hub.json("check", code=code)["apps"]
    [finding] = found["crm"]["findings"]
    assert finding["level"] == level
    assert finding["message"].startswith(f"{rows} of 30 records cannot be read")
    assert found["news"]["findings"] == []


def test_check_counts_people_abroad_whose_country_is_assumed(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    abroad = {
        "1": ("FR", "01 23 45 67 89"),
        "2": ("FR", "+33 1 23 45 67 89"),
        "3": ("DE", "030 23125499"),
        "4": ("", "030 1"),
    }
    people = [person(int(id_), id=id_, country=country, phone=phone) for id_, (country, phone) in abroad.items()]
    hub.csv("crm", people, columns=(*COLUMNS, "country"))
    hub.csv("news", [person(1)])
    hub.configure("fields: {phone: {region: DE}}\n")
    [finding] = hub.json("check")["apps"]["crm"]["findings"]
    assert (finding["field"], finding["level"]) == ("phone", "warning")
    assert "in another country than region DE: 1;" in finding["message"]

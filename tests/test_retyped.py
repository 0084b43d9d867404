"""A field gets another type in the configuration: what is known of it is read by that, and nothing breaks on what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.story import Story, given

HELD = {
    "set": "a;b", "text": "Hello", "date": "2020-01-02", "number": "12", "boolean": "true", "phone": "+49 30 23125053",
    "email": "a@b.org", "url": "https://x.org", "country": "DE", "map": '{"x": "1"}',
}  # fmt: skip


def begun(folder: Path, kind: str) -> Story:
    apps = {"crm": ("csv", {"columns": ("email", "colour")}), "desk": ("csv", {"columns": ("email", "colour")})}
    story = given(folder, apps)
    mapped = {"fields": {"colour": {"path": "colour"}}}
    story.configure(fields={"colour": {"type": kind}}, app_crm=mapped, app_desk=mapped)
    story["crm"].put("1", email="ann@x.org", colour=HELD[kind])
    story.sync(approve=True)
    story.settle()
    return story


def retyped(story: Story, kind: str, **more: str) -> None:
    story.configure(fields={"colour": {"type": kind, **more}})


@pytest.mark.parametrize("kind", sorted(HELD))
@pytest.mark.parametrize("before", ["set", "text", "number"])
def test_whatever_it_was_before_everything_goes_on(before: str, kind: str, tmp_path: Path) -> None:
    story = begun(tmp_path, before)
    at_first, since = story["desk"].one("ann@x.org"), story.clock.now_ms
    story["crm"].put("1", colour={"set": "c", "text": "Bye", "number": "13"}[before])
    story.settle()
    held = story["desk"].one("ann@x.org")
    retyped(story, kind)
    assert story.settle().code == 0
    assert story["desk"].one("ann@x.org") == held
    story.undo(since_ms=since)
    assert story["desk"].one("ann@x.org") in (at_first, held)
    story["desk"].put(story["desk"].id_of("ann@x.org"), colour=HELD[kind])
    assert story.settle().code == 0


def test_a_type_that_was_wrong_for_a_while_leaves_no_hole(tmp_path: Path) -> None:
    story = begun(tmp_path, "text")
    retyped(story, "date")
    assert story.settle().code == 0
    retyped(story, "text")
    assert story.settle().code == 0
    shop = story.add_app("shop", "csv", columns=("email", "colour"))
    story.configure(app_shop={"fields": {"colour": {"path": "colour"}}})
    story.sync(approve=True)
    assert shop.one("ann@x.org")["colour"] == "Hello"


def test_a_case_of_before_is_not_decided_by_a_value_of_before(tmp_path: Path) -> None:
    story = begun(tmp_path, "set")
    retyped(story, "set", policy="ask")
    story["crm"].put("1", colour="x")
    story["desk"].put(story["desk"].id_of("ann@x.org"), colour="y")
    story.sync()
    [case] = story.cases()
    retyped(story, "text", policy="ask")
    story.sync()
    with pytest.raises(Exception, match="another type now"):
        story.resolve(case["id"], app="crm")
    story.resolve(case["id"], value="green", has_value=True)
    assert story.settle().code == 0
    assert {row["colour"] for rows in story.holds().values() for row in rows} == {"green"}


def test_a_field_that_is_left_out_for_a_while_is_read_anew(tmp_path: Path) -> None:
    """The number that had been made of it was written over what stood there."""
    story = given(tmp_path, {"crm": "memory", "news": "memory"})

    def mapped(**how: str) -> None:
        story.configure(app_crm={"fields": {"phone": {"path": "phone", **how}}})

    mapped(region="DE")
    story["crm"].put("1", email="ann@x.org", phone="030 23125053")
    story.sync(approve=True)
    story.settle()
    mapped(direction="none")
    story.settle()
    mapped(region="AT")
    story.settle()

    assert story["crm"].rows()["1"]["phone"] == "030 23125053"
    assert [row["phone"] for row in story["news"].rows().values()] == ["+433023125053"]

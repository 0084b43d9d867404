"""What a guard holds, and what it does not: an opt-out goes out, an approval waits for the run it is for, nobody is made of a
record that is missing.
"""

from __future__ import annotations

from pathlib import Path

from tests.story import Story, given, held

PEOPLE = {str(n): {"email": f"p{n}@x.org", "first_name": f"P{n}", "email_consent": "opted_in"} for n in range(40)}


def known(folder: Path, **sections: object) -> Story:
    """Forty people in two apps."""
    story = given(folder, {"crm": "csv", "news": "csv"}, **sections)
    for id_, fields in PEOPLE.items():
        story["crm"].put(id_, **fields)
    story.sync(approve=True)
    story.settle()
    assert len(story["news"].rows()) == 40
    return story


def import_200(story: Story) -> None:
    for n in range(100, 300):
        story["crm"].put(str(n), email=f"p{n}@x.org", first_name=f"P{n}")


def consent(story: Story, app: str, email: str) -> object:
    return next(row.get("email_consent") for row in story[app].rows().values() if row["email"] == email)


def test_an_opt_out_goes_into_an_app_that_a_guard_holds(tmp_path: Path) -> None:
    story = known(tmp_path)
    import_200(story)
    story["crm"].put("7", email_consent="opted_out")
    assert held(story.sync()) == {("news", "creates")}
    assert consent(story, "news", "p7@x.org") == "opted_out"
    story["crm"].put("8", email_consent="opted_out")
    assert held(story.sync()) == {("news", "creates")}
    assert consent(story, "news", "p8@x.org") == "opted_out"
    assert len(story["news"].rows()) == 40, "and nothing else"


def test_what_is_held_can_be_approved_although_an_opt_out_was_written_since(tmp_path: Path) -> None:
    story = known(tmp_path)
    import_200(story)
    run = story.sync().doc["run"]
    story["crm"].put("7", email_consent="opted_out")
    story.sync()
    assert story.approve(run)["approved"]
    assert story.settle().code == 0
    assert len(story["news"].rows()) == 240


def test_too_many_opt_outs_are_held_where_that_is_asked_for(tmp_path: Path) -> None:
    story = known(tmp_path, guards={"opt_outs": 5})
    import_200(story)
    for n in range(10):
        story["crm"].put(str(n), email_consent="opted_out")
    assert held(story.sync()) == {("news", "creates"), ("news", "opt_outs")}
    assert consent(story, "news", "p7@x.org") != "opted_out"


def test_nobody_is_made_of_records_that_are_missing_since(tmp_path: Path) -> None:
    """An import by mistake, put right: the approval of the records that it would have made makes none of them."""
    story = known(tmp_path)
    import_200(story)
    run = story.sync().doc["run"]
    for n in range(100, 300):
        story["crm"].remove(str(n))
    assert ("crm", "unlinks") in held(story.sync())
    assert story.plan().doc["counts"]["news"] == {}, "nor does a preview say so"
    story.approve(run)
    story.sync()
    assert len(story["news"].rows()) == 40
    run = story.sync().doc["run"]
    story.approve(run)
    story.settle()
    assert len(story["news"].rows()) == 40
    assert story.settle().code == 0


def test_who_is_missing_at_first_and_is_there_again_gets_a_record(tmp_path: Path) -> None:
    story = known(tmp_path)
    import_200(story)
    run = story.sync().doc["run"]
    kept = {id_: row for id_, row in story["crm"].rows().items() if int(id_) >= 100}
    for id_ in kept:
        story["crm"].remove(id_)
    story.sync()
    for id_, row in kept.items():
        story["crm"].put(id_, **row)
    story.approve(run)
    assert story.settle().code == 0
    assert len(story["news"].rows()) == 240


def test_an_approval_of_what_was_read_waits_for_the_run_that_reads_it(tmp_path: Path) -> None:
    """The daemon reads each app in its own time: a pass of another app had used it up."""
    story = known(tmp_path)
    for id_ in [*story["news"].rows()][:30]:
        story["news"].remove(id_)
    story.sync()
    outcome = story.sync()
    assert held(outcome) == {("news", "unlinks")}
    story.approve(outcome.doc["run"])
    story.resync(apps=["crm"])
    assert held(story.sync()) == set()
    assert held(story.sync()) == set()
    assert len(story["news"].rows()) == 10
    assert len(story["crm"].rows()) == 40

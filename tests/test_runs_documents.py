"""The documents of runs, whole: what scripts read, what is kept of each run, and nothing beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from syncd.engine.finish import LATER
from syncd.errors import AccessError, ConfigError, TransientError
from tests.story import ANN, BOB, Story, agreed, given, raising

COUNTS: Final = dict.fromkeys(("read", "created", "updated", "cleared", "archived", "consents", "parked", "failed"), 0)
FIRST_HELD: Final = [
    {"app": "crm", "verb": "updates", "count": 1, "limit": 0},
    {"app": "news", "verb": "creates", "count": 1, "limit": 0},
    {"app": "news", "verb": "updates", "count": 1, "limit": 0},
]
PREVIEW: Final = {"matched": 1, "unmatched": 1, "ambiguous": 0, "disagreeing": 0}


def counts(**each: dict[str, int]) -> dict[str, dict[str, int]]:
    return {app: {**COUNTS, **more} for app, more in each.items()}


def fills(name: str, value: str, origin: str) -> dict[str, Any]:
    return {name: {"from": None, "to": value, "reason": f"fills a blank, from {origin}"}}


def met(folder: Path) -> Story:
    """Ann is in both apps, Bob in the CRM only, and nobody has looked at that yet."""
    story = given(folder, {"crm": "memory", "news": "memory"})
    story["crm"].put("1", **ANN)
    story["crm"].put("2", **BOB)
    story["news"].put("7", email="ann@x.org", company="Beta")
    return story


def kept(story: Story, run: int) -> Any:
    """Give what the store keeps of a run: its kind, its outcome and its document."""
    return story.ask(lambda tx: tx.run(run))


def started(story: Story) -> Story:
    """Let the first run be done."""
    assert story.sync(approve=True).code == 0
    assert story.settle().code == 0
    return story


def test_a_plan_of_the_first_run_lists_everything_that_waits_for_a_look(tmp_path: Path) -> None:
    outcome = met(tmp_path).plan()
    people = {"crm": "1", "news": "7"}
    assert outcome.doc == {
        "intents": [
            {"app": "crm", "kind": "update", "contact": "c1", "who": "ann@x.org", "record": "1", "records": people,
             "fields": fills("company", "Beta", "news")},
            {"app": "news", "kind": "update", "contact": "c1", "who": "ann@x.org", "record": "7", "records": people,
             "fields": {**fills("first_name", "Ann", "crm"), **fills("last_name", "Lee", "crm"),
                        **fills("phone", "+491712345678", "crm")}},
            {"app": "news", "kind": "create", "contact": "c2", "who": "bob@x.org", "record": "", "records": {"crm": "2"},
             "fields": {**fills("email", "bob@x.org", "crm"), **fills("first_name", "Bob", "crm"),
                        **fills("last_name", "Ray", "crm"), **fills("company", "Acme", "crm")}},
        ],
        "counts": {"crm": {"update": 1}, "news": {"update": 1, "create": 1}},
        "held": FIRST_HELD, "inbox": [], "paused": [],
    }  # fmt: skip
    assert (outcome.code, outcome.errors, outcome.preview) == (4, {}, PREVIEW)
    assert (outcome.paused, outcome.later, outcome.undone) == ({}, 0, None)


@pytest.mark.parametrize("kind", ["sync", "resync"])
def test_the_first_run_is_a_preview_that_is_kept_until_somebody_approves_it(tmp_path: Path, kind: str) -> None:
    story = met(tmp_path)
    outcome = getattr(story, kind)()
    whole = {
        "run": 1, "outcome": "held", "apps": counts(crm={"read": 2}, news={"read": 1}), "held": FIRST_HELD,
        "inbox": 0, "preview": PREVIEW,
    }  # fmt: skip
    assert outcome.doc == (whole if kind == "sync" else {**whole, "skipped": []})
    assert (outcome.code, outcome.errors, outcome.preview) == (4, {}, PREVIEW)
    assert kept(story, 1) == ("sync", "held", {**whole, "first": True, "unread": []})
    assert story.approve(1) == {"run": 1, "approved": FIRST_HELD}
    assert story.ask(lambda tx: tx.meta("first")) == "1"
    done = story.sync()
    assert done.doc == {
        "run": 2, "outcome": "in_sync", "held": [], "inbox": 0, "paused": [],
        "apps": counts(crm={"read": 2, "updated": 1}, news={"read": 1, "created": 1, "updated": 1}),
    }  # fmt: skip
    assert (done.code, done.preview, kept(story, 2)) == (0, {}, ("sync", "in_sync", done.doc))
    assert story.ask(lambda tx: tx.meta("approvals")) == "{}", "what was approved is used up"


def test_a_first_run_that_would_write_nothing_is_held_for_a_look_all_the_same(tmp_path: Path) -> None:
    story = given(tmp_path, {"crm": "memory", "news": "memory"})
    for app in story.apps.values():
        app.put("1", email="ann@x.org")
    held = [{"app": "crm", "verb": "first_run", "count": 0, "limit": 0}]
    assert story.plan().doc["held"] == held
    assert story.sync().doc["held"] == held
    assert story.approve(1) == {"run": 1, "approved": held}
    assert story.sync().code == 0


@pytest.mark.parametrize(
    ("error", "code"), [(TransientError("down"), 3), (AccessError("no"), 5), (ConfigError("no"), 2)]
)
def test_a_first_run_with_one_filled_app_waits_where_another_cannot_be_read(
    tmp_path: Path, error: Exception, code: int
) -> None:
    story = given(tmp_path, {"crm": "memory", "news": "memory"})
    story["crm"].put("1", **ANN)
    with story.when("news", "read", raising(error)):
        outcome = story.sync()
    assert (outcome.code, outcome.doc["outcome"], outcome.errors) == (code, "partial", {"news": str(error)})
    assert outcome.preview == {"matched": 0, "unmatched": 1, "ambiguous": 0, "disagreeing": 0}
    assert kept(story, 1)[2] == {**outcome.doc, "first": True, "unread": ["news"]}
    assert outcome.doc["held"] == []
    with story.when("news", "read", raising(error)):
        plan = story.plan()
    assert (plan.code, plan.errors, plan.doc["unread"]) == (code, {"news": str(error)}, ["news"])


def test_a_plan_is_carried_out_as_it_was_shown(tmp_path: Path) -> None:
    story = started(met(tmp_path))
    story["crm"].put("1", company="Gamma")
    done = story.apply(story.plan().doc)
    assert (done.code, done.doc["skipped"], done.doc["apps"]["news"]["updated"]) == (0, [], 1)
    assert story["news"].one("ann@x.org")["company"] == "Gamma"


def test_nothing_is_done_that_is_not_in_the_plan(tmp_path: Path) -> None:
    """Somebody has taken a person out of the file."""
    story = started(met(tmp_path))
    story["crm"].put("3", email="eve@x.org")
    story.settle()
    for record in ("1", "3"):
        story["crm"].put(record, company="Gamma")
    plan = story.plan().doc
    ann = [intent for intent in plan["intents"] if intent["records"]["crm"] == "1"]
    assert len(ann) < len(plan["intents"])
    story.apply({**plan, "intents": ann})
    assert story["news"].one("ann@x.org")["company"] == "Gamma"
    assert "company" not in story["news"].one("eve@x.org")


def test_a_plan_of_which_nothing_fits_is_carried_out_in_part_although_all_is_in_sync(tmp_path: Path) -> None:
    story = started(met(tmp_path))
    done = story.apply({"intents": [{"app": "shop", "kind": "update", "records": {}, "fields": {}}]})
    assert (done.code, done.doc["outcome"]) == (3, "partial")


def test_the_history_says_by_which_command_a_run_was_begun(tmp_path: Path) -> None:
    story = started(met(tmp_path))
    story["crm"].put("1", company="Gamma")
    runs = [story.sync(), story.resync(), story.apply(story.plan().doc), story.undo(run=2)]
    kinds = ["sync", "resync", "apply", "undo"]
    assert [kept(story, outcome.doc["run"])[0] for outcome in runs] == kinds


def test_a_plan_that_is_carried_out_lists_what_has_moved_meanwhile(tmp_path: Path) -> None:
    story = started(met(tmp_path))
    crm = story["crm"]
    crm.put("1", company="Gamma")
    crm.put("3", email="eve@x.org")
    plan = story.plan()
    assert (plan.code, plan.preview, plan.doc["held"]) == (0, {}, [])
    update, create = plan.doc["intents"]
    assert update["fields"] == {"company": {"from": "Beta", "to": "Gamma", "reason": "latest, from crm"}}
    assert (create["app"], create["kind"], create["records"]) == ("news", "create", {"crm": "3"})
    crm.put("1", company="Delta")
    run = story.ask(lambda tx: tx.last_run("in_sync") or 0)
    done = story.apply(plan.doc)
    assert done.doc == {
        "run": done.doc["run"], "outcome": "partial", "held": [], "inbox": 0, "paused": [],
        "apps": counts(crm={"read": 2}, news={"created": 1, "read": done.doc["apps"]["news"]["read"]}),
        "skipped": [{**update, "skipped": "a value has changed since"}],
        "why": [f"news: 1 write waits that {LATER}", "1 of the plan were skipped, as something has changed since"],
    }  # fmt: skip
    assert (done.code, done.doc["run"] > run) == (3, True)
    assert kept(story, done.doc["run"])[:2] == ("apply", "partial")
    assert story["news"].one("ann@x.org")["company"] == "Beta"
    story.settle()
    again = story.apply(plan.doc)
    assert [each["skipped"] for each in again.doc["skipped"]] == ["nothing to do any more"] * 2
    assert (again.code, again.doc["outcome"]) == (0, "in_sync"), "nothing is left of it"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"app": "shop"}, "not an intent of this configuration"),
        ({"kind": "rename"}, "not an intent of this configuration"),
        ({"records": {"crm": "99", "news": "7"}}, "its records belong to another contact now, or are gone"),
        ({"records": {"crm": "2", "news": "7"}}, "its records belong to another contact now, or are gone"),
        ({"records": {}}, "its records belong to another contact now, or are gone"),
        ({"fields": {}}, "a value has changed since"),
        ({"fields": {"company": {"from": "Beta", "to": "Other"}}}, "a value has changed since"),
        ({"fields": {"company": {"from": "Other", "to": "Gamma"}}}, "a value has changed since"),
        ({"fields": {"city": {"from": None, "to": None}, "company": {"from": "Beta", "to": "Gamma"}}}, "a value has changed since"),
        ({"kind": "consent"}, "nothing to do any more"),
    ],
)  # fmt: skip
def test_an_intent_that_is_not_what_would_be_done_is_skipped_with_its_reason(
    tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    story = started(met(tmp_path))
    story["crm"].put("1", company="Gamma")
    [intent] = story.plan().doc["intents"]
    outcome = story.apply({"intents": [{**intent, **change}]})
    assert outcome.doc["skipped"] == [{**intent, **change, "skipped": why}]
    assert outcome.doc["apps"]["news"]["updated"] == 0


def test_of_a_plan_nothing_reaches_an_app_that_is_paused(tmp_path: Path) -> None:
    story = started(met(tmp_path))
    story["crm"].put("1", company="Gamma")
    plan = story.plan().doc
    story.pause("news")
    outcome = story.apply(plan)
    assert [each["skipped"] for each in outcome.doc["skipped"]] == ["the app is paused, held or cannot be reached"]
    assert (outcome.doc["paused"], outcome.paused) == (["news"], {"news": 1})
    shown = story.plan()
    assert (shown.doc["paused"], shown.paused) == (["news"], {"news": 1})


def test_a_plan_creates_nobody_where_an_app_was_not_read(tmp_path: Path) -> None:
    story = started(met(tmp_path))
    story["crm"].put("3", email="eve@x.org")
    plan = story.plan().doc
    other = story.add_app("desk", "memory")
    other.put("1", email="eve@x.org")
    with story.when("desk", "read", raising(TransientError("down"))):
        outcome = story.apply(plan)
    assert [each["skipped"] for each in outcome.doc["skipped"]] == ["not every app was read in full yet"]
    assert len(story["news"].rows()) == 2


def test_what_is_no_plan_is_refused(tmp_path: Path) -> None:
    story = started(met(tmp_path))
    docs: list[dict[str, Any]] = [{}, {"intents": {}}]
    for doc in docs:
        with pytest.raises(
            ConfigError, match=r"^this is not a plan: it has no list of intents; make one by `syncd plan --out FILE`$"
        ):
            story.apply(doc)


def test_an_undo_is_shown_and_then_done(tmp_path: Path) -> None:
    story = started(met(tmp_path))
    story["crm"].put("1", company="Wrong")
    run = story.sync().doc["run"]
    preview = story.undo(run=run, approve=False)
    back = {"company": {"from": "Wrong", "to": "Beta", "reason": "undone by an operator"}}
    intents = [
        {"app": app, "kind": "update", "contact": "c1", "who": "ann@x.org", "record": id_, "records": {"crm": "1", "news": "7"},
         "fields": back}
        for app, id_ in (("crm", "1"), ("news", "7"))
    ]  # fmt: skip
    assert preview.doc == {
        "run": preview.doc["run"], "outcome": "held", "apps": counts(crm={}, news={}), "held": [], "inbox": 0,
        "skipped": [], "intents": intents,
    }  # fmt: skip
    assert (preview.code, preview.errors, preview.undone) == (4, {}, None)
    assert kept(story, preview.doc["run"]) is None, "nothing of it is kept"
    done = story.undo(run=run)
    assert done.doc == {
        "run": done.doc["run"], "outcome": "in_sync", "held": [], "inbox": 0, "paused": [], "skipped": [],
        "apps": counts(crm={"updated": 1}, news={"updated": 1, "read": done.doc["apps"]["news"]["read"]}),
    }  # fmt: skip
    assert (done.code, done.undone, kept(story, done.doc["run"])[:2]) == (0, 1, ("undo", "in_sync"))


def test_a_preview_of_an_undo_says_which_app_cannot_be_reached(tmp_path: Path) -> None:
    story = started(met(tmp_path))
    story["crm"].put("1", company="Wrong")
    run = story.sync().doc["run"]
    with story.when("news", "open", raising(TransientError("down"))):
        preview = story.undo(run=run, approve=False)
    assert (preview.code, preview.errors) == (4, {"news": "down"})


def test_a_decision_is_kept_as_a_run_and_a_refused_one_is_not(tmp_path: Path) -> None:
    story = agreed(tmp_path, {"crm": "memory", "news": "memory"}, fields={"company": {"policy": "ask"}})
    story["crm"].put("101", company="One")
    story["news"].put(story["news"].id_of("ann@x.org"), company="Two")
    run = story.sync().doc["run"]
    shown = story.plan()
    assert (shown.code, shown.later, [case["id"] for case in shown.doc["inbox"]]) == (4, 0, [1])
    with pytest.raises(ConfigError):
        story.resolve(1)
    assert kept(story, run + 1) is None
    outcome = story.resolve(1, app="crm")
    assert outcome.code == 0
    assert kept(story, run + 1) == ("resolve", "in_sync", outcome.doc)


def test_a_plan_counts_the_cases_that_the_inbox_cannot_show_yet(tmp_path: Path) -> None:
    story = agreed(tmp_path, {"crm": "memory", "news": "memory"}, fields={"company": {"policy": "ask"}})
    story["crm"].put("101", company="One")
    story["news"].put(story["news"].id_of("ann@x.org"), company="Two")
    shown = story.plan()
    assert (shown.code, shown.later, len(shown.doc["inbox"])) == (4, 1, 1)
    assert story.cases() == []

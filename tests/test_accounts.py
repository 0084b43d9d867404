"""Is it still the same account, and does it still offer what it did? Nothing is read or written there until somebody says so."""

from __future__ import annotations

from pathlib import Path

from syncd.engine.account import ACCOUNT, FIELDS
from syncd.errors import TransientError
from tests.story import Story, agreed, given, raising
from tests.story_apps import COLUMNS, MemoryKept

NEWS = 2
"""The number of the second app."""


def pair(folder: Path) -> Story:
    return agreed(folder, {"crm": "memory", "news": "memory"})


def narrowed(story: Story, *gone: str) -> None:
    """The newsletter does not offer these columns any more."""
    settings = story.doc["apps"]["news"]["settings"]
    story.configure(app_news={"settings": {**settings, "columns": [name for name in COLUMNS if name not in gone]}})


def test_another_account_is_held_until_somebody_approves_it_and_then_read_from_its_beginning(tmp_path: Path) -> None:
    story = pair(tmp_path)
    here = story.ask(lambda tx: tx.apps()["news"].fingerprint)
    story.ask(lambda tx: tx.save_app(NEWS, fingerprint="memory:elsewhere"))
    story["crm"].put("101", company="Acme")
    with story.calls() as calls:
        outcome = story.sync()
    assert {what for app, what in calls if app == "news"} == {"open", "fingerprint"}
    why = (
        "news: this is another account, file or table than before; nothing is read or written there "
        f"(it was memory:elsewhere, it is {here})"
    )
    held = [{"app": "news", "verb": "account", "count": 1, "limit": 0}]
    assert (outcome.code, outcome.doc["outcome"], outcome.doc["held"]) == (4, "held", held)
    assert outcome.errors == {"news": why}
    state = story.ask(lambda tx: tx.apps()["news"])
    assert (state.error, state.error_kind, state.fingerprint) == (why, ACCOUNT, "memory:elsewhere")
    assert held == story.sync().doc["held"]
    story.approve(outcome.doc["run"])
    outcome = story.sync()
    assert (outcome.code, outcome.doc["held"], outcome.errors) == (0, [], {})
    assert outcome.doc["apps"]["news"]["read"] == 2, "all of it"
    state = story.ask(lambda tx: tx.apps()["news"])
    assert (state.fingerprint, state.error, state.error_kind) == (here, None, None)
    assert story["news"].one("ann@x.org")["company"] == "Acme"
    assert story.sync().code == 0


def test_an_app_that_loses_fields_is_held_until_somebody_approves_it(tmp_path: Path) -> None:
    story = pair(tmp_path)
    offered = story.ask(lambda tx: bytes(tx.apps()["news"].fields or b""))
    narrowed(story, "company", "city")
    story["crm"].put("101", first_name="Anne")
    outcome = story.sync()
    held = [{"app": "news", "verb": "fields", "count": 2, "limit": 0}]
    assert (outcome.code, outcome.doc["held"]) == (4, held)
    assert outcome.errors == {"news": "no longer there: city, company"}
    state = story.ask(lambda tx: tx.apps()["news"])
    assert (state.error, state.error_kind) == ("no longer there: city, company", FIELDS)
    assert bytes(state.fields or b"") == offered
    assert story["news"].one("ann@x.org")["first_name"] == "Ann"
    story.approve(outcome.doc["run"])
    narrowed(story, "company", "city", "birthday")  # one more than was approved
    assert story.sync().doc["held"] == [{**held[0], "count": 3}]
    narrowed(story, "company", "city")
    outcome = story.sync()
    assert (outcome.code, outcome.doc["held"], outcome.errors) == (0, [], {})
    assert story["news"].one("ann@x.org")["first_name"] == "Anne"
    kept = story.ask(lambda tx: bytes(tx.apps()["news"].fields or b""))
    assert b'"company"' in offered
    assert b'"company"' not in kept
    assert b'"first_name"' in kept


def test_fields_that_are_there_again_need_no_approval(tmp_path: Path) -> None:
    story = pair(tmp_path)
    narrowed(story, "company")
    assert story.sync().code == 4
    narrowed(story)
    outcome = story.sync()
    assert (outcome.code, outcome.errors) == (0, {})
    assert story.ask(lambda tx: tx.apps()["news"].error_kind) is None


def test_a_field_that_is_not_to_be_read_any_more_is_not_missed(tmp_path: Path) -> None:
    story = pair(tmp_path)
    story.configure(app_news={"fields": {"company": {"path": "company", "direction": "none"}}})
    assert story.sync().code == 0


def test_what_an_app_means_by_its_words_counts_while_it_cannot_be_reached(tmp_path: Path) -> None:
    """It owns the field: what it showed last is the contact's value still, and not the letter that it writes for it."""
    story = given(tmp_path, {"crm": "memory", "news": "memory"}, fields={"company": {"policy": {"owner": "crm"}}})
    story.configure(app_crm={"fields": {"company": {"path": "company", "values": {"Acme": "A"}}}})
    crm = story["crm"]
    assert isinstance(crm, MemoryKept)
    crm.put("101", email="ann@x.org", company="A")
    story.sync(approve=True)
    story.settle()
    assert story["news"].one("ann@x.org")["company"] == "Acme"
    crm.store.down = True
    story["news"].put(story["news"].id_of("ann@x.org"), company="Beta")
    assert story.sync().code == 3
    assert story["news"].one("ann@x.org")["company"] == "Acme"


def test_two_apps_that_are_one_account_are_left_alone_and_each_says_so(tmp_path: Path) -> None:
    story = pair(tmp_path)
    story.doc["apps"]["post"] = story.doc["apps"]["news"]
    story.configure()
    story["crm"].put("101", company="Acme")
    outcome = story.sync()
    assert (outcome.code, outcome.doc["apps"]["news"]["read"], outcome.doc["apps"]["post"]["read"]) == (2, 0, 0)
    assert {name: why.partition(":")[0] for name, why in outcome.errors.items()} == {"news": "news", "post": "post"}
    assert all("this is the same account, file or table as" in why for why in outcome.errors.values())


def test_of_an_app_that_cannot_say_which_account_it_is_that_is_what_is_told(tmp_path: Path) -> None:
    story = pair(tmp_path)
    story.doc["apps"]["post"] = story.doc["apps"]["news"]
    story.configure()
    with story.when("post", "fingerprint", raising(TransientError("away"))):
        errors = story.sync().errors
    assert errors["post"] == "away"
    assert "this is the same account, file or table as post" in errors["news"]


def test_a_file_that_was_remembered_by_its_whole_way_is_remembered_by_its_way_from_the_configuration(
    tmp_path: Path,
) -> None:
    """So that the project can be moved from then on, though nothing else of the app has changed."""
    story = agreed(tmp_path, {"crm": "memory", "desk": "csv"})
    short = story.ask(lambda tx: tx.apps()["desk"].fingerprint)
    assert short is not None
    assert str(tmp_path) not in short
    number = story.ask(lambda tx: tx.apps()["desk"].id)
    story.ask(lambda tx: tx.save_app(number, fingerprint=short.replace("desk.csv", f"{tmp_path}/desk.csv")))
    assert story.sync().code == 0
    assert story.ask(lambda tx: tx.apps()["desk"].fingerprint) == short

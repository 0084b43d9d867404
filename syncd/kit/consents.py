"""Consent: nobody is ever opted in by a write that does not say so, and who opted out stays so whatever else is written."""

from __future__ import annotations

from collections.abc import Iterator

from syncd.connector import App
from syncd.core.fields import STANDARD
from syncd.http.app import HttpApp
from syncd.kit.suite import caught_up, check, known, listing, new, news, one
from syncd.kit.worlds import AppWorld
from syncd.model import Applied, Raw, Rejected, Spec, Write, words_of


def has_consent(spec: Spec) -> bool:
    return any(STANDARD.get(name) == "consent" and where.direction != "in" for name, where in spec.fields.items())


def consents_of(app: App) -> Iterator[str]:
    """Name the fields of consent that can be written."""
    yield from (
        name for name, where in app.fields.items() if STANDARD.get(name) == "consent" and where.direction != "in"
    )


def word(app: App, name: str, meaning: str) -> Raw:
    """Give the app's word for a consent."""
    return words_of((app.fields[name].values or {}).get(meaning, meaning))[0]


def meaning(app: App, name: str, raw: Raw) -> str:
    """Give what a word of the app means."""
    for each, words in (app.fields[name].values or {}).items():
        if raw in words_of(words):
            return each
    return "unknown" if raw is None else str(raw)


@check(lambda spec: spec.create and has_consent(spec))
def a_new_record_is_opted_in_to_nothing(world: AppWorld) -> None:
    app = world.open()
    batch = [new(app, number, email=f"new{number}@example.org", first_name=f"New {number}") for number in range(3)]
    for result in (one(app, batch[0]), *app.write(batch[1:])):
        assert isinstance(result, Applied)
        assert result.record is not None
        for name in consents_of(app):
            found = meaning(app, name, known(app, result.record.id).fields[name])
            assert found != "opted_in", "a default opted somebody in"


@check(lambda spec: spec.create and has_consent(spec))
def a_new_record_carries_its_opt_out(world: AppWorld) -> None:
    app = world.open()
    for number, name in enumerate(consents_of(app)):
        out = {name: word(app, name, "opted_out")}
        result = one(app, new(app, number, email=f"out{number}@example.org", first_name=f"Out {number}", **out))
        assert isinstance(result, Applied)
        assert result.record is not None
        assert meaning(app, name, known(app, result.record.id).fields[name]) == "opted_out"


@check(lambda spec: spec.update and has_consent(spec), needs=("opt_out",))
def who_opted_out_is_told_and_stays_so_whatever_is_written(world: AppWorld) -> None:
    id_ = world.add(email="ada@example.org", first_name="Ada")
    app = world.open()
    cursor = caught_up(app)
    world.opt_out(id_)
    told, _, _ = news(app, cursor)
    names = [name for name in consents_of(app) if meaning(app, name, known(app, id_).fields[name]) == "opted_out"]
    assert names, "no field of consent shows that somebody opted out"
    assert told[id_] == known(app, id_) or not app.spec.incremental, "an opt-out is not among the changes"
    raised: list[dict[str, Raw]] = [
        {name: word(app, name, each)} for name in names for each in ("opted_in", "unknown", "pending")
    ]
    harmless: list[dict[str, Raw]] = [{"first_name": "Augusta"}, {world.changed: "+49 30 1"}, {world.changed: None}]
    for fields in (*harmless, *raised, {**raised[0], "first_name": "Ada"}):
        one(app, Write(kind="update", id=id_, fields=fields))
        for name in names:
            held = meaning(app, name, known(app, id_).fields[name])
            assert held == "opted_out", f"an update of {', '.join(fields)} undid an opt-out"
    assert listing(app)[id_] == known(app, id_)


@check(lambda spec: spec.update and has_consent(spec))
def an_opt_out_is_told_to_the_app_and_is_all_that_changes(world: AppWorld) -> None:
    id_ = world.add(email="ada@example.org", first_name="Ada", phone="+49 30 1")
    other = world.add(email="grace@example.org", first_name="Grace")
    app = world.open()
    for name in consents_of(app):
        before = {each: known(app, each) for each in (id_, other)}
        out = {name: word(app, name, "opted_out")}
        result = one(app, Write(kind="consent", id=id_, fields=out, expect={name: before[id_].fields[name]}))
        assert isinstance(result, Applied)
        after = known(app, id_)
        assert meaning(app, name, after.fields[name]) == "opted_out"
        changed = {each for each, raw in after.fields.items() if raw != before[id_].fields[each]}
        assert changed <= set(consents_of(app)), "an opt-out changed something else"
        assert known(app, other).fields == before[other].fields, "an opt-out changed somebody else"


@check(lambda spec: spec.update and has_consent(spec), needs=("opt_out",))
def an_opt_in_is_done_or_refused_and_never_half_done(world: AppWorld) -> None:
    id_ = world.add(email="ada@example.org", first_name="Ada")
    app = world.open()
    world.opt_out(id_)
    before = world.everything()
    for name in consents_of(app):
        result = one(app, Write(kind="consent", id=id_, fields={name: word(app, name, "opted_in")}))
        assert isinstance(result, Applied | Rejected)
        assert isinstance(result, Rejected) or can_opt_in(app, name), "the connector says that it never opts in"
        assert app.fields[name].opts_in == can_opt_in(app, name), "the hub is not told whether anybody can be opted in"
        if isinstance(result, Rejected):
            assert world.everything() == before, "an opt-in was refused, and something changed"
        else:
            assert meaning(app, name, known(app, id_).fields[name]) in {"opted_in", "pending"}


def can_opt_in(app: App, name: str) -> bool:
    """Say whether the connector has a request that opts in; one in Python writes consent like any other field."""
    if not isinstance(app, HttpApp):
        return True
    consent = app.known[name].field.consent
    return consent is not None and consent.opt_in is not None

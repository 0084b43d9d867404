"""The trial of the vocabulary: what is peculiar to Mautic is said in YAML alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from syncd.http.sandbox import Said
from syncd.kit.suite import known, listing, new, one
from syncd.model import Applied, Rejected, Unknown, Write
from tests.conformance.vendors import MauticWorld


@pytest.fixture
def world() -> Iterator[MauticWorld]:
    with contextlib.closing(MauticWorld()) as made:
        yield made


def test_a_create_never_changes_whom_mautic_would_find(world: MauticWorld) -> None:
    there = world.add(email="ada@example.org", first_name="Ada")
    app = world.open()
    emails = ("Ada@example.org", "grace@example.org", "GRACE@example.org")
    results = app.write([new(app, n, email=email, first_name="Other") for n, email in enumerate(emails)])
    assert isinstance(results[0], Rejected)
    assert (results[0].why, results[0].existing) == ("exists", there)
    assert isinstance(results[1], Applied)
    assert isinstance(results[2], Rejected)
    assert known(app, there).fields["first_name"] == "Ada"
    assert len(listing(app)) == 2


@pytest.mark.parametrize(("reason", "word"), [(1, "1"), (2, "2"), (3, "1")])
def test_two_words_may_say_the_same(reason: int, word: str, world: MauticWorld) -> None:
    id_ = world.add(email="ada@example.org")
    world.sandbox.mark(id_, reason)
    assert known(world.open(), id_).fields["email_consent"] == word


def test_a_new_contact_is_opted_out_after_it_is_made_and_in_doubt_if_that_fails(world: MauticWorld) -> None:
    app = world.open()
    result = one(app, new(app, 1, email="ada@example.org", email_consent="1"))
    assert isinstance(result, Applied)
    assert result.record is not None
    assert result.record.fields["email_consent"] == "1"
    world.server.before = lambda asked: Said(status=500) if "dnc" in asked.path else None
    assert isinstance(one(app, new(app, 2, email="grace@example.org", email_consent="1")), Unknown)
    assert isinstance(one(app, new(app, 3, email="hedy@example.org", email_consent="2")), Applied)


def test_nobody_is_opted_in(world: MauticWorld) -> None:
    id_ = world.add(email="ada@example.org")
    world.sandbox.mark(id_, 1)
    app = world.open()
    for word in ("", "opted_in", "0", "2"):
        result = one(app, Write(kind="consent", id=id_, fields={"email_consent": word}))
        assert isinstance(result, Rejected)
        assert result.why == "readonly"
    assert world.sandbox.marks == {int(id_): 1}

"""Webhooks: who changed is named, nobody but the app is believed, and what comes again does no harm.

Asked of what hears them alone: with the bytes that the app sends, and with what somebody else made of them. Hard rule: of what a
body holds nothing is in what is said of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from syncd.connector import Arrival, Ear, Heard, Refused, Subscribes
from syncd.http.sandbox import Asked, Clock, Letter, Said, serving
from syncd.kit.suite import check, known
from syncd.kit.worlds import ApiWorld, AppWorld
from syncd.model import Hooking, Spec

KEY: Final = "the-key-of-the-kit"
OTHER: Final = "the-key-of-a-thief"
PATH: Final = "/hooks/app"
NAME: Final = "Augusta-4242"
"""What no message may hold."""
SENSELESS: Final = (b"", b"\xff\xfe", b"null", b"[]", b"{}", b"<html>", b"[" * 5000, b"a=b&a[b]=c")


def hears(spec: Spec) -> bool:
    return spec.hooking is not None and spec.hooking.how != ""


@check(lambda spec: not hears(spec))
def no_webhooks_where_none_are_claimed(world: AppWorld) -> None:
    assert world.connector.listen is None, "it listens, and does not say so"


@check(lambda spec: spec.hooking is not None and spec.hooking.subscribes, needs=("letters",))
def the_app_is_told_where_webhooks_go_and_tells_it_again(world: AppWorld) -> None:
    app, before = world.open(), world.everything()
    assert isinstance(app, Subscribes)
    with addressed(world) as (address, _):
        assert not app.subscribed(address), "nobody has said so"
        app.subscribe(address)
        assert app.subscribed(address), "it was subscribed, and is not among those that there are"
        assert not app.subscribed(f"{address}-2"), "another address is taken for ours"
    assert world.everything() == before, "a subscription changed somebody"


@check(hears, needs=("letters",))
def a_webhook_says_who_changed(world: AppWorld) -> None:
    id_, other = world.add(email="ada@example.org", first_name="Ada"), world.add(email="grace@example.org")
    hooking, ear = arranged(world)
    world.edit(id_, first_name=NAME)
    ids, something = told(world, ear)
    assert id_ in ids or (something and not hooking.names), "who was edited is not told"
    assert other not in ids, "somebody is named who has not changed"
    assert known(world.open(), id_).fields["first_name"] == NAME or not world.exact
    new = world.add(email="hedy@example.org", first_name="Hedy")
    ids, something = told(world, ear)
    assert new in ids or (something and not hooking.names), "who is new is not told"
    world.delete(id_)
    ids, _ = told(world, ear)  # some apps are silent of this; reads tell
    assert ids <= {id_}, "somebody is named who has not changed"


@check(hears, needs=("letters",))
def a_webhook_that_is_not_the_apps_is_refused_without_a_word_of_it(world: AppWorld) -> None:
    id_ = world.add(email="ada@example.org", first_name="Ada")
    hooking, ear = arranged(world)
    thief = world.listen(**dict.fromkeys(hooking.needs, OTHER))
    world.edit(id_, first_name=NAME)
    letters = world.letters()
    assert letters, "an edit is told by no webhook"
    for letter in letters:
        right = arrival(letter, hooking)
        refused = [ear.hear(each) for each in forged(right, hooking)] + [thief.hear(right)]
        for said in refused:
            assert isinstance(said, Refused), "it is believed, and anybody could have sent it"
            assert not any(word in said.why for word in (NAME, KEY, "example.org")), "what is said of it quotes it"
        for body in SENSELESS:
            said = ear.hear(replace(right, body=body))
            assert isinstance(said, Refused) == hooking.signed, (
                "what makes no sense is refused by its signature, or is a hint"
            )
            assert isinstance(said, Refused) or not said.ids
        assert isinstance(ear.hear(right), Heard), "a genuine one is refused"


@check(hears, needs=("letters",))
def a_webhook_that_comes_again_is_known_or_too_old_or_does_no_harm(world: ApiWorld[Any]) -> None:
    ids = [world.add(email=f"{name}@example.org", first_name=name) for name in ("ada", "grace")]
    hooking, ear = arranged(world)
    delivered = []
    for id_ in ids:
        world.edit(id_, first_name=NAME)
        delivered += [arrival(letter, hooking) for letter in world.letters()]
    first = [heard(ear, each) for each in delivered]
    assert [heard(ear, each) for each in delivered] == first, "the same one again says something else"
    names = [each.once for each in first]
    assert all((name is not None) == hooking.once for name in names), "it says that each names itself, and it is not so"
    assert not hooking.once or len(set(names)) == len(delivered) > 1, "two deliveries are taken for one"
    if hooking.window_seconds is not None:
        for seconds in (hooking.window_seconds + 1, -2 * hooking.window_seconds - 2):
            world.sandbox.clock.pass_seconds(seconds)
            said = [ear.hear(each) for each in delivered]
            assert all(isinstance(each, Refused) for each in said), "one that was signed at another time is believed"


def arranged(world: AppWorld) -> tuple[Hooking, Ear]:
    """Have webhooks sent from now on; give what is claimed of them, and what hears them."""
    hooking = world.connector.spec.hooking
    assert hooking is not None
    with addressed(world) as (address, ear):
        if hooking.subscribes:
            app = world.open()
            assert isinstance(app, Subscribes)
            app.subscribe(address)
        else:
            world.hook(address, KEY)
    world.letters()  # what happened before
    return hooking, ear


@contextlib.contextmanager
def addressed(world: AppWorld) -> Iterator[tuple[str, Ear]]:
    """Listen somewhere while the block runs, as some apps try an address out before they take it; give it, and what hears."""
    hooking = world.connector.spec.hooking
    assert hooking is not None
    ear = world.listen(**dict.fromkeys(hooking.needs, KEY))
    with serving(Listener(ear)) as server:
        yield f"{server.url}{PATH}/{KEY}" if hooking.path else f"{server.url}{PATH}", ear


class Listener:
    """Answers at the address, as the daemon does."""

    def __init__(self, ear: Ear) -> None:
        self.ear, self.clock = ear, Clock()

    def answer(self, asked: Asked) -> Said:
        _, _, secret = asked.path.removeprefix(PATH).rpartition("/")
        came = Arrival(
            method=asked.method, url="", headers=asked.headers, query=asked.query, body=asked.body, secret=secret
        )
        said = self.ear.hear(came)
        if isinstance(said, Refused):
            return Said(status=404 if said.unknown else 401)
        return Said(doc=said.answer.encode() or None)


def arrival(letter: Letter, hooking: Hooking) -> Arrival:
    """Deliver a webhook."""
    headers = {name.lower(): value for name, value in letter.headers.items()}
    secret = KEY if hooking.path else ""
    return Arrival(method="POST", url=letter.url, headers=headers, query={}, body=letter.body, secret=secret)


def forged(right: Arrival, hooking: Hooking) -> Iterator[Arrival]:
    """Make what somebody could send who knows neither the key nor the address, but saw one."""
    yield replace(right, secret=OTHER)
    if hooking.path:
        yield replace(right, secret="")
    if hooking.signed:
        yield replace(right, headers={})
        yield replace(right, headers={name: f"{value}=" for name, value in right.headers.items()})
        yield replace(right, headers=dict.fromkeys(right.headers, "\u00e9"))
        yield replace(right, body=right.body + b" ")
        yield replace(right, body=right.body.replace(b"a", b"e", 1))


def heard(ear: Ear, arrived: Arrival) -> Heard:
    said = ear.hear(arrived)
    assert isinstance(said, Heard), "a genuine one is refused"
    return said


def told(world: AppWorld, ear: Ear) -> tuple[set[str], bool]:
    """Hear what the app sends now: whom it names, and whether it says that something has changed."""
    hooking = world.connector.spec.hooking
    assert hooking is not None
    said = [heard(ear, arrival(letter, hooking)) for letter in world.letters()]
    return {id_ for each in said for id_ in each.ids}, any(each.something for each in said)

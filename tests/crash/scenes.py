"""What goes on when syncd dies: who is in the apps, who edits what meanwhile, and what must be true in the end.

Hard rule: what must be true is written down here by hand; the run without a crash is a second opinion, not the first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from tests.crash.lab import Vendors

Typed = tuple[str, str, str]
"""Who (e-mail), field, value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One world and one command that dies in it."""

    name: str
    begin: Callable[[Vendors], None]
    """What the apps hold before syncd ever ran."""
    edits: tuple[Callable[[Vendors], None], ...]
    """What people do after the first sync, and after each further one; the last is what the command that dies finds."""
    words: tuple[str, ...] = ("sync",)
    """The command that dies."""
    drain: tuple[str, ...] = ("sync",)
    """The command that is run until nothing is left to do."""
    typed: tuple[Typed, ...]
    """What every app must hold in the end (but `books` of whom was removed there)."""
    conflicts: tuple[tuple[str, str, tuple[str, str]], ...]
    """Who, field, and the two values of which one must be everywhere and the other one in the journal."""
    opted_in: frozenset[str]
    """Who may hold an opt-in in the end, in which app ever."""
    removed: frozenset[str] = frozenset()
    """Who was removed from `books` and must not come back there."""


def _people(three: Vendors) -> None:
    """Ann and Bob are in two apps each and differ; Cid agreed to mail everywhere; the rest is in one app."""
    three.put("desk", "d1", email="ann@x.org", first_name="Ann", last_name="Lee", company="Desk Ltd")
    three.put("books", "1", email="ann@x.org", first_name="Ann", last_name="Lee", phone="+493023125001")
    three.put("books", "2", email="bob@x.org", first_name="Bob", last_name="Ray", company="Books Ltd")
    three.put("team", "t2", email="bob@x.org", first_name="Bob", last_name="Ray", company="Team Ltd")
    for app, id_ in (("desk", "d3"), ("books", "3"), ("team", "t3")):
        three.put(app, id_, email="cid@x.org", first_name="Cid", last_name="Orr", email_consent="opted_in")
    three.put("team", "t4", email="dee@x.org", first_name="Dee", last_name="Poe", job_title="Clerk")
    three.put("desk", "d5", email="eve@x.org", first_name="Eve", last_name="Roe", email_consent="opted_out")
    three.put("books", "5", email="eve@x.org", first_name="Eve", last_name="Roe", email_consent="opted_in")
    three.put("books", "6", email="fay@x.org", first_name="Fay", last_name="Low")


def _day(three: Vendors) -> None:
    """Two are new, three are edited, two apps disagree, one opts out, one is removed."""
    three.put("desk", "d7", email="gil@x.org", first_name="Gil", last_name="Fox", company="New Ltd")
    three.put("books", "8", email="hal@x.org", first_name="Hal", last_name="Ives", email_consent="opted_out")
    three.put("team", "t9", email="ivy@x.org", first_name="Ivy", last_name="Jay", phone="+493023125009")
    three.put("books", three.id_of("books", "ann@x.org"), phone="+493023125111")
    three.put("team", three.id_of("team", "ann@x.org"), job_title="Head")
    three.put("desk", three.id_of("desk", "bob@x.org"), last_name="Rey")
    three.put("desk", three.id_of("desk", "dee@x.org"), company="From Desk")
    three.put("team", three.id_of("team", "dee@x.org"), company="From Team")
    three.put("desk", three.id_of("desk", "cid@x.org"), email_consent="opted_out")
    three.remove(three.id_of("books", "fay@x.org"))


def _later(three: Vendors) -> None:
    """A name is new, and the row that was removed is missing for the second time."""
    three.put("desk", three.id_of("desk", "gil@x.org"), last_name="Fuchs")
    three.put("team", "t10", email="jon@x.org", first_name="Jon", last_name="Kay")


FIRST: Final = Scene(
    name="first",
    begin=_people,
    edits=(),
    words=("sync", "--approve"),
    drain=("sync", "--approve"),
    typed=(
        ("ann@x.org", "company", "Desk Ltd"),
        ("ann@x.org", "phone", "+493023125001"),
        ("dee@x.org", "job_title", "Clerk"),
        ("eve@x.org", "email_consent", "opted_out"),
        ("fay@x.org", "last_name", "Low"),
    ),
    conflicts=(("bob@x.org", "company", ("Books Ltd", "Team Ltd")),),
    opted_in=frozenset({"cid@x.org"}),
)
DAY: Final = Scene(
    name="day",
    begin=_people,
    edits=(_day,),
    typed=(
        ("ann@x.org", "company", "Desk Ltd"),
        ("ann@x.org", "phone", "+493023125111"),
        ("ann@x.org", "job_title", "Head"),
        ("bob@x.org", "last_name", "Rey"),
        ("cid@x.org", "email_consent", "opted_out"),
        ("dee@x.org", "job_title", "Clerk"),
        ("eve@x.org", "email_consent", "opted_out"),
        ("gil@x.org", "company", "New Ltd"),
        ("hal@x.org", "email_consent", "opted_out"),
        ("ivy@x.org", "phone", "+493023125009"),
    ),
    conflicts=(("dee@x.org", "company", ("From Desk", "From Team")),),
    opted_in=frozenset(),
    removed=frozenset({"fay@x.org"}),
)
PREVIEW: Final = replace(FIRST, name="preview", words=("sync",))
LATER: Final = replace(
    DAY,
    name="later",
    edits=(_day, _later),
    typed=(*DAY.typed, ("gil@x.org", "last_name", "Fuchs"), ("jon@x.org", "last_name", "Kay")),
)
SCENES: Final = {scene.name: scene for scene in (DAY, FIRST, LATER, PREVIEW)}

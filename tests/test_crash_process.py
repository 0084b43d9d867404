"""The real `syncd sync` dies at every boundary, is started again, and the vendors are asked: nothing twice, nothing lost,
nobody subscribed, the same everywhere, and then silence. `python -m tests.crash --all` dies at every occurrence as well.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.crash.disk import library
from tests.crash.lab import in_memory
from tests.crash.power import FORGOTTEN, cut_power
from tests.crash.scenes import SCENES
from tests.crash.sweep import (
    ELSEWHERE,
    Figures,
    fail,
    failing,
    firsts,
    in_source,
    kill,
    kill_at_files,
    kill_on_the_wire,
    kill_twice,
    moments,
)
from tests.crash.trial import Bench, bench
from tests.crash.zygote import Zygote

LABELS: Final = {
    "day": """
        app.fingerprint app.open app.read app.write store.app store.apps store.count store.coverage
        store.doubtful store.finish store.first store.first_done store.left store.match store.merge store.page
        store.missed store.pulled store.replaced store.result store.run store.sent store.suspects store.unmatched
        store.versions store.waiting""",
    "first": "store.account",
    "later": "app.get store.linked store.unlink",
    "preview": "store.filled store.inbox store.preview store.spread",
}
"""Scene -> the boundaries at which syncd dies in it, each for the first time."""
RECOVERY: Final = {"app.find", "store.in doubt", "store.recovered"}
"""Boundaries that only exist while pieces are picked up."""


def labels(scene: str) -> set[str]:
    return {label.replace("_", " ") for label in LABELS[scene].split()}


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote() as one:
        yield one


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    folder = in_memory(tmp_path)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def once(it: Bench, wanted: set[str]) -> list[str]:
    return [place for place in firsts(moments(it, it.scene.words)) if place.split(":")[0] in wanted]


def clean(figures: Figures) -> None:
    assert figures.wrong == []
    assert figures.missed == []


def test_every_boundary_is_known_here() -> None:
    assert set[str]().union(*(labels(scene) for scene in LABELS), RECOVERY, ELSEWHERE) == in_source()


def test_the_judge_sees_what_is_wrong(place: Path, zygote: Zygote) -> None:
    with bench(place, SCENES["day"], zygote) as it:
        three = it.three
        assert it.verdict() == []
        three.put("books", "50", email="gil@x.org", first_name="Gil")  # a trigger logs it: as if syncd had
        three.put("books", "51", email="fay@x.org")
        three.put("desk", three.id_of("desk", "cid@x.org"), email_consent="opted_in")
        three.put("team", three.id_of("team", "ann@x.org"), job_title="Foot")
        told = it.judged()
        assert {text.split(":")[0] for text in told} == {"duplicates", "lost", "opt_ins", "resurrected", "unequal"}
        assert "duplicates: 2 records of gil@x.org in books" in told
        assert "duplicates: books was asked 2 times to make gil@x.org" in told
        assert "lost: job_title=Head of ann@x.org in team, which holds Foot" in told


@pytest.mark.parametrize("scene", LABELS)
def test_it_dies_at_every_boundary(place: Path, zygote: Zygote, scene: str) -> None:
    with bench(place, SCENES[scene], zygote) as it:
        figures = kill(it, [each for each in once(it, labels(scene)) if not each.endswith("inside")])
        clean(figures)
        assert figures.hit == {"before": labels(scene), "after": labels(scene)}


def test_it_dies_before_a_commit(place: Path, zygote: Zygote) -> None:
    with bench(place, SCENES["day"], zygote) as it:
        places = [each for each in once(it, {"store.sent", "store.page", "store.merge"}) if each.endswith("inside")]
        assert len(places) == 3
        clean(kill(it, [*places, "store.result:2:inside"]))


def test_it_dies_while_a_request_is_on_its_way(place: Path, zygote: Zygote) -> None:
    with bench(place, SCENES["first"], zygote) as it:
        figures = kill_on_the_wire(it)
        clean(figures)
        assert figures.trials["wire_kills"] == 8


def test_it_dies_right_before_it_touches_a_file(place: Path, zygote: Zygote) -> None:
    with bench(place, SCENES["first"], zygote) as it:
        figures = kill_at_files(it, step=5)
        clean(figures)
        assert figures.trials["file_kills"] >= 5


def test_it_dies_again_while_it_picks_up_the_pieces(place: Path, zygote: Zygote) -> None:
    with bench(place, SCENES["day"], zygote) as it:
        writes = ["app.write:3:after", "app.write:5:after", "store.sent:1:after"]
        figures = kill_twice(it, writes, random.Random(3), 9)
        clean(figures)
        assert figures.trials["double_kills"] == 9
        figures = kill_twice(it, writes[1:2], None, only=RECOVERY)
        clean(figures)
        assert figures.hit["again"] == RECOVERY


def test_the_store_fails_at_a_boundary(place: Path, zygote: Zygote) -> None:
    with bench(place, SCENES["day"], zygote) as it:
        places = [*failing(once(it, labels("day")))]
        clean(fail(it, random.Random(4).sample(places, 7)))


@pytest.mark.skipif(library() is None, reason="the SQLite of this Python cannot be reached from outside")
def test_the_power_fails(place: Path, zygote: Zygote) -> None:
    with bench(place, SCENES["day"], zygote) as it:
        writes = [f"app.write:{number}:after" for number in (2, 5, 8)]
        clean(cut_power(it, writes))
        clean(cut_power(it, writes[1:2], seed=5))
        lazy = cut_power(it, writes, lazy=True)
        assert len(lazy.wrong) >= len(writes)
        assert all(f"power: {FORGOTTEN}: " in text for text in lazy.wrong)


def test_it_dies_on_postgresql(place: Path, zygote: Zygote, postgres_server: str) -> None:
    with bench(place, SCENES["day"], zygote, postgres_server) as it:
        clean(kill(it, ["store.page:1:inside", "store.sent:4:after", "app.write:5:after", "store.result:2:before"]))
        clean(
            fail(it, ["store.sent:3:inside:serialization", "store.result:1:inside:full", "store.merge:1:inside:busy"])
        )

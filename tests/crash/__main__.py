"""`python -m tests.crash`: die at every moment, and print the figures for docs/reliability.md.

Every label at every occurrence, every error at its first one, some second deaths. `--all`: a second death at every label after
each first one that leaves something to pick up, and a power cut at every moment.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.crash.disk import library
from tests.crash.lab import in_memory
from tests.crash.power import cut_power
from tests.crash.scenes import SCENES, Scene
from tests.crash.sweep import Figures, fail, failing, firsts, kill, kill_at_files, kill_on_the_wire, kill_twice, moments
from tests.crash.trial import Bench, bench
from tests.crash.zygote import Zygote
from tests.postgres import server
from tests.sim.commit import commit

SEED = 20_260_101
DOUBT = ("app.write", "store.sent", "store.result", "store.merge", "store.page", "store.finish")
"""A first death here leaves most to pick up."""


def swept(it: Bench, *, everything: bool) -> Figures:
    """Die everywhere in one scene; say on stderr how far it is."""
    places = moments(it, it.scene.words)
    once = firsts(places)
    stages = [
        lambda: kill(it, places),
        lambda: fail(it, failing(once)),
        lambda: kill_on_the_wire(it),
        lambda: kill_at_files(it),
    ]
    if it.scene.name != "preview":
        doubt = [place for place in once if place.split(":")[0] in DOUBT and not place.endswith("before")]
        writes = [place for place in places if place.startswith("app.write") and place.endswith("after")]
        stages.append(lambda: kill_twice(it, doubt, None if everything else random.Random(SEED), 20))
        stages.append(lambda: kill_twice(it, writes, only={"app.find", "app.get", "store.in doubt", "store.recovered"}))
    figures = Figures()
    for stage in stages:
        figures.add(stage())
        sys.stderr.write(f"{it.scene.name}: {dict(figures.trials)}, wrong: {len(figures.wrong)}\n")
    return figures


def _powerless(it: Bench, *, everything: bool) -> Figures:
    """Cut the power wherever something may have left; the lazy control has to be caught."""
    figures = Figures()
    if library() is None:
        return figures
    places = [place for place in moments(it, it.scene.words) if place.endswith("after")]
    writes = [place for place in places if place.startswith("app.write")]
    for seed in (None, SEED):
        figures.add(cut_power(it, places if everything else writes, seed=seed))
    if writes and not cut_power(it, writes, lazy=True).wrong:
        figures.wrong.append(f"{it.scene.name}: stuck: a lazy disk went unnoticed")
    return figures


def main(words: list[str]) -> int:
    """Sweep, print, and fail when anything was wrong."""
    options = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    options.add_argument("--all", action="store_true", help="every second death, not a few of them; hours")
    options.add_argument("--scene", choices=sorted(SCENES), action="append", help="only this one; may be repeated")
    options.add_argument("--store", choices=("sqlite", "postgresql", "both"), default="sqlite")
    options.add_argument("--json", action="store_true", help="one document on stdout")
    given = options.parse_args(words)
    scenes = [SCENES[name] for name in given.scene or SCENES]
    total, begun = Figures(), time.monotonic()
    parts: dict[str, dict[str, int]] = {}
    for store in ("sqlite", "postgresql") if given.store == "both" else (given.store,):
        with _benches(scenes, store) as benches:
            for it in benches:
                figures = swept(it, everything=given.all)
                if store == "sqlite":
                    figures.add(_powerless(it, everything=given.all))
                parts[f"{store} {it.scene.name}"] = dict(figures.trials)
                total.add(figures)
                sys.stderr.write(f"{store} {it.scene.name}: {dict(figures.trials)}, wrong: {len(figures.wrong)}\n")
    doc = {"commit": commit(), "scenes": parts, "seconds": round(time.monotonic() - begun), **total.doc()}
    sys.stdout.write(json.dumps(doc, indent=None if given.json else 1) + "\n")
    return 1 if total.wrong or total.missed else 0


@contextmanager
def _benches(scenes: list[Scene], store: str) -> Iterator[Iterator[Bench]]:
    with tempfile.TemporaryDirectory() as folder, Zygote() as zygote:
        place = in_memory(Path(folder))

        def play(postgres: str | None) -> Iterator[Bench]:
            for scene in scenes:
                with bench(place, scene, zygote, postgres) as it:
                    yield it

        try:
            if store == "sqlite":
                yield play(None)
            else:
                with server() as url:
                    yield play(url)
        finally:
            shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

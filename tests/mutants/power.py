"""`python -m tests.mutants.power SCENE PLACES`: cut the power of the real process at so many writes; print what was wrong."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Self

from tests.crash.lab import in_memory
from tests.crash.power import FORGOTTEN, cut_power
from tests.crash.scenes import SCENES
from tests.crash.sweep import moments
from tests.crash.trial import bench
from tests.crash.zygote import Zygote, serve
from tests.mutants.edits import mutated
from tests.mutants.suite import edits

ROOT = Path(__file__).parent.parent.parent


class _Wrong(Zygote):
    """A zygote whose children are wrong in the ways that the environment names."""

    def __enter__(self) -> Self:
        words = [sys.executable, "-m", "tests.mutants.power"]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
        return self


def main(scene: str, places: int) -> int:
    """Cut the power; 1 when the vendors hold what the store does not know."""
    with tempfile.TemporaryDirectory() as folder, _Wrong() as zygote:
        place = in_memory(Path(folder))
        try:
            with bench(place, SCENES[scene], zygote) as it:
                writes = [
                    at for at in moments(it, it.scene.words) if at.startswith("app.write") and at.endswith("after")
                ]
                wrong = [text for text in cut_power(it, writes[:places]).wrong if FORGOTTEN in text]
        finally:
            shutil.rmtree(place, ignore_errors=True)
    sys.stdout.write("".join(f"{text}\n" for text in wrong))
    return bool(wrong)


if __name__ == "__main__":
    if sys.argv[1:]:
        raise SystemExit(main(sys.argv[1], int(sys.argv[2])))
    with mutated(edits()):
        serve()

"""survivors.yaml: what lives although nothing is missing, and why."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import takewhile
from pathlib import Path
from typing import Final

from ruamel.yaml import YAML

from tests.mutants.made import ROOT, Change

FILE: Final = Path(__file__).with_name("survivors.yaml")
KINDS: Final = {
    "same": "it does the same",
    "work": "only how much is looked at, asked or kept differs",
    "number": "a limit as good as its neighbour",
    "words": "a name or a sentence that nothing goes by",
}
"""Why nobody could mind, in a word and in a few."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why mutants that change this text, in that place, are none that a test could mind."""

    at: str
    """`core/merge.py: _Merge.collect`; `*` stands for anything."""
    was: str
    """A regular expression. What a mutant changes lies within what it finds, or within what its parentheses find."""
    kind: str
    """One of `KINDS`."""
    why: str
    now: str = ".*"
    """What stands there instead, where only that is meant; a regular expression as well."""

    def fits(self, change: Change) -> bool:
        """Say whether this is about a change: all of it, and not something beside it."""
        if not fnmatchcase(change.place, self.at):
            return False
        first, last, new = differing(change.was, change.now)
        found = re.finditer(self.was, change.was)
        spans = (match.span(1 if match.re.groups else 0) for match in found)
        inside = any(start <= first and last <= end for start, end in spans)
        return inside and re.fullmatch(self.now, new, re.DOTALL) is not None


def differing(was: str, now: str) -> tuple[int, int, str]:
    """Find the part in which two texts differ: where it begins and ends in the first, and what it is in the second."""
    first = _alike(was, now)
    back = _alike(was[first:][::-1], now[first:][::-1])
    return first, len(was) - back, now[first : len(now) - back]


def _alike(one: str, other: str) -> int:
    """Count the characters with which both begin."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def reasons() -> tuple[Reason, ...]:
    """Read them all."""
    docs = YAML(typ="safe").load(FILE.read_text("utf-8")) or []
    return tuple(Reason(**doc) for doc in docs)


def told(change: Change, why: Sequence[Reason]) -> Reason | None:
    """Find the reason of a mutant that lives."""
    return next((one for one in why if one.fits(change)), None)


def stale(why: Sequence[Reason]) -> list[Reason]:
    """Those whose place or text is not in the sources any more."""
    return [reason for reason in why if not any(re.search(reason.was, text) for text in _places(reason.at))]


def _places(at: str) -> list[str]:
    """Read the functions that a place means."""
    found = []
    for path in sorted(path for room in ("core", "engine") for path in (ROOT / "syncd" / room).glob("*.py")):
        text = path.read_text("utf-8")
        tree = ast.parse(text)
        inside = [(node.name, node) for node in tree.body if isinstance(node, ast.FunctionDef)]
        for klass in (node for node in tree.body if isinstance(node, ast.ClassDef)):
            inside += [(f"{klass.name}.{node.name}", node) for node in klass.body if isinstance(node, ast.FunctionDef)]
        named = [node for name, node in inside if fnmatchcase(f"{path.parent.name}/{path.name}: {name}", at)]
        found += [ast.get_source_segment(text, node) or "" for node in named]
    return ["\n".join(line.strip() for line in one.splitlines()) for one in found]

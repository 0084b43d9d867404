"""survivors.yaml: what lives although nothing is missing, and why."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from ruamel.yaml import YAML

from tests.mutants.made import ROOT, Change

FILE: Final = Path(__file__).with_name("survivors.yaml")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the mutants that make `now` out of `was`, in that place, are none that a test could mind."""

    at: str
    """`core/merge.py: _Merge.collect`; `*` stands for anything."""
    was: str
    """Part of what is taken out."""
    now: str
    """Part of what is put in instead; empty: whatever it is."""
    why: str


def reasons() -> tuple[Reason, ...]:
    """Read them all."""
    docs = YAML(typ="safe").load(FILE.read_text("utf-8")) or []
    return tuple(Reason(**{"now": "", **doc}) for doc in docs)


def told(change: Change, why: Sequence[Reason]) -> Reason | None:
    """Find the reason of a mutant that lives."""
    place = f"{change.file}: {change.function}"
    fits = (one for one in why if fnmatchcase(place, one.at) and one.was in change.was and one.now in change.now)
    return next(fits, None)


def stale(why: Sequence[Reason]) -> list[Reason]:
    """Those whose place or text is not in the sources any more."""
    return [reason for reason in why if not any(reason.was in text for text in _places(reason.at))]


def _places(at: str) -> list[str]:
    file, _, function = at.partition(": ")
    found = []
    for path in sorted((ROOT / "syncd").glob(file)):
        text = path.read_text("utf-8")
        tree = ast.parse(text)
        inside = [(node.name, node) for node in tree.body if isinstance(node, ast.FunctionDef)]
        for klass in (node for node in tree.body if isinstance(node, ast.ClassDef)):
            inside += [(f"{klass.name}.{node.name}", node) for node in klass.body if isinstance(node, ast.FunctionDef)]
        found += [ast.get_source_segment(text, node) or "" for name, node in inside if fnmatchcase(name, function)]
    return ["\n".join(line.strip() for line in one.splitlines()) for one in found]

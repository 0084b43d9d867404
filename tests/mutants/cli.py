"""The runner: search for each mutant until it is noticed, tell by what, and see that the sound engine passes the same."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.mutants.hunt import STORIES, Found, hunt
from tests.mutants.keeping import keep
from tests.mutants.kinds import Mutant, Way
from tests.mutants.registry import MUTANTS
from tests.sim.commit import commit

COLUMNS = "{:<5} {:<9} {:<34} {:>9}  {}"


def judged(mutant: Mutant, *, full: bool) -> dict[str, Any]:
    """Look for one mutant: alone, then beside the mutants of the defences that cover it. `full`: not where it is known."""
    ways = ways_of(mutant, full=full)
    begun = time.monotonic()
    tried, found = 0, Found(by=frozenset(), histories=0, where="")
    for way in ways:
        found = hunt(mutant.edits, way, mutant.killers)
        tried += found.histories
        if found.by & mutant.killers:
            break
    doc: dict[str, Any] = {
        "id": mutant.id,
        "bug": mutant.bug,
        "killed": bool(found.by & mutant.killers),
        "by": sorted(found.by),
        "expected": sorted(mutant.killers),
        "histories": tried,
        "where": found.where,
        "text": found.text,
        "note": mutant.note,
        "beside": [],
        "seconds": round(time.monotonic() - begun, 1),
    }
    if mutant.beside:
        doc["beside"] = _matrix(mutant, ways)
        doc["killed"] = doc["killed"] or any(row["killed"] for row in doc["beside"])
    return doc


def _matrix(mutant: Mutant, ways: Sequence[Way]) -> list[dict[str, Any]]:
    rows = []
    for other in mutant.beside:
        found = hunt((*mutant.edits, *MUTANTS[other].edits), ways[-1], mutant.killers)
        rows.append({"beside": other, "killed": bool(found.by & mutant.killers), "by": sorted(found.by)})
    return rows


def ways_of(mutant: Mutant, *, full: bool) -> tuple[Way, ...]:
    return (*mutant.ways, mutant.known) if full else (mutant.known,)


@cache
def sound(way: Way) -> tuple[str, ...]:
    """Search the same way with the sound engine: nothing may be wrong, however long it is searched."""
    found = hunt((), way)
    return (f"{found.where}: {found.text}",) if found.by else ()


def figures(docs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Put what was found into the form of docs/proof."""
    rows = []
    for doc in docs:
        by = ", ".join(name for name in doc["by"] if name in doc["expected"])
        covered = [f"only beside {row['beside']}: {', '.join(row['by'])}" for row in doc["beside"] if row["killed"]]
        told = by or "; ".join(covered) or "nobody"
        rows.append([doc["id"], doc["bug"].replace("|", "/"), told, doc["histories"], doc["where"].split(":")[0]])
    killed = sum(doc["killed"] for doc in docs)
    notes = [f"{killed} of {len(docs)} were noticed by the invariant that they break (commit {commit()}).", ""]
    notes += [f"- {doc['id']}: {doc['note']}" for doc in docs if doc["note"]]
    return {"columns": ["", "fault", "noticed by", "histories", "where"], "rows": rows, "notes": notes}


def main(words: Sequence[str] | None = None) -> int:
    """Search for what is asked for; 1 when one lives, or the sound engine fails."""
    asked = _parser().parse_args(words)
    chosen = [MUTANTS[id_] for id_ in asked.only or MUTANTS]
    if asked.keep:
        for mutant in chosen:
            print(mutant.id, keep(mutant, STORIES / f"{mutant.id}.yaml", asked.keep))
        return 0
    docs, wrong = [], 0
    print(COLUMNS.format("", "", "noticed by", "histories", "where"))
    for mutant in chosen:
        doc = judged(mutant, full=asked.full)
        doc["sound"] = [text for way in ways_of(mutant, full=asked.full) for text in sound(way)] if asked.sound else []
        docs.append(doc)
        wrong += not doc["killed"] or bool(doc["sound"])
        told = "killed" if doc["killed"] else "ALIVE"
        print(COLUMNS.format(mutant.id, told, ", ".join(doc["by"]), doc["histories"], doc["where"]), flush=True)
        for row in doc["beside"]:
            print(COLUMNS.format("", "beside", row["beside"], "", ", ".join(row["by"]) or "alive"))
        if doc["sound"]:
            print(COLUMNS.format("", "SOUND", "the sound engine fails as well", "", "; ".join(doc["sound"])))
    print(f"{len(docs)} mutants, {sum(doc['killed'] for doc in docs)} killed")
    if asked.json:
        Path(asked.json).write_text(json.dumps(figures(docs), indent=1) + "\n", "utf-8")
    return bool(wrong)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=list(MUTANTS), metavar="ID", help="this one; may be repeated"
    )
    parser.add_argument(
        "--full", action="store_true", help="the whole search, not only where it is known to be noticed"
    )
    parser.add_argument("--sound", action="store_true", help="play the same with the sound engine as well")
    parser.add_argument(
        "--keep", type=int, metavar="SEEDS", help="search so many seeds, shorten, and keep it as the story"
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures into a file")
    return parser

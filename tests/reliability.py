"""`python -m tests.reliability`: docs/reliability.md, made of the figures in docs/proof that the proofs themselves wrote.

`--check` says whether the page is what the figures make of it. What was not measured is said to be so, never left out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.crash.trial import KINDS as WRONG
from tests.mutants.explained import KINDS

ROOT: Final = Path(__file__).parent.parent
PROOF: Final = ROOT / "docs" / "proof"
PAGE: Final = ROOT / "docs" / "reliability.md"
OFTEN: Final = 100
"""So often each rare branch is to be reached in `make sim SEEDS=20000`."""
HEAD: Final = """\
# Reliability

What is claimed, how it is tried, and the figures of the last run. Each section names its command; the figures are written by
that command into [proof/](proof), and this page is made of them by `python -m tests.reliability`. The invariants (S while
things happen, Q when they have come to rest) are those that the monitors in `tests/sim` name when one is broken.
"""
ELSEWHERE: Final = """\
Not in these worlds, but on the wire, by tests/test_http_engine.py, test_http_client.py and test_http_hostile.py: the forms of a 429, 5xx
again and again, truncated JSON, results of a batch that are all or nothing or come in another order. An id that is used for somebody
else by a table or a file (`reuses_ids`) is tested (tests/test_replaced.py, test_mixed_up.py), not simulated.
"""
LIMITS: Final = """\
## What nobody can promise

- **A blink between look and write.** An app that cannot compare before it writes loses an edit that lands in between; the journal
  shows what was written over what we had read, not what we never saw.
- **The same person made twice at one moment**, by us and by somebody in the app, where the app has no unique key. The pair is found
  and asked about; records are never merged by syncd.
- **An address given a moment ago.** Where an app's listing lags, somebody's record there may have an address that nobody shows yet;
  who turns up with it elsewhere gets a record beside it. Both are found, and asked about, when it is shown.
- **An id is no name.** Apps use ids again. A record that comes back with another address waits for a person, consent and all, and is
  somebody new where nothing else is left of whom it was; a feed that tells of one after the app has said that it is gone is not believed
  about its address; one that is removed and made anew under its id between two looks is an edit; and records that people merge into
  another one with an address that was never shown are somebody new.
- **An opt-in against an opt-out within an error of the clock.** An opt-out counts from the moment at which it was read, by the clock of
  this machine; an opt-in from the time in its evidence. A clock that is set back by minutes is wrong about minutes. Somebody who says no
  in the very record in which our own opt-out is in doubt says what we have said, no later.
- **Deleted while in doubt.** Our create lost its answer and somebody deletes the new record before we look, or takes it out of our
  sight, or gives it another address where the app draws the ids: it may be made once more.
- **Between two polls** only the last value is seen.
- **Exactly once** does not exist on an interface without it: what holds is at most one record after recovery.
- **Two people, one field, one moment**: one value loses by the policy. It is in the journal and can be brought back.
- **A disk that lies** about what it has written, or a store that is put back to an older state while apps went on, is beyond all of
  the above; a store that was damaged is noticed (each document has a checksum), not mended.

A run of the simulator counts such cases by name ("unknowable") apart from failures; it never excuses one in silence.
"""


def page() -> str:
    """Make the page."""
    parts = [HEAD, *_simulator(), *_small(), *_crashes(), *_mutants(), *_generic(), *_faults(), LIMITS]
    return "\n".join(parts)


def figures_of(name: str) -> dict[str, Any]:
    """Read what a proof wrote; empty where it never ran."""
    file = PROOF / f"{name}.json"
    found: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    return found


def _simulator() -> Iterator[str]:
    yield "## Seeded histories\n\n`make sim SEEDS=n`: the production engine in a world that a seed decides (tests/sim).\n"
    found = figures_of("sim")
    if not found:
        yield "Not measured yet.\n"
        return
    yield _table(
        ("what", "figure"),
        [
            ("commit", found["commit"]),
            ("histories", f"{found['histories']:,}"),
            ("boundaries crossed", f"{found['boundaries']:,}"),
            ("histories that broke an invariant", f"{len(found['failed'])}"),
            ("their seeds (each is told of below, mended since or open)", _seeds(found["failed"])),
            ("seconds, on two processes", f"{found['seconds']:,}"),
            ("quirks of apps that took part, of the kinds there are", f"{len(found['knobs'])}"),
        ],
    )
    yield "Quirks (told in `tests/sim/quirks.py`), and in how many apps each was on:\n"
    yield _table(("quirk", "apps"), sorted((name, f"{n:,}") for name, n in found["knobs"].items()))
    yield ELSEWHERE
    yield "Rare branches, and how often they were reached:\n"
    yield _table(("branch", "times"), _branches(found["sometimes"]))
    yield "Unknowable, counted apart:\n"
    yield _table(("what", "times"), sorted(((name, f"{n:,}") for name, n in found["unknowable"].items())))


def _branches(seen: Mapping[str, int]) -> list[tuple[str, str]]:
    """Crashes, takeovers and clocks are summed by kind; everything else stands by itself."""
    joined: dict[str, int] = {}
    for name, times in seen.items():
        first = name.split()[0]
        key = f"{first} at a boundary" if first in ("crash", "takeover", "clock") else name
        joined[key] = joined.get(key, 0) + times
    return [(name, f"{n:,}" + ("" if n >= OFTEN else " (rarely)")) for name, n in sorted(joined.items())]


def _seeds(failed: Sequence[int]) -> str:
    return ", ".join(str(seed) for seed in failed) or "none"


def _small() -> Iterator[str]:
    yield (
        "## Every history of a small world\n\n`python -m tests.sim.exhaust`: two people, one plain field and consent, six initial"
        " worlds, with apps that make everything provable (exact) and next to nothing (vague); every placement of the deviations.\n"
    )
    found = figures_of("small")
    if not found:
        yield "Not measured yet.\n"
        return
    rows = [
        (
            name,
            one["commit"],
            ", ".join(one["kinds"]),
            "complete" if one["complete"] else "a part",
            f"{one['histories']:,}",
            f"{one['states_again']:,}",
            str(one["failed"]),
        )
        for name, one in sorted(found.items())
    ]
    yield _table(
        ("size", "commit", "apps", "", "histories", "ended in a state judged before", "broke an invariant"), rows
    )


def _crashes() -> Iterator[str]:
    yield (
        "## The real process, killed\n\n`make crash`: `syncd sync` kills itself at every boundary, is started again, and is judged"
        " by what the apps were asked and hold in the end; on SQLite and PostgreSQL, with real CardDAV over HTTP.\n"
    )
    found = figures_of("crash")
    if not found:
        yield "Not measured yet.\n"
        return
    names = {
        "labels": "boundaries by name", "labels_elsewhere": "not crossed here, died at in this process (tests/test_crash.py, test_hints.py)", "hit_before": "died right before", "hit_inside": "died inside", "hit_after": "died right after",
        "hit_again": "died again while picking up the pieces", "kills": "kills", "wire_kills": "kills while a request was on the wire",
        "file_kills": "kills around a write to a file", "double_kills": "second kills", "errors": "errors instead of kills (disk full, busy, conflict)",
        "power_cuts": "power cuts",
    }  # fmt: skip
    rows = [("commit", found["commit"])]
    rows += [(text, f"{found[name]:,}") for name, text in names.items() if name in found]
    rows.append(("not died at", ", ".join(found["labels_not_hit"]) or "none"))
    bad = {key: found[key] for key in found if key in (*WRONG, "unsent")}
    rows += [(f"**{name}**", f"**{number}**") for name, number in sorted(bad.items())]
    rows.append(("**trials that ended wrong**", f"**{len(found['wrong'])}**"))
    yield _table(("what", "figure"), rows)


def _mutants() -> Iterator[str]:
    yield "## Mutants\n\n`make mutants`: bugs that somebody shipped, put into our engine one at a time; each has to be caught.\n"
    found = figures_of("mutants")
    if not found:
        yield "Not measured yet.\n"
        return
    yield _table(tuple(found["columns"]), [tuple(map(str, row)) for row in found["rows"]])
    yield "TESTS: what it breaks is no invariant of a history (a cursor, a token, a lease), and is noticed by the test that is named.\n"
    yield "\n".join(found.get("notes", ())) + "\n"


def _generic() -> Iterator[str]:
    yield (
        "## Generic mutants\n\n`make mutants SAMPLE=n`: mutmut changes a comparison, a constant, an argument. What the type checker does not"
        " refuse, with which `make test` begins, is tried by the tests that run the engine in their own process (`[tool.mutmut]`)"
        " and some hundred histories. What no test could mind is explained one by one in tests/mutants/survivors.yaml, and counts"
        " as not noticed. What lived in a sample is answered by a test or an explanation afterwards; docs/mutants.md says what the"
        " share was when it was drawn.\n"
    )
    found = figures_of("generic")
    if not found:
        yield "Not measured yet.\n"
        return
    drawn = "all of them" if found["seed"] is None else f"drawn by seed {found['seed']} out of {found['mutants']:,}"
    yield f"Commit {found['commit']}; {found['all']['judged']:,} mutants, {drawn}.\n"
    parts = [(f"**{part}**", found[part]) for part in ("all", "core", "engine")]
    rows = [
        (
            name,
            *(f"{one[kind]:,}" for kind in ("judged", "noticed", "refused", "explained", "alive")),
            f"{one['percent']} % ({one['low']} to {one['high']} %)",
            f"{one['by_tests']} %" if one["judged"] > one["refused"] else "",
        )
        for name, one in (*parts, *found["files"].items())
    ]
    head = (
        "",
        "mutants",
        "noticed",
        "by types",
        "explained",
        "open",
        "noticed (95 % interval)",
        "of what types let through",
    )
    yield _table(head, rows)
    yield "Explained, and why no test could mind:\n"
    reasons = [(KINDS[kind], f"{number:,}") for kind, number in found["reasons"].items()]
    yield _table(("why", "mutants"), [*reasons, ("**nobody has explained it**", f"**{found['all']['alive']:,}**")])


def _faults() -> Iterator[str]:
    text = (ROOT / "tests" / "sim" / "FAULTS.md").read_text("utf-8")
    yield "## Faults found so far\n"
    yield text.split("\n", 1)[1].strip() + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def main(words: Sequence[str]) -> int:
    """Write the page, or check it."""
    if "--check" in words:
        return int(not PAGE.exists() or PAGE.read_text("utf-8") != page())
    PAGE.write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

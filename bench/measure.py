"""Whole processes, measured: CPU (user + system), wall time and peak memory; medians over rounds, ratios within a round.

On a shared machine believe CPU time, counts and memory; take wall time as a hint. A ratio is taken between two figures of one
round and its median reported, so that what slows the machine down slows both.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Taken:
    """What one process took."""

    cpu: float
    wall: float
    rss_mib: float
    out: bytes = b""


def once(command: Sequence[str], log: Path, *, env: Mapping[str, str] | None = None) -> Taken:
    """Run one command to its end; what it says on stdout is kept. Raises RuntimeError with its last words if it fails."""
    with log.open("ab") as err:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, env={**os.environ, **(env or {})})
        assert process.stdout is not None
        out = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
    if process.returncode:
        words = (out + log.read_bytes())[-2000:].decode(errors="replace")
        raise RuntimeError(f"{' '.join(command)}: exit code {process.returncode}\n{words}")
    return Taken(used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024, out)


def rounds(count: int, jobs: Mapping[str, Callable[[], dict[str, Taken]]]) -> dict[str, dict[str, list[Taken]]]:
    """Run every job once a round, in an order that rotates: job -> phase -> what it took in each round."""
    found: dict[str, dict[str, list[Taken]]] = {name: {} for name in jobs}
    names = list(jobs)
    for number in range(count):
        for k in range(len(names)):
            name = names[(k + number) % len(names)]
            for phase, taken in jobs[name]().items():
                found[name].setdefault(phase, []).append(taken)
    return found


def ratio(these: Sequence[float], those: Sequence[float]) -> float:
    """Give the median of the ratios within each round."""
    return statistics.median(a / b for a, b in zip(these, those, strict=True))


def cpu(taken: Sequence[Taken]) -> list[float]:
    return [each.cpu for each in taken]


def cell(values: Sequence[float], form: str = "{:.2f}") -> str:
    """Write the median, and the range where there is one."""
    middle = form.format(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({form.format(min(values))}-{form.format(max(values))})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])

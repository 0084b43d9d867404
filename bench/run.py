"""What `make bench` runs: every target of docs/performance.md, measured here and now, side by side with what it is compared to.

    run.py [--only start,books,tables] [--books 1000,5000] [--tables 10000,100000] [--rounds 3] [--json FILE]

`--tables 1000000` shows the memory of a million contacts (some twenty minutes). Peers and shared floors take part where
`../shared/bench` and its environments are; without them there are our own figures and our own floor.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import books
import tables
from measure import Taken, cell, cpu, once, ratio, rounds, table

LONG = 50_000
"""From this size on one round must do."""


@dataclass(frozen=True, slots=True)
class Aim:
    """One target and what came out."""

    what: str
    aim: str
    value: float
    limit: float
    unit: str = ""

    def row(self) -> list[str]:
        verdict = "met" if self.value <= self.limit else f"missed by {(self.value / self.limit - 1) * 100:.0f} %"
        return [self.what, self.aim, f"{self.value:.3g}{self.unit}", verdict]


@dataclass(slots=True)
class Report:
    """What was measured, in words and as data."""

    folder: Path
    count: int
    aims: list[Aim] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)

    def aim(self, what: str, aim: str, value: float, limit: float, unit: str = "") -> None:
        self.aims.append(Aim(what, aim, value, limit, unit))

    def show(self, title: str, found: dict[str, dict[str, list[Taken]]], n: int) -> None:
        """Print one table: every job and phase, with its ratio to the first job that has the phase."""
        rows = []
        for name, phases in found.items():
            for phase, taken in phases.items():
                base = next(job[phase] for job in found.values() if phase in job)
                each = cell([one * 1e6 / n for one in cpu(taken)], "{:.0f}")
                memory = cell([one.rss_mib for one in taken], "{:.0f}")
                rows.append([f"{phase}: {name}", cell(cpu(taken)), each, memory, f"{ratio(cpu(taken), cpu(base)):.2f}"])
        head = ["phase", "CPU s", "CPU µs a contact", "peak MiB", "CPU ratio"]
        print(f"\n### {title}, {n:,} contacts\n\n{table(head, rows)}", flush=True)
        kept = {job: {phase: cpu(taken) for phase, taken in phases.items()} for job, phases in found.items()}
        self.data[f"{title} {n}"] = kept


def start(report: Report) -> None:
    """Measure what a person waits for who asks for the version."""
    command = [str(Path(sys.executable).with_name("syncd")), "--version"]
    taken = [once(command, report.folder / "log") for _ in range(max(5, report.count))]
    print(f"\n### Start\n\n`syncd --version`: {cell(cpu(taken), '{:.3f}')} s CPU")
    report.aim("`syncd --version`", "<= 0.1 s CPU", min(cpu(taken)), 0.1, " s")


def carddav(report: Report, sizes: Sequence[int]) -> None:
    """Measure the address books."""
    noop: dict[int, list[float]] = {}
    for n in sizes:
        jobs = {name: partial(job, n, report.folder / name) for name, job in books.jobs().items()}
        found = rounds(report.count, jobs)
        report.show("CardDAV", found, n)
        ours = found["syncd"]
        noop[n] = cpu(ours["noop"])
        requests = {phase: taken[-1].out.decode() for phase, taken in ours.items()}
        print(f"\nrequests: {', '.join(f'{phase} {count}' for phase, count in requests.items())}", flush=True)
        if n == max(sizes):
            report.aim(f"CardDAV {n:,}: no-op, requests", "= 2, the least", float(requests["noop"]), 2)
            for phase, limit in (("first", 1.0), ("noop", 0.6)) if "vdirsyncer" in found else ():
                value = ratio(cpu(ours[phase]), cpu(found["vdirsyncer"][phase]))
                report.aim(f"CardDAV {n:,}: {phase}, CPU", f"<= {limit} x vdirsyncer", value, limit, " x")
    if len(sizes) > 1:
        least, most = min(sizes), max(sizes)
        value = ratio(noop[most], noop[least])
        report.aim(f"CardDAV: no-op at {most:,} against {least:,}", "<= 1.15 x", value, 1.15, " x")


def sql(report: Report, sizes: Sequence[int]) -> None:
    """Measure the tables."""
    peaks: dict[int, float] = {}
    for n in sizes:
        folder = report.folder / "syncd"
        jobs = {name: partial(job, n, report.folder / name) for name, job in tables.jobs().items()}
        found = rounds(1 if n >= LONG else report.count, jobs)
        report.show("SQL to SQL", found, n)
        ours = found["syncd"]
        peaks[n] = max(taken.rss_mib for taken in ours["first"])
        if n == max(sizes):
            if "shared-floor" in found:
                value = ratio(cpu(ours["first"]), cpu(found["shared-floor"]["first"]))
                report.aim(f"SQL {n:,}: first sync, CPU", "<= 5.5 x floor", value, 5.5, " x")
            report.aim(f"SQL {n:,}: peak memory", "<= 150 MiB", peaks[n], 150, " MiB")
            _state(report, folder, n)
            _daemon(report, folder, n)
    if len(sizes) > 1:
        least, most = min(sizes), max(sizes)
        report.aim(f"SQL: peak memory at {most:,} against {least:,}", "<= 1.2 x", peaks[most] / peaks[least], 1.2, " x")


def _state(report: Report, folder: Path, n: int) -> None:
    """Say what the store takes, table by table."""
    sizes = tables.state(folder)
    rows = [[name, f"{size / n:.0f}"] for name, size in sizes.items() if size / n >= 0.5]
    print(f"\n### State, {n:,} contacts in two apps\n\n{table(['what', 'bytes a contact'], rows)}", flush=True)
    report.data["state"] = {name: size / n for name, size in sizes.items()}
    report.aim(f"SQL {n:,}: state", "<= 2,400 bytes a contact", sizes["syncd.db"] / n, 2400, " bytes")


def _daemon(report: Report, folder: Path, n: int) -> None:
    """Measure passes of the running daemon over the tables that were synced just now."""
    changes = max(1, n // 100)
    found = json.loads(
        once([sys.executable, str(books.HERE / "inside.py"), str(folder), "5", str(changes)], report.folder / "log").out
    )
    report.data["daemon"] = found
    print(f"\n### Passes of the daemon, {n:,} contacts\n\n{found}", flush=True)
    report.aim(f"SQL {n:,}: no-op in the daemon, queries an app", "= 1", found["queries_an_app"], 1)
    report.aim(f"SQL {n:,}: 1 % changed, in the daemon", "<= 1 ms a change", found["ms_a_change"], 1.0, " ms")


def machine() -> str:
    """Describe where this is measured."""
    model = next((x.partition(":")[2].strip() for x in _lines("/proc/cpuinfo") if x.startswith("model name")), "")
    load = f"load {os.getloadavg()[0]:.1f}"
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    python = f"Python {platform.python_version()}"
    return (
        f"{os.cpu_count()} cores {model or platform.machine()}, {python}, {load}, commit {commit.stdout.strip() or '?'}"
    )


def _lines(file: str) -> list[str]:
    return Path(file).read_text("utf-8").splitlines() if Path(file).exists() else []


def sizes_of(text: str) -> list[int]:
    return [int(each) for each in text.split(",") if each]


def main(words: Sequence[str] | None = None) -> Report:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="start,books,tables")
    parser.add_argument("--books", type=sizes_of, default=[1000, 5000])
    parser.add_argument("--tables", type=sizes_of, default=[10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args(words)
    for package in ("syncd", "connectors"):  # as an installation would, also where Python is told to write no bytecode
        compileall.compile_dir(books.HERE.parent / package, quiet=2)
    with tempfile.TemporaryDirectory(prefix="syncd-bench-") as folder:
        report = Report(Path(folder), asked.rounds)
        print(f"{machine()}; {'with' if books.has_shared() else 'without'} ../shared/bench", flush=True)
        for name, section, args in (
            ("start", start, ()),
            ("books", carddav, (asked.books,)),
            ("tables", sql, (asked.tables,)),
        ):
            if name in asked.only.split(","):
                section(report, *args)
    rows = [aim.row() for aim in report.aims]
    print(f"\n### Targets\n\n{table(['what', 'target', 'measured', ''], rows)}")
    if asked.json:
        asked.json.write_text(json.dumps({"machine": machine(), "targets": rows, **report.data}, indent=1))
    return report


if __name__ == "__main__":
    main()

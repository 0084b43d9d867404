"""What `make bench` runs: every target of docs/performance.md, measured here and now, side by side with what it is compared to.

    run.py [--only start,books,tables,api,hooks] [--books 1000,5000] [--tables 10000,100000] [--api 1000,10000,100000]
           [--rounds 3] [--json FILE]

`--tables 1000000` (or `--api 1000000`) shows the memory of a million contacts (some twenty minutes). Peers and shared floors take part where
`../shared/bench` and its environments are; without them there are our own figures and our own floor.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import api
import books
import hooks
import tables
from measure import Taken, cell, cpu, once, ratio, rounds, table

LONG = 50_000
"""From this size on one round must do."""
MIDDLE = 10_000
"""At most so many where many rounds are needed."""
LIMITED = 30_000
"""Contacts that are loaded under a limit of requests."""


@dataclass(frozen=True, slots=True)
class Aim:
    """One target and what came out."""

    what: str
    aim: str
    value: float
    limit: float
    unit: str = ""

    def row(self) -> list[str]:
        over = f" by {(self.value / self.limit - 1) * 100:.0f} %" if self.limit else ""
        verdict = "met" if self.value <= self.limit else f"missed{over}"
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


def http(report: Report, sizes: Sequence[int]) -> None:
    """Measure two accounts over HTTP: calls, CPU, memory; a sync and a daemon with nothing to do; a load, and a limit."""
    if not books.has_shared():
        return
    for n in sizes:
        with api.serving(0, 0) as apis:
            jobs = {name: partial(job, n, report.folder / name) for name, job in api.jobs(apis).items()}
            found = rounds(1 if n >= LONG else report.count, jobs)
        report.show("HTTP to HTTP", found, n)
        _calls(report, found["syncd"], n)
        if n == max(sizes):
            _shares(report, found, n)
    _idle(report, min(max(sizes), MIDDLE), min(*sizes, MIDDLE))
    _load(report, min(max(sizes), MIDDLE))


def _calls(report: Report, ours: dict[str, list[Taken]], n: int) -> None:
    """Demand exactly the calls that arithmetic asks for."""
    for phase, least in api.least_calls(n).items():
        made = max(int(taken.out) for taken in ours[phase])
        report.aim(f"HTTP {n:,}: {phase}, calls", f"= {least}, the least", made, least)


def _shares(report: Report, found: dict[str, dict[str, list[Taken]]], n: int) -> None:
    ours, least = found["syncd"], found["floor"]
    report.aim(f"HTTP {n:,}: first sync, CPU", "<= 5 x floor", ratio(cpu(ours["first"]), cpu(least["first"])), 5, " x")
    changes = [
        [changed - idle for changed, idle in zip(cpu(job["changed"]), cpu(job["noop again"]), strict=True)]
        for job in (ours, least)
    ]
    report.aim(f"HTTP {n:,}: a change, CPU", "<= 6 x floor", ratio(*changes), 6, " x")
    peak = max(taken.rss_mib for phase in ours.values() for taken in phase)
    report.aim(f"HTTP {n:,}: peak memory", "<= 150 MiB", peak, 150, " MiB")


def _idle(report: Report, n: int, few: int) -> None:
    """Measure what it takes to find nothing to do: from a start, at two sizes, and in the daemon."""
    noops = {}
    for size in (few, n):
        found = api.idle(size, report.folder / "idle", max(5, report.count))
        noops[size] = cpu(found["noop"])
        print(f"\n### Nothing to do over HTTP, {size:,} contacts\n", flush=True)
        print("\n".join(f"{name}: {cell(cpu(taken))} s CPU" for name, taken in found.items()), flush=True)
        value = ratio(noops[size], cpu(found["imports"]))
        report.aim(f"HTTP {size:,}: no-op from a start", "<= 1.4 x the imports", value, 1.4, " x")
    value = statistics.median(noops[n]) / statistics.median(noops[few])
    report.aim(f"HTTP: no-op at {n:,} against {few:,}", "<= 1.15 x", value, 1.15, " x")
    inside = api.inside(n, report.folder / "inside", 5)
    report.data["daemon, HTTP"] = inside
    report.aim(f"HTTP {n:,}: no-op in the daemon, CPU", "<= 10 ms a pair", inside["cpu_ms"], 10, " ms")


def _load(report: Report, n: int) -> None:
    """Measure a one-way load beside dlt's, and how much of a limit is used that answers tell of."""
    found = api.load(n, report.folder / "load", report.count)
    report.show("One-way load", {name: {"load": taken} for name, taken in found.items()}, n)
    if "dlt" in found:
        value = ratio(cpu(found["syncd"]), cpu(found["dlt"]))
        report.aim(f"HTTP {n:,}: one-way load, CPU", "<= 0.25 x dlt -> sqlite", value, 0.25, " x")
    used = api.limited(LIMITED, report.folder / "limited", rate=10)
    report.data["limit"] = used
    report.aim("HTTP: 429s where answers tell the limit", "none", used["refused"], 0)
    report.aim("HTTP: unused part of such a limit", "<= 5 %", (1 - used["utilisation"]) * 100, 5, " %")


def webhooks(report: Report, seconds: float) -> None:
    """Measure how long it takes from a webhook to the write that follows from it."""
    found = hooks.main(seconds)
    report.data["hooks"] = found
    print(f"\n### From webhook to written\n\n{found}", flush=True)
    report.aim("webhook to written at 40 changes/s, p99", "<= 100 ms", found["written_ms"]["p99"], 100, " ms")
    report.aim("webhook to written: lost", "none", found["lost"], 0)


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
    parser.add_argument("--only", default="start,books,tables,api,hooks")
    parser.add_argument("--books", type=sizes_of, default=[1000, 5000])
    parser.add_argument("--tables", type=sizes_of, default=[10_000, 100_000])
    parser.add_argument("--api", type=sizes_of, default=[1000, 10_000, 100_000])
    parser.add_argument("--hooks", type=float, default=15.0, help="seconds")
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
            ("api", http, (asked.api,)),
            ("hooks", webhooks, (asked.hooks,)),
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

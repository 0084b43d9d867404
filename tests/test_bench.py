"""The benchmark runs, at its smallest and without peers, and what it counts is what it should be. Its times prove nothing here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parent.parent / "bench"


def test_all_sections_run_and_the_counts_are_right(tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(BENCH / "run.py"),
        "--books",
        "30",
        "--tables",
        "60",
        "--hooks",
        "0.5",
        "--rounds",
        "1",
    ]
    ran = subprocess.run(
        [*command, "--json", str(tmp_path / "told.json")],
        env={**os.environ, "SYNCD_BENCH_ALONE": "1", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr[-2000:]
    told = {what: verdict for what, _, _, verdict in json.loads((tmp_path / "told.json").read_text())["targets"]}
    assert told["CardDAV 30: no-op, requests"] == "met"
    assert told["SQL 60: no-op in the daemon, queries an app"] == "met"
    assert told["webhook to written: lost"] == "met"
    assert [path.name for path in tmp_path.iterdir()] == ["told.json"]

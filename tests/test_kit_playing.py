"""`python -m syncd.kit NAME` runs a stand-in: what it prints is a configuration that works."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

import httpx
import pytest

from syncd.kit.servers import free_port
from tests.commands import ROOT
from tests.hubs import Hub

LAST: Final = "answers until Ctrl-C"


@contextmanager
def playing(name: str, port: int) -> Iterator[list[str]]:
    """Run the stand-in; give the lines that it prints."""
    command = [sys.executable, "-m", "syncd.kit", name, "--port", str(port), "--people", "2"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = []
        try:
            for line in process.stdout:
                said.append(line.rstrip("\n"))
                if LAST in line:
                    break
            yield said
        finally:
            process.terminate()


@pytest.mark.parametrize("name", ["hubspot", "xero", "zendesk"])
def test_what_is_printed_is_a_configuration_that_works(name: str, tmp_path: Path) -> None:
    port = free_port()
    with playing(name, port) as said:
        assert f"127.0.0.1:{port}" in said[-1]
        env = dict(line.removeprefix("export ").split("=", 1) for line in said if line.startswith("export "))
        there = Hub(tmp_path)
        there.csv("news", [])
        apps = "\n".join(said[said.index("apps:") : -2])
        there.config.write_text(f"version: 1\n{apps}\n  news: {there.apps['news']}\n")
        checked = there.run("check", env=env)
        assert checked.code == 0, checked.out + checked.err
        assert there.run("sync", "--approve", env=env).code == 0
        assert there.rows("news").keys() == {"person0@example.org", "person1@example.org"}
        assert there.run("sync", env=env).code == 0
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            dates = [client.get("/nowhere").headers["Date"] for _ in range(20)]
        assert abs(parsedate_to_datetime(dates[-1]).timestamp() - time.time()) < 10, "its clock is not the time of day"


def test_an_app_that_is_no_server_is_told_so() -> None:
    command = [sys.executable, "-m", "syncd.kit", "csv"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert said.returncode == 2
    assert "no stand-in that speaks HTTP" in said.stderr

"""`kill -9` at random moments of `syncd sync`: the real process, real files, and the same end as without."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.story import Story, given

ROOT = Path(__file__).parent.parent
PEOPLE, KILLS, SEED = 200, 15, 20_260_101


def people(story: Story) -> None:
    """Two apps that share half of their people, disagree about some and know of a few opt-outs."""
    for number in range(PEOPLE):
        both = {"email": f"p{number}@x.org", "last_name": f"Name{number}"}
        if number % 4:
            consent = "opted_out" if number % 25 == 1 else None
            story["desk"].put(f"d{number:03}", **both, company=f"Desk {number}", email_consent=consent)
        if number % 4 != 1:
            story["books"].put(f"b{number:03}", **both, company=f"Books {number}" if number % 3 else None, city="Ely")


def edits(story: Story, round_: int) -> None:
    """Somebody edits both apps."""
    for number in range(round_, PEOPLE, 7):
        app = story["desk" if number % 2 else "books"]
        app.put(app.id_of(f"p{number}@x.org"), job_title=f"Round {round_}", phone=f"+49 30 55{number:04}")
    story["desk"].put(story["desk"].id_of(f"p{round_ * 5}@x.org"), email_consent="opted_out")
    story["books"].put(f"new{round_}", email=f"new{round_}@x.org", last_name="New")


def begun(folder: Path) -> Story:
    story = given(folder, {"books": "sql", "desk": "csv"}, guards={"creates": 1000, "updates": 1000})
    story.store.close()
    for file in (folder / "var").iterdir():  # the process makes its own
        file.unlink()
    people(story)
    return story


def syncd(story: Story, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "syncd", *words, "-c", str(story.folder / "syncd.yaml"), "--json"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, env=environ, cwd=story.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finished(story: Story, *words: str) -> dict[str, Any]:
    """Run to the end and give the document; nobody waits longer than a minute."""
    with syncd(story, *words) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    document: dict[str, Any] = json.loads(out)
    return document


def test_kill_at_random_moments(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    calm, harried = begun(tmp_path / "calm"), begun(tmp_path / "harried")
    rounds = 3
    landed = 0
    for round_ in range(rounds):
        for story in (calm, harried):
            if round_:
                edits(story, round_)
        began = time.monotonic()
        finished(calm, "sync", "--approve")
        whole = time.monotonic() - began
        for kill in range(KILLS // rounds):
            delay = whole * (0.3 + (kill + chance.random()) / 10)
            with syncd(harried, "sync", "--approve") as process:
                try:
                    process.wait(timeout=delay)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    landed += 1
        finished(harried, "sync", "--approve")
        assert harried.holds() == calm.holds()
    assert landed >= rounds
    for story in (calm, harried):
        done = finished(story, "sync")
        assert (done["outcome"], done["inbox"]) == ("in_sync", 0)
        assert {counts["created"] + counts["updated"] for counts in done["apps"].values()} == {0}
        for app in story.apps.values():
            emails = [row["email"] for row in app.rows().values()]
            assert len(emails) == len(set(emails)) == PEOPLE + rounds - 1
            assert sum(row.get("email_consent") == "opted_out" for row in app.rows().values()) >= 6
            assert not any(row.get("email_consent") == "opted_in" for row in app.rows().values())

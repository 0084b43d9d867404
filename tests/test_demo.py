"""The demo tells the truth: its people are always the same, its figures are counted, nothing of it stays running."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from syncd.config import load_config
from syncd.core.fields import Invalid, field_type
from syncd.demo import live, mess, setting, story
from syncd.demo.figures import Figures, count, meaning
from syncd.demo.people import PEOPLE, people
from syncd.errors import ConfigError
from syncd.registry import spec
from tests.hubs import environment, until

OUTLINE = (
    "1. The first run only looks",
    "First look: nothing has been written to any app.",
    "$ syncd plan --app books | head -12",
    "2. A person approves, and four apps agree",
    "$ syncd inbox resolve",
    "3. Everybody edits at once",
    "$ syncd explain kurt.vogel@kaffee-kluntje.example.com phone",
    "lost: ",
    "$ syncd explain callum.hughes@the-mireille.example.com email_consent",
    "4. An app says: too many requests",
    "Xero answered 429",
    "5. A mishap, and the way back",
    "--approve",
    "6. The daemon, and webhooks",
    "the inbox is empty",
    "7. One more pass, which writes nothing",
    "in sync",
    "8. Figures",
)
BEFORE = Figures(records=1597, everywhere=174, disagreeing=75, spelled=408, missing=714, unheard=31)
AFTER = {"everywhere": 498, "disagreeing": 0, "missing": 1, "unheard": 0}
"""One telephone number reads "ask at reception"."""


def test_five_hundred_people_are_told_apart_and_always_the_same() -> None:
    everyone = people()
    assert everyone == people()
    assert len(everyone) == PEOPLE
    assert len({person.full_name for person in everyone}) == PEOPLE
    assert len({person.phone for person in everyone}) == PEOPLE
    addresses = [person.email for person in everyone if person.email]
    assert len(set(addresses)) == len(addresses)
    email, phone = field_type("email"), field_type("phone")
    assert not [a for a in addresses if isinstance(email.parse(a), Invalid) or not a.endswith(".example.com")]
    assert not [person for person in everyone if phone.parse(person.phone) != person.phone]


def test_the_mess_is_what_the_story_says() -> None:
    everyone = people()
    rows = {"crm": [*mess.crm(everyone)], "news": [*mess.news(everyone)]}
    rows |= {"books": [*mess.books(everyone)], "desk": [*mess.desk(everyone)]}
    assert {app: len(each) for app, each in rows.items()} == {"crm": 433, "news": 375, "books": 352, "desk": 437}
    assert {row["email_consent"] for row in rows["news"]} == {"subscribed", "unsubscribed", "cleaned", "pending"}
    assert {row.get("email_consent") for row in rows["desk"]} == {None, "yes", "no thanks"}
    held = {app: Counter(row.get("email", "").casefold() for row in each) for app, each in rows.items()}
    assert [address for address, n in held["books"].items() if n > 1 and address] == [
        everyone[number].email for number in mess.BOOKED_TWICE
    ]
    played = (
        *story.IMPORTED,
        story.HERO,
        story.OPTS_OUT,
        story.CALLED,
        live.TITLED,
        live.CALLED,
        live.WROTE,
        live.LEFT,
    )
    titled = {live.TITLED}  # of whom only the CRM and the desk need to know
    for number in played:
        for app, emails in held.items():
            assert emails[everyone[number].email or ""] == 1 or number in titled or app == "news", (number, app)


def test_meanings_are_those_of_syncd() -> None:
    """The figures are counted in a way of their own; on all that the mess holds it agrees with syncd's types."""
    everyone = people()
    kinds = {"phone": field_type("phone", region="DE"), "email": field_type("email"), "country": field_type("country")}
    for rows in (mess.crm(everyone), mess.news(everyone), mess.desk(everyone)):
        for row in rows:
            for name, kind in kinds.items():
                value = kind.parse(row.get(name))
                known = value is not None and not isinstance(value, Invalid)
                assert meaning(name, row.get(name, "")) == (kind.key(value) if known else ""), row.get(name)


def test_figures_are_counted_without_syncd(tmp_path: Path) -> None:
    with setting.stage(tmp_path, io.StringIO()) as stage:
        before = count(stage.apps)
        assert before == BEFORE
        hero = stage.email(story.HERO)
        stage.crm.edit(hero, company="Nobody ever wrote this")
        stage.news.leave(hero)
        now = count(stage.apps)
        assert (now.disagreeing, now.unheard) == (before.disagreeing + 1, before.unheard + 1)


def test_the_configuration_is_right_and_its_secrets_are_its_owners(tmp_path: Path) -> None:
    with setting.stage(tmp_path, io.StringIO()) as stage:
        config = load_config(stage.folder / "config" / "syncd.yaml", spec)
    assert [app.connector for app in config.apps] == ["hubspot", "mailchimp", "xero", "zendesk"]
    assert all(app.hooks for app in config.apps)
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "config" / "secrets").iterdir()} == {0o600}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str, Path]:
    """Play it once: its document, its story, and the folder that it keeps."""
    folder = tmp_path_factory.mktemp("demo")
    ran = subprocess.run(
        [sys.executable, "-m", "syncd", "demo", "--keep", "kept", "--json"],
        check=False, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return json.loads(ran.stdout), ran.stderr, folder / "kept"


def test_the_demo_ends_with_equal_contacts_and_no_writes(played: tuple[Any, str, Path]) -> None:
    doc, _, _ = played
    assert doc["unexpected"] == []
    assert {name: doc["after"][name] for name in AFTER} == AFTER
    assert doc["before"]["everywhere"] == BEFORE.everywhere
    assert doc["writes_in_last_pass"] == 0
    assert doc["waited"]["status"] == 429
    assert doc["waited"]["seconds"] >= 2, "as long as Xero said"
    assert {(each["app"], each["reaches"]) for each in doc["webhooks"] if each["milliseconds"]} == {
        *(("crm", "desk"), ("news", "crm"), ("news", "desk")),
        *(("books", other) for other in ("crm", "news", "desk")),
        *(("desk", other) for other in ("crm", "news", "books")),
    }


def test_the_demo_goes_as_it_is_told(played: tuple[Any, str, Path]) -> None:
    _, told, kept = played
    place = 0
    for line in OUTLINE:
        place = told.index(line, place)
    figures = {int(now) for now in re.findall(r"(?m)^   \S.+? +\d+ +(\d+)$", told[place:])}
    assert figures == {*AFTER.values()}
    assert "\x1b" not in told, "no colours outside a terminal"
    ours = [line for line in told.splitlines() if re.match(r"   \S", line)]
    assert max(map(len, ours)) < 80
    log = (kept / "daemon.log").read_text("utf-8")
    assert '"stopped"' in log
    assert not [secret for secret in setting.SECRETS.values() if secret in log and len(secret) > 8]
    assert not listens(port_of(kept)), "nothing is left running"


def test_what_is_kept_can_be_looked_at(played: tuple[Any, str, Path]) -> None:
    _, _, kept = played
    said = subprocess.run(
        [sys.executable, "-m", "syncd", "history", "--json"],
        check=True, cwd=kept, env=environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert len(json.loads(said.stdout)["runs"]) > 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_running_and_nothing_lying_about(
    tmp_path: Path, number: signal.Signals
) -> None:
    with started(tmp_path) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if line.startswith("$ syncd plan"):
                break
        demo.send_signal(number)
        demo.stdout.read()
        assert demo.wait(60) == (130 if number == signal.SIGINT else 143)
    assert not [*tmp_path.iterdir()]


def test_the_daemon_does_not_outlive_a_demo_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import io, pathlib, sys, time; from syncd.demo import live, setting\n"
        "with setting.stage(pathlib.Path('there'), sys.stderr) as stage:\n"
        "    stage.screen.run('sync', '--approve'); stage.clock.catch_up()\n"
        "    with live.daemon(stage): print('ready', flush=True); time.sleep(600)"
    )
    demo = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert demo.stdout is not None
    with demo.stdout:
        assert demo.stdout.readline() == "ready\n"
        port = port_of(tmp_path / "there")
        assert listens(port)
        demo.kill()
        demo.wait()
    until(lambda: not listens(port), "the daemon ends")


def started(tmp: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "syncd", "demo"],
        env={**os.environ, "TMPDIR": str(tmp)}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip


def test_a_folder_that_is_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(ConfigError, match="is not empty"):
        story.run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def port_of(folder: Path) -> int:
    """Read where the demo's daemon listens."""
    found = re.search(r"127\.0\.0\.1:(\d+)", (folder / ".env").read_text("utf-8"))
    assert found is not None
    return int(found[1])


def listens(port: int) -> bool:
    """Say whether somebody answers there."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0

"""The demo tells the truth: its people are always the same, its figures are counted, nothing of it stays running."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from syncd.core.fields import Invalid, field_type
from syncd.demo import mess, story
from syncd.demo.figures import Figures, count
from syncd.demo.people import PEOPLE, people
from syncd.demo.places import Crm, Phonebook
from syncd.demo.servers import PASSWORD, USER, carddav_server
from syncd.errors import ConfigError

OUTLINE = (
    "1. The first run only looks",
    "$ syncd plan | head -14",
    "2. A person approves, and three apps agree",
    "$ syncd inbox resolve",
    "3. Everybody edits at once",
    "$ syncd explain louis.richter@copper-kettle.example.com phone",
    "lost: ",
    "4. A mishap, and the way back",
    "--approve",
    "5. A worse mishap: the file is nearly empty",
    "held: crm would have",
    "6. Figures",
)
AFTER = {
    "people whom all three apps know": 199,
    "fields on which two apps disagree": 0,
    "fields blank in one app, known in another": 1,
    "opt-outs of which another app has not heard": 0,
}


def test_two_hundred_people_are_told_apart_and_always_the_same() -> None:
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


def test_the_mess_is_what_the_story_says(tmp_path: Path) -> None:
    everyone = people()
    crm, books = list(mess.crm(everyone)), list(mess.books(everyone))
    assert (len(crm), len(books), len(list(mess.phonebook(everyone)))) == (153, 130, 60)
    file = Crm(tmp_path / "crm.csv")
    file.fill(crm)
    widths = [line.count(",") for line in file.path.read_text("utf-8").splitlines()]
    assert [number for number, width in enumerate(widths) if width != widths[0]] == [41]
    file.mend()
    assert {line.count(",") for line in file.path.read_text("utf-8").splitlines()} == {widths[0]}
    for number in (story.HERO, story.OPTS_OUT, story.DELETED, *story.INTERNS):
        assert number >= 70, "in the books"
        assert number < 150, "in the CRM"
        assert number % 10 in (1, 4, 7), "in the phonebook"
        assert number not in mess.BY_NUMBER_ONLY


def test_figures_are_counted_without_the_engine(tmp_path: Path) -> None:
    with story.stage(tmp_path, carddav=False) as stage:
        before = count(stage.config)
        assert before == Figures(everywhere=24, disagreeing=39, spelled=77, missing=132, unheard=5)
        hero = stage.email(story.HERO)
        stage.crm.change(hero, "Job title", "Nobody ever wrote this")
        stage.books.execute("UPDATE customers SET newsletter = 'no' WHERE email = ?", hero)
        now = count(stage.config)
        assert (now.disagreeing, now.unheard) == (before.disagreeing + 1, before.unheard + 1)


@pytest.mark.parametrize("carddav", [True, False], ids=["with Radicale", "without"])
def test_the_demo_runs_as_it_is_told(tmp_path: Path, carddav: bool) -> None:
    code = f"import pathlib, sys, syncd.demo.story as s; sys.exit(s.run(pathlib.Path('kept'), carddav={carddav}))"
    ran = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = set(ran.stderr.splitlines())  # the one ragged row of the mess, and nothing else
    assert told == {"syncd: crm: a record is set aside: line 42 has 14 cells, the header 13"}
    place = 0
    for line in OUTLINE:
        place = ran.stdout.index(line, place)
    after = {name: int(now) for name, _, now in re.findall(r"(?m)^   (\S.+?) +(\d+) +(\d+)$", ran.stdout[place:])}
    assert after == AFTER
    assert "; 0 writes in the last pass; " in ran.stdout
    assert "\x1b" not in ran.stdout, "no colours outside a terminal"
    assert max(map(len, ran.stdout.splitlines())) < 200
    if carddav:
        assert not listens(port_of(tmp_path / "kept"))


def test_an_interrupted_demo_leaves_nothing_running_and_nothing_lying_about(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "syncd", "demo"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert demo.stdout is not None
    with demo.stdout:
        for line in demo.stdout:
            if line.startswith("$ syncd check"):
                break
        [folder] = tmp_path.glob("syncd-demo-*")
        port = port_of(folder)
        assert listens(port)
        demo.send_signal(signal.SIGINT)
        demo.stdout.read()
    assert demo.wait(60) == 130
    assert not listens(port)
    assert not [*tmp_path.iterdir()]


def test_a_folder_that_is_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(ConfigError, match="is not empty"):
        story.run(tmp_path, carddav=False)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_the_server_ends_when_nobody_holds_it(tmp_path: Path) -> None:
    with carddav_server(tmp_path / "radicale") as url:
        book = Phonebook(url, USER, PASSWORD)
        everyone = people()
        assert book.fill(mess.phonebook(everyone)) == 60
        address = everyone[story.HERO].email or ""
        book.change(address, "phone", "+44 7700 900222")
        book.delete(everyone[story.DELETED].email or "")
        assert len(book.nicknames()) == 59
    assert not listens(port_of(tmp_path))


def port_of(folder: Path) -> int:
    """Read where the demo's server listens."""
    found = re.search(r"hosts = 127\.0\.0\.1:(\d+)", (folder / "radicale" / "config").read_text("utf-8"))
    assert found is not None
    return int(found[1])


def listens(port: int) -> bool:
    """Say whether somebody answers there."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0

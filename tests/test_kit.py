"""`syncd connectors test`: green for what is honest, and a failure that says what and where for what is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path

import pytest

from syncd import registry
from syncd.kit.asking import ask_all
from tests.commands import ROOT
from tests.hubs import Said


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Copy the tutorial's connector, under a name of its own."""
    return Path(
        shutil.copytree(registry.find("fakeapi"), tmp_path / "people", ignore=shutil.ignore_patterns("__pycache__"))
    )


def kit(folder: Path, *words: str, python: tuple[str, ...] = ()) -> Said:
    """Run `syncd connectors test` in a folder; no configuration is named."""
    return connectors(folder, "test", *words, python=python)


def connectors(
    folder: Path, *words: str, python: tuple[str, ...] = (), path: Path | None = None, cache: Path | None = None
) -> Said:
    """Run `syncd connectors`; `path`: of an installation that is not this checkout."""
    command = [sys.executable, *python, "-m", "syncd", "connectors", *words]
    env = {**os.environ, **({"PYTHONPATH": str(path)} if path else {})}
    env |= {"XDG_CACHE_HOME": str(cache)} if cache else {}
    ran = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=120)
    return Said(code=ran.returncode, out=ran.stdout, err=ran.stderr)


def changed(folder: Path, old: str, new: str, file: str = "manifest.yaml") -> None:
    text = (folder / file).read_text("utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new), "utf-8")


def test_an_honest_connector_is_green_and_gets_a_card(tmp_path: Path) -> None:
    doc = kit(tmp_path, "fakeapi", "--json").doc
    assert doc["failed"] == 0
    assert {each["verdict"] for each in doc["checks"]} == {"green", "not asked"}
    assert all(each["why"]["message"] for each in doc["checks"] if each["verdict"] == "not asked")
    assert doc["card"]["in_doubt"]["rung"] == "E"
    assert doc["card"]["lost_update"]["class"] == "cas"


def test_a_connector_is_tested_by_its_path(copied: Path) -> None:
    said = kit(copied.parent, "people", "--only", "listing")
    assert said.code == 0, said.out + said.err
    assert " 0 failed" in said.out
    assert "a create whose answer was lost" in said.out


def test_a_false_claim_is_a_failure_that_says_what_was_expected_and_what_was_there(copied: Path) -> None:
    changed(copied, "first_name: {path: first_name}", "first_name: {path: firstname}")
    said = kit(copied.parent, "./people", "--only", "blank_is_none")
    assert said.code == 0, "a field that is not there is blank"
    said = kit(copied.parent, "./people", "--only", "every_change")
    assert said.code == 3
    assert "FAILED every change is seen from a cursor" in said.out
    assert "told[edited].fields['first_name'] == 'Edited'" in said.out
    assert (
        "told[edited].fields['first_name'] = null" in said.out or "told[edited].fields['first_name'] = None" in said.out
    )
    doc = kit(copied.parent, "./people", "--only", "every_change", "--json").doc
    assert doc["failed"] == 1


def test_a_fault_of_the_sandbox_is_told_with_its_line(copied: Path) -> None:
    changed(copied, "        self.sandbox.delete(id_)", "        self.sandbox.remove(id_)", "world.py")
    said = kit(copied.parent, "./people", "--only", "a_deletion_is_named")
    assert said.code == 3
    assert "AttributeError" in said.out
    assert "people/world.py:" in said.out


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("manifest.yaml", "manifest: 1\n", "manifest.yaml:1"),
        ("world.py", "class Wold: ...\n", "no class World"),
        ("world.py", "import nothing_like_it\n", "world.py:1"),
    ],
)
def test_what_cannot_be_loaded_exits_2(file: str, text: str, message: str, copied: Path) -> None:
    (copied / file).write_text(text)
    said = kit(copied.parent, "./people")
    assert said.code == 2
    assert message in said.err


def test_a_connector_without_a_world_is_told_so(copied: Path) -> None:
    (copied / "world.py").unlink()
    said = kit(copied.parent, "./people")
    assert said.code == 2
    assert "world.py" in said.err
    assert kit(copied.parent, "fakeapi", "--only", "nonsense").code == 2


def test_a_python_that_leaves_assertions_out_proves_nothing(tmp_path: Path) -> None:
    said = kit(tmp_path, "fakeapi", python=("-O",))
    assert said.code == 2
    assert "-O" in said.err


# Each question can be answered wrongly ------------------------------------------------------------------------------------

LIES: dict[str, tuple[str, list[tuple[str, str, str]]]] = {
    "an_update_whose_answer_was_lost": (
        "fakeapi",
        [("manifest.yaml", "errors:\n", "errors:\n  - {status: [502], then: invalid}\n")],
    ),
    "a_create_whose_answer_was_lost": (
        "fakeapi",
        [("manifest.yaml", "errors:\n", "errors:\n  - {status: [504], then: invalid}\n")],
    ),
    "what_was_refused_for_now": (
        "fakeapi",
        [("manifest.yaml", "errors:\n", "errors:\n  - {status: [429], then: unknown}\n")],
    ),
    "an_edit_between_our_look": ("fakeapi", [("sandbox.py", 'raise Refused(412, "changed")', "pass")]),
    "an_update_sends_nothing": ("fakeapi", [("manifest.yaml", "  as: merge-patch\n", "  keep: [first_name]\n")]),
    # Parts of an object that the app replaces whole: neither the world nor any other question knows a street.
    "one_field_leaves_the_others": ("fakeapi", [("sandbox.py", "merged(made.get(key), value)", "value")]),
    "changes_in_one_second": (
        "fakeapi",
        [
            ("sandbox.py", "{at:%Y-%m-%dT%H:%M:%S.%f}Z", "{at:%Y-%m-%dT%H:%M:%S.000000}Z"),
            ("sandbox.py", 'each["updated_at"] >= since', 'each["updated_at"] > since'),
        ],
    ),
    "more_changes_at_once": ("quickbooks", [("manifest.yaml", "cap: 1000", "cap: 1001")]),
    "what_happens_during_a_listing": (
        "mautic",
        [("manifest.yaml", "total: total, size: 500}\n\n", "total: total, size: 500}\n  proven: true\n\n")],
    ),
    "who_was_merged": ("hubspot", [("manifest.yaml", "  look_first: true\n", "")]),
    "a_new_record_is_opted_in": (
        "mailchimp",
        [("sandbox.py", '{**doc, "status": status}', '{**doc, "status": "subscribed"}')],
    ),
    "who_opted_out_is_told": ("hubspot", [("sandbox.py", "        self.opted_out.add(address.lower())\n", "")]),
    "a_webhook_says_who_changed": ("hubspot", [("manifest.yaml", "ids: [objectId,", "ids: [eventId,")]),
    "where_webhooks_go": ("brevo", [("manifest.yaml", "items: webhooks, url: url", "items: webhooks, url: address")]),
    "a_text_of_full_length": ("mailchimp", [("manifest.yaml", "max_length: 255", "max_length: 2000")]),
}
"""Question -> a lie that it catches: a connector, and what is changed in its files."""
CODE = """
from datetime import datetime
from pathlib import Path
from syncd.errors import TransientError
from syncd.http.app import HttpApp, connector
from syncd.model import Page

class Lying(HttpApp):
{method}

CONNECTOR = connector(Path(__file__).with_name("manifest.yaml"), "lying", Lying)
"""
HEARING = """
from dataclasses import replace
from pathlib import Path
from syncd.connector import Heard
from syncd.http.app import connector

class Believing:
    def hear(self, arrival):
        return Heard(something=True)

CONNECTOR = replace(connector(Path(__file__).with_name("manifest.yaml"), "lying"), listen=lambda opening: Believing())
"""
METHODS = {
    "time_zone": """
    def record(self, item):
        record = super().record(item)
        record.fields["notes"] = datetime.fromtimestamp(1_700_000_000).isoformat()  # in the zone of this machine
        return record
""",
    "a_listing_that_breaks_off": """
    def read(self, cursor):
        try:
            yield from super().read(cursor)
        except TransientError:
            yield Page(records=[], complete=True)  # so much for that
""",
}
"""Question -> a lie in Python."""


@pytest.mark.parametrize("question", LIES)
def test_each_question_catches_its_lie(question: str, tmp_path: Path) -> None:
    name, lies = LIES[question]
    assert verdicts(copy_of(name, tmp_path), question) == ["green"]
    lying = copy_of(name, tmp_path / "lying")
    for file, old, new in lies:
        changed(lying, old, new, file)
    assert verdicts(lying, question) == ["failed"]


def test_what_an_update_erased_is_named_and_sending_it_again_is_green(tmp_path: Path) -> None:
    """Found by a user: an API whose PATCH replaces `name`, of which two fields are parts."""
    folder = copy_of("fakeapi", tmp_path, "rolodex")
    changed(folder, "merged(made.get(key), value)", "value", "sandbox.py")
    said = kit(tmp_path, "./rolodex", "--only", "leaves_the_others")
    assert said.code == 3
    assert "an update of city changed street as well" in said.out
    changed(folder, "  as: merge-patch\n", "  as: merge-patch\n  keep: [address]\n")
    assert kit(tmp_path, "./rolodex", "--only", "leaves_the_others").code == 0


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("mailchimp", "not_the_apps"),
        ("hubspot", "not_the_apps"),
        ("hubspot", "comes_again"),
        ("fakeapi", "no_webhooks"),
    ],
)
def test_whoever_believes_every_webhook_is_found_out(name: str, question: str, tmp_path: Path) -> None:
    folder = copy_of(name, tmp_path, "lying")
    (folder / "connector.py").write_text(HEARING)
    assert verdicts(folder, question) == ["failed"]


@pytest.mark.parametrize("question", METHODS)
def test_each_question_catches_its_lie_in_python(question: str, tmp_path: Path) -> None:
    folder = copy_of("fakeapi", tmp_path, "lying")
    (folder / "connector.py").write_text(CODE.format(method=METHODS[question]))
    assert verdicts(folder, question) == ["failed"]


def verdicts(folder: Path, question: str) -> list[str]:
    return [each.verdict for each in ask_all(folder, silent, question)]


def silent(what: str, asked: int, of: int) -> None:
    """Tell nobody."""


def copy_of(name: str, into: Path, named: str = "") -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(registry.find(name), into / (named or f"my_{name}"), ignore=ignored))


# A new one --------------------------------------------------------------------------------------------------------------


def test_a_new_connector_is_green_from_an_installed_wheel_in_an_empty_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    [wheel] = (tmp_path / "dist").glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    (tmp_path / "empty").mkdir()
    run = partial(connectors, tmp_path / "empty", path=tmp_path / "site")
    made = run("new", "my_crm", "--into", "mine")
    assert made.code == 0, made.err
    assert "syncd connectors test mine/my_crm" in made.out
    doc = run("test", "mine/my_crm", "--json").doc
    assert doc["failed"] == 0
    assert sum(each["verdict"] == "green" for each in doc["checks"]) > 35
    ours = run("test", "fakeapi", "--only", "lost", "--json")
    assert ours.code == 0, "our own connectors have their worlds in the wheel"
    again = run("new", "nothing_to_see", "--json").doc
    assert [file.name for file in sorted((tmp_path / "empty" / again["folder"]).iterdir())] == sorted(again["files"])


def test_nothing_of_the_starter_keeps_its_name(tmp_path: Path) -> None:
    assert connectors(tmp_path, "new", "my_crm").code == 0
    assert not [file.name for file in (tmp_path / "my_crm").iterdir() if "yourapp" in file.read_text().lower()]


@pytest.mark.parametrize(
    ("name", "message"),
    [("My-CRM", "names no connector"), ("fakeapi", "there is a connector"), ("there", "is there already")],
)
def test_a_name_that_cannot_be_is_told(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    said = connectors(tmp_path, "new", name)
    assert said.code == 2
    assert message in said.err
    assert [each.name for each in tmp_path.iterdir()] == ["there"]


# On a real server -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ldap", "mailman", "roundup", "tryton"])
def test_a_connector_of_an_open_system_is_asked_on_the_running_server(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(
        {"ldap": "slapd"}.get(name, name) + "_server"
    )  # skips, with the reason, where it cannot be had
    doc = kit(tmp_path, name, "--only", "one_record", "--json").doc
    said = kit(tmp_path, name, "--only", "an_update", "--json").doc
    verdicts = {each["check"]: each["verdict"] for each in [*doc["checks"], *said["checks"]]}
    assert verdicts["an_update_changes_the_named_fields_only"] == "green"
    assert "failed" not in verdicts.values()
    lost = verdicts["a_create_whose_answer_was_lost_made_one_record_that_can_be_found"]
    assert lost == (
        "not asked" if name == "ldap" else "green"
    )  # that has a wire of its own, in tests/test_ldap_reach.py


def test_where_no_server_is_installed_the_line_that_does_is_told_and_nothing_is_installed(tmp_path: Path) -> None:
    site = tmp_path / "site"
    for folder in ("syncd", "connectors"):
        shutil.copytree(ROOT / folder, site / folder, ignore=shutil.ignore_patterns("__pycache__"))
    said = connectors(tmp_path, "test", "roundup", path=site, cache=tmp_path / "cache")
    assert said.code == 2
    assert "-m syncd.kit.install roundup" in said.err
    assert not (tmp_path / "cache").exists()


def test_a_server_that_does_not_start_is_told(tmp_path: Path, mailman_server: object) -> None:
    broken = copy_of("mailman", tmp_path, "post")
    changed(broken, "--runner=rest", "--runner=nonsense", "server.py")
    changed(broken, '"mailman", Mailman', '"post", Mailman', "connector.py")
    said = kit(tmp_path, "./post", "--only", "listing")
    assert said.code == 3
    assert "the real server does not start; what it said last: " in said.err
    assert "Traceback" not in said.err


def test_a_lie_is_noticed_on_the_running_server(tmp_path: Path, roundup_server: object) -> None:
    lying = copy_of("roundup", tmp_path)
    assert verdicts(lying, "an_edit_between_our_look") == ["green"]
    lying = copy_of("roundup", tmp_path / "lying")
    changed(lying, "errors:\n", "errors:\n  - {status: [412], then: invalid}\n")
    assert verdicts(lying, "an_edit_between_our_look") == ["failed"]

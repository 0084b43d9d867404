"""The key of the store by reference: a container without a volume loses nothing, and nobody sees the key."""

from __future__ import annotations

import re
import shutil
import subprocess
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncd import registry
from syncd.config import Config, load_config, process_settings
from syncd.errors import ConfigError
from tests.commands import ROOT
from tests.hubs import Hub, person

KEY = bytes(range(190, 222))
A = "version: 1\napps: {a: {connector: csv, settings: {path: a.csv, key: id}}}\n"
GOOD = {
    "base64": b64encode(KEY).decode(),
    "base64 for URLs": urlsafe_b64encode(KEY).decode(),
    "hex": KEY.hex(),
    "HEX": KEY.hex().upper(),
    "with its line end": f" {KEY.hex()}\n",
}
BAD = {
    "short": b64encode(KEY[1:]).decode(),
    "long": b64encode(KEY + b"x").decode(),
    "hex of 31": KEY[1:].hex(),
    "hex with a typo": KEY.hex()[:-1] + "g",
    "a password": "correct horse battery staple!",
    "the bytes themselves": "k" * 32,
}


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Config]:
    def load(text: str, **given: Any) -> Config:
        (tmp_path / "c.yaml").write_text(A + text)
        return load_config(tmp_path / "c.yaml", registry.spec, **given)

    return load


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_a_key_is_written_as_base64_or_hex(load: Callable[..., Config], text: str) -> None:
    config = load("key: env:HUB_KEY", environ={"HUB_KEY": text})
    assert config.key == KEY
    assert text.strip() not in repr(config)
    assert load("", environ={}).key is None


def test_a_key_may_lie_in_a_file_or_with_a_program(load: Callable[..., Config], tmp_path: Path) -> None:
    (tmp_path / "hub.key").write_text(f"{KEY.hex()}\n")
    assert load("key: file:hub.key").key == KEY
    assert load("key: {cmd: [cat, hub.key]}").key == KEY


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_what_is_no_key_is_told_with_its_place_and_not_shown(load: Callable[..., Config], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load("key: env:HUB_KEY", environ={"HUB_KEY": text})
    assert str(caught.value).endswith(
        "c.yaml:3:6: key: expected a key of 32 bytes as base64 or hex; `openssl rand -base64 32` makes one"
    )
    shown: BaseException | None = caught.value
    while shown is not None:
        assert text not in repr(shown)
        shown = shown.__cause__ or shown.__context__


def test_a_key_is_never_written_into_the_configuration(load: Callable[..., Config]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(f"key: {KEY.hex()}")
    assert "c.yaml:3:6: key: a secret is never written here" in str(caught.value)
    assert KEY.hex() not in str(caught.value)


def test_a_key_that_is_not_there_is_told_unless_nobody_asks(load: Callable[..., Config]) -> None:
    with pytest.raises(ConfigError, match=r"key: not found; looked at: environment variable HUB_KEY \(not set\)"):
        load("key: env:HUB_KEY", environ={})
    load("key: env:HUB_KEY", environ={}, resolve=False)


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    hub = Hub(tmp_path)
    hub.csv("crm", [person(1), person(2)])
    hub.csv("news", [person(1, first_name="Other")])
    return hub


def test_a_container_without_a_volume_loses_nothing(hub: Hub, pg_url: str) -> None:
    """PostgreSQL remembers, the key comes from outside: all that the machine itself held may go."""
    secrets = {"SYNCD_STORE": pg_url, "SYNCD_KEY": b64encode(KEY).decode()}
    hub.store = "env:SYNCD_STORE"
    hub.configure("key: env:SYNCD_KEY\n")
    said = hub.run("sync", "--approve", env=secrets)
    assert said.code == 0, said.err
    shutil.rmtree(hub.folder / "var")
    said = hub.run("history", "--json", env=secrets)
    assert {entry["from"] for entry in said.doc["entries"] if entry["field"] == "first_name"} == {"Other"}
    assert hub.run("sync", env=secrets).code == 0
    assert not (hub.folder / "var" / "syncd.key").exists()
    for words in (["sync"], ["check"], ["sync", "--debug"]):
        said = hub.run(*words, env={**secrets, "SYNCD_KEY": KEY[::-1].hex()})
        assert said.code == 2
        assert "key: the store postgresql://127.0.0.1:" in said.err + said.out
        assert "was sealed with another key; give the one that it was made with" in said.err + said.out
        assert KEY[::-1].hex() not in said.err + said.out


def test_a_store_moves_from_the_file_to_a_reference_as_the_page_says(hub: Hub) -> None:
    hub.synced()
    before = hub.json("history")
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    block = re.search(r"## The key of the store\n.*?```sh\n(.*?)```", page, re.DOTALL)
    assert block is not None
    subprocess.run(["/bin/sh", "-ec", block[1]], cwd=hub.folder, check=True)
    dotenv = hub.folder / ".env"
    assert dotenv.stat().st_mode & 0o777 == 0o600
    name, _, value = dotenv.read_text().strip().partition("=")
    dotenv.unlink()
    hub.configure(f"key: env:{name}\n")
    assert (hub.folder / "var" / "syncd.key").read_bytes() == load_key(hub, name, value)
    (hub.folder / "var" / "syncd.key").unlink()
    said = hub.run("history", "--json", env={name: value})
    assert (said.code, said.doc) == (0, before)
    for words in (["sync"], ["status"], ["check"]):
        said = hub.run(*words, env={name: value, "SYNCD_LOG_LEVEL": "debug"})
        assert said.code == 0, said.err
        assert value not in said.out + said.err


def load_key(hub: Hub, name: str, value: str) -> bytes | None:
    return load_config(hub.config, registry.spec, environ={name: value}).key


def test_in_the_container_nothing_is_written_beside_the_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is mounted read-only; store, lock and key belong into the volume."""
    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    settings = dict(re.findall(r"(SYNCD_\w+)=(\S+)", text))
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "c.yaml").write_text(A + "store: env:SYNCD_STORE")
    for store in ("sqlite:////var/lib/syncd/syncd.db", "postgresql+psycopg://postgres/syncd"):
        found = load_config(
            tmp_path / "c.yaml", registry.spec, process=process_settings(), environ={"SYNCD_STORE": store}
        )
        assert found.data_dir == Path("/var/lib/syncd")

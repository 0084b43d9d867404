"""Configurations to load, and the connectors that they speak of: specs only, made here, so that stories stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncd.config import Config, load_config
from syncd.errors import ConfigError
from syncd.model import FieldMap, Setting, Spec

SPECS = {
    "csv": Spec(
        name="csv",
        summary="a file",
        any_path=True,
        settings=(
            Setting(name="path", help="the file", required=True, type="path"),
            Setting(name="key", help="its key column", required=True),
            Setting(name="encoding", help="its encoding", default="utf-8"),
        ),
    ),
    "sql": Spec(
        name="sql",
        summary="a table",
        any_path=True,
        settings=(
            Setting(name="url", help="the database", required=True, type="url"),
            Setting(name="batch", help="rows a statement", type="number"),
            Setting(name="tables", help="more tables", type="list"),
            Setting(name="readonly", help="no writes", type="boolean"),
        ),
        secrets=(Setting(name="username", help="user"), Setting(name="password", help="password")),
    ),
    "dav": Spec(
        name="dav",
        summary="an address book",
        settings=(Setting(name="url", help="the address book", required=True, type="url"),),
        secrets=(Setting(name="token", help="an app password", required=True),),
        fields={
            "email": FieldMap(path="EMAIL"),
            "phone": FieldMap(path="TEL"),
            "mobile": FieldMap(path="TEL;CELL"),
            "company": FieldMap(path="ORG", required=True),
        },
        network=True,
    ),
}

Load = Callable[..., Config]


def specs(name: str, folders: tuple[Path, ...]) -> Spec:
    if name in SPECS:
        return SPECS[name]
    raise ConfigError(f'no connector "{Path(name).name}"')


@pytest.fixture(name="load")
def load_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a text as `c.yaml` (or several files as a folder `c`), with relative places in the messages."""
    monkeypatch.chdir(tmp_path)

    def loaded(text: str | bytes | dict[str, str], **options: Any) -> Config:
        path = Path("c.yaml") if not isinstance(text, dict) else Path("c")
        if isinstance(text, dict):
            path.mkdir()
            for name, part in text.items():
                (path / name).write_text(part, "utf-8")
        else:
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_config(path, specs, **{"environ": {}, **options})

    return loaded


def problems(load: Load, text: str | bytes | dict[str, str], **options: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(text, **options)
    return [str(problem) for problem in caught.value.problems]


A = "apps: {a: {connector: csv, settings: {path: a.csv, key: id}}}\n"
DAV = "apps: {a: {connector: dav, settings: {url: https://x.example/}, secrets: {token: env:T}%s}}\n"

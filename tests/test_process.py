"""Settings of the process: where they come from, and that the library that reads them is not imported in vain."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from syncd.config import Process, process_settings
from syncd.errors import ConfigError

CANARY = "hunter2-canary"


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.upper().startswith("SYNCD_")]:
        monkeypatch.delenv(name)


def wrong() -> list[str]:
    with pytest.raises(ConfigError) as caught:
        process_settings(secrets_dir=Path("secrets"))
    assert CANARY not in f"{caught.value}{caught.value.__context__}"
    return [str(problem) for problem in caught.value.problems]


def test_nothing_said_is_the_default() -> None:
    assert process_settings(secrets_dir=Path("none")) == Process()


def test_a_variable_goes_before_dotenv_and_that_before_a_secret_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNCD_LOG_LEVEL", "debug")
    (tmp_path / ".env").write_text("SYNCD_LOG_LEVEL=error\nexport SYNCD_DATA_DIR=data\nOTHER=1\n")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "syncd_data_dir").write_text("elsewhere")
    (tmp_path / "secrets" / "syncd_database_url").write_text("postgresql://u:pw@h/x\n")
    settings = process_settings(secrets_dir=Path("secrets"))
    assert settings == Process(log_level="debug", data_dir=tmp_path / "data", database_url="postgresql://u:pw@h/x")
    assert "pw" not in repr(settings)


def test_what_is_wrong_names_the_variable_and_not_its_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCD_LOG_LEVEL", CANARY)
    (tmp_path / ".env").write_text(f"SYNCD_BIND_ADDRESS={CANARY}\n")
    assert wrong() == [
        "environment: SYNCD_LOG_LEVEL: Input should be 'debug', 'info', 'warning' or 'error'",
        "environment: SYNCD_BIND_ADDRESS: expected host:port",
    ]


def test_a_slip_in_a_name_is_told_and_other_names_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCD_CRM_TOKEN", CANARY)
    assert process_settings(secrets_dir=Path("none")) == Process()
    monkeypatch.setenv("SYNCD_LOGLEVEL", CANARY)
    assert wrong() == ['environment: SYNCD_LOGLEVEL: unknown variable, did you mean "SYNCD_LOG_LEVEL"?']


def test_an_unreadable_dotenv_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"SYNCD_LOG_LEVEL=\xff\n")
    assert wrong() == ["environment: cannot be read: UnicodeDecodeError"]


@pytest.mark.parametrize(("variable", "imported"), [("SYNCD_CRM_TOKEN", "False"), ("SYNCD_LOG_LEVEL", "True")])
def test_the_library_is_imported_only_where_it_has_work(tmp_path: Path, variable: str, imported: str) -> None:
    code = "import sys; from syncd.config import process_settings; process_settings(); print('pydantic' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={variable: "info"}, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == imported

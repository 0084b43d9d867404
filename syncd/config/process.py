"""Settings of the process, not of the sync: SYNCD_* variables, `.env`, `/run/secrets`, checked by pydantic-settings.

Importing that library costs more than a whole pass that finds nothing to do, so it is imported only where one of these
sources has something for us. Hard rule: whether it is imported never changes a result, only the time to get it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal

from syncd.config.near import did_you_mean
from syncd.errors import ConfigError, Problem

PREFIX: Final = "SYNCD_"
SECRETS_DIR: Final = Path("/run/secrets")


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """How this process runs."""

    config: Path = Path("config/syncd.yaml")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    data_dir: Path | None = None
    """Where key, lock and temporary files lie; None: beside the store."""
    bind_address: str = "127.0.0.1:8080"
    """Where the daemon listens, if an app has webhooks."""
    public_url: str = ""
    """How the outside reaches that address, as https://sync.example.com; vendors are told it, and some sign it."""
    database_url: str | None = field(default=None, repr=False)
    """Instead of the `store:` of the configuration."""
    debug_crash: str | None = None
    """Where a test wants this process to die; refused unless the configuration allows it."""


NAMES: Final = tuple(each.name for each in fields(Process))
DEFAULT: Final = Process()


def process_settings(*, dotenv: Path = Path(".env"), secrets_dir: Path = SECRETS_DIR) -> Process:
    """Return the settings of this process. Raise ConfigError that names the variable, never its value."""
    variables = [name for name in os.environ if name.upper().startswith(PREFIX)]
    mistyped = [
        Problem(place="environment", path=name, message=f"unknown variable{near}")
        for name in sorted(variables)
        if name.upper().removeprefix(PREFIX).lower() not in NAMES
        and (near := did_you_mean(name.upper(), [PREFIX + known.upper() for known in NAMES], cutoff=0.9))
    ]
    if mistyped:
        raise ConfigError("", problems=tuple(mistyped))
    ours = {PREFIX + name.upper() for name in NAMES}
    if not (ours & {name.upper() for name in variables} or _in_dotenv(dotenv) or _in_folder(secrets_dir)):
        return DEFAULT
    return _checked(dotenv, secrets_dir)


def _in_dotenv(dotenv: Path) -> bool:
    try:
        return PREFIX.encode() in dotenv.read_bytes().upper()
    except OSError:
        return False


def _in_folder(secrets_dir: Path) -> bool:
    try:
        return any(file.name.upper().startswith(PREFIX) for file in secrets_dir.iterdir())
    except OSError:
        return False


def _checked(dotenv: Path, secrets_dir: Path) -> Process:
    """Let pydantic-settings collect and check: variables before `.env` before secret files."""
    from pydantic import Field, ValidationError
    from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(
            env_prefix=PREFIX,
            env_file=dotenv,
            secrets_dir=secrets_dir if secrets_dir.is_dir() else None,
            env_ignore_empty=True,
            extra="ignore",
        )
        config: Path = DEFAULT.config
        log_level: Literal["debug", "info", "warning", "error"] = DEFAULT.log_level
        data_dir: Path | None = None
        bind_address: str = Field(
            default=DEFAULT.bind_address, pattern=r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$"
        )
        public_url: str = Field(default="", pattern=r"^(|https?://[^\s?#]+)$")
        database_url: str | None = None
        debug_crash: str | None = None

    try:
        values = Settings().model_dump()
    except ValidationError as error:
        problems = tuple(_problem(each) for each in error.errors(include_input=False, include_url=False))
    except (SettingsError, OSError, ValueError) as error:  # unreadable .env or secrets
        problems = (Problem(place="environment", path="", message=f"cannot be read: {type(error).__name__}"),)
    else:
        if values["data_dir"] is not None:
            values["data_dir"] = values["data_dir"].absolute()
        return Process(**values)
    raise ConfigError("", problems=problems)


def _problem(error: Any) -> Problem:
    name = PREFIX + str(error["loc"][0]).upper() if error["loc"] else ""
    expected = "an address such as https://sync.example.com" if "PUBLIC_URL" in name else "host:port"
    what = {"string_pattern_mismatch": f"expected {expected}"}.get(error["type"], error["msg"])
    return Problem(place="environment", path=name.replace(PREFIX * 2, PREFIX), message=what)

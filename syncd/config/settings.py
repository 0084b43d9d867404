"""The checked configuration as values: what the rest of syncd sees of it.

Knows nothing of YAML. Hard rule: frozen; a secret is a reference, and no `repr` shows what it refers to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from syncd.config.secrets import Secret, key_bytes
from syncd.core.plan import Limit
from syncd.core.rules import BlankRule, PolicyKind
from syncd.model import FieldMap


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a field is merged. `apps`: the owner, or the ranked apps, best first; empty for the other kinds."""

    kind: PolicyKind = "latest"
    apps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollup:
    """How a field is folded out of a stream of an app: `take` count, sum, min or max of the field `of`, where `where` holds."""

    app: str
    stream: str
    take: str
    of: str = ""
    where: str = ""
    """A CEL expression that compiles; "": all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldConfig:
    """One field of the contact."""

    name: str
    type: str
    policy: Policy = field(default_factory=Policy)
    blank: BlankRule = "ignore"
    group: str | None = None
    """The group it is merged with as one (address). Members share policy, blank rule and settle time."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the field type (choices, region ...)."""
    settle_seconds: float = 0.0
    rollup: Rollup | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileName:
    """A file that a setting names, as seen from the folder of the configuration."""

    relative: str
    moves: bool
    """It was written like that, so it moves with that folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppConfig:
    """One connected account, as the operator and the connector's default map describe it."""

    name: str
    connector: str
    """The connector's name."""
    connector_at: str
    """What the registry loads it by: the name again, or an absolute path."""
    settings: Mapping[str, Any]
    files: Mapping[str, FileName]
    """Absolute path of each file in `settings` -> its name as seen from here."""
    secrets: Mapping[str, Secret]
    poll_seconds: float
    sweep: str
    """Five cron fields."""
    create: bool
    update: bool
    scope: str | None
    """A CEL expression that compiles; None: everyone."""
    on_leave: Literal["keep", "archive"]
    on_delete: Literal["unlink", "archive"]
    trust: Literal["high", "low"]
    network: Literal["public", "private"]
    fields: Mapping[str, FieldMap]
    place: str = ""
    """Where it stands in the text, as file:line:column."""
    hooks: bool = False
    """It tells of changes by webhooks."""
    hook_secret: str | None = None
    """The secret that ends the address of its webhooks, by name; None: its vendor signs them."""


def hook_address(public_url: str, app: AppConfig, *, shown: bool = False) -> str:
    """Make the address that the vendor is given. `shown`: the name of a secret in place of the secret."""
    end = ""
    if app.hook_secret is not None:
        end = f"/<{app.hook_secret}>" if shown else f"/{app.secrets[app.hook_secret].reveal()}"
    return f"{public_url.rstrip('/')}/hooks/{app.name}{end}"


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole configuration."""

    path: Path
    store_at: Secret
    data_dir: Path
    """Where key, lock and temporary files lie."""
    apps: tuple[AppConfig, ...]
    """In the order of the text: it decides between concurrent changes."""
    connector_folders: tuple[Path, ...]
    match: tuple[tuple[str, ...], ...]
    fields: Mapping[str, FieldConfig]
    groups: Mapping[str, tuple[str, ...]]
    """Group -> its fields, merged as one."""
    guards: Mapping[str, Limit]
    """Verb (creates, updates, clears, opt_outs, unlinks, archives) -> how much a run may do to one app unasked.
    A verb that is absent is never held."""
    key_at: Secret | None = None
    """What seals the store; None: `syncd.key` in the data folder."""
    crash_at: str | None = None
    """Where a test wants this process to die (SYNCD_DEBUG_CRASH); only with `debug: {crash_points: true}`."""

    @property
    def store(self) -> str:
        """The store's URL. Not in any repr: it may hold a password."""
        return self.store_at.reveal()

    @property
    def key(self) -> bytes | None:
        """The key that seals the store, where one is named. Not in any repr."""
        return None if self.key_at is None else key_bytes(self.key_at.reveal())

    def app(self, name: str) -> AppConfig:
        """Return the app of this name (KeyError if there is none)."""
        for app in self.apps:
            if app.name == name:
                return app
        raise KeyError(name)

    @cached_property
    def made(self) -> dict[str, Any]:
        """What the engine made of the text, kept for as long as the text is in force."""
        return {}

    @cached_property
    def hash(self) -> str:
        """Name everything that changes decisions: mapping, policies, match rules, scope, rights, the order of the apps.

        Not in it: poll and sweep, guards, key, secrets, and where files and servers are (the fingerprint of an
        app watches that).
        """
        import hashlib
        import json

        decisions = {
            "apps": [
                [app.name, app.connector, app.create, app.update, app.scope, app.on_leave, app.on_delete, app.trust,
                 {name: asdict(where) for name, where in app.fields.items()}]
                for app in self.apps
            ],
            "match": self.match,
            "fields": {name: asdict(rule) for name, rule in self.fields.items()},
        }  # fmt: skip
        return hashlib.sha256(json.dumps(decisions, sort_keys=True, default=str).encode()).hexdigest()

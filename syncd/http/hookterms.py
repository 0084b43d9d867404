"""What a manifest says of webhooks, compiled. Nothing here is decided, opened or sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from syncd.http.paths import Path
from syncd.http.terms import Call
from syncd.http.texts import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """The signed time of a webhook."""

    header: str
    format: str
    window_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """How a webhook is signed: an HMAC over the bytes that came."""

    header: str
    key: Template
    over: Template
    hash: Literal["sha1", "sha256", "sha512"]
    encoding: Literal["base64", "hex"]
    prefix: str
    stamp: Stamp | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Only:
    """An item counts where the member says one of these."""

    path: Path
    words: tuple[Template, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """How the vendor asks whether an address is ours: by GET, or in a body; what it wants to hear back."""

    query: str = ""
    at: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """How webhooks are asked for. `there`: those that there are, whose `items` have a `url`."""

    call: Call
    there: Call
    items: Path
    url: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Webhooks: what makes one genuine, and where it names records."""

    sign: Signature | None
    secret: str | None
    """The name of the secret that ends the path."""
    form: Literal["json", "form"]
    items: Path
    events: tuple[str, ...]
    only: tuple[Only, ...]
    ids: tuple[Path, ...]
    once: Path | None
    challenge: Challenge | None
    subscribe: Subscribe | None

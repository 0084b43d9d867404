"""What a manifest says, compiled: the types that the engine runs. Nothing here is decided, opened or sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from syncd.http.coding import Kind
from syncd.http.paths import Path
from syncd.http.texts import Body, Template
from syncd.model import FieldMap, Spec

if TYPE_CHECKING:
    from syncd.http.besideterms import Discover, Stream
    from syncd.http.hookterms import Hooks

Texts: TypeAlias = tuple[tuple[str, Template], ...]
Form: TypeAlias = Literal["json", "form", "merge-patch"]
Then: TypeAlias = Literal["access", "busy", "later", "invalid", "exists", "moved", "gone", "readonly", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request. `name`: the operation it belongs to, for limits and messages."""

    name: str
    method: str
    path: Template
    query: Texts = ()
    headers: Texts = ()
    body: Body = None
    form: Form = "json"
    empty: frozenset[int] = frozenset()
    names: frozenset[str] = frozenset()
    """Every {name} that it uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """How a listing comes in pages; `by` is the one pager that is given."""

    by: Literal["", "cursor", "header", "next_url", "link", "offset", "number", "last"]
    size: int
    path: Path | None = None
    """Of cursor, next_url, last."""
    header: str = ""
    start: int = 0
    first: Template | None = None
    more: Path | None = None
    done: Path | None = None
    total: Path | None = None
    short: bool = False
    pages_max: int = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A request whose answer has items, in pages."""

    call: Call
    items: Path
    page: Paging
    absent: bool = False
    """The list is left out where it is empty."""
    deleted: bool = False
    """It shows what was deleted as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """What a cursor is made of."""

    stamp: Path | None
    format: str
    ordered: bool
    overlap_us: int
    token: Path | None
    next: Path | None
    forget_us: int | None
    cap: int | None
    passes_own: bool = False
    """The cursor may go behind our own writes without their being read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    listing: Listing
    since: Since
    ids: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    listing: Listing
    id: Path
    since: Since | None
    every_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GetBatch:
    call: Call
    size: int
    item: Body
    items: Path
    answer: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Get:
    call: Call | None
    answer: Path
    batch: GetBatch | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Asked right before a conditional write: what makes it conditional, where listings do not tell."""

    call: Call
    version: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    listing: Listing
    answer: Path
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """How the answer to a batch tells of each write."""

    items: Path | None
    by: Path | None
    field: str | None
    status: Path | None
    answer: Path | None
    errors: Path | None
    errors_by: tuple[Path, ...]
    id: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """How a batch is asked for that the app works off later."""

    id: Path
    call: Call
    state: Path
    ended: tuple[str, ...]
    every_seconds: float
    most_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    call: Call
    keyed: bool
    """The whole request carries a key: a lost answer may be asked for again."""
    size: int
    item: Body
    results: Results
    job: Job | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """What a new record needs and no field has given."""

    path: Path
    texts: tuple[Template, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How one kind of write is done: one by one, many at once, or both."""

    call: Call | None
    answer: Path | None = None
    id: Path | None = None
    location: re.Pattern[str] | None = None
    keep: tuple[str, ...] = ()
    look_first: bool = False
    repeatable: bool = False
    batch: Batch | None = None
    fill: tuple[Fill, ...] = ()
    unless_found: str | None = None

    @property
    def names(self) -> frozenset[str]:
        return (self.call.names if self.call else frozenset()) | (self.batch.call.names if self.batch else frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    opt_out: Call
    opt_in: Call | None
    with_create: Literal["body", "before", "after"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field as the manifest knows it."""

    map: FieldMap
    path: Path
    kind: Kind
    blank: Any
    item: Mapping[str, Any] = field(default_factory=dict)
    top: bool = False
    """The path counts from the record, not from where its fields begin: it is no part of {record}, but has its own {name}."""
    also: Mapping[str, Any] = field(default_factory=dict)
    """Other words of the app -> the word that says the same."""
    consent: Consent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """An item says something of itself where the member says one of the words (`unless`: where it says none of them)."""

    path: Path
    words: tuple[Any, ...]
    unless: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a record looks like."""

    id: Path
    id_pattern: re.Pattern[str] | None
    under: Path
    version: Path | None
    gone: tuple[Mark, ...]
    blank: Any
    complete: bool = False
    """Every field is in every record: one that is missing is not shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one kind of answer means."""

    then: Then
    status: tuple[int, ...] = ()
    at: Path | None = None
    header: bytes = b""
    words: tuple[str, ...] = ()
    has: str = ""
    message: str = ""
    field: str | None = None
    field_at: Path | None = None
    existing: Path | None = None
    existing_in: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """So much in a time that slides. `tokens`: what operations cost is counted, not the requests."""

    most: int
    per_seconds: float
    calls: frozenset[str] = frozenset()
    tokens: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A limit that answers tell; headers by their lower-case names, b"" where there is none."""

    remaining: bytes = b""
    used_of: bytes = b""
    """A header that says both: `used/limit`."""
    limit: bytes = b""
    most: int = 0
    """The limit, where no header says it; 0: not known."""
    reserve_percent: int = 0
    tokens: bool = False
    reset: bytes = b""
    reset_in: Literal["seconds", "ms", "unix", "date"] = "seconds"
    window_seconds: float = 1.0
    rolling: bool = False
    """Room comes back as requests leave the window, not all at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    buckets: tuple[Bucket, ...] = ()
    quota: tuple[Quota, ...] = ()
    cost: Mapping[str, int] = field(default_factory=dict)
    """Operation -> its tokens; 1 where it is not named."""
    retry_after: tuple[bytes, ...] = (b"retry-after",)
    concurrency: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """How a JSON Web Token is made and signed."""

    algorithm: Literal["HS256", "RS256", "ES256"]
    key: Template
    key_as: Literal["text", "hex", "base64"]
    kid: Template | None
    claims: Texts
    life_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Learn:
    """How a login tells a setting: by a parameter beside the code (`query`), or where one asks with the new token (`url`)."""

    setting: str
    query: str
    url: Template | None
    items: Path
    leave_out: tuple[Mark, ...]
    value: Path
    label: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorize:
    """The page where a person agrees, and what it is told. `host`: what the vendor calls this machine."""

    url: Template
    scope: Template | None
    pkce: bool
    query: Texts
    host: Literal["127.0.0.1", "localhost"]
    learns: tuple[Learn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """How we show who we are: one kind and its texts."""

    kind: Literal["none", "header", "query", "bearer", "basic", "jwt", "oauth2"]
    texts: Mapping[str, Template] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    signing: Signing | None = None
    """Of `jwt`, and of the grant `jwt_bearer`."""
    authorize: Authorize | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """Every {name} without which this kind cannot be used."""
        needed = [text for key, text in self.texts.items() if key not in OPTIONAL]
        if self.signing is not None:
            needed += [self.signing.key, *(text for _, text in self.signing.claims)]
        return tuple(dict.fromkeys(name for text in needed for name in text.names))


OPTIONAL: Final = frozenset({"refresh_token", "client_secret", "scope"})
"""Texts of a login that are left out where the operator has not given what is in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A connector in YAML, compiled."""

    name: str
    spec: Spec
    address: Template
    headers: Texts
    auth: tuple[Auth, ...]
    """The first of which the operator has given what it needs."""
    check: Call
    account: tuple[Call, Path] | None
    shape: Shape
    fields: Mapping[str, Field]
    list: Listing
    changes: Changes | None
    deleted: Deleted | None
    get: Get
    guard: Guard | None
    find: Find | None
    discover: Discover | None
    create: Writing | None
    update: Writing | None
    archive: Writing | None
    rules: tuple[Rule, ...]
    limits: Limits
    streams: Mapping[str, Stream]
    hooks: Hooks | None = None

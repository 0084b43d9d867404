"""Check: does every app answer, may we do there what we are to do, and can it hold what it is meant to hold?

Reads only. Hard rule: one app's failure hides nothing that is to be said about the others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from syncd.config import AppConfig, Config
from syncd.config.settings import hook_address
from syncd.config.twins import Known, complaint, twins_among
from syncd.connector import App, Connector, Keeper, Opening
from syncd.core.fields import field_type
from syncd.core.match import record_keys
from syncd.core.rules import AppRule, FieldRule, Rules
from syncd.core.transforms import make_lens
from syncd.errors import AccessError, ConfigError, SafetyStop, SyncdError
from syncd.model import FieldMap, Finding, Spec
from syncd.ops import offered
from syncd.ops.sample import Sample
from syncd.ops.stored import decided, forgotten, not_as_before, unheard
from syncd.store.keeper import StoreKeeper
from syncd.store.store import Store

CODES: Final[tuple[tuple[type[SyncdError], int, str], ...]] = (
    (ConfigError, 2, "wrong configuration"),
    (AccessError, 5, "refused us"),
    (SafetyStop, 4, "held"),
    (SyncdError, 3, "does not answer"),
)
PAGE: Final = 500
RECORDS_MAX: Final = 1_000_000
ORDER: Final = (2, 5, 4, 3, 0)
"""Which exit code counts when several hold (DESIGN 5)."""


@dataclass(slots=True, kw_only=True)
class Checked:
    """What was found out about one app."""

    name: str
    connector: str
    place: str = ""
    """Where the app stands in the text."""
    word: str = "ok"
    code: int = 0
    findings: list[Finding] = field(default_factory=list)
    spec: Spec | None = None
    """What holds for this very account, where it could be opened."""
    account: str | None = None
    """As the app names it; None: it could not be asked."""


def _message(finding: Finding) -> str:
    """Say what it is, of which field."""
    return finding.message if finding.field is None else f"{finding.field}: {finding.message}"


def _level(finding: Finding) -> str:
    """Say in a list of errors that this is none."""
    return "" if finding.level == "error" else f"{finding.level}: "


@dataclass(slots=True, kw_only=True)
class Found:
    """What was found out about all of them, and about the store."""

    apps: list[Checked]
    store: list[str]
    store_code: int = 0
    findings: list[Finding] = field(default_factory=list)
    """What is to be said of the text as a whole."""

    @property
    def code(self) -> int:
        codes = {app.code for app in self.apps} | {self.store_code}
        return next(code for code in ORDER if code in codes)

    def problems(self, *, but: Collection[str] = (), store: bool = True) -> list[str]:
        """List what is wrong, and what else is to be heeded, each with its place in the text. `but`: not of these apps;
        `store`: also of the store.
        """
        return [
            f"{app.place}: apps.{app.name}: {_level(each)}{_message(each).removeprefix(f'{app.name}: ')}"
            for app in self.apps
            for each in app.findings
            if each.level != "note" and app.name not in but
        ] + (self.store if store else [])

    def doc(self) -> dict[str, Any]:
        """Make the document that `syncd check --json` prints."""
        return {
            "apps": {
                app.name: {
                    "connector": app.connector,
                    "state": app.word,
                    "findings": [
                        {"level": each.level, "field": each.field, "message": each.message} for each in app.findings
                    ],
                }
                for app in self.apps
            },
            "store": self.store,
            "findings": [{"level": each.level, "message": each.message} for each in self.findings],
        }


def check_all(
    config: Config,
    specs: Mapping[str, Spec],
    load: Callable[[AppConfig], Connector],
    *,
    offline: bool,
    public_url: str = "",
) -> Found:
    """Check every app and the store. `offline`: only what the text says, no app is reached and no secret read.

    `public_url`: how the outside reaches the daemon, for webhooks.
    """
    found = Found(apps=[], store=[])
    with ExitStack() as stack:
        store = None if offline else _open_store(config, found)
        if store is not None:
            stack.callback(store.close)

        @cache
        def kept() -> Store:
            """Give the store to who logs in: it is made for that, because what a login gets must not be lost."""
            from syncd.store.opening import open_store

            return store or stack.enter_context(closing(open_store(config.store, config.data_dir, key=config.key)))

        for app in config.apps:
            fields, keeper = specs[app.name].fields, StoreKeeper(kept, app.name)
            checked = _offline(config, app, fields) if offline else _online(config, app, load(app), store, keeper)
            checked.findings += _unheeded_of(app, checked.spec or specs[app.name])
            checked.findings += _hooked(app, specs[app.name], public_url)
            found.apps.append(checked)
        if not offline:
            _note_twins(config, specs, found.apps)
            found.findings += forgotten(store, config)
    return found


def _note_twins(config: Config, specs: Mapping[str, Spec], apps: Sequence[Checked]) -> None:
    """Say of which apps a sync would touch neither, as they are one account, file or table."""
    known = [
        Known(settings=config.app(each.name), spec=each.spec or specs[each.name], fingerprint=each.account)
        for each in apps
    ]
    twins = twins_among(known)
    for checked in apps:
        if (other := twins.get(checked.name)) is not None:
            checked.findings.append(Finding(level="error", message=complaint(checked.name, other)))
            checked.code, checked.word = 2, "wrong configuration"


def _offline(config: Config, app: AppConfig, fields: Mapping[str, FieldMap]) -> Checked:
    checked = Checked(name=app.name, connector=app.connector, place=app.place, word="not reached")
    checked.findings += misfits(config, app, {**fields, **app.fields}, complete=False)
    return checked


def _online(config: Config, app: AppConfig, connector: Connector, store: Store | None, keeper: Keeper) -> Checked:
    checked = Checked(name=app.name, connector=app.connector, place=app.place)
    opened: App | None = None
    try:
        opened = connector.open(opening(config, app, keeper))
        checked.spec, checked.account = opened.spec, opened.fingerprint()
        checked.findings += opened.check()
        told = offered.findings(config, app, opened)
        better = {finding.field for finding in told}
        unfit = misfits(config, app, opened.fields, complete=True)
        checked.findings += [*(each for each in unfit if each.field is None or each.field not in better), *told]
        checked.findings += _rights(app, opened.spec)
        if not opened.spec.network:
            checked.findings += shared_keys(config, opened, partial(decided, store, app.name))
        if holds := not_as_before(store, config, app, opened, checked.account):
            checked.findings += holds
            checked.code, checked.word = 4, "held"
        checked.findings += unheard(store, app.name)
    except SyncdError as error:
        checked.code, checked.word = next((code, word) for kind, code, word in CODES if isinstance(error, kind))
        checked.findings.append(Finding(level="error", message=str(error)))
    finally:
        if opened is not None:
            opened.close()
    wrong = [finding for finding in checked.findings if finding.level == "error"]
    if not checked.code and any(finding.field in app.fields for finding in wrong):
        checked.code, checked.word = 2, "wrong configuration"  # a `sync` says the same
    elif not checked.code and wrong:
        checked.code, checked.word = 3, "not as it must be"
    return checked


def _unheeded_of(app: AppConfig, spec: Spec) -> list[Finding]:
    """Say what the text asks for in vain, for one app."""
    if app.on_leave == "keep":
        return []
    why = ""
    if not spec.archive:
        why = "in this app: it cannot archive, who leaves the scope is kept"
    elif app.scope is None:
        why = "without a scope: nobody can leave it"
    return [Finding(level="warning", message=f"on_leave: {app.on_leave} has no effect {why}")] if why else []


def _hooked(app: AppConfig, spec: Spec, public_url: str) -> list[Finding]:
    """Say which address the vendor is to be given."""
    if not app.hooks or spec.hooking is None:
        return []
    if not public_url:
        message = "hooks: nobody outside knows the address of the daemon; set SYNCD_PUBLIC_URL (docs/operations.md)"
        return [Finding(level="warning", message=message)]
    address = hook_address(public_url, app, shown=True)
    return [Finding(level="note", message=f"hooks: webhooks come to {address}; {spec.hooking.how}")]


def opening(config: Config, app: AppConfig, keeper: Keeper | None) -> Opening:
    """Make what a connector is given when an app is opened."""
    return Opening(
        app=app.name,
        settings=app.settings,
        secrets={name: secret.reveal() for name, secret in app.secrets.items()},
        fields=app.fields,
        known={name: rule.type for name, rule in config.fields.items()},
        network=app.network,
        data_dir=config.data_dir,
        keeper=keeper,
    )


def _rights(app: AppConfig, spec: Spec) -> list[Finding]:
    """Say what syncd is allowed to do but the app cannot."""
    verbs = (("create", app.create, spec.create), ("update", app.update, spec.update))
    return [
        Finding(level="note", message=f"syncd may {verb} here, but this app is read-only for that")
        for verb, may, can in verbs
        if may and not can
    ]


def misfits(config: Config, app: AppConfig, fields: Mapping[str, FieldMap], *, complete: bool) -> list[Finding]:
    """List what the app cannot hold: options without a word, an opt-out that it cannot be told, no match key.

    `complete`: `fields` is all that the app has, not only what the text names.
    """
    findings = []
    for name, where in sorted(fields.items()):
        rule = config.fields.get(name)
        if rule is None or where.direction in ("in", "none"):
            continue
        for option in _options_missing(rule.type, rule.options, where):
            message = f'option "{option}" is missing in values:; it would be written as it is, and may be refused'
            if rule.type == "consent":
                message = f"values: has no word for {option}: this app cannot be told so"
            findings.append(Finding(level="warning", field=name, message=message))
    if complete and not any(all(name in fields for name in rule) for rule in config.match):
        findings.append(Finding(level="warning", message="it has no field to match by: its records will find nobody"))
    return findings


def _options_missing(kind: str, options: Mapping[str, Any], where: FieldMap) -> list[str]:
    """List the words of a choice or consent field for which the app's map has none, where it has a map at all."""
    if where.values is None:
        return []
    wanted = options.get("choices", ()) if kind == "choice" else ("opted_out",) if kind == "consent" else ()
    parse = field_type(kind, **options).parse
    there = [parse(value) for value in where.values]
    return [str(option) for option in wanted if parse(option) not in there]


def shared_keys(config: Config, app: App, decided: Callable[[Sequence[str]], set[str]]) -> list[Finding]:
    """Count the records that share a match key with another one of the same app: they wait in the inbox, unmatched, until
    it is decided whose they are. Says as well what else the records tell (`Sample`).

    Reads the app, at most RECORDS_MAX; not done for apps that are reached over a network.
    """
    rule, rules = _keys_only(config, app)
    first: list[dict[int, str]] = [{} for _ in config.match]
    shared: list[dict[int, set[str]]] = [{} for _ in config.match]
    sample, left = Sample(config, app), RECORDS_MAX
    for page in app.read(None):
        for record in page.records[:left]:
            sample.look(record)
            keys = record_keys(record.fields, rule, rules) if record.problem is None else ()
            for place, key in enumerate(keys):
                number = int.from_bytes(key[:8], "big") if key is not None else None
                if number is not None and (other := first[place].setdefault(number, record.id)) != record.id:
                    shared[place].setdefault(number, {other}).add(record.id)
        left -= len(page.records)
        if left <= 0:
            break
    findings = sample.findings()
    settled = decided(sorted({id_ for groups in shared for group in groups.values() for id_ in group}))
    for names, groups in zip(config.match, shared, strict=True):
        count = sum(len(group) for group in groups.values() if not group <= settled)
        if count:
            text = f"match key [{', '.join(names)}] is not unique: {count} records share theirs with another one"
            findings.append(Finding(level="warning", message=f"{text}; they wait in the inbox and are never guessed"))
    return findings


def _keys_only(config: Config, app: App) -> tuple[AppRule, Rules]:
    """Build the rules as far as match keys need them."""
    names = {name for rule in config.match for name in rule}
    kinds = {name: field_type(config.fields[name].type, **config.fields[name].options) for name in names}
    lenses = {
        name: make_lens(name, app.fields[name], kind, flat=app.spec.flat)
        for name, kind in kinds.items()
        if name in app.fields
    }
    fields = {name: FieldRule(name=name, type=kind) for name, kind in kinds.items()}
    rule = AppRule(index=0, name="", rank=0, spec=app.spec, lenses=lenses)
    return rule, Rules(apps={0: rule}, fields=fields, atoms={}, consents={}, match=config.match)


def _open_store(config: Config, found: Found) -> Store | None:
    """Open the store if there is one; else see whether one could be made."""
    from syncd.config.stores import sqlite_file
    from syncd.store.opening import open_store

    try:
        file = sqlite_file(config.store)
        if file is None or file.exists():
            return open_store(config.store, config.data_dir, key=config.key)
        if (problem := _not_writable(file.parent)) is not None:
            raise ConfigError(problem)
    except SyncdError as error:
        found.store_code = next(code for kind, code, _ in CODES if isinstance(error, kind))
        found.store.append(str(error))
    return None


def _not_writable(folder: Path) -> str | None:
    """Say why no store can be made in a folder; None if one can. Tried out: rights alone do not tell (/proc, root)."""
    from tempfile import TemporaryDirectory

    from syncd.store.opening import in_the_way

    if (why := in_the_way(folder)) is not None:
        return why
    there = next((each for each in (folder, *folder.parents) if each.exists()), folder)
    try:
        with TemporaryDirectory(prefix=".syncd-check-", dir=there):
            return None
    except OSError:
        return f"{there}: the store cannot be made here; make the folder writable for this user, or name another in `store:`"

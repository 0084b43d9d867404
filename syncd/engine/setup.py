"""From the checked configuration to a hub that can run: open the apps, know their fields, build the rules.

An app that cannot be opened is set aside with its reason; the fields it had when it was last open still count, so that an
owner who is unreachable for an hour does not lose its say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import orjson

from syncd.config import AppConfig, Config, FieldConfig
from syncd.config.expressions import predicate
from syncd.connector import App, Connector, Keeper, Opening
from syncd.core import names
from syncd.core.fields import FieldType, field_type
from syncd.core.rules import EVIDENCE, AppRule, Atom, FieldRule, Rules
from syncd.core.transforms import Lens, make_lens
from syncd.engine.account import check_account, name_account, refuse_twins
from syncd.engine.first import unseen_of
from syncd.engine.hub import Hub, OpenApp
from syncd.engine.readings import named
from syncd.engine.seam import World
from syncd.engine.sweeps import is_due
from syncd.engine.texts import clean
from syncd.errors import ConfigError, SyncdError
from syncd.model import FieldMap, Spec
from syncd.store.tx import AppState, Tx

Load = Callable[[AppConfig], Connector]
Keep = Callable[[str], Keeper]


def make_hub(
    world: World, config: Config, load: Load, *, keep: Keep | None = None, only: frozenset[str] | None = None
) -> Hub:
    """Open every app (`only`: these) and build the rules. Raises ConfigError when the text cannot be right.

    `keep`: gives each app the place where its login is kept; without it that is forgotten.
    """
    states, unseen = world.transact("apps", lambda tx: (_register(tx, config), unseen_of(tx)))
    now_ms = world.now_ms()
    index = {app.name: states[app.name].id for app in config.apps}
    apps: dict[int, OpenApp] = {}
    for rank, settings in enumerate(config.apps):
        state = states[settings.name]
        opened, fields, error = _open(
            world, config, settings, state, load, keep, wanted=only is None or settings.name in only
        )
        spec = opened.spec if opened is not None else load(settings).spec
        rule = _kept_rule(config, settings, fields, spec, state.id, rank)
        sweep = bool(state.covered) and is_due(settings.sweep, state.listed_ms, now_ms)
        paused = bool(state.paused)
        apps[state.id] = OpenApp(
            index=state.id, rule=rule, app=opened, paused=paused, error=error, sweep=sweep, hooked=settings.hooks
        )
    rules = _kept_rules(config, index, {i: app.rule for i, app in apps.items()})
    absent = tuple(sorted(state.id for state in states.values() if state.id not in apps))
    hub = Hub(world=world, rules=rules, apps=apps, limits=config.guards, absent=absent, unseen=unseen)
    for app in apps.values():
        if app.error is not None:
            hub.fail(app, app.error)
        elif app.app is not None:
            name_account(hub, app)
    refuse_twins(hub, config, states)
    for app in apps.values():
        if app.error is None and app.app is not None:
            check_account(hub, app, states[app.name], config.app(app.name))
    return hub


def _register(tx: Tx, config: Config) -> dict[str, AppState]:
    states = tx.apps()
    new = [app.name for app in config.apps if app.name not in states]
    for name in new:
        tx.add_app(name)
    return tx.apps() if new else states


def _open(
    world: World,
    config: Config,
    settings: AppConfig,
    state: AppState,
    load: Load,
    keep: Keep | None,
    *,
    wanted: bool,
) -> tuple[App | None, Mapping[str, FieldMap], SyncdError | None]:
    last = (
        {name: FieldMap(**doc) for name, doc in orjson.loads(state.fields).items()} if state.fields else settings.fields
    )
    if not wanted or state.paused:
        return None, last, None
    opening = Opening(
        app=settings.name,
        settings=settings.settings,
        secrets={name: secret.reveal() for name, secret in settings.secrets.items()},
        fields=settings.fields,
        known={name: rule.type for name, rule in config.fields.items()},
        network=settings.network,
        data_dir=config.data_dir,
        keeper=keep(settings.name) if keep is not None else None,
    )
    try:
        opened = world.call(settings.name, "open", lambda: load(settings).open(opening))
    except SyncdError as error:  # a ConfigError too: one app's table or file is wrong, the others go on
        return None, last, error
    wanted_here = {name for name, where in settings.fields.items() if where.direction != "none"}
    missing = sorted(wanted_here - opened.fields.keys())
    if missing:
        named = ", ".join(f"{name} (path {settings.fields[name].path})" for name in missing)
        opened.close()
        return (
            None,
            last,
            ConfigError(f"{settings.name}: there is nothing at the path of {named}; correct `fields:` or the file"),
        )
    return clean(opened), opened.fields, None


def _types(config: Config) -> Mapping[str, FieldType]:
    """Give the type of every field."""
    if "types" not in config.made:
        config.made["types"] = {name: field_type(rule.type, **rule.options) for name, rule in config.fields.items()}
    types: Mapping[str, FieldType] = config.made["types"]
    return types


def _kept_rule(
    config: Config, settings: AppConfig, fields: Mapping[str, FieldMap], spec: Spec, index: int, rank: int
) -> AppRule:
    """Give the rule of an app: the one of the last run, as long as the app is and offers what it did then."""
    rule: AppRule | None
    offered, rule = config.made.get(f"app {settings.name}", ({}, None))
    if rule is None or rule.index != index or rule.spec != spec or offered != fields:
        rule = _app_rule(config, settings, fields, spec, index, rank)
        config.made[f"app {settings.name}"] = (dict(fields), rule)
    return rule


def _kept_rules(config: Config, index: Mapping[str, int], apps: Mapping[int, AppRule]) -> Rules:
    """Give the rules: those of the last run, as long as they are about the same apps."""
    rules: Rules | None = config.made.get("rules")
    if rules is None or rules.apps.keys() != apps.keys() or any(rules.apps[i] is not rule for i, rule in apps.items()):
        rules = config.made["rules"] = _rules(config, _types(config), index, apps)
    return rules


def _app_rule(
    config: Config, settings: AppConfig, fields: Mapping[str, FieldMap], spec: Spec, index: int, rank: int
) -> AppRule:
    types = _types(config)
    lenses: dict[str, Lens] = {}
    for name, where in fields.items():
        if name not in types or where.direction == "none":
            continue
        kind = types[name]
        own = dict(config.fields[name].options)
        extra = {k: v for k, v in where.options.items() if k not in ("placeholder", "overflow")}
        if extra:
            kind = field_type(config.fields[name].type, **{**own, **extra})
        reading = named(kind.name, {**own, **extra}, where.values or {})
        lenses[name] = replace(make_lens(name, where, kind, flat=spec.flat), reading=reading)
    return AppRule(
        index=index,
        name=settings.name,
        rank=rank,
        spec=spec,
        lenses=lenses,
        create=settings.create,
        update=settings.update,
        trusted=settings.trust == "high",
        on_delete=settings.on_delete,
        on_leave=settings.on_leave,
        scope=predicate(settings.scope, config.fields) if settings.scope else None,
        poll_ms=int(settings.poll_seconds * 1000),
    )


def _rules(
    config: Config, types: Mapping[str, FieldType], index: Mapping[str, int], apps: Mapping[int, AppRule]
) -> Rules:
    consents = {name: kind for name, kind in types.items() if config.fields[name].type == "consent"}
    plain = {n: r for n, r in config.fields.items() if n not in consents and n not in EVIDENCE}
    fields = {name: _field_rule(rule, types[name], index) for name, rule in plain.items()}
    atoms: dict[str, Atom] = {}
    for name, rule in fields.items():
        group = plain[name].group
        if group is None:
            atom = Atom(name=name, fields=(name,), rule=rule)
            atoms[name] = atom
            continue
        members = tuple(member for member in config.groups[group] if member in fields)
        atom = (
            Atom(name=group, fields=members, rule=rule)
            if len(members) > 1
            else Atom(name=name, fields=(name,), rule=rule)
        )
        atoms[name] = atom
        atoms[atom.name] = atom
    identity = frozenset(name for rule in config.match for name in rule)
    return Rules(
        apps=apps,
        fields=fields,
        atoms=atoms,
        consents=consents,
        match=config.match,
        identity=identity,
        settling={name: rule for name, rule in fields.items() if rule.settle_ms},
        full_names=names.how(apps.values(), atoms, identity),
    )


def _field_rule(rule: FieldConfig, kind: FieldType, index: Mapping[str, int]) -> FieldRule:
    return FieldRule(
        name=rule.name,
        type=kind,
        policy=rule.policy.kind,
        apps=tuple(index[name] for name in rule.policy.apps),
        blank=rule.blank,
        settle_ms=int(rule.settle_seconds * 1000),
    )


def trapped(world: World, config: Config) -> World:
    """Let a test of syncd itself set its trap; the same world otherwise."""
    if config.crash_at is None:
        return world
    from syncd.engine.crashpoints import crashing

    return crashing(world, config.crash_at)

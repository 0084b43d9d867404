"""The way from the operator's text to a checked `Config`: read, check by shape, check against connectors, resolve.

Hard rule: every problem is reported at once, and a configuration with a problem is never returned.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from syncd.config import stores
from syncd.config.apps import Specs, Surroundings, read_app, reveal, streams_of
from syncd.config.fields import read_fields
from syncd.config.near import did_you_mean, shown
from syncd.config.process import DEFAULT, Process
from syncd.config.secrets import Reference, Secret, by_reference, key_bytes, secret
from syncd.config.settings import Config, FieldConfig
from syncd.config.shapes import Spot, TooManyProblems
from syncd.config.text import read_tree
from syncd.config.vocabulary import CONFIG, DEBUG, GUARDS
from syncd.errors import ConfigError, Problem


def load_config(
    path: Path,
    specs: Specs,
    *,
    resolve: bool = True,
    process: Process = DEFAULT,
    environ: Mapping[str, str] = os.environ,
) -> Config:
    """Return the checked configuration (a file, or a folder of files), or raise ConfigError with every problem in it.

    `resolve=False` leaves secrets alone until they are revealed (`check --offline`, `schema`).
    """
    tree, problems = read_tree(path)
    folder = (path if path.is_dir() else path.parent).resolve()
    try:
        config = _config(
            path,
            Spot.top(tree, problems),
            Surroundings(folder=folder, specs=specs, environ=environ, resolve=resolve),
            process,
        )
    except TooManyProblems:
        raise ConfigError("the configuration is wrong", problems=_sorted(problems)) from None
    if problems:
        raise ConfigError("the configuration is wrong", problems=_sorted(problems))
    return config


def _config(path: Path, top: Spot, around: Surroundings, process: Process) -> Config:
    """Check everything; what is returned counts only if no problem was noted."""
    values = CONFIG.filled(CONFIG.read(top))
    spots: dict[str, Spot] = values.get("apps", {})
    around = replace(around, connector_folders=_folders(top, values, around.folder))
    fields, groups = read_fields(values["fields"], spots.keys(), values["settle"], streams_of(spots, around))
    around = replace(around, fields=fields)
    apps = [read_app(name, spot, around) for name, spot in spots.items()]
    store, data_dir = _store(top, values, around, process)
    return Config(
        path=path,
        store_at=store,
        data_dir=data_dir,
        apps=tuple(app for app in apps if app is not None),
        connector_folders=around.connector_folders,
        match=_match(top, fields),
        fields=fields,
        groups=groups,
        guards={verb: limit for verb, limit in GUARDS.filled(values["guards"]).items() if limit is not None},
        key_at=_key(top, values, around),
        crash_at=_crash_at(top, values, process),
    )


def _crash_at(top: Spot, values: Mapping[str, Any], process: Process) -> str | None:
    """Return where a test wants the process to die; a configuration that does not allow that is refused."""
    if process.debug_crash is not None and not DEBUG.filled(values["debug"])["crash_points"]:
        text = "SYNCD_DEBUG_CRASH is set, which is for tests of syncd itself; unset it (or say crash_points: true here)"
        top.down("debug").problem(text)
    return process.debug_crash


def _sorted(problems: list[Problem]) -> tuple[Problem, ...]:
    """Sort by place; the same problem is told once (an alias repeats it)."""

    def order(problem: Problem) -> tuple[Any, ...]:
        file, *numbers = problem.place.rsplit(":", 2)
        return (file, *(int(number) if number.isdecimal() else 0 for number in numbers), problem.path)

    return tuple(sorted(dict.fromkeys(problems), key=order))


def _folders(top: Spot, values: Mapping[str, Any], folder: Path) -> tuple[Path, ...]:
    """Return the operator's own folders of connectors."""
    folders = []
    for item in top.down("connectors").items():
        if (text := item.node.value) not in values["connectors"]:
            continue  # no path, as its shape has said
        own = stores.anchored(folder, str(text))
        if os.path.isdir(own):  # noqa: PTH112 - Path.is_dir raises on a name that is too long
            folders.append(own)
        else:
            item.problem(f"no such folder (looked at {shown(str(own), most=200)})")
    return tuple(folders)


def _match(top: Spot, fields: Mapping[str, FieldConfig]) -> tuple[tuple[str, ...], ...]:
    """Return the match rules; note unknown and repeated fields."""
    spot = top.child("match")
    if spot is None:
        return (("email",),)
    rules = []
    for rule in spot.items():
        names: list[str] = []
        for item in rule.items():
            name = item.node.value
            if not isinstance(name, str):
                continue
            if name not in fields:
                item.problem(f"no such field{did_you_mean(name, fields)}")
            elif name in names:
                item.problem("this field is named twice in one rule")
            names.append(name)
        rules.append(tuple(names))
    return tuple(rules)


def _key(top: Spot, values: Mapping[str, Any], around: Surroundings) -> Secret | None:
    """Return what seals the store, where a key is named."""
    if "key" not in values:
        return None
    where = by_reference(values["key"])
    source = secret("key", where, around.folder, around.environ)

    def revealed() -> str:
        text = source.reveal()
        key_bytes(text)
        return text

    key = Secret("key", where.kind, revealed)
    if around.resolve and where.target:
        reveal(key, top.down("key"))
    return key


def _store(top: Spot, values: Mapping[str, Any], around: Surroundings, process: Process) -> tuple[Secret, Path]:
    """Return where the hub remembers, and the folder of its key, lock and temporary files."""
    where: Reference = values["store"]
    folder = base = around.folder
    if process.database_url is not None:
        where, base = Reference(kind="plain", target=process.database_url), Path.cwd()
    elif process.data_dir is not None and top.child("store") is None:
        where = Reference(kind="plain", target=f"sqlite:///{process.data_dir}/syncd.db")
    source = secret("store", where, base, around.environ)
    store = Secret("store", where.kind, lambda: stores.checked(source.reveal(), base))
    if around.resolve:
        reveal(store, top.down("store"))
    if process.data_dir is not None:
        return store, process.data_dir
    file = stores.sqlite_file(stores.absolute(str(where.target), base)) if where.kind == "plain" else None
    return store, file.parent if file else folder / "var"

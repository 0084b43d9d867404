"""The way from the operator's text to a checked `Config`: read, check by shape, check against connectors, resolve.

Hard rule: every problem is reported at once, and a configuration with a problem is never returned.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from syncd.config import stores
from syncd.config.apps import Specs, Surroundings, read_app, reveal
from syncd.config.fields import read_fields
from syncd.config.near import did_you_mean
from syncd.config.process import Process
from syncd.config.secrets import Reference, Secret, secret
from syncd.config.settings import Config, FieldConfig
from syncd.config.shapes import Spot
from syncd.config.text import Node, Place, read_tree
from syncd.config.vocabulary import CONFIG, GUARDS
from syncd.errors import ConfigError, Problem

UNPLACED: Final = Place("", 0, 0)


def load_config(
    path: Path,
    specs: Specs,
    *,
    resolve: bool = True,
    process: Process | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Config:
    """Return the checked configuration (a file, or a folder of files), or raise ConfigError with every problem in it.

    `resolve=False` leaves secrets alone until they are revealed (`check --offline`, `schema`).
    """
    tree, problems = read_tree(path)
    top = Spot.top(tree, problems)
    values = CONFIG.filled(CONFIG.read(top))
    folder = (path if path.is_dir() else path.parent).resolve()
    own = _folders(top, values, folder)
    named = tuple(values.get("apps", {}))
    fields, groups = read_fields(_section(top, "fields"), named, values["settle"])
    around = Surroundings(
        folder=folder, connector_folders=own, specs=specs, environ=environ, resolve=resolve, fields=fields
    )
    read = [read_app(name, spot, around) for name, spot in values.get("apps", {}).items()]
    apps = tuple(app for app in read if app is not None)
    store, data_dir = _store(top, values, folder, around, process or Process())
    config = Config(
        path=path,
        store_at=store,
        data_dir=data_dir,
        apps=apps,
        connector_folders=own,
        match=_match(top, fields),
        fields=fields,
        groups=groups,
        guards={verb: limit for verb, limit in GUARDS.filled(values["guards"]).items() if limit is not None},
        alerts=tuple(values["alerts"]),
    )
    if problems:
        raise ConfigError("the configuration is wrong", problems=_sorted(problems))
    return config


def _sorted(problems: list[Problem]) -> tuple[Problem, ...]:
    """Sort by place; the same problem is told once (an alias repeats it)."""

    def order(problem: Problem) -> tuple[Any, ...]:
        file, *numbers = problem.place.rsplit(":", 2)
        return (file, *(int(number) if number.isdecimal() else 0 for number in numbers), problem.path)

    return tuple(sorted(dict.fromkeys(problems), key=order))


def _section(top: Spot, name: str) -> Spot:
    """Return a section; an empty one where it is absent or no map (which its shape has reported)."""
    spot = top.child_or_empty(name)
    return spot if isinstance(spot.node.value, dict) else Spot(Node(place=UNPLACED, value={}), spot.path, UNPLACED, [])


def _folders(top: Spot, values: Mapping[str, Any], folder: Path) -> tuple[Path, ...]:
    """Return the operator's own folders of connectors."""
    folders = []
    for item, text in zip(top.down("connectors").items(), values["connectors"], strict=False):
        own = (folder / text).resolve()
        if own.is_dir():
            folders.append(own)
        else:
            item.problem(f"no such folder (looked at {own})")
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


def _store(
    top: Spot, values: Mapping[str, Any], folder: Path, around: Surroundings, process: Process
) -> tuple[Secret, Path]:
    """Return where the hub remembers, and the folder of its key, lock and temporary files."""
    where: Reference = values["store"]
    base = folder
    if process.database_url is not None:
        where, base = Reference(kind="plain", target=process.database_url), Path.cwd()
    elif process.data_dir is not None and top.child("store") is None:
        where = Reference(kind="plain", target=f"sqlite:///{process.data_dir}/syncd.db")
    source = secret("store", where, base, around.environ)
    store = Secret("store", where.kind, lambda: stores.absolute(source.reveal(), base))
    if around.resolve:
        reveal(store, top.down("store"))
    if process.data_dir is not None:
        return store, process.data_dir
    file = stores.sqlite_file(stores.absolute(str(where.target), base)) if where.kind == "plain" else None
    return store, file.parent if file else folder / "var"

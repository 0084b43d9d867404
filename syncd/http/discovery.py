"""What fields an account has, as it tells itself, and what an operator's map means among them.

Asked once, when an app is opened, and only where somebody mapped a field that the manifest does not know. Hard rules: what lies
where the account's own fields lie and is none of them is refused, not guessed; what is only read there is never written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from syncd.config.near import choose_from, did_you_mean
from syncd.errors import ConfigError
from syncd.http.besideterms import Discover, Options
from syncd.http.coding import KINDS, chosen
from syncd.http.marks import marked
from syncd.http.paths import Path, compile_field_path, find, shown
from syncd.http.session import Session
from syncd.http.terms import Field
from syncd.model import FieldMap, Offered, Raw


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One field that the account has."""

    offered: Offered
    path: Path
    kind: str
    values: Mapping[str, list[Raw]] | None
    """What people see -> the app's word, where syncd knows options so."""


def tell(session: Session, discover: Discover) -> tuple[Told, ...]:
    """Ask the account for its fields. Raises one of the reactions."""
    items = [item for page in session.pages(discover.listing, {}) for item in page.items]
    drop = (discover.drop.text(session.values) if discover.drop is not None else None) or ""
    found = [_told(discover, item, drop) for item in items if not marked(item, discover.leave_out)]
    return tuple(each for each in found if each is not None)


def lies_in(discover: Discover, path: Path) -> bool:
    """Say whether an account tells of what lies there: where its fields are, and no part of one."""
    return (
        path.text.startswith(discover.before) and not path.listed and len(path.steps) == discover.before.count(".") + 1
    )


def _told(discover: Discover, item: Any, drop: str) -> Told | None:
    """Read one; None for one without a name, or of a name that no path can have."""
    name = shown(find(item, discover.name.steps)).removeprefix(drop)
    try:
        path = compile_field_path(discover.path.text({"name": name}) or "")
    except ValueError:
        return None
    type_ = shown(find(item, discover.type.steps)) if discover.type is not None else ""
    options = _options(discover.options, item)
    by_label = bool(options) and discover.options is not None and discover.options.by_label
    return Told(
        offered=Offered(
            path=path.text,
            label=shown(find(item, discover.label.steps)) or name,
            type=type_,
            read_only=marked(item, discover.read_only),
            options={label: words[0] for label, words in options.items()},
        ),
        path=path,
        kind=discover.types.get(type_, "number" if by_label else "text"),
        values=options if by_label else None,
    )


def _options(options: Options | None, item: Any) -> dict[str, list[Raw]]:
    """List the words of each label, as they come; a label that is there twice has several."""
    there = find(item, options.items.steps) if options is not None else None
    found: dict[str, list[Raw]] = {}
    for each in there if options is not None and isinstance(there, list) else []:
        assert options is not None
        word = find(each, options.word.steps)
        if word is not None and not isinstance(word, dict | list):
            found.setdefault(shown(find(each, options.label.steps)) or shown(word), []).append(word)
    return found


class Catalogue:
    """The fields of one account, looked up by what an operator says of them."""

    def __init__(self, app: str, discover: Discover, told: Sequence[Told]) -> None:
        self._app, self._before = app, discover.before
        self._told = {each.offered.path: each for each in told}

    def placed(self, name: str, where: FieldMap) -> FieldMap:
        """Give a map that names a path, where it names a label. Raises ConfigError."""
        if not where.label:
            return where
        wanted = where.label.strip().casefold()
        fits = [path for path, each in self._told.items() if each.offered.label.strip().casefold() == wanted]
        if len(fits) == 1:
            return replace(where, path=fits[0])
        if fits:
            raise ConfigError(
                f"{self._app}: field {name}: {len(fits)} fields there have this label; give the path of one: {choose_from(fits)}"
            )
        near = did_you_mean(where.label, (each.offered.label for each in self._told.values()))
        raise self._nothing(name, f'no field there is called "{where.label}"{near}')

    def covers(self, path: str) -> bool:
        """Say whether the account's own fields lie there, so that it tells of each."""
        return path.startswith(self._before)

    def field(self, name: str, where: FieldMap, path: Path, blank: Any) -> tuple[Field, FieldMap]:
        """Give the field at a path that the account tells of, and its map as it is narrowed by that. Raises ConfigError."""
        told = self._told.get(path.text)
        part = told is None
        told = told or self._part_of(path)
        if told is None:
            raise self._nothing(name, f"nothing lies at {path.text}{did_you_mean(path.text, self._told)}")
        kind = KINDS["text"] if part else KINDS[told.kind]
        if told.values and not part:
            kind = chosen(kind, [word for words in told.values.values() for word in words])
        if (told.offered.read_only or part) and where.direction != "in":
            if where.direction == "out":
                what = "a part of what is written whole" if part else "only read there"
                raise ConfigError(f"{self._app}: field {name}: {path.text} is {what}; it cannot be `direction: out`")
            where = replace(where, direction="in")
        if where.values is None and not part:
            where = replace(where, values=told.values)
        return Field(map=where, path=path, kind=kind, blank=blank), where

    def _part_of(self, path: Path) -> Told | None:
        """Find the object that a path leads into."""
        for told in self._told.values():
            if told.kind == "object" and path.steps[: len(told.path.steps)] == told.path.steps:
                return told
        return None

    def _nothing(self, name: str, why: str) -> ConfigError:
        return ConfigError(f"{self._app}: field {name}: {why}; `syncd fields {self._app}` lists what there is")

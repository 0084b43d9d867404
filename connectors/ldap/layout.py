"""What the settings and the directory say together: fields, filters, how new entries are named, how one is archived.

Knows settings and schema; asks for the schema, and nothing else. Hard rule: every setting that is wrong is named, all at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from syncd.connector import Opening
from syncd.errors import ConfigError
from syncd.model import FieldMap

from . import filters, names
from .messages import ASSERTION, POST_READ
from .places import DEFAULT_PATHS, Place, place_of
from .schema import Schema, schema_of
from .session import Session

FILLED: Final = frozenset({"cn", "sn"})
"""What syncd fills in where an entry must have it and nobody knows it."""
STAMPS: Final = ("entryUUID", "entryCSN", "modifyTimestamp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """What the server says of itself."""

    schema: Schema
    controls: frozenset[str]

    @property
    def compares(self) -> bool:
        """The server looks whether an entry is as it was read, right as it writes: RFC 4528, by its entryCSN."""
        return ASSERTION in self.controls and "entrycsn" in self.schema.attributes

    @property
    def reads_after(self) -> bool:
        return POST_READ in self.controls


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Settings, checked."""

    base: str
    scope: Literal["sub", "one"]
    people: bytes
    """The filter for all who are people and not archived."""
    classes: tuple[str, ...]
    branch: str
    naming: str
    new_values: tuple[tuple[str, bytes], ...]
    mark: tuple[str, bytes] | None
    archive_branch: str
    fields: Mapping[str, FieldMap]
    places: Mapping[str, Place]
    must: frozenset[str]
    """What an entry must hold, in lower case."""
    asked: tuple[str, ...]
    """The attributes that are read."""

    @property
    def named(self) -> frozenset[str]:
        """Where a dash stands for nobody knows."""
        return FILLED & self.must

    def unfilled(self) -> list[str]:
        """Name what a new entry must hold and nothing fills."""
        mapped = {place.attribute for name, place in self.places.items() if self.fields[name].direction != "in"}
        given = {name.lower() for name, _ in self.new_values} | {"objectclass", self.naming.lower()}
        return sorted(self.must - mapped - given - FILLED)


def root_of(session: Session) -> Root:
    """Ask the server what it can and, where it shows that, what its entries may hold."""
    root = session.one("", ["supportedControl", "subschemaSubentry"])
    told: Mapping[str, Sequence[bytes]] = root.attributes if root is not None else {}
    where = [value.decode("utf-8", "replace") for value in told.get("subschemasubentry", ())]
    shown = session.one(where[0], ["attributeTypes", "objectClasses"]) if where else None
    said: Mapping[str, Sequence[bytes]] = shown.attributes if shown is not None else {}
    schema = schema_of(said.get("attributetypes", ()), said.get("objectclasses", ()))
    return Root(
        schema=schema, controls=frozenset(each.decode("ascii", "replace") for each in told.get("supportedcontrol", ()))
    )


def layout_of(opening: Opening, schema: Schema) -> Layout:
    """Check the settings; ConfigError names each that is wrong."""
    reading = _Reading(opening, schema)
    layout = reading.layout()
    if reading.wrong:
        raise ConfigError("\n".join(f"{opening.app}: {each}" for each in reading.wrong))
    return layout


class _Reading:
    """Reads the settings, and notes what is wrong."""

    def __init__(self, opening: Opening, schema: Schema) -> None:
        self._opening, self._schema, self._settings = opening, schema, opening.settings
        self.wrong: list[str] = []

    def layout(self) -> Layout:
        said = self._settings
        base = self._branch("base", "")
        branch = self._branch("new_entries", base)
        archive_branch = self._branch("archive_branch", "")
        classes = tuple(str(each) for each in said.get("object_classes") or ("inetOrgPerson",))
        self.wrong += [f"object_classes: the directory knows no {each!r}" for each in self._schema.missing(classes)]
        mark = self._pair("archive_mark", said["archive_mark"]) if said.get("archive_mark") else None
        scope: Literal["sub", "one"] = "one" if said.get("scope") == "one" else "sub"
        self._check_branches(base, branch, archive_branch, scope)
        naming = str(said.get("naming") or "uid")
        if not filters.DESCRIPTION.fullmatch(naming):
            self.wrong.append("naming: is no attribute, such as uid")
        fields = self._fields(classes)
        places = {name: place for name, where in fields.items() if (place := self._place(name, where)) is not None}
        attributes = dict.fromkeys(place.attribute for place in places.values())
        more = [mark[0]] if mark else []
        return Layout(
            base=base,
            scope=scope,
            people=self._people(mark),
            classes=classes,
            branch=branch,
            naming=naming,
            new_values=tuple(
                pair for each in said.get("new_values") or () if (pair := self._pair("new_values", each)) is not None
            ),
            mark=mark,
            archive_branch=archive_branch,
            fields=fields,
            places=places,
            must=self._schema.must(classes) or frozenset({"cn", "sn", "objectclass"}),
            asked=(*STAMPS, *attributes, *more),
        )

    def _check_branches(self, base: str, branch: str, archive: str, scope: str) -> None:
        if self._settings.get("scope") not in {None, "sub", "one"}:
            self.wrong.append("scope: is sub or one")
        if self.wrong:
            return
        if not names.is_below(branch, base) or (scope == "one" and names.folded(branch) != names.folded(base)):
            self.wrong.append(
                "new_entries: is not in what is read (`base` and `scope`), so that new entries would not be seen"
            )
        inside = names.is_below(archive, base) if scope == "sub" else names.folded(archive) == names.folded(base)
        if archive and inside:
            self.wrong.append("archive_branch: is inside of `base`, so that who is archived would still be there")
        if archive and self._settings.get("archive_mark"):
            self.wrong.append("archive_mark, archive_branch: an entry is archived in one way, not in two")

    def _people(self, mark: tuple[str, bytes] | None) -> bytes:
        try:
            people = filters.parsed(str(self._settings.get("filter") or "(objectClass=inetOrgPerson)"))
        except ValueError as error:
            self.wrong.append(f"filter: {error}")
            return filters.ANYTHING
        return filters.all_of(people, filters.none_of(filters.equal(*mark))) if mark else people

    def _branch(self, setting: str, default: str) -> str:
        dn = str(self._settings.get(setting) or default)
        try:
            names.split(dn)
        except ValueError as error:
            self.wrong.append(f"{setting}: {error}")
            return ""
        return dn

    def _pair(self, setting: str, text: Any) -> tuple[str, bytes] | None:
        name, sign, value = str(text).partition("=")
        if not sign or not value or not filters.DESCRIPTION.fullmatch(name):
            self.wrong.append(f"{setting}: is no ATTRIBUTE=VALUE, such as employeeType=staff")
            return None
        return self._schema.name(name), value.encode()

    def _fields(self, classes: tuple[str, ...]) -> dict[str, FieldMap]:
        """Lay the operator's map over the usual places, as far as entries may hold them."""
        opening = self._opening
        found = {name: where for name, where in opening.fields.items() if where.direction != "none"}
        taken = {place for name, where in found.items() if (place := self._place(name, where, quiet=True)) is not None}
        for name, path in DEFAULT_PATHS.items():
            if name in opening.fields or name not in (opening.known or DEFAULT_PATHS):
                continue
            if place_of(path, self._schema) not in taken and self._schema.allows(path.partition("[")[0], classes):
                found[name] = FieldMap(path=path)
        return found

    def _place(self, name: str, where: FieldMap, *, quiet: bool = False) -> Place | None:
        try:
            return place_of(where.path, self._schema)
        except ValueError as error:
            if not quiet:
                self.wrong.append(f"field {name}: {error}")
            return None

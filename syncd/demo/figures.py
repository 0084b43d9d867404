"""Count, without the engine, on how much the apps agree: read each by its connector and compare what means the same.

People are told apart by address, else by number and last name. Hard rule: reads only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from syncd import registry
from syncd.config import AppConfig, Config, load_config
from syncd.connector import Opening
from syncd.core.fields import FieldType, Invalid, field_type
from syncd.core.transforms import make_lens

COMPARED: Final = (
    *("first_name", "last_name", "email", "phone", "company", "job_title"),
    *("street", "postal_code", "city", "country"),
)
Shown = dict[str, tuple[Any, Any]]
"""Field -> what the app shows, and what two values that mean the same have in common (None: blank or unreadable)."""


@dataclass(slots=True, kw_only=True)
class Figures:
    """How far the apps agree."""

    everywhere: int = 0
    """People whom every app knows."""
    disagreeing: int = 0
    """Fields of one person for which two apps say different things."""
    spelled: int = 0
    """Fields that two apps spell differently and mean the same."""
    missing: int = 0
    """Fields that are blank in one app and known in another."""
    unheard: int = 0
    """People who opted out in one app and not in another that keeps consent."""


def count(file: Path) -> Figures:
    """Read every app of a configuration and count."""
    config = load_config(file, registry.spec)
    people: dict[object, dict[str, Shown]] = {}
    waiting: list[tuple[str, Shown]] = []
    for app in config.apps:
        for shown in _read(config, app):
            address = _key(shown, "email")
            if address is None:
                waiting.append((app.name, shown))
            else:
                people.setdefault(address, {}).setdefault(app.name, shown)
    numbers = {_number(shown): person for person in people.values() for shown in person.values()}
    for app_name, shown in waiting:
        person = numbers.get(_number(shown)) if _key(shown, "phone") else None
        if person is None:
            person = people.setdefault((app_name, len(people)), {})
            numbers[_number(shown)] = person
        person.setdefault(app_name, shown)
    found = Figures()
    for person in people.values():
        _compare(person, len(config.apps), found)
    return found


def _key(shown: Shown, name: str) -> Any:
    return shown.get(name, (None, None))[1]


def _number(shown: Shown) -> tuple[Any, Any]:
    return _key(shown, "phone"), _key(shown, "last_name")


def _read(config: Config, app: AppConfig) -> Iterator[Shown]:
    connector = registry.load(app.connector_at, config.connector_folders)
    opening = Opening(
        app=app.name,
        settings=app.settings,
        secrets={name: secret.reveal() for name, secret in app.secrets.items()},
        fields=app.fields,
        known={name: rule.type for name, rule in config.fields.items()},
        network=app.network,
        data_dir=config.data_dir,
    )
    with closing(connector.open(opening)) as opened:
        kinds = {n: field_type(config.fields[n].type, **config.fields[n].options) for n in opened.fields}
        lenses = {
            name: make_lens(name, where, kinds[name], flat=connector.spec.flat) for name, where in opened.fields.items()
        }
        for page in opened.read(None):
            for record in page.records:
                if record.problem is None:
                    yield {n: (raw, _meaning(kinds[n], lenses[n].parse(raw))) for n, raw in record.fields.items()}


def _meaning(kind: FieldType, value: Any) -> Any:
    return None if value is None or isinstance(value, Invalid) else kind.key(value)


def _compare(person: Mapping[str, Shown], apps: int, found: Figures) -> None:
    found.everywhere += len(person) == apps
    for name in COMPARED:
        values = [shown[name] for shown in person.values() if name in shown]
        meant = {meaning for _, meaning in values if meaning is not None}
        found.disagreeing += len(meant) > 1
        found.missing += bool(meant) and any(meaning is None for _, meaning in values)
        found.spelled += len(meant) == 1 and len({raw for raw, meaning in values if meaning is not None}) > 1
    consents = [_key(shown, "email_consent") for shown in person.values() if "email_consent" in shown]
    found.unheard += "opted_out" in consents and any(word != "opted_out" for word in consents)

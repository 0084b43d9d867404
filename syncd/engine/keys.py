"""Keys: under which a record, and its address, are found again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd.core.atoms import MISSING
from syncd.core.match import BY_EMAIL, address_hash, record_keys
from syncd.core.rules import AppRule, Rules
from syncd.model import Record


def key_rows(app: AppRule, record: Record, rules: Rules) -> list[dict[str, object]]:
    """Make the identity rows of a record: its match keys, and its e-mail address whatever the rules are."""
    return [{"key": key, "app": app.index, "record": record.id} for key in identity_keys(record.fields, app, rules)]


def identity_keys(fields: Mapping[str, Any], app: AppRule, rules: Rules) -> list[bytes]:
    """List the keys under which a record is found: match keys and its address, each once."""
    keys = dict.fromkeys(record_keys(fields, app, rules))
    keys.pop(None, None)
    if BY_EMAIL not in rules.match and (address := email_key(fields, app, rules)) is not None:
        keys[address_hash(address)] = None
    return [key for key in keys if key is not None]


def email_key(fields: Mapping[str, Any], app: AppRule, rules: Rules) -> str | None:
    """Read a record's e-mail address as the key that consent is latched by."""
    lens, raw = app.lenses.get("email"), fields.get("email", MISSING)
    if lens is None or raw is MISSING or raw is None:
        return None
    value = lens.parse(raw)
    return str(rules.fields["email"].type.key(value)) if isinstance(value, str) else None

"""Name a state, so that what follows from it is looked at once: equal names, equal futures.

Times are named by their order and by how far they lie back (the engine compares them with each other and with limits of
seconds and minutes, never with a calendar), checksums of stored documents are left out, order in mappings does not count.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from functools import cache
from hashlib import blake2b
from typing import Any, Final

_TIME: Final = re.compile(r"\b1[78]\d{11}\b")
_AGES_MS: Final = (1_000, 15_000, 30_000, 60_000, 600_000, 3_600_000, 86_400_000)
"""Limits of the engine and of the simulated apps: on which side of each a time lies belongs to its name."""
_IDLE: Final = ("secret", "run")
"""Columns that nothing depends on: what seals a journal, and the number of a run."""


def fingerprint(now_ms: int, *states: Any) -> bytes:
    """Name the state of these objects at a time."""
    text = "\n".join(_spell(state, set()) for state in states)
    times = sorted({int(found) for found in _TIME.findall(text)})
    names = {time: f"t{place}/{_age(now_ms - time)}" for place, time in enumerate(times)}
    return blake2b(_TIME.sub(lambda found: names[int(found[0])], text).encode(), digest_size=16).digest()


def _age(age_ms: int) -> int:
    return sum(age_ms >= limit for limit in _AGES_MS) if age_ms >= 0 else -1


def _spell(value: Any, above: set[int]) -> str:
    """Spell a value; what it is part of (`above`) and what is code are left out."""
    kind = type(value)
    if value is None or kind is str or kind is int or isinstance(value, (str, int, float)):
        return repr(value)
    if isinstance(value, (bytes, memoryview)):
        return repr(bytes(value)[:-4]) if bytes(value)[:1] in (b"{", b"[") else repr(bytes(value))
    if id(value) in above or callable(value):
        return "-"
    above = {*above, id(value)}
    if (
        kind is list or kind is tuple
    ):  # asked by name first: abstract classes take their time to answer, and there are millions
        return "[" + ",".join([_spell(v, above) for v in value]) + "]"
    if kind is dict or isinstance(value, Mapping):
        return "{" + ",".join(sorted(f"{_spell(k, above)}:{_spell(v, above)}" for k, v in value.items())) + "}"
    if isinstance(value, AbstractSet):
        return "{" + ",".join(sorted(_spell(v, above) for v in value)) + "}"
    if isinstance(value, random.Random):
        return repr(hash(value.getstate()))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return "(" + ",".join(_spell(getattr(value, name), above) for name in value._fields if name not in _IDLE) + ")"
    if isinstance(value, Iterable):
        return "[" + ",".join(_spell(v, above) for v in value) + "]"
    return _spell_object(value, above)


def _spell_object(value: Any, above: set[int]) -> str:
    names = _fields_of(value.__class__) or sorted(getattr(value, "__dict__", {}) or getattr(value, "__slots__", ()))
    parts = (f"{name}={_spell(getattr(value, name), above)}" for name in names if hasattr(value, name))
    return f"{type(value).__name__}({','.join(parts)})"


@cache
def _fields_of(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()

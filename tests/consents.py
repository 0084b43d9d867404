"""Worlds in which people say what they agreed to: for the tests of consent."""

from __future__ import annotations

from typing import Any

from syncd.core.consent import IN, OUT
from syncd.core.rules import Rules
from syncd.core.scalars import CONSENT_WORDS
from syncd.model import Raw
from tests.core_world import CONSENT, EVIDENCE, World, app_rule, rule, rules_of

MAIL = "a@x.org"
FIELDS = ("email", CONSENT, *EVIDENCE)
ALL_BUT_OUT = [w for w in CONSENT_WORDS if w != OUT]


def at(ms: int) -> str:
    """Spell a moment of the worlds' clock."""
    return f"1970-01-01T00:00:{ms // 1000:02}.{ms % 1000:03}Z"


def consent_rules(*, apps: int = 2, channels: tuple[str, ...] = (CONSENT,), maps: Any = None, **options: Any) -> Rules:
    fields = ("email", *channels, *EVIDENCE)
    kinds = dict.fromkeys(channels, "consent")
    made = [app_rule(i, fields, maps=(maps or {}).get(i), kinds=kinds, **options) for i in range(1, apps + 1)]
    return rules_of(made, [rule("email")], consents=channels)


def world(*words: Raw, **options: Any) -> World:
    """Make a world whose apps show these words, and let it sync."""
    made = World(rules=consent_rules(apps=len(words), **options))
    for app, word in enumerate(words, 1):
        made.edit(app, email=MAIL, **{CONSENT: word})
    made.sync()
    return made


def opt_in(made: World, app: int, *, ms: int, source: Raw = "form", word: Raw = IN) -> World:
    return made.edit(app, **{CONSENT: word, "consent_at": at(ms), "consent_source": source})

"""Faults of consent: who is told, who is asked, and what outlives a change of address."""

from __future__ import annotations

from typing import Final

from tests.mutants.edits import Edit
from tests.mutants.kinds import Directed, Mutant, Seeds

_DECIDE: Final = "syncd.engine.decide"
_HEARING: Final = "syncd.engine.hearing"
_UNHEARD: Final = 'unheard = _unheard(tx, hub, contacts) if KINDS[kind] in ("create", "consent") else set()'
_APPLY: Final = "syncd.engine.apply"

PEOPLE: Final = (
    Mutant(
        id="M23",
        bug="the last word of consent wins, with evidence or without",
        edits=(
            Edit(
                "syncd.core.consent",
                "evidence = _evidence(channel, link, app, rules, now_ms) if now == IN and not contact.review else None",
                "assert link.seen is not None\n"
                '            said_so = Evidence(at="2025-01-01T00:00:00Z", at_ms=link.seen.at_ms, source="said so")\n'
                "            evidence = said_so if now == IN else None",
            ),
        ),
        killers=frozenset({"NEVER-SUBSCRIBE", "OPT-OUT-EVERYWHERE", "OPT-OUT-WINS"}),
        known=Directed(name="M23"),
        ways=(Seeds(),),
    ),
    Mutant(
        id="M24",
        bug="an opt-out is latched by person only, not by address",
        edits=(
            Edit(
                _DECIDE,
                "out.heard.latch(contact, told, consented, known)",
                "out.heard.latch(contact, set(), consented, known)",
            ),
        ),
        killers=frozenset({"OPT-OUT-EVERYWHERE"}),
        known=Directed(name="M24"),
    ),
    Mutant(
        id="M25",
        bug="an opt-in leaves although an opt-out was read since it was planned",
        edits=(
            Edit(_APPLY, _UNHEARD, "unheard: set[int] = set()"),
            Edit(
                _APPLY,
                "if intent is not None and not intent.opt_out and any(other.seen is not None for other in links):",
                "if False:",
            ),
        ),
        killers=frozenset({"OPT-OUT-WINS"}),
        known=Directed(name="M25"),
        ways=(Seeds(),),
    ),
    Mutant(
        id="M26",
        bug="a connector creates records without a word about consent in an app that subscribes them then",
        edits=(
            Edit(
                "tests.sim.app",
                'asked = replace(write, fields={"email_consent": "unknown", **write.fields})',
                "asked = write",
            ),
        ),
        killers=frozenset({"NEVER-SUBSCRIBE"}),
        known=Directed(name="M26"),
        ways=(Seeds(),),
        note="the connectors' duty, hence a mutant of the simulated one; the engine says what it means by every channel",
    ),
    Mutant(
        id="M27",
        bug="a new address does not inherit the opt-out of the old one",
        edits=(
            Edit(
                _DECIDE,
                "if consented.events or any(latch.out_ms or latch.in_ms for latch in consented.latches.values()):",
                "if consented.events:",
            ),
            Edit(
                _HEARING,
                "    heard.latch(contact, addresses(contact, links, hub.rules), consented, known)",
                "    if consented.events:\n"
                "        heard.latch(contact, addresses(contact, links, hub.rules), consented, known)",
            ),
        ),
        killers=frozenset({"OPT-OUT-EVERYWHERE"}),
        known=Directed(name="M27"),
    ),
)

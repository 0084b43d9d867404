"""Faults of merging: what counts as a change, whose it was, and what becomes of the value that lost."""

from __future__ import annotations

from typing import Final

from tests.mutants.edits import Edit
from tests.mutants.kinds import Directed, Mutant, Seeds, Small, Suite

_SETTLE: Final = "syncd.core.settle"
_MERGE: Final = "syncd.core.merge"
_FIGHTS: Final = "syncd.core.fights"

MERGING: Final = (
    Mutant(
        id="M1",
        bug="the base is what was sent, not what the app stored",
        edits=(Edit(_SETTLE, "link.base[name] = raw\n", "link.base[name] = want\n"),),
        killers=frozenset({"NO-ECHO"}),
        known=Directed(name="M1"),
        ways=(Seeds(),),
    ),
    Mutant(
        id="M2",
        bug="after a lost reply the app's spelling of our value is taken for an edit",
        edits=(Edit(_SETTLE, "if name not in rules.fields or not degraded(want, raw):", "if True:"),),
        killers=frozenset({"NO-ECHO"}),
        known=Directed(name="M2"),
        ways=(Seeds(),),
    ),
    Mutant(
        id="M3",
        bug="a record that is found by its address is taken for the echo of our create in doubt",
        edits=(
            Edit(
                "syncd.engine.recover",
                "done.wrote(sent, contact, None, records[0], authored=False)",
                "done.wrote(sent, contact, None, records[0], authored=True)",
            ),
        ),
        killers=frozenset({"CONVERGENCE", "NO-LOST-UPDATE", "JOURNAL-BEFORE-OVERWRITE"}),
        known=Directed(name="M3"),
        ways=(Seeds(), Small(world="one side", kind="vague", depth=2)),
    ),
    Mutant(
        id="M4",
        bug="the app's spelling of our value is not remembered, and is written again for ever",
        edits=(Edit(_SETTLE, "link.acks[name] = [golden, raw, GIVEN_BACK] if given_back else [golden, raw]", "pass"),),
        killers=frozenset({"NO-NOOP-WRITE", "QUIESCENCE"}),
        known=Directed(name="M4"),
        ways=(Seeds(),),
    ),
    Mutant(
        id="M5",
        bug="apps are compared with each other, not each with what it held before",
        edits=(
            Edit(
                _MERGE,
                "old = before.get(name, MISSING)\n            if raw == old",
                "old = MISSING\n            if raw == old",
            ),
        ),
        killers=frozenset({"NO-ECHO", "NO-LOST-UPDATE"}),
        known=Directed(name="M5"),
        ways=(Seeds(),),
    ),
    Mutant(
        id="M28",
        bug="what lost is not in the journal",
        edits=(
            Edit(_MERGE, "merged.entries.append(_lost(atom, loss.candidate, winner or golden, loss.reason))", "pass"),
        ),
        killers=frozenset({"JOURNAL-BEFORE-OVERWRITE"}),
        known=Directed(name="M28"),
        ways=(Seeds(),),
    ),
    Mutant(
        id="M29",
        bug="two robots may change a field back and forth for ever",
        edits=(
            Edit(_FIGHTS, "return bool(count >= rules.flips_max)", "return False"),
            Edit(_FIGHTS, "return bool(count + 1 >= rules.flips_max)", "return False"),
        ),
        killers=frozenset({"QUIESCENCE"}),
        known=Directed(name="M29"),
    ),
    Mutant(
        id="M29b",
        bug="how often a field went back and forth is known in memory only",
        edits=(Edit("syncd.store.codec", "    if contact.flips:\n", "    if False:\n"),),
        killers=frozenset({"QUIESCENCE"}),
        known=Directed(name="M29b"),
    ),
    Mutant(
        id="M37",
        bug="a value without a base counts as typed over a blank",
        edits=(
            Edit(
                _MERGE,
                "            return Candidate(app=link.app, rank=app.rank, value=value, key=key, record=link.id)\n",
                "            return Candidate(\n"
                "                app=link.app, rank=app.rank, value=value, key=key, record=link.id, has_base=True, causal=True\n"
                "            )\n",
            ),
        ),
        killers=frozenset({"TESTS"}),
        known=Suite(tests=("tests/test_merge.py",)),
        note="what it does is journalled and converges, so no monitor of the simulator minds; the core's own tests do",
    ),
)

"""Faults of writing: creates, writes in doubt, looks before a write, batches, the lease, the disk."""

from __future__ import annotations

from typing import Final

from tests.mutants.edits import Edit
from tests.mutants.kinds import Directed, Mutant, Power, Seeds, Small, Suite

_APPLY: Final = "syncd.engine.apply"
_ANSWERS: Final = "syncd.engine.answers"
_RECOVER: Final = "syncd.engine.recover"
_LOST: Final = "tests/test_found_by_mutants.py::test_nothing_is_written_once_the_lease_is_lost"

WRITING: Final = (
    Mutant(
        id="M12",
        bug="records are created before every app was listed completely",
        edits=(Edit(_APPLY, '(kind == "create" and not hub.covered)', "False"),),
        killers=frozenset({"CREATE-AFTER-COVERAGE", "NO-DUPLICATE-CREATE"}),
        known=Directed(name="M12"),
        ways=(Seeds(),),
    ),
    Mutant(
        id="M13",
        bug="no SENT row before a create",
        edits=(
            Edit(
                _APPLY,
                "tx.mark_sent(batch.sents)",
                'tx.mark_sent([sent for sent in batch.sents if sent.kind != "create"])',
            ),
        ),
        killers=frozenset({"SENT-BEFORE-SEND"}),
        known=Directed(name="M13"),
        ways=(Seeds(),),
    ),
    Mutant(
        id="M14",
        bug="a create in doubt is repeated at once",
        edits=(
            Edit(
                _RECOVER,
                "if records or now_ms < sent.at_ms + horizon_ms(app.rule):",
                "if records:",
            ),
        ),
        killers=frozenset({"NO-DUPLICATE-CREATE", "IN-DOUBT-BOUNDED"}),
        known=Directed(name="M14"),
        ways=(Seeds(),),
    ),
    Mutant(
        id="M15",
        bug="a create in doubt is repeated before the app's own lag is over",
        edits=(
            Edit(
                _RECOVER,
                "if records or now_ms < sent.at_ms + horizon_ms(app.rule):",
                "if records or now_ms < sent.at_ms + horizon_ms(app.rule) - int(app.rule.spec.lag_seconds * 1000):",
            ),
        ),
        killers=frozenset({"NO-DUPLICATE-CREATE", "IN-DOUBT-BOUNDED"}),
        known=Directed(name="M15"),
        ways=(Seeds(),),
    ),
    Mutant(
        id="M16",
        bug="an update in doubt is sent again as it was, without a look",
        edits=(
            Edit(
                _RECOVER,
                '        there = hub.world.call(app.name, "get", opened.get, known) if known else {}\n',
                "        from syncd.model import Write\n"
                '        again = [Write(kind=s.kind, id=s.record, fields=s.fields) for s in sents if s.kind == "update"]\n'
                "        if again:\n"
                '            hub.world.call(app.name, "write", opened.write, again)\n'
                '        there = hub.world.call(app.name, "get", opened.get, known) if known else {}\n',
            ),
        ),
        killers=frozenset({"NO-BLIND-OVERWRITE"}),
        known=Directed(name="M16"),
        ways=(Small(world="linked", depth=2), Seeds()),
    ),
    Mutant(
        id="M16b",
        bug="an update in doubt is planned again, and what came of the first is not looked at",
        edits=(
            Edit(
                _RECOVER,
                "            done.wrote(sent, contact, link, there[sent.record], authored=False)\n"
                "            done.dirty.add(contact.id)",
                "            done.unsent.append(sent)",
            ),
        ),
        killers=frozenset({"NO-ECHO"}),
        known=Directed(name="M16b"),
        ways=(Seeds(),),
        note="the plan is made again before it is sent, so nothing is overwritten blindly; our own write looks like an edit",
    ),
    Mutant(
        id="M17",
        bug="no look right before a write into an app without conditional writes",
        edits=(Edit(_APPLY, 'if opened.spec.lost_update != "cas" or batch.known:', "if batch.known:"),),
        killers=frozenset({"NO-BLIND-OVERWRITE"}),
        known=Directed(name="M17"),
        ways=(Small(world="linked", kind="vague"), Seeds()),
    ),
    Mutant(
        id="M17b",
        bug="a record is put away without a look at it",
        edits=(
            Edit(_APPLY, 'if opened.spec.lost_update != "cas" or batch.known:', 'if opened.spec.lost_update != "cas":'),
            Edit(
                _APPLY, 'if write.kind in ("update", "consent", "archive")]', 'if write.kind in ("update", "consent")]'
            ),
        ),
        killers=frozenset({"NO-CASCADE-DELETE"}),
        known=Directed(name="M17b"),
        ways=(Seeds(),),
    ),
    Mutant(
        id="M18",
        bug="a record that is gone at an update is created again",
        edits=(
            Edit(
                _ANSWERS,
                "        self.settled.append(sent)\n        self.missing.append(sent.record)\n\n    def archived",
                "        self.settled.append(sent)\n"
                "        self.tx.forget_record(self.app.index, sent.record)\n"
                "        self.dirty.add(sent.contact)\n\n"
                "    def archived",
            ),
        ),
        killers=frozenset({"NO-RESURRECTION", "CONVERGENCE"}),
        known=Directed(name="M18"),
        ways=(Small(world="linked"), Seeds()),
        note="the look right before a create stops most of it; what is left has no record, and no case says why",
    ),
    Mutant(
        id="M19",
        bug="a deletion leaves no tombstone",
        edits=(Edit("syncd.engine.deletions", "contact.tombs[app.index] = now_ms\n", "pass\n"),),
        killers=frozenset({"NO-RESURRECTION"}),
        known=Directed(name="M19"),
        ways=(Seeds(),),
    ),
    Mutant(
        id="M30",
        bug="the whole plan is counted after the first writes",
        edits=(
            Edit(
                "syncd.engine.passes",
                "        guard(hub)\n        if not write or not write_all(hub, contacts):\n            return True",
                '        hub.waiting, *_ = hub.world.transact("count", _count, hub)\n'
                "        wrote = write_all(hub, contacts) if write else 0\n"
                "        guard(hub)\n"
                "        if not write or not wrote:\n"
                "            return True",
            ),
        ),
        killers=frozenset({"MASS-CHANGE"}),
        known=Directed(name="M30"),
        ways=(Seeds(),),
    ),
    Mutant(
        id="M32",
        bug="whole records are sent, not what changes",
        edits=(
            Edit(
                "syncd.core.plan",
                '    if not fields:\n        return None\n    return Intent(\n        app=app.index,\n        kind="update",',
                "    if not fields:\n        return None\n"
                "    for name, raw in link.base.items():\n"
                "        if name in app.lenses and name in rules.fields and name not in fields:\n"
                '            fields[name] = Change(old=raw, new=raw, reason="as it is")\n'
                '    return Intent(\n        app=app.index,\n        kind="update",',
            ),
        ),
        killers=frozenset({"PATCH-ONLY"}),
        known=Directed(name="M32"),
        ways=(Seeds(),),
    ),
    Mutant(
        id="M34",
        bug="the results of a batch are told apart by their position, however many there are",
        edits=(
            Edit(_APPLY, "if len(results) != len(batch.writes):", "if False:"),
            Edit(
                _APPLY,
                "pairs = list(zip(batch.sents, results, strict=True))\n    reread",
                "pairs = list(zip(batch.sents, results, strict=False))\n    reread",
            ),
        ),
        killers=frozenset({"NO-ECHO", "ONE-LINK", "CONVERGENCE", "READ-BACK"}),
        known=Directed(name="M34"),
        ways=(Seeds(),),
    ),
    Mutant(
        id="M35",
        bug="a person who is twice on one page gets two records elsewhere in one batch",
        edits=(
            Edit(
                "syncd.engine.matching",
                "        _attach(holders, keys[link.id], link)\n    take",
                "        pass\n    take",
            ),
        ),
        killers=frozenset({"NO-DUPLICATE-CREATE"}),
        known=Directed(name="M35"),
        ways=(Small(world="both and a duplicate"), Seeds()),
        beside=("M35d",),
        note="the look right before a create covers it; M35d dies alone",
    ),
    Mutant(
        id="M35d",
        bug="a create does not look at who has its key in the app",
        edits=(
            Edit(
                "syncd.engine.meetings", "    if not records:\n        return {}\n    keys", "    return {}\n    keys"
            ),
        ),
        killers=frozenset({"NO-DUPLICATE-CREATE"}),
        known=Directed(name="M35d"),
        ways=(Seeds(),),
    ),
    Mutant(
        id="M36",
        bug="the daemon does not ask for its lease before it sends",
        edits=(Edit("syncd.daemon.watched", "            self._lease.demand()\n", "            pass\n"),),
        killers=frozenset({"TESTS"}),
        known=Suite(tests=(_LOST,)),
        note="the simulated world asks by itself; what the real worlds do is tested with a real lease",
    ),
    Mutant(
        id="M36b",
        bug="a command does not ask for its lease before it sends",
        edits=(Edit("syncd.cli.progress", "            self._lease.demand()\n", "            pass\n"),),
        killers=frozenset({"TESTS"}),
        known=Suite(tests=(_LOST,)),
    ),
    Mutant(
        id="M36c",
        bug="a transaction of a process that lost its lease is not refused",
        edits=(Edit("syncd.store.store", "if tx.meta(EPOCH) != str(epoch):", "if False:"),),
        killers=frozenset({"TESTS"}),
        known=Suite(tests=("tests/test_lease.py::test_who_lost_the_lease_cannot_write",)),
    ),
    Mutant(
        id="M38",
        bug="a renewed token is used and not kept",
        edits=(
            Edit(
                "syncd.http.oauth",
                "            self._save(got)\n            self._kept = got",
                "            self._kept = got",
            ),
        ),
        killers=frozenset({"TESTS"}),
        known=Suite(
            tests=("tests/test_xero.py::test_a_refresh_token_is_used_once_and_the_next_is_stored_before_it_is_used",)
        ),
    ),
    Mutant(
        id="M39",
        bug="a webhook is believed, whoever has sent it",
        edits=(Edit("syncd.http.hooks", "if not _same(given, self._signature(sign, arrival, stamp)):", "if False:"),),
        killers=frozenset({"TESTS"}),
        known=Suite(tests=("tests/test_hook_ears.py::test_whatever_is_changed_on_its_way_is_refused",)),
        note="nothing but ids is taken out of a body, so that there is no body to be merged",
    ),
    Mutant(
        id="M40",
        bug="`synchronous=NORMAL`: what was committed may be gone after a power cut",
        edits=(
            Edit("syncd.store.store", '"synchronous=OFF" if scratch else "synchronous=FULL"', '"synchronous=NORMAL"'),
        ),
        killers=frozenset({"POWER-LOSS"}),
        known=Power(places=3),
        ways=(Power(places=6),),
    ),
    Mutant(
        id="M41",
        bug="a version that went up by one counts as proof that an update in doubt was ours",
        edits=(
            Edit(
                _RECOVER,
                "done.wrote(sent, contact, link, there[sent.record], authored=False)",
                'before, after = link.version or "", there[sent.record].version or ""\n'
                "            ours = before.isdigit() and after.isdigit() and int(after) == int(before) + 1\n"
                "            done.wrote(sent, contact, link, there[sent.record], authored=ours)",
            ),
        ),
        killers=frozenset({"CONVERGENCE", "NO-LOST-UPDATE", "JOURNAL-BEFORE-OVERWRITE"}),
        known=Directed(name="M41"),
        ways=(Small(world="linked", depth=2), Seeds()),
    ),
)

"""Faults of reading: cursors, pages, versions, listings, deletions that are none."""

from __future__ import annotations

from typing import Final

from tests.mutants.edits import Edit
from tests.mutants.kinds import Directed, Mutant, Seeds, Suite

_PULL: Final = "syncd.engine.pull"
_GONE: Final = "syncd.engine.deletions"
_STAMPS: Final = "syncd_connectors.sql.stamps"

READING: Final = (
    Mutant(
        id="M6",
        bug="the cursor is committed before the data it covers",
        edits=(
            Edit(
                _PULL,
                '    hub.world.transact("page", step)',
                "    if page.cursor is not None and not reading.listing:\n"
                '        hub.world.transact("cursor", lambda tx: tx.save_app(app.index, cursor=page.cursor))\n'
                '    hub.world.transact("page", step)',
            ),
        ),
        killers=frozenset({"COVERAGE", "OPT-OUT-EVERYWHERE"}),
        known=Directed(name="M6"),
        ways=(Seeds(),),
    ),
    Mutant(
        id="M7",
        bug="no overlap: what became visible late is never read",
        edits=(Edit(_STAMPS, "at = (at - timedelta(seconds=overlap_seconds)).replace", "at = at.replace"),),
        killers=frozenset({"TESTS"}),
        known=Suite(
            tests=("tests/test_sql_clocks.py::test_a_pass_without_news_is_one_query_for_what_is_within_the_overlap",)
        ),
        note="overlap is the connectors' duty; M7s shows that the simulator notices one that has none",
    ),
    Mutant(
        id="M7s",
        bug="the simulated connector has no overlap",
        edits=(Edit("tests.sim.app", "vendor.quirks.lag_ms + OVERLAP_MS", "0"),),
        killers=frozenset({"COVERAGE"}),
        known=Directed(name="M7s"),
        ways=(Seeds(),),
    ),
    Mutant(
        id="M8",
        bug="the cursor is our own time when the read ended",
        edits=(
            Edit(_STAMPS, "return Mark(at=min(max(at, newest or at), now), now=now)", "return Mark(at=now, now=now)"),
        ),
        killers=frozenset({"TESTS"}),
        known=Suite(tests=("tests/test_sql_clocks.py::test_stamps_in_local_time_lose_nothing",)),
        note="cursors are the connectors' duty; M8s shows that the simulator notices one that names our own clock",
    ),
    Mutant(
        id="M8s",
        bug="the simulated connector's cursor is our own time",
        edits=(
            Edit(
                "tests.sim.app",
                "stamp = (now_ms + vendor.quirks.skew_ms) // 1000 * 1000",
                "stamp = now_ms // 1000 * 1000",
            ),
        ),
        killers=frozenset({"COVERAGE"}),
        known=Directed(name="M8s"),
        ways=(Seeds(),),
    ),
    Mutant(
        id="M9",
        bug="`>` instead of `>=` at the boundary of whole seconds",
        edits=(Edit(_STAMPS, "return sa.and_(self.column >= low,", "return sa.and_(self.column > low,"),),
        killers=frozenset({"TESTS"}),
        known=Suite(tests=("tests/test_sql_clocks.py::test_a_change_in_the_very_second_of_the_cursor_is_told",)),
        note="the overlap (M7) hides it, so its test has none",
    ),
    Mutant(
        id="M9s",
        bug="the simulated connector asks for what is later than its cursor's second, not for that second",
        edits=(Edit("tests.sim.app", "if c.stamp_ms >= since - overlap", "if c.stamp_ms > since - overlap"),),
        killers=frozenset({"COVERAGE"}),
        known=Directed(name="M9s"),
        ways=(Seeds(count=500),),
        beside=("M7s",),
        note="the overlap covers it; M7s dies alone",
    ),
    Mutant(
        id="M10",
        bug="of a record that is named twice in a page the last state counts, not the latest",
        edits=(Edit(_PULL, "        if not older:\n", "        if True:\n"),),
        killers=frozenset({"COVERAGE", "OPT-OUT-WINS", "OPT-OUT-EVERYWHERE", "NO-LOST-UPDATE"}),
        known=Directed(name="M10"),
        ways=(Seeds(),),
    ),
    Mutant(
        id="M11",
        bug="an older state of a record than the one that was read is taken for news",
        edits=(Edit(_PULL, 'if app.spec.versions != "ordered" or record.version is None:', "if True:"),),
        killers=frozenset({"COVERAGE", "NO-ECHO", "OPT-OUT-WINS"}),
        known=Directed(name="M11"),
        ways=(Seeds(),),
    ),
    Mutant(
        id="M20",
        bug="one listing without a record is enough to ask for it and to believe the answer",
        edits=(
            Edit(
                _GONE,
                "suspects = tx.struck(app.index, STRIKES, SUSPECTS_MAX)",
                "suspects = tx.struck(app.index, 1, SUSPECTS_MAX)",
            ),
        ),
        killers=frozenset({"NO-FALSE-DELETE"}),
        known=Directed(name="M20"),
        note="only records that are out of sight for one run tell it apart: the answer on being asked is true otherwise",
    ),
    Mutant(
        id="M20b",
        bug="two listings without a record are enough, and nobody asks for it",
        edits=(
            Edit(_GONE, 'there = hub.world.call(app.name, "get", reader.get, ids)', "there: dict[str, Record] = {}"),
        ),
        killers=frozenset({"NO-FALSE-DELETE"}),
        known=Directed(name="M20b"),
    ),
    Mutant(
        id="M21",
        bug="a listing that broke off counts as a complete one",
        edits=(
            Edit(
                _PULL,
                '        while (page := hub.world.call(app.name, "read", lambda: next(pages, None))) is not None:\n'
                "            if page.expired:\n",
                "        last = None\n"
                "        while True:\n"
                "            try:\n"
                '                page = hub.world.call(app.name, "read", lambda: next(pages, None))\n'
                "            except SyncdError:\n"
                "                if last is not None and listing:\n"
                '                    hub.world.transact("page", _end_listing, hub, reading, last, hub.world.now_ms())\n'
                "                raise\n"
                "            if page is None:\n"
                "                break\n"
                "            last = page\n"
                "            if page.expired:\n",
            ),
        ),
        killers=frozenset({"CREATE-AFTER-COVERAGE", "NO-DUPLICATE-CREATE", "NO-FALSE-DELETE"}),
        known=Directed(name="M21"),
        ways=(Seeds(),),
        note="an app that failed is not asked for suspects in that run, hence no false deletion: coverage is what becomes a lie",
    ),
    Mutant(
        id="M22",
        bug="a refusal on being asked for a record (403) is taken for its absence",
        edits=(
            Edit(
                _GONE,
                '                hub.world.transact("not gone", _back, hub, app, there)\n'
                "    except SyncdError as error:\n"
                "        hub.fail(app, error)\n"
                "        return\n",
                '                hub.world.transact("not gone", _back, hub, app, there)\n'
                "    except SyncdError:\n"
                "        lost = list(suspects)\n",
            ),
        ),
        killers=frozenset({"NO-FALSE-DELETE"}),
        known=Directed(name="M22"),
    ),
    Mutant(
        id="M31",
        bug="a field that is missing in an answer is read as blank",
        edits=(
            Edit(
                "syncd.core.merge",
                "        for name, raw in seen.fields.items():\n            old",
                "        for name, raw in {**dict.fromkeys(lenses), **seen.fields}.items():\n            old",
            ),
        ),
        killers=frozenset({"UNKNOWN-NOT-BLANK", "NO-ECHO"}),
        known=Directed(name="M31"),
        ways=(Seeds(),),
    ),
    Mutant(
        id="M33",
        bug="the id in an answer is not compared with the id that was asked for",
        edits=(Edit("syncd.http.app", "if id_ in wanted:  #", "if True:  #"),),
        killers=frozenset({"TESTS"}),
        known=Suite(tests=("tests/test_http_engine.py::test_who_was_merged_is_gone_and_the_other_is_told",)),
        note="the engine asks by id and gets answers by id; comparing them is the HTTP connector's duty",
    ),
    Mutant(
        id="M42",
        bug="nobody looks whether an app went back in time: it was restored from a backup",
        edits=(Edit("syncd.engine.restored", "            _judge(hub, suspect)\n", "            pass\n"),),
        killers=frozenset({"ROLLBACK-DETECTED"}),
        known=Directed(name="M42"),
        ways=(Seeds(),),
    ),
    Mutant(
        id="M42b",
        bug="an app that is brought up to date after it went back has a say with its old values",
        edits=(Edit("syncd.core.merge", "if is_former(link, atom) and not self", "if False and not self"),),
        killers=frozenset({"ROLLBACK-DETECTED"}),
        known=Directed(name="M42b"),
        ways=(Seeds(),),
    ),
)

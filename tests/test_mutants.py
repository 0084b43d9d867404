"""Every named mutant is noticed where it is known to be, by the invariant that it breaks, and the sound engine is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.core import settle
from tests.mutants.edits import Edit, Stale, mutated
from tests.mutants.hunt import STORIES, hunt
from tests.mutants.kinds import Directed, Suite
from tests.mutants.registry import MUTANTS

TOLD = [mutant for mutant in MUTANTS.values() if isinstance(mutant.known, Directed)]
TESTED = [mutant for mutant in MUTANTS.values() if isinstance(mutant.known, Suite)]


def test_all_of_the_table_are_here() -> None:
    numbers = {"".join(filter(str.isdigit, name)) for name in MUTANTS}
    assert numbers == {str(number) for number in range(1, 43)}
    assert {path.stem for path in STORIES.glob("*.yaml")} == {mutant.id for mutant in TOLD}


@pytest.mark.parametrize("id_", [mutant.id for mutant in TOLD])
def test_it_is_noticed_and_only_it(id_: str) -> None:
    mutant = MUTANTS[id_]
    covers = [edit for other in mutant.beside for edit in MUTANTS[other].edits]
    found = hunt((*mutant.edits, *covers), mutant.known)
    assert found.by & mutant.killers, f"{mutant.bug}: nobody minds; `python -m tests.mutants --only {id_} --keep 3000`"
    assert not hunt((), mutant.known).by
    if covers:  # what covers it really does, and is not what is noticed here
        assert not hunt(mutant.edits, mutant.known).by
        assert not hunt(covers, mutant.known).by


@pytest.mark.parametrize("id_", [mutant.id for mutant in MUTANTS.values()])
def test_it_fits_the_code(id_: str) -> None:
    """Also those that only `make mutants` looks for: real processes, power cuts."""
    with mutated(MUTANTS[id_].edits):
        pass


def test_the_tests_that_notice_the_others_are_there() -> None:
    root = Path(__file__).parent.parent
    for mutant in TESTED:
        assert isinstance(mutant.known, Suite)
        for test in mutant.known.tests:
            file, _, name = test.partition("::")
            assert f"def {name}" in (root / file).read_text("utf-8")


def test_a_fault_is_gone_after_its_block() -> None:
    edit = Edit("syncd.core.settle", "if not b:", "if True:")
    assert settle.degraded("Annabel", "Ann")
    with mutated([edit]):
        assert not settle.degraded("Annabel", "Ann")
    assert settle.degraded("Annabel", "Ann")


@pytest.mark.parametrize(
    ("old", "why"),
    [("no such text", "0 times"), ("link", "times"), ('REFUSED: Final = "refused"', "in no function")],
)
def test_a_fault_that_does_not_fit_is_told(old: str, why: str) -> None:
    with pytest.raises(Stale, match=why), mutated([Edit("syncd.core.settle", old, "")]):
        pass

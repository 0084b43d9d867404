"""All mutants of SYNC-MODEL 3.7."""

from __future__ import annotations

from typing import Final

from tests.mutants.kinds import Mutant
from tests.mutants.merging import MERGING
from tests.mutants.people import PEOPLE
from tests.mutants.reading import READING
from tests.mutants.writing import WRITING


def _number(mutant: Mutant) -> tuple[int, str]:
    digits = "".join(filter(str.isdigit, mutant.id))
    return int(digits), mutant.id


MUTANTS: Final = {mutant.id: mutant for mutant in sorted((*MERGING, *READING, *PEOPLE, *WRITING), key=_number)}

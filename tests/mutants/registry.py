"""All mutants of SYNC-MODEL 3.7, and those for which there is nothing to mutate here."""

from __future__ import annotations

from typing import Final

from tests.mutants.kinds import Absent, Mutant
from tests.mutants.merging import MERGING
from tests.mutants.people import PEOPLE
from tests.mutants.reading import READING
from tests.mutants.writing import WRITING


def _number(mutant: Mutant) -> tuple[int, str]:
    digits = "".join(filter(str.isdigit, mutant.id))
    return int(digits), mutant.id


MUTANTS: Final = {mutant.id: mutant for mutant in sorted((*MERGING, *READING, *PEOPLE, *WRITING), key=_number)}
ABSENT: Final = (
    Absent(
        id="M39", bug="the body of a webhook is merged", why="there are no webhooks: every change is read by a poll"
    ),
)

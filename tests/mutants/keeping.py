"""Find the history in which a mutant is noticed, shorten it as far as the sound engine passes it, and keep it as a story."""

from __future__ import annotations

from pathlib import Path

from tests.mutants.edits import mutated
from tests.mutants.kinds import Mutant
from tests.sim.drawing import draw
from tests.sim.play import play
from tests.sim.scenario import Scenario
from tests.sim.shrink import shrink
from tests.sim.stores import memory
from tests.sim.tales import Tale, read_tale, write_tale


def keep(mutant: Mutant, path: Path, seeds: int) -> str:
    """Look in the story that is kept, then in so many drawn histories; say where it was found."""

    def told(scenario: Scenario) -> bool:
        with mutated(mutant.edits):
            names = {violation.name for violation in play(scenario, memory).violations}
        return bool(names & mutant.killers) and not play(scenario, memory).violations

    if path.exists() and told(read_tale(path).scenario):
        where, scenario = "the story", read_tale(path).scenario
    else:
        seed = next((seed for seed in range(seeds) if told(draw(seed))), None)
        if seed is None:
            return "found nowhere"
        where, scenario = f"seed {seed}", draw(seed)
    with mutated(mutant.edits):
        write_tale(path, Tale(f"{mutant.id}: {mutant.bug}", shrink(scenario, told)))
    return f"kept from {where}"

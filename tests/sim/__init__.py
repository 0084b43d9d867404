"""The simulator: the engine that runs in production, in a world that a seed decides.

`python -m tests.sim --seeds N` plays N histories; each is a `Scenario` (tests/sim/scenario.py) that is drawn from its seed,
played (tests/sim/play.py) with the engine's seam answered by `SimWorld`, and watched by monitors (SYNC-MODEL 1.4).
"""

"""Mutants: faults that somebody shipped, put into our own code one at a time. Each must be noticed (SYNC-MODEL 3.7)."""

"""The deciders: values in, values out. No I/O, clock, randomness, logging, SQL, HTTP."""

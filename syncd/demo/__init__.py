"""The demo: 200 messy customers in a CSV file, an SQLite table and a CardDAV address book, put in order before your eyes.

    people    who there is
    mess      how three apps spell them
    places    the apps, as their own people use them
    servers   a real CardDAV server while the demo runs
    figures   how far the apps agree, counted without the engine
    screen    sentences and real command lines
    story     what happens, in order

Knows the commands only by their command lines, as their users do. Imported by nothing but the command `syncd demo`.
"""

from __future__ import annotations

from pathlib import Path


def run(keep: Path | None = None) -> int:
    """Play the demo; return its exit code. `keep`: in this folder, which stays."""
    from syncd.demo import story

    return story.run(keep)

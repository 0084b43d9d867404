"""The demo: 500 messy customers in HubSpot, Mailchimp, Xero and Zendesk, put in order before your eyes.

    people    who there is
    mess      how four apps spell them
    servers   the vendors' sandboxes over real HTTP, and their clock
    apps      the apps, as their own people use them
    setting   the folder: configuration, secrets, apps
    figures   how far the apps agree, counted without syncd
    screen    sentences and real command lines
    leash     the daemon, which never outlives the demo
    live      what happens while the daemon runs
    story     what happens, in order

Knows the commands only by their command lines, as their users do. Imported by nothing but the command `syncd demo`.
"""

from __future__ import annotations

from pathlib import Path


def run(keep: Path | None = None, *, as_json: bool = False) -> int:
    """Play the demo; return its exit code. `keep`: in this folder, which stays. `as_json`: figures go to stdout."""
    from syncd.demo import story

    return story.run(keep, as_json=as_json)

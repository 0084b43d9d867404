"""The command auth: a person agrees in a browser, and syncd keeps what it gets for that.

Needs no lease: it works beside a daemon, which takes the new login up at its next poll.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Final

import typer

from syncd.cli import show
from syncd.cli.opening import opened
from syncd.cli.options import AsJson, ConfigFile, Debug, known
from syncd.cli.telling import next_command
from syncd.connector import Authorization, WrongAnswer
from syncd.errors import ConfigError, SyncdError

if TYPE_CHECKING:
    from syncd.engine.runs import Session
    from syncd.http.loopback import Loopback

WAIT_SECONDS: Final = 300


def auth(
    app: Annotated[str, typer.Argument(metavar="APP", help="The app to log in to.")],
    port: Annotated[
        int,
        typer.Option("--port", metavar="N", min=0, max=65535, help="Listen on this port of 127.0.0.1; 0: a free one."),
    ] = 0,
    redirect: Annotated[
        str, typer.Option("--redirect", metavar="URL", help="The redirect URI that is registered at the vendor.")
    ] = "",
    browser: Annotated[bool, typer.Option(help="Open a browser, where a person sits at this machine.")] = True,
    seconds: Annotated[
        int, typer.Option("--wait", metavar="SECONDS", min=1, help="How long to wait for the person.")
    ] = WAIT_SECONDS,
    config: ConfigFile = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Log in to an app by its vendor's page (OAuth 2): prints the address, waits, and keeps the tokens sealed in the store."""
    from syncd.http.loopback import Loopback

    if redirect and port:
        raise ConfigError("--redirect says the port as well; leave --port out")
    with (
        opened(config) as session,
        closing(_login(session, app)) as login,
        Loopback(app, host=login.host, port=port, redirect=redirect) as back,
    ):
        _invite(app, login.url(back.redirect), back, browser=browser and not as_json, aside=as_json)
        told = _finish(login, back, seconds)
    if as_json:
        show.document({"app": app, "logged_in": True, "settings": dict(told)})
    else:
        named = "".join(f"; its {name} is {value}" for name, value in told.items())
        show.line(f"{app}: logged in{named}; what it needs is kept in the store. Next: {next_command('check', config)}")
    return 0


def _login(session: Session, app: str) -> Authorization:
    from syncd.ops.check import opening

    known([app], [each.name for each in session.config.apps], "app")
    settings = session.config.app(app)
    connector = session.load(settings)
    if connector.authorize is None:
        raise ConfigError(
            f"{app}: the connector {connector.spec.name} has no login in a browser; its secrets are all it needs"
        )
    return connector.authorize(opening(session.config, settings, session.keeper(app)))


def _invite(app: str, page: str, back: Loopback, *, browser: bool, aside: bool) -> None:
    """Say where to go; `aside`: on stderr, because stdout is for a document."""
    say = show.hint if aside else show.line
    say(f"Open this address, log in to {app}, and agree:")
    say()
    say(page)
    say()
    if back.listens:
        say(f"Waiting until the browser comes back to {back.redirect}")
    say(
        "Is the browser on another machine? Then paste here the address at which it ends, even if it shows an error there."
    )
    if browser and back.listens and _may_open():
        import webbrowser

        webbrowser.open(back.start(page))


def _may_open() -> bool:
    """Say whether a browser would open before somebody's eyes, and not in this terminal."""
    desktop = sys.platform == "darwin" or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    return show.terminal() and desktop


def _finish(login: Authorization, back: Loopback, seconds: float) -> Mapping[str, str]:
    """Wait for the answer to our question; what answers another one is told, and does no harm. Give what it tells."""
    for came in back.come(_typed(), seconds):
        try:
            told = login.finish(came.query)
        except WrongAnswer as error:
            came.tell("Not this one", "This is not the answer that syncd waits for. Open the address that it printed.")
            show.complain(str(error))
        except SyncdError:
            came.tell("Not logged in", "syncd says why in its terminal. You can close this page.")
            raise
        else:
            came.tell("Logged in", "syncd has what it needs. You can close this page.")
            return told
    raise AssertionError("it comes, or the wait ends with an error")


def _typed() -> int | None:
    """Give the file on which an address may be pasted; None where there is none."""
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):
        return None


COMMANDS = (auth,)

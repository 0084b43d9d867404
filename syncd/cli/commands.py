"""All commands in one list, read by Typer."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

import typer

from syncd.cli import around, login, reading, show, writing

LISTED: Final = ("connectors", "inbox")
"""Groups that list when nothing else is asked of them."""
WIDE: Final = 200
COMMANDS: Final = (*writing.COMMANDS, *reading.COMMANDS, *around.COMMANDS, *login.COMMANDS)
GROUPS: Final = (*reading.GROUPS, *around.GROUPS)


def commands() -> typer.Typer:
    """Make the application out of the tables of commands."""
    settings: dict[str, object] = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
    if not sys.stdout.isatty():
        settings["terminal_width"] = WIDE  # nothing is wrapped in a pipe
    app = typer.Typer(
        name="syncd",
        help="Keep the contact fields of several apps consistent, field by field, in every direction.",
        epilog="syncd --version prints the version; syncd COMMAND --help says more.",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=settings,
    )
    for command in COMMANDS:
        app.command(command.__name__.rstrip("_"), context_settings=settings)(command)
    for name, help_, members in GROUPS:
        group = typer.Typer(help=help_, context_settings=settings)
        for member in members:
            group.command(member.__name__.removeprefix(f"{name}_"), context_settings=settings)(member)
        app.add_typer(group, name=name)
    return app


def dispatch(words: Sequence[str]) -> int:
    """Read a command line and run it; return the exit code."""
    command = typer.main.get_command(commands())
    try:
        code = command.main(args=_completed(words), prog_name="syncd", standalone_mode=False)
    except typer.TyperException as error:
        show.complain(_without_keys(error.format_message(), words))
        show.hint(f"syncd {_named(words)}--help lists what there is")
        return 2
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    return code if isinstance(code, int) else 0


def _completed(words: Sequence[str]) -> list[str]:
    """Fill in what goes without saying: `syncd` asks for help, `syncd inbox` for the list."""
    if not words:
        return ["--help"]
    if words[0] in LISTED and (len(words) == 1 or (words[1].startswith("-") and words[1] not in ("-h", "--help"))):
        return [words[0], "list", *words[1:]]
    return list(words)


def _without_keys(message: str, words: Sequence[str]) -> str:
    """Take out of a message what may be somebody's address."""
    for word in words:
        if "@" in word:
            message = message.replace(word, "KEY")
    return message


def _named(words: Sequence[str]) -> str:
    """Repeat the command that was meant, if it is one."""
    known = {command.__name__.rstrip("_") for command in COMMANDS} | {name for name, _, _ in GROUPS}
    return f"{words[0]} " if words and words[0] in known else ""

"""All commands in one list, and the way from whatever happens to a message and an exit code (DESIGN 5).

0 done and in sync, 1 our bug, 2 configuration, 3 partial, 4 held, 5 refused by an app. Hard rule: with `--json` one
document goes to stdout for every exit code except 1 and 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import typer

from syncd.cli import around, reading, show, writing
from syncd.errors import AccessError, ConfigError, SafetyStop, SyncdError

RUNS: Final = ("sync", "resync", "apply", "undo")
"""Commands whose document is that of a run."""
LISTED: Final = ("connectors", "inbox")


def commands() -> typer.Typer:
    """Make the application out of the tables of commands."""
    app = typer.Typer(
        name="syncd",
        help="Keep the contact fields of several apps consistent, field by field, in every direction.",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    )
    for command in (*writing.COMMANDS, *reading.COMMANDS, *around.COMMANDS):
        app.command(command.__name__.rstrip("_"))(command)
    for name, help_, members in (*reading.GROUPS, *around.GROUPS):
        group = typer.Typer(help=help_)
        for member in members:
            group.command(member.__name__.removeprefix(f"{name}_"))(member)
        app.add_typer(group, name=name)
    return app


def run(words: Sequence[str]) -> int:
    """Run one command line; return its exit code. Raises KeyboardInterrupt, and what is a fault of ours."""
    command = typer.main.get_command(commands())
    try:
        code = command.main(args=_completed(words), prog_name="syncd", standalone_mode=False)
    except typer.TyperException as error:
        show.complain(_without_keys(error.format_message(), words))
        show.hint(f"syncd {_named(words)}--help lists what there is")
        return 2
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    except SyncdError as error:
        return _failed(error, words)
    return code if isinstance(code, int) else 0


def _completed(words: Sequence[str]) -> list[str]:
    """Fill in what goes without saying: `syncd` asks for help, `syncd inbox` for the list."""
    if not words:
        return ["--help"]
    if words[0] in LISTED and (len(words) == 1 or (words[1].startswith("-") and words[1] not in ("-h", "--help"))):
        return [words[0], "list", *words[1:]]
    return list(words)


def _failed(error: SyncdError, words: Sequence[str]) -> int:
    """Say what went wrong with the whole command, and turn the reaction into its exit code."""
    show.complain(str(error))
    if error.detail and "--debug" in words:
        show.complain(f"detail: {error.detail}")
    if isinstance(error, ConfigError):
        return 2
    if "--json" in words:
        show.document(failure(error, words[0] if words else ""))
    return 5 if isinstance(error, AccessError) else 4 if isinstance(error, SafetyStop) else 3


def failure(error: SyncdError, command: str) -> dict[str, Any]:
    """Make the document of a command that could not do anything."""
    doc: dict[str, Any] = {"error": {"kind": type(error).__name__, "message": str(error)}}
    if command in RUNS:
        outcome = "held" if isinstance(error, SafetyStop) else "partial"
        doc = {"run": None, "outcome": outcome, "apps": {}, "held": [], "inbox": None, **doc}
    return doc


def _without_keys(message: str, words: Sequence[str]) -> str:
    """Take out of a message what may be somebody's address."""
    for word in words:
        if "@" in word:
            message = message.replace(word, "KEY")
    return message


def _named(words: Sequence[str]) -> str:
    """Repeat the command that was meant, if it is one."""
    known = {command.__name__.rstrip("_") for command in (*writing.COMMANDS, *reading.COMMANDS, *around.COMMANDS)}
    known |= {name for name, _, _ in (*reading.GROUPS, *around.GROUPS)}
    return f"{words[0]} " if words and words[0] in known else ""

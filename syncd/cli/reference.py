"""The commands and their options as Markdown, out of the very tables that parse them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

SHARED: Final = ("config", "as_json", "debug")
"""Options of nearly every command: explained once, then only named."""
METAVARS: Final = {"config": "FILE", "root": "FOLDER"}


def command_reference() -> str:
    """Print every command: how it is called, what it does, its options."""
    import typer

    from syncd.cli.commands import commands

    top: Any = typer.main.get_command(commands())
    leaves = sorted(_leaves(top, "syncd"))
    shared = {each.name: _option(each) for _, command in leaves for each in command.params if each.name in SHARED}
    parts = ["Options that nearly every command has:\n\n" + "\n".join(shared[name] for name in SHARED)]
    return "\n\n".join(parts + [_command(name, command) for name, command in leaves])


def _leaves(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        path = f"{prefix} {name}"
        if hasattr(command, "commands"):
            yield from _leaves(command, path)
        else:
            yield path, command


def _command(name: str, command: Any) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    usage = " ".join([name, *(each.metavar or each.name.upper() for each in arguments)])
    own = [f"- `{each.metavar or each.name.upper()}`: {each.help}" for each in arguments]
    own += [_option(each) for each in options if each.name not in SHARED]
    also = [f"`{each.opts[-1]}`" for each in options if each.name in SHARED]
    text = " ".join((command.help or "").split())
    return "\n".join([f"#### `{usage}`", "", f"{text} Also: {', '.join(also)}.", *([""] if own else []), *own])


def _option(each: Any) -> str:
    spelled = ", ".join(each.opts) + ("" if each.is_flag else f" {_metavar(each)}")
    return f"- `{spelled}`: {each.help}"


def _metavar(option: Any) -> str:
    return option.metavar or METAVARS.get(option.name) or option.name.upper()

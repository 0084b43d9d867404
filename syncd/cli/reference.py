"""The commands and their options as Markdown, out of the very tables that parse them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def command_reference() -> str:
    """Print every command: how it is called, what it does, its options."""
    import typer

    from syncd.cli.commands import commands

    top: Any = typer.main.get_command(commands())
    return "\n\n".join(_command(name, command) for name, command in sorted(_leaves(top, "syncd")))


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
    lines = [f"#### `{usage}`", "", " ".join((command.help or "").split()), ""]
    lines += [f"- `{each.metavar or each.name.upper()}`: {each.help}" for each in arguments]
    for each in options:
        spelled = ", ".join(each.opts) + ("" if each.is_flag else f" {_metavar(each)}")
        lines.append(f"- `{spelled}`: {each.help}")
    return "\n".join(lines)


def _metavar(option: Any) -> str:
    return option.metavar or {"config": "FILE", "root": "FOLDER"}.get(option.name) or option.name.upper()

"""A new connector: the folder an author begins with. It is whole, and the kit is green on it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from syncd import registry
from syncd.config.near import shown
from syncd.errors import ConfigError

STARTER: Final = Path(__file__).with_name("starter")
FILES: Final = ("manifest.yaml", "sandbox.py", "world.py", "README.md")
PLACEHOLDER: Final = "yourapp"


def start(name: str, into: Path) -> Path:
    """Make the folder of a new connector; return it. ConfigError where the name is no name, is taken, or is in the way."""
    if not registry.NAME.fullmatch(name):
        raise ConfigError(f'"{shown(name)}" names no connector: small letters, digits and _, a letter first')
    taken = registry.catalogue().get(name)
    if taken is not None:
        raise ConfigError(f'there is a connector "{name}" already: {taken}; take another name')
    folder = into / name
    try:
        folder.mkdir(parents=True)
        for file in FILES:
            text = (STARTER / file).read_text("utf-8").replace(PLACEHOLDER.upper(), name.upper())
            (folder / file).write_text(text.replace(PLACEHOLDER, name), "utf-8")
    except FileExistsError:
        raise ConfigError(f"{folder} is there already and was left as it is") from None
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be made: {error.strerror}") from error
    return folder

"""The way from an older store to this version's tables. Alembic is imported only when there is something to do."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

import sqlalchemy as sa

from syncd.store import schema


class Migrations(NamedTuple):
    """A folder that Alembic understands, and the newest version in it."""

    folder: Path
    head: str

    def knows(self, version: str) -> bool:
        """Say whether there is a way from this version."""
        return version in {file.name.partition("_")[0] for file in (self.folder / "versions").glob("[!_]*_*.py")}

    def run(self, connection: sa.Connection) -> None:
        """Bring the tables to the newest version, inside the transaction of this connection; the caller commits."""
        from alembic import command  # slow to import, seldom needed
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(self.folder).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, self.head)


FOLDER: Final = Path(__file__).parent
MIGRATIONS: Final = Migrations(FOLDER, schema.HEAD)

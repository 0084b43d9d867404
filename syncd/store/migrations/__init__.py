"""The way from an older store to this version's tables. Alembic is imported only when there is something to do."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import sqlalchemy as sa

FOLDER: Final = Path(__file__).parent


def migrate(connection: sa.Connection) -> None:
    """Bring the tables to the newest version, inside the transaction of this connection; the caller commits."""
    from alembic import command  # slow to import, seldom needed
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")

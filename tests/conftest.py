"""What every test may ask for: `pg_url` (a fresh PostgreSQL database) and `address_book` (a fresh CardDAV book)."""

import pytest

pytest.register_assert_rewrite("syncd.kit")  # its checks are tests as well: what differs is shown
pytest_plugins = ("tests.postgres", "tests.radicale")

"""What every test may ask for: `pg_url` (a fresh PostgreSQL database) and `address_book` (a fresh CardDAV book)."""

pytest_plugins = ("tests.postgres", "tests.radicale")

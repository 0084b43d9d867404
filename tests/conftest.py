"""What every test may ask for: `pg_url` (a fresh PostgreSQL database), `address_book` (a fresh CardDAV book), and what
`tests.peers` starts: `tracker` (an empty Roundup), `mailing_list` (an empty list on a Mailman),
`books` (a Tryton without parties), `directory` (an empty branch of a slapd).
"""

import pytest

pytest.register_assert_rewrite("syncd.kit")  # its checks are tests as well: what differs is shown
pytest_plugins = (
    "tests.peers.mailman",
    "tests.peers.roundup",
    "tests.peers.slapd",
    "tests.peers.tryton",
    "tests.postgres",
    "tests.radicale",
)

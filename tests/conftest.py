"""What every test may ask for: `pg_url` (a fresh PostgreSQL database), `address_book` (a fresh CardDAV book), and what
`tests.peers` starts: `tracker` (an empty Roundup), `mailing_list` (an empty list on a Mailman),
`books` (a Tryton without parties), `directory` (an empty branch of a slapd).
"""

import signal

import pytest

# What a shell starts in the background is deaf to Ctrl-C, and so would be whatever is started here.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest.register_assert_rewrite("syncd.kit")  # its checks are tests as well: what differs is shown
pytest_plugins = (
    "tests.peers",
    "tests.postgres",
    "tests.radicale",
)

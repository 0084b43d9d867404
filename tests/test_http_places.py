"""Where the HTTP client goes: addresses that are refused in every spelling, and TLS that is always verified."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from syncd.errors import AccessError, ConfigError, TransientError
from syncd.http.client import Client
from syncd.http.places import parse_url, refusal, resolve
from tests.httpclients import OPEN, Naps, closing, failure
from tests.wire import Cut, Wire, reply, wire

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

_leave_nothing_open = pytest.fixture(autouse=True)(closing)


# Places -------------------------------------------------------------------------------------------------------------

NOT_PUBLIC = """
127.0.0.1 127.1 127.0.1 0x7f.1 0x7f000001 2130706433 017700000001 0177.0.0.1 127.255.255.254 localhost localhost. LOCALHOST
[::1] [0:0:0:0:0:0:0:1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::127.0.0.1] [::] [::ffff:0:127.0.0.1] 0 0.0.0.0 0x0
10.0.0.1 10.255.255.255 012.0.0.1 167772161 172.16.0.1 172.31.255.255 192.168.0.1 192.168.255.255 0xc0a80001
169.254.169.254 0xa9fea9fe 2852039166 169.254.0.1 [fe80::1] [fe80::1%25lo] [::ffff:169.254.169.254] [::ffff:a9fe:a9fe]
[fc00::1] [fd00:ec2::254] [fd12:3456:789a::1] [fec0::1] 100.64.0.1 100.127.255.255 198.18.0.1 198.19.255.255
192.0.0.1 192.0.2.1 198.51.100.1 203.0.113.1 192.88.99.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
[ff02::1] [ff0e::1] [2001:db8::1] [2001::1] [2002:7f00:1::] [64:ff9b::7f00:1] [64:ff9b:1::1] [100::1] [3fff::1] [5f00::1]
①②⑦.⓪.⓪.① 127。0。0。1 ⓛocalhost
""".split()


@pytest.mark.parametrize("host", NOT_PUBLIC)
def test_no_spelling_of_an_address_that_is_not_public_is_connected_to(host: str) -> None:
    tried: list[object] = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        tried.append(address)
        raise ConnectionRefusedError

    def ask() -> None:
        Client("crm", f"https://{host}/", connect=connect, sleep=Naps()).read("GET", "/")

    assert isinstance(failure(ask), ConfigError | TransientError)  # some are no names at all to some resolvers
    assert tried == []


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "0.0.0.0", "[::]", "224.0.0.1", "[::ffff:10.0.0.1]"])
def test_a_private_app_does_not_reach_these_either(host: str) -> None:
    def ask() -> None:
        Client("crm", f"http://{host}/", network="private", sleep=Naps()).read("GET", "/")

    assert "never connects to" in str(failure(ask))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "example.org",
        "//example.org/",
        "https:///path",
        "https://",
        "https://ada@example.org/",
        "https://good.example@127.0.0.1/",
        "https://127.0.0.1#@good.example/",
        "https://127.0.0.1\\@good.example/",
        "https://example.org/?token=1",
        "https://example.org/#x",
        "https://exa mple.org/",
        "https://example.org\t/",
        "https://example.org:0/",
        "https://example.org:99999/",
        "https://example.org:x/",
        "https://[::1/",
        "https://[example.org]/",
        "https://-/",
        "https://a..b/",
        "https://ex%61mple.org/",
        "http://example.org/",
        "javascript:alert(1)",
        "file:///etc/passwd",
    ],
)
def test_a_url_that_may_mean_another_place_is_a_mistake(url: str) -> None:
    error = failure(lambda: Client("crm", url, network="public"))
    assert isinstance(error, ConfigError)
    assert "crm" in str(error)
    assert url.removeprefix("https://") not in str(error) or url == "https://"


@pytest.mark.parametrize(
    ("url", "origin", "path"),
    [
        ("https://Example.ORG/a/b", "https://example.org", "/a/b"),
        ("https://example.org.", "https://example.org", "/"),
        ("https://example.org:443/", "https://example.org", "/"),
        ("https://example.org:8443/", "https://example.org:8443", "/"),
        ("https://[2A00:1450::1]:8443/x", "https://[2a00:1450::1]:8443", "/x"),
        ("https://bücher.example/", "https://xn--bcher-kva.example", "/"),
    ],
)
def test_an_origin_has_one_spelling(url: str, origin: str, path: str) -> None:
    found, rest = parse_url(url, "public")
    assert (str(found), rest) == (origin, path)


def looked_up(*addresses: str) -> Callable[..., Any]:
    return lambda host, port, **_: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]


def test_one_refused_address_among_public_ones_is_enough() -> None:
    origin, _ = parse_url("https://mixed.example/", "public")
    assert resolve(origin, "public", looked_up("93.184.216.34", "2606:2800:220:1::1")) != []
    with pytest.raises(ConfigError):
        resolve(origin, "public", looked_up("93.184.216.34", "10.0.0.1"))
    with pytest.raises(TransientError):
        resolve(origin, "public", looked_up())


def test_the_address_that_was_checked_is_the_one_connected_to() -> None:
    """A name that is public when asked for the first time and private when asked again (rebinding)."""
    answers: Iterator[str] = iter(["93.184.216.34", "127.0.0.1"])
    tried: list[tuple[str, int]] = []

    def lookup(host: str, port: int, **_: Any) -> Any:
        return looked_up(next(answers))(host, port)

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        tried.append(address)
        raise ConnectionRefusedError

    one = Client("crm", "https://rebind.example/", lookup=lookup, connect=connect, sleep=Naps())
    assert isinstance(failure(lambda: one.read("GET", "/")), ConfigError)
    assert tried == [("93.184.216.34", 443)]


@given(st.ip_addresses())
def test_no_address_is_both_private_and_public(address: Any) -> None:
    if refusal(str(address), "public") is None:
        assert refusal(str(address), "private") is None
        assert address.is_global
        assert not address.is_multicast


# TLS ----------------------------------------------------------------------------------------------------------------


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """Make a server's context, and the file of the one authority that vouches for it (itself)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    since, until = NOW - timedelta(days=3650), NOW + timedelta(days=36500)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, since, until)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    signed = builder.sign(key, hashes.SHA256())
    file, secret = folder / "cert.pem", folder / "key.pem"
    file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, secret)
    return context, file


def secure(server: Wire) -> Client:
    url = f"https://book.example:{server.port}/"
    named: dict[str, Any] = {
        "username": "ada",
        "password": "hunter2-pw",
        "sleep": Naps(),
        "lookup": looked_up("127.0.0.1"),
    }
    OPEN.append(Client("crm", url, network="private", **named))
    return OPEN[-1]


def test_tls_is_verified_for_the_name_and_connects_to_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, authority = certificate(tmp_path, "book.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    names: list[str] = []
    context.sni_callback = lambda _, name, __: names.append(name)
    with wire([reply(200, "yes"), reply(200)], context) as server:
        one = secure(server)
        assert one.read("GET", "/").body == b"yes"
        one.read("GET", "/")
        assert server.connections == 1
        assert server.asked[0].headers["host"] == f"book.example:{server.port}"
    assert names == ["book.example"]


@pytest.mark.parametrize("trusted", [True, False])
def test_a_certificate_that_does_not_fit_is_refused(
    trusted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, authority = certificate(tmp_path, "other.example" if trusted else "book.example")
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with wire([], context) as server:
        error = failure(lambda: secure(server).read("GET", "/"))
        assert isinstance(error, AccessError)
        assert "certificate" in str(error)
        assert isinstance(failure(lambda: secure(server).write("PUT", "/", body=b"")), AccessError)
        assert server.asked == []


def test_a_port_without_tls_is_told_so() -> None:
    with wire(lambda _: Cut(b"HTTP/1.1 400 no\r\n\r\n")) as server:
        error = failure(lambda: secure(server).read("GET", "/"))
    assert isinstance(error, TransientError)
    assert "TLS" in str(error)

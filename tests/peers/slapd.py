"""A real slapd (OpenLDAP) for the tests: one server a test process, a branch of its own for each test.

It is the machine's, else one unpacked from Debian's packages below `.venv-peers`: nothing is installed, nothing needs root.
What it really does (and what surprises): an account that is not its root gets at most 500 entries of a search without pages,
two values are the same whatever their capitals (and a telephone number whatever its blanks), times are whole seconds.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import itertools
import os
import shutil
import signal
import subprocess
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.peers import FOLDER, NotInstalledError, alone
from tests.servers import free_port, running

SUFFIX = "dc=example,dc=org"
ROOT, ROOT_PASSWORD = f"cn=admin,{SUFFIX}", "admin-pw"
ACCOUNT, PASSWORD = f"cn=sync,{SUFFIX}", "sync-pw"
READER = f"cn=reader,{SUFFIX}"
INSTALL_SECONDS = 300
_numbers = itertools.count(1)
_LIBRARIES = ("libldap", "libodbc", "libltdl", "libsasl", "libwrap")
CONFIG = """\
include {etc}/schema/core.schema
include {etc}/schema/cosine.schema
include {etc}/schema/inetorgperson.schema
pidfile {folder}/pid
argsfile {folder}/args
modulepath {modules}
moduleload back_mdb
moduleload unique
sizelimit 500
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
TLSCACertificateFile {folder}/authority.pem
database mdb
maxsize 268435456
dbnosync
suffix {suffix}
rootdn {root}
rootpw {password}
directory {folder}/db
index objectClass,entryUUID,entryCSN,mail,uid eq
index modifyTimestamp eq
limits dn.exact="{account}" size.prtotal=unlimited
access to attrs=userPassword by anonymous auth by * none
access to dn.regex="ou=secret," attrs=entryCSN by * none
access to dn.subtree="{suffix}" by dn.exact="{account}" write by * read
overlay unique
unique_uri ldap:///?employeeNumber?sub
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slapd:
    """A running directory, and one branch in it that is empty."""

    port: int
    tls_port: int
    folder: Path
    base: str
    root: Any
    """An ldap3 connection of the directory's root: people's own tool, independent of the connector's."""

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    def add(self, uid: str, **attributes: Any) -> str:
        """Somebody adds a person; give the entryUUID."""
        dn = f"uid={uid},{self.base}"
        self._done(self.root.add(dn, ["inetOrgPerson"], {"cn": "Somebody", "sn": "-", **attributes}))
        return str(self.all(dn, scope="BASE")[0]["entryUUID"][0].decode())

    def dn(self, id_: str) -> str:
        self.root.search(self.base, f"(entryUUID={id_})", attributes=["1.1"])
        [found] = self.root.response
        return str(found["dn"])

    def replace(self, dn: str, **attributes: Sequence[Any]) -> None:
        """Somebody changes an entry; no values clear an attribute."""
        changes = {name.replace("_", ";"): [("MODIFY_REPLACE", list(each))] for name, each in attributes.items()}
        self._done(self.root.modify(dn, changes))

    def one(self, id_: str) -> Mapping[str, Any]:
        return next(each for each in self.all() if each["entryUUID"][0].decode() == id_)

    def all(self, base: str = "", scope: str = "SUBTREE") -> list[dict[str, Any]]:
        """Give all that the branch holds, as bytes; `dn` with it."""
        found = self.root.extend.standard.paged_search(
            base or self.base,
            "(objectClass=inetOrgPerson)",
            scope,
            attributes=["*", "+"],
            paged_size=1000,
            generator=False,
        )
        return [{**each["raw_attributes"], "dn": each["dn"]} for each in found]

    def _done(self, done: bool) -> None:
        assert done, self.root.result


def programs() -> tuple[Path, Path, Path, str]:
    """Give the server, its modules, its configuration, and where its libraries lie; skip the test where there is none."""
    installed = shutil.which("slapd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/libexec")
    if installed is not None and Path("/etc/ldap/schema").is_dir():
        return Path(installed), Path("/usr/lib/ldap"), Path("/etc/ldap"), ""
    try:
        root = unpacked()
    except NotInstalledError as error:
        pytest.skip(f"slapd is not installed: {error}; install it with: apt-get install slapd")
    libraries = ":".join(str(each) for each in sorted(root.glob("usr/lib/*-linux-gnu*")))
    return root / "usr/sbin/slapd", root / "usr/lib/ldap", root / "etc/ldap", libraries


def unpacked() -> Path:
    """Unpack Debian's packages, once."""
    folder = FOLDER / "slapd"
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise NotInstalledError("this is no Debian")
    with alone("slapd"):
        if not (folder / "root" / "usr/sbin/slapd").exists():
            shutil.rmtree(folder, ignore_errors=True)
            (folder / "root").mkdir(parents=True)
            needs = _run("apt-cache", "depends", "slapd").splitlines()
            words = [line.split() for line in needs if line.strip().startswith("Depends:")]
            more = [each[1] for each in words if len(each) == 2 and each[1].startswith(_LIBRARIES)]
            _run("apt-get", "download", "-q", "slapd", *more, cwd=folder)
            for package in sorted(folder.glob("*.deb")):
                _run("dpkg", "-x", str(package), str(folder / "root"))
    return folder / "root"


def _run(*command: str, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        raise NotInstalledError(f"{command[0]}: no end after {INSTALL_SECONDS} seconds") from None
    if done.returncode != 0:
        raise NotInstalledError((done.stderr.strip().splitlines() or [f"{command[0]} failed"])[-1])
    return done.stdout


def certificates(folder: Path) -> None:
    """Make an authority, and a certificate for 127.0.0.1."""
    now = dt.datetime.now(dt.UTC)

    def made(name: str, key: Any, issuer: Any, signer: Any, extension: x509.ExtensionType) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject)
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - dt.timedelta(days=1))
        builder = builder.not_valid_after(now + dt.timedelta(days=30))
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        origin = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        return builder.add_extension(identifier, False).add_extension(origin, False).sign(signer, hashes.SHA256())

    authority, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = made("Tests", authority, None, authority, x509.BasicConstraints(ca=True, path_length=0))
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    leaf = made("directory", server, root.subject, authority, names)
    pem = serialization.Encoding.PEM
    (folder / "authority.pem").write_bytes(root.public_bytes(pem))
    (folder / "server.pem").write_bytes(leaf.public_bytes(pem))
    plain = serialization.NoEncryption()
    (folder / "server.key").write_bytes(server.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))


def people(port: int) -> Any:
    """Connect as the directory's root with people's own tool."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it uses names of pyasn1 that are going away
        import ldap3
    server = ldap3.Server("127.0.0.1", port, get_info=ldap3.NONE)
    return ldap3.Connection(server, ROOT, ROOT_PASSWORD, auto_bind=True)


@pytest.fixture(scope="session")
def slapd_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    server, modules, etc, libraries = programs()
    folder = tmp_path_factory.mktemp("slapd")
    certificates(folder)
    tls_ports: list[int] = []
    said = {"etc": etc, "modules": modules, "folder": folder, "suffix": SUFFIX}
    accounts = {"root": ROOT, "password": ROOT_PASSWORD, "account": ACCOUNT}
    (folder / "slapd.conf").write_text(CONFIG.format(**said, **accounts))

    def command(port: int) -> list[str]:
        shutil.rmtree(folder / "db", ignore_errors=True)
        (folder / "db").mkdir()
        tls_ports.append(free_port())
        urls = f"ldap://127.0.0.1:{port}/ ldaps://127.0.0.1:{tls_ports[-1]}/"
        with_libraries = ["/usr/bin/env", f"LD_LIBRARY_PATH={libraries}"] if libraries else []
        return [*with_libraries, str(server), "-d", "0", "-f", str(folder / "slapd.conf"), "-h", urls]

    with running(command, ready=None, stop=signal.SIGTERM) as (port, _):
        root = people(port)
        assert root.add(SUFFIX, ["dcObject", "organization"], {"dc": "example", "o": "Example"}), root.result
        for account in (ACCOUNT, READER):
            name = account.partition(",")[0].partition("=")[2]
            assert root.add(account, "person", {"cn": name, "sn": name, "userPassword": PASSWORD}), root.result
        yield Slapd(port=port, tls_port=tls_ports[-1], folder=folder, base=SUFFIX, root=root)
        root.unbind()


@pytest.fixture
def directory(slapd_server: Slapd) -> Slapd:
    """Give an empty branch."""
    return branch_of(slapd_server)


def branch_of(server: Slapd) -> Slapd:
    """Make a branch that nobody else uses."""
    base = f"ou=people{next(_numbers)},{SUFFIX}"
    assert server.root.add(base, "organizationalUnit"), server.root.result
    return Slapd(port=server.port, tls_port=server.tls_port, folder=server.folder, base=base, root=server.root)

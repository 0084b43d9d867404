"""A real slapd (OpenLDAP): one server for many questions, a branch of its own for each.

It is the machine's, else one unpacked from Debian's packages below `.venv-peers`: nothing is installed, nothing needs root.
What it really does (and what surprises): an account that is not its root gets at most 500 entries of a search without pages,
two values are the same whatever their capitals (and a telephone number whatever its blanks), times are whole seconds.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib.util
import ipaddress
import itertools
import os
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from syncd.kit import peers
from syncd.kit.peers import NotInstalledError
from syncd.kit.servers import free_port, running

NAME, PROGRAM = "ldap", "slapd"
SUFFIX = "dc=example,dc=org"
ROOT, ROOT_PASSWORD = f"cn=admin,{SUFFIX}", "admin-pw"
ACCOUNT, PASSWORD = f"cn=sync,{SUFFIX}", "sync-pw"
READER = f"cn=reader,{SUFFIX}"
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

    def branch(self) -> Slapd:
        """Make a branch that nobody else uses."""
        base = f"ou=people{next(_numbers)},{SUFFIX}"
        self._done(self.root.add(base, "organizationalUnit"))
        return Slapd(port=self.port, tls_port=self.tls_port, folder=self.folder, base=base, root=self.root)

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
    """Give the server, its modules, its configuration, and where its libraries lie. Raises NotInstalledError."""
    installed = shutil.which("slapd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/libexec")
    if installed is not None and Path("/etc/ldap/schema").is_dir():
        return Path(installed), Path("/usr/lib/ldap"), Path("/etc/ldap"), ""
    root = _root()
    if not (root / "usr/sbin/slapd").exists():
        raise NotInstalledError(
            "ldap is proven against a real slapd, and there is none here; install it with: "
            f"apt-get install slapd, or without root: {peers.command(NAME)}"
        )
    libraries = ":".join(str(each) for each in sorted(root.glob("usr/lib/*-linux-gnu*")))
    return root / "usr/sbin/slapd", root / "usr/lib/ldap", root / "etc/ldap", libraries


def install() -> Path:
    """Unpack Debian's packages, unless it is here; give the folder with the server."""
    with contextlib.suppress(NotInstalledError):
        return programs()[0].parent
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise NotInstalledError("this is no Debian; install OpenLDAP's slapd")
    root = _root()
    with peers.alone(PROGRAM):
        if not (root / "usr/sbin/slapd").exists():
            shutil.rmtree(root.parent, ignore_errors=True)
            root.mkdir(parents=True)
            needs = peers.run(["apt-cache", "depends", PROGRAM]).splitlines()
            words = [line.split() for line in needs if line.strip().startswith("Depends:")]
            more = [each[1] for each in words if len(each) == 2 and each[1].startswith(_LIBRARIES)]
            peers.run(["apt-get", "download", "-q", PROGRAM, *more], cwd=root.parent)
            for package in sorted(root.parent.glob("*.deb")):
                peers.run(["dpkg", "-x", str(package), str(root)])
    return programs()[0].parent


def _root() -> Path:
    return peers.folder() / PROGRAM / "root"


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


@contextlib.contextmanager
def started() -> Iterator[Slapd]:
    """Run a directory while the block runs. Raises NotInstalledError."""
    server, modules, etc, libraries = programs()
    if importlib.util.find_spec("ldap3") is None:
        raise NotInstalledError("who works in the directory does so by ldap3, which is not here: pip install ldap3")
    with tempfile.TemporaryDirectory(prefix="syncd-slapd-") as made:
        folder, tls_ports = Path(made), list[int]()
        certificates(folder)
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

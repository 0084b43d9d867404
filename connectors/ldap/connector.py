"""The LDAP connector: entries of a directory are people. See README.md for what it asks of the directory.

Its parts are imported when an app is opened, not before: a run without LDAP apps does not pay for it.
"""

from __future__ import annotations

from typing import Final

from syncd.connector import App, Connector, Opening
from syncd.model import FieldMap, Setting, Spec

from .places import DEFAULT_PATHS

SPEC: Final = Spec(
    name="ldap",
    summary="a directory (LDAP, RFC 4511; OpenLDAP is tested): people below one branch, everything else in an entry untouched",
    settings=(
        Setting(name="url", type="url", required=True, help="ldaps://directory.example.org, or ldap:// with StartTLS"),
        Setting(name="base", required=True, help="the branch with the people, as ou=people,dc=example,dc=org"),
        Setting(name="bind_dn", help="the account, by its name in the directory; without it nobody logs in"),
        Setting(name="filter", default="(objectClass=inetOrgPerson)", help="which entries are people (RFC 4515)"),
        Setting(name="scope", default="sub", help="sub: everything below `base`; one: right below it only"),
        Setting(
            name="object_classes",
            type="list",
            default=["inetOrgPerson"],
            help="what new entries are, and fields belong to",
        ),
        Setting(name="new_entries", help="the branch for new entries; `base` if not given"),
        Setting(
            name="naming",
            default="uid",
            help="the attribute that names a new entry: its value if a field is there, else one that is drawn",
        ),
        Setting(
            name="new_values", type="list", default=[], help="what each new entry holds besides, as employeeType=staff"
        ),
        Setting(name="archive_mark", help="how an entry is archived: by this value, as employeeType=former"),
        Setting(name="archive_branch", help="or by moving it to this branch, outside of `base`"),
        Setting(
            name="overlap",
            type="number",
            default=120,
            help="seconds that are read again: more than the directory's servers lag behind each other",
        ),
        Setting(name="starttls", type="boolean", default=True, help="false: plain text; with `network: private` only"),
        Setting(name="ca_file", type="path", help="a file with the authority that signed the certificate (PEM)"),
    ),
    secrets=(Setting(name="password", help="the password of `bind_dn`"),),
    fields={name: FieldMap(path=path) for name, path in DEFAULT_PATHS.items()},
    any_path=True,
    create=True,
    update=True,
    archive=True,
    incremental=True,
    versions="opaque",
    lost_update="cas",
    rung="E",
    parts=("filter", "scope"),
    network=True,
    write_batch=100,
    quirks=(
        "Deletions are found by listing: whoever is not in two complete ones is asked for.",
        "Where the server has no assertion control (RFC 4528), an edit at the same moment may be overwritten; `check` says so.",
        "Attributes that OpenLDAP's overlay `unique` guards are compared by their values, without regard to capitals.",
        "Entries are archived only where the operator says how (`archive_mark` or `archive_branch`).",
        "A value that is part of an entry's name is not written: nobody is renamed.",
    ),
)


def _open(opening: Opening) -> App:
    from .directory import open_directory

    return open_directory(SPEC, opening)


CONNECTOR: Final = Connector(spec=SPEC, open=_open)

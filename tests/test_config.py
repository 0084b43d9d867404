"""The configuration: what an operator writes, and what syncd makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.config import Process
from syncd.core.plan import Limit
from syncd.model import FieldMap
from tests.configs import DAV, A, Load, load_fixture, problems

__all__ = ["load_fixture"]

FULL = """\
version: 1
store: sqlite:///var/hub.db
apps:
  crm:
    connector: sql
    settings: {url: "sqlite:///crm.db", batch: 50, tables: [a, b], readonly: true}
    secrets: {username: env:CRM_USER, password: "file:crm.password"}
    poll: 90s
    sweep: "30 4 * * 0"
    writes: {create: false}
    scope: 'contact.lifecycle in ["lead", "customer"]'
    on_leave: archive
    on_delete: archive
    trust: low
    network: private
    fields:
      phone: {path: Telefon, direction: in, region: DE, max_length: 20}
      industry: {path: Branche, values: {IT: Software}, required: true, placeholder: unbekannt}
  book:
    connector: dav
    settings: {url: "https://dav.example.com:8443/me@example.com/"}
    secrets: {token: {cmd: [printf, "%s", dav-token]}}
    fields: {phone: {path: TEL;CELL}, email: {direction: in}}
match: [[email], [phone, last_name]]
fields:
  company: {policy: {owner: crm}}
  job_title: {policy: {rank: [book, crm]}, blank: propagate, settle: 5m}
  tags: {type: set}
  shoe_size: {type: choice, choices: ["36", "37"]}
  address: {group: [street, city], policy: ask}
settle: 10s
guards: {updates: 7, clears: "2%", creates: "max(1, 0.5%)", opt_outs: 40}
"""


def test_everything_that_can_be_said_arrives(load: Load, tmp_path: Path) -> None:
    (tmp_path / "crm.password").write_text("s3cret\r\n")
    config = load(FULL, environ={"CRM_USER": "ada", "PATH": "/bin:/usr/bin"})
    crm, book = config.apps
    assert (crm.name, crm.connector, crm.poll_seconds, crm.sweep) == ("crm", "sql", 90.0, "30 4 * * sun")
    assert (crm.create, crm.update, crm.on_leave, crm.on_delete) == (False, True, "archive", "archive")
    assert (crm.trust, crm.network, book.trust, book.network) == ("low", "private", "high", "public")
    assert crm.scope == 'contact.lifecycle in ["lead", "customer"]'
    assert crm.settings == {"url": f"sqlite:///{tmp_path}/crm.db", "batch": 50, "tables": ["a", "b"], "readonly": True}
    assert {name: secret.reveal() for name, secret in crm.secrets.items()} == {"username": "ada", "password": "s3cret"}
    assert book.secrets["token"].reveal() == "dav-token"
    assert crm.fields["phone"] == FieldMap(path="Telefon", direction="in", max_length=20, options={"region": "DE"})
    assert crm.fields["industry"].values == {"IT": "Software"}
    assert crm.fields["industry"].options == {"placeholder": "unbekannt"}
    assert book.fields["email"] == FieldMap(path="EMAIL", direction="in")
    assert book.fields["company"] == FieldMap(path="ORG", required=True)
    assert config.match == (("email",), ("phone", "last_name"))
    assert (config.fields["company"].policy.kind, config.fields["company"].policy.apps) == ("owner", ("crm",))
    assert (config.fields["job_title"].policy.kind, config.fields["job_title"].policy.apps) == ("rank", ("book", "crm"))
    assert (config.fields["job_title"].blank, config.fields["job_title"].settle_seconds) == ("propagate", 300)
    assert config.fields["email"].settle_seconds == 10
    assert config.fields["shoe_size"].options == {"choices": ["36", "37"]}
    assert config.groups == {"address": ("street", "city")}
    assert (config.fields["city"].group, config.fields["city"].policy.kind) == ("address", "ask")
    assert (config.fields["country"].group, config.fields["country"].policy.kind) == (None, "latest")
    assert config.guards["updates"] == Limit(absolute=7, percent=0)
    assert config.guards["clears"] == Limit(absolute=0, percent=2)
    assert config.guards["creates"] == Limit(absolute=1, percent=0.5)
    assert config.guards["opt_outs"] == Limit(absolute=40, percent=0)
    assert config.store == f"sqlite:///{tmp_path}/var/hub.db"
    assert config.data_dir == tmp_path / "var"


def test_a_path_given_to_one_field_is_taken_from_the_field_that_had_it(load: Load) -> None:
    app = load(DAV % ", fields: {phone: {path: TEL;CELL}}", environ={"T": "x"}).app("a")
    assert {name: where.path for name, where in app.fields.items()} == {
        "email": "EMAIL",
        "phone": "TEL;CELL",
        "company": "ORG",
    }


def test_apps_are_all_that_must_be_said(load: Load, tmp_path: Path) -> None:
    config = load(A)
    [app] = config.apps
    assert (app.poll_seconds, app.sweep, app.create, app.update, app.scope) == (60, "0 3 * * *", True, True, None)
    assert (app.trust, app.on_leave, app.on_delete, app.network) == ("high", "keep", "unlink", "public")
    assert app.settings == {"path": str(tmp_path / "a.csv"), "key": "id", "encoding": "utf-8"}
    assert config.match == (("email",),)
    assert config.store == f"sqlite:///{tmp_path}/var/syncd.db"
    assert {name: (limit.absolute, limit.percent) for name, limit in config.guards.items()} == {
        "updates": (50, 5),
        "clears": (10, 1),
        "creates": (100, 10),
        "unlinks": (5, 0.5),
        "archives": (5, 0.5),
    }
    kinds = {name: config.fields[name].policy.kind for name in ("email", "tags", "other_emails", "email_consent")}
    assert kinds == {"email": "latest", "tags": "set", "other_emails": "set", "email_consent": "restrictive"}
    assert {rule.blank for rule in config.fields.values()} == {"ignore"}
    assert config.groups == {"address": ("street", "postal_code", "city", "region", "country")}


def test_the_files_of_a_folder_are_one_configuration(load: Load, tmp_path: Path) -> None:
    parts = {"b.yaml": "guards: {updates: 9}\n" + A.replace("a:", "b:"), "a.yml": A, "note.txt": "x", ".c.yaml": "y: 1"}
    config = load(parts)
    assert [app.name for app in config.apps] == ["a", "b"]
    assert config.app("a").settings["path"] == str(tmp_path / "c" / "a.csv")


def test_a_key_in_two_files_names_both(load: Load) -> None:
    assert problems(load, {"1.yaml": A + "match: [[email]]", "2.yaml": A + "match: [[phone]]"}) == [
        "c/2.yaml:1:8: apps.a: also given at c/1.yaml:1:8; keep one",
        "c/2.yaml:2:1: match: also given at c/1.yaml:2:1; keep one",
    ]


def test_no_is_a_word_and_true_is_not(load: Load) -> None:
    text = "apps: {no: {connector: csv, settings: {path: no, key: on}}, a: {connector: csv, settings: {path: 'true', key: null.}}}"
    config = load(text)
    assert [app.name for app in config.apps] == ["no", "a"]
    assert config.apps[0].settings["key"] == "on"
    assert config.apps[0].settings["path"].endswith("/no")


@pytest.mark.parametrize(
    ("extra", "store", "data_dir"),
    [
        ("store: sqlite:////abs/x.db", "sqlite:////abs/x.db", "/abs"),
        ("store: 'sqlite://'", "sqlite://", "{tmp}/var"),
        ("store: 'sqlite:///:memory:'", "sqlite:///:memory:", "{tmp}/var"),
        ("store: 'sqlite:///x.db?timeout=3'", "sqlite:///{tmp}/x.db?timeout=3", "{tmp}"),
        ("store: postgresql://db/x", "postgresql+psycopg://db/x", "{tmp}/var"),
        ("store: env:DB", "postgresql+psycopg://u:pw@db/x", "{tmp}/var"),
    ],
)
def test_where_the_hub_remembers(load: Load, tmp_path: Path, extra: str, store: str, data_dir: str) -> None:
    config = load(A + extra, environ={"DB": "postgresql://u:pw@db/x"})
    assert config.store == store.replace("{tmp}", str(tmp_path))
    assert str(config.data_dir) == data_dir.replace("{tmp}", str(tmp_path))
    assert "pw" not in repr(config)


def test_what_is_not_built_yet_is_refused_and_not_overlooked(load: Load) -> None:
    text = A.replace("}}", "}, on_leave: unsubscribe}") + "alerts: [{to: me}]\n"
    assert problems(load, text) == [
        "c.yaml:1:72: apps.a.on_leave: unsubscribe is not built yet, nobody would be unsubscribed; say keep or archive",
        "c.yaml:2:1: alerts: is not built yet, nobody would be told; leave it out, and watch exit codes and `syncd status --json`",
    ]


def test_settings_of_the_process_win_over_the_file(load: Load, tmp_path: Path) -> None:
    process = Process(data_dir=tmp_path / "data", database_url="postgresql+psycopg://u:pw@db/x")
    config = load(A + "store: sqlite:///x.db", process=process)
    assert (config.store, config.data_dir) == ("postgresql+psycopg://u:pw@db/x", tmp_path / "data")
    config = load(A, process=Process(data_dir=tmp_path / "data"))
    assert config.store == f"sqlite:///{tmp_path}/data/syncd.db"


def test_the_hash_changes_with_decisions_only(load: Load) -> None:
    base = load(A).hash
    assert load(A).hash == base
    for same in ("guards: {updates: 1}", "store: sqlite:///y.db", A and "version: 1"):
        assert load(A + same).hash == base
    for other in (
        "match: [[phone]]",
        "fields: {phone: {region: GB}}",
        "fields: {company: {policy: ask}}",
        "settle: 1s",
    ):
        assert load(A + other).hash != base
    assert load(A.replace("}}}", "}, fields: {phone: {path: T}}}}")).hash != base

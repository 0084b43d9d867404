"""Manifests: what is right is compiled, what is wrong is told with its place, and the pages tell the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from ruamel.yaml import YAML

from syncd import registry
from syncd.connector import Opening
from syncd.errors import ConfigError
from syncd.http import schema
from syncd.http.auth import chosen
from syncd.http.compiling import load_manifest
from syncd.http.terms import Manifest
from tests.openapi import Document

ROOT = Path(__file__).parent.parent
MANIFESTS = sorted(file.parent.name for file in (ROOT / "connectors").glob("*/manifest.yaml"))
GOOD = """\
manifest: 1
summary: a test
settings:
  url: {type: url, required: true, help: address}
  region: {help: where}
secrets:
  token: {help: a token}
address: "{url}/api"
auth: {bearer: "{token}"}
check: {call: GET /me}
record: {id: id, version: rev}
fields:
  email: {path: mail}
  first_name: {path: name.first, max_length: 10}
  email_consent:
    path: status
    values: {opted_in: subscribed, opted_out: unsubscribed}
    consent: {opt_out: {call: "POST /people/{id}/stop"}, with_create: body}
list:
  call: GET /people
  query: {limit: "{size}", after: "{cursor}"}
  items: people
  page: {cursor: next}
changes:
  call: GET /people
  query: {since: "{since}"}
  items: people
  since: {stamp: changed, overlap: 5s}
get: {call: "GET /people/{id}"}
create: {call: POST /people, body: {person: "{record}", status: unknown}, answer: person}
update: {call: "PUT /people/{id}", body: {"...": "{record}", rev: "{version}"}, answer: .}
errors:
  - {status: [409], then: exists, field: email}
claims: {rung: D, unique: [email]}
"""


def compiled(folder: Path, text: str) -> Manifest:
    file = folder / "manifest.yaml"
    file.write_text(text)
    return load_manifest(file, "mine")


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        compiled(folder, text)
    return [str(each).removeprefix(f"{folder}/manifest.yaml:") for each in caught.value.problems]


def test_what_is_right_is_compiled_and_states_what_it_does(tmp_path: Path) -> None:
    spec = compiled(tmp_path, GOOD).spec
    assert (spec.name, spec.network, spec.create, spec.update, spec.archive) == ("mine", True, True, True, False)
    assert (spec.incremental, spec.lost_update, spec.versions, spec.rung) == (True, "cas", "opaque", "D")
    assert spec.fields["first_name"].max_length == 10
    assert [(each.name, each.required) for each in spec.settings] == [("url", True), ("region", False)]
    blind = compiled(tmp_path, GOOD.replace(', rev: "{version}"', "")).spec
    assert blind.lost_update == "blind"


JOB = "body: {all: '{items}'}, results: {items: done}, job: {id: id, state: state, ended: [done]"
FOLLOWED = (
    "list: {call: GET /t, items: t}, "
    "changes: {call: GET /t, query: {s: '{since}'}, items: t, since: {stamp: at, overlap: 5s}}"
)
WRONG: dict[str, tuple[str, str, str]] = {
    "an unknown key": ("summary: a test", "sumary: a test", '2:1: sumary: unknown key, did you mean "summary"?'),
    "a key that is missing": ('address: "{url}/api"\n', "", '1:1: needs the key "address"'),
    "a wrong word": ("rung: D", "rung: G", "34:16: claims.rung: expected one of C, D, E, F"),
    "a path": ("{path: mail}", "{path: mail..x}", "13:17: fields.email.path: expected a path such as"),
    "two lists in a path": (
        "path: mail",
        'path: "a[0].b[1]"',
        "13:17: fields.email.path: the path of a field begins with a name",
    ),
    "a brace": ('"{url}/api"', '"{url/api"', "8:10: address: expected {name}"),
    "a name that nobody knows": ("{cursor}", "{curser}", 'nothing is called {curser} here, did you mean "cursor"?'),
    "a secret outside of auth": (
        "{call: GET /me}",
        "{call: GET /me, query: {t: '{token}'}}",
        "nothing is called {token} here",
    ),
    "a page that is never asked for": (', after: "{cursor}"', "", "the next page is never asked for: use {cursor}"),
    "two pagers": ("{cursor: next}", "{cursor: next, number: 1}", "take one of cursor and number"),
    "a cursor of nothing": ("since: {stamp: changed, overlap: 5s}", "since: {overlap: 5s}", "made of `stamp`, `token`"),
    "passing what has no order": (
        "since: {stamp: changed, overlap: 5s}",
        "since: {stamp: changed, overlap: 5s, own: passed}",
        "can only pass what is `ordered`",
    ),
    "deleted items that nobody knows": (
        "  page: {cursor: next}\nchanges",
        "  page: {cursor: next}\n  deleted: true\nchanges",
        "list.deleted: by what is a deleted item known? say `record.gone`",
    ),
    "no since": ('{since: "{since}"}', "{}", "does not say since when: use {since} in it"),
    "a version nobody has": (", version: rev}", "}", "{version} is not known: say where a record has it"),
    "a version from two places": (
        "get: {call",
        'guard: {call: "GET /people/{id}", version: rev}\nget: {call',
        "guard: records have a version already",
    ),
    "who opts in by making": (
        "status: unknown",
        "status: Subscribed",
        "30:30: create.body: holds the word for opted in",
    ),
    "who opts in by changing": (
        'rev: "{version}"}, answer',
        'rev: "{version}", state: {now: subscribed}}, answer',
        "update.body: holds the word for opted in",
    ),
    "consent that is a field": (
        "    consent: {opt",
        "    # {opt",
        "is consent: say how it is written under `consent:`",
    ),
    "a body of a GET": ("{call: GET /me}", "{call: GET /me, body: {}}", "check.body: GET has no body"),
    "a query in the path": ("GET /me", "GET /me?x=1", "a path has no ?, # and //"),
    "a call that is none": ("GET /me", "FETCH /me", "expected a method and a path, such as GET /contacts/{id}"),
    "a rule for everything": ("{status: [409], then", "{then", "fits every answer: add `status`"),
    "a code from nowhere": (
        "{status: [409], then",
        "{status: [409], is: [x], then",
        "but not where: add `at` or `header`",
    ),
    "a new record made of a field that nobody can map": (
        "answer: person}",
        "answer: person, fill: [{path: name, with: ['{last_name}']}]}",
        "nothing is called {last_name} here",
    ),
    "a discovery of fields that nobody may map": (
        "get: {call",
        "discover: {call: GET /fields, items: fields, name: key}\nget: {call",
        "discover: finds fields that nobody may map: say `record.any_path: true`",
    ),
    "a discovered path without a name": (
        "get: {call",
        "discover: {call: GET /fields, items: fields, name: key, path: own}\nget: {call",
        "discover.path: expected a path with {name} at its end",
    ),
    "types from nowhere": (
        "get: {call",
        "discover: {call: GET /fields, items: fields, name: key, types: {int: number}}\nget: {call",
        "discover.types: says what the types mean, but not where they are: add `type`",
    ),
    "a type on the wire that there is not": (
        "get: {call",
        "discover: {call: GET /fields, items: fields, name: key, type: t, types: {int: integer}}\nget: {call",
        "discover.types.int: expected one of",
    ),
    "a job that is not asked for": (
        "update: {call",
        f"update: {{batch: {{call: PUT /people, item: {{id: '{{id}}', rev: '{{version}}'}}, {JOB}, call: GET /jobs}}}}, call",
        "update.batch.job.call: a job is asked for by GET, with {job} in it",
    ),
    "a job that may outlive what the app claims": (
        "update: {call",
        f"update: {{batch: {{call: PUT /people, item: {{id: '{{id}}', rev: '{{version}}'}}, {JOB}, call: 'GET /jobs/{{job}}'}}}}, call",
        "update.batch.job: a job that was lost sight of may work that long: `claims.lag` must cover it",
    ),
    "a stream that is written": (
        "get: {call",
        "streams: {tickets: {list: {call: POST /tickets, items: t}, record: user, fields: {s: {path: s}}}}\nget: {call",
        "streams.tickets.list.call: a stream is only read: GET",
    ),
    "a stream of which nothing can be asked": (
        "get: {call",
        "streams: {tickets: {list: {call: GET /t, items: t}, record: user, fields: {}}}\nget: {call",
        "streams.tickets.fields: needs at least 1 entry",
    ),
    "a stream in the singular": (
        "get: {call",
        "streams: {ticket: {list: {call: GET /t, items: t}, record: user, fields: {s: {path: s}}}}\nget: {call",
        "streams.ticket: expected a name in the plural, such as tickets",
    ),
    "a stream that tells what changed and not what is": (
        "get: {call",
        f"streams: {{tickets: {{{FOLLOWED}, record: user, fields: {{s: {{path: s}}}}}}}}\nget: {{call",
        "streams.tickets: `changes` tells which records to look at and `of` what they have: say both, or none",
    ),
    "a stream of one record that does not say of which": (
        "get: {call",
        f"streams: {{tickets: {{{FOLLOWED}, of: {{call: GET /t, items: t}}, record: user, fields: {{s: {{path: s}}}}}}}}\nget: {{call",
        "streams.tickets.of: does not say of which record: use {id} in it",
    ),
    "a mark that says nothing": (
        "get: {call",
        "discover: {call: GET /fields, items: fields, name: key, leave_out: [{path: old}]}\nget: {call",
        "discover.leave_out[0]: needs `is` or `unless`, one of both",
    ),
    "a field nobody has": ("field: email}", "field: emial}", 'errors[0].field: no such field, did you mean "email"?'),
    "a create that tells nothing": (", status: unknown}, answer: person}", "}}", "nothing says which record was made"),
    "a spread of something": ('"...": "{record}"', '"...": "{id}"', '"..." takes {record}'),
    "a slip in a field's name": ("first_name:", "fist_name:", 'no standard field, did you mean "first_name"?'),
    "a setting that shadows": ("region: {help", "cursor: {help", "settings.cursor: is the name of something else"),
    "a batch of lookups": (
        ", status: unknown}, answer: person}",
        "}, answer: person, unless_found: email, batch: {call: POST /p, item: {}, results: {items: .}}}",
        "create.unless_found: what is looked up first is made one by one",
    ),
    "a field beside the record": (
        "first_name: {path: name.first,",
        "first_name: {path: name.first, top: true, blank: empty,",
        "create.call: never writes first_name, which lies outside of {record}: use {first_name} in it",
    ),
    "a field beside the record that cannot be cleared": (
        "first_name: {path: name.first,",
        "first_name: {path: name.first, top: true,",
        "fields.first_name: is cleared by null, which no {name} can say",
    ),
    "consent beside the record": (
        "    path: status\n",
        "    path: status\n    top: true\n",
        "create.call: never writes email_consent, which lies outside of {record}",
    ),
    "an item that is not found again": (
        "email: {path: mail}",
        'email: {path: "mails[primary=true].value", item: {primary: false}}',
        "fields.email.item.primary: the path looks for true",
    ),
    "an item that is none": (
        "first_name: {path: name.first,",
        "first_name: {path: name.first, blank: removed,",
        "fields.first_name.blank: no item of a list lies there",
    ),
    "gone in two ways": (
        "version: rev}",
        "version: rev, gone: [{path: a, is: [x], unless: [y]}]}",
        "needs `is` or `unless`",
    ),
    "tokens from nowhere": (
        '{bearer: "{token}"}',
        '{oauth2: {grant: refresh_token, url: "{url}/t", client_id: a}}',
        'auth.oauth2: needs the key "authorize" or "refresh_token"',
    ),
    "nobody who asks": (
        '{bearer: "{token}"}',
        '{oauth2: {grant: client_credentials, url: "{url}/t"}}',
        'auth.oauth2: needs the key "client_id"',
    ),
    "a person who is not asked": (
        '{bearer: "{token}"}',
        '{oauth2: {grant: client_credentials, url: "{url}/t", client_id: a, authorize: {url: "{url}/a"}}}',
        "auth.oauth2.authorize: nobody is asked with the grant client_credentials",
    ),
    "a secret in a page": (
        '{bearer: "{token}"}',
        '{oauth2: {grant: refresh_token, url: "{url}/t", client_id: a, authorize: {url: "{url}/{token}"}}}',
        "auth.oauth2.authorize.url: nothing is called {token} here",
    ),
    "a signed token that nobody sends": (
        '{bearer: "{token}"}',
        '{oauth2: {grant: client_credentials, url: "{url}/t", client_id: a, assertion: {algorithm: HS256, key: x}}}',
        '"assertion" belongs to the grant jwt_bearer',
    ),
    "a time of its own": (
        '{bearer: "{token}"}',
        '{jwt: {algorithm: HS256, key: "{token}", claims: {exp: 5}}}',
        "auth.jwt.claims.exp: comes by itself",
    ),
    "a key pair as a text": (
        '{bearer: "{token}"}',
        '{jwt: {algorithm: RS256, key: "{token}", key_as: hex}}',
        "auth.jwt.key_as: is for shared secrets",
    ),
    "a quota of nothing": (
        "claims: {rung",
        "limits: {quota: [{limit: X}]}\nclaims: {rung",
        "needs `remaining` or `used_of`",
    ),
    "a share of nothing": (
        "claims: {rung",
        "limits: {quota: [{remaining: X, reserve: 5}]}\nclaims: {rung",
        "limits.quota[0].reserve: is a share of what? say `limit` or `most`",
    ),
    "a bucket of both": (
        "claims: {rung",
        "limits: {buckets: [{requests: 5, tokens: 5, per: 1s}]}\nclaims: {rung",
        "limits.buckets[0]: needs `requests` or `tokens`",
    ),
    "a cost of nothing": (
        "claims: {rung",
        "limits: {cost: {lists: 5}}\nclaims: {rung",
        'limits.cost.lists: no operation, did you mean "list"?',
    ),
    "no login": ('{bearer: "{token}"}', "{}", "auth: expected a kind of login"),
    "a spread in vain": ("unique: [email]", "unique: [phone]", "claims.unique[0]: no such field"),
}


def test_a_new_record_may_be_made_of_what_the_operator_maps(tmp_path: Path) -> None:
    filled = GOOD.replace("answer: person}", "answer: person, fill: [{path: name, with: ['{last_name}']}]}", 1)
    free = filled.replace("version: rev}", "version: rev, any_path: true}", 1)
    assert compiled(tmp_path, free).create is not None
    [told] = problems(tmp_path, free.replace("{last_name}", "{lastname}"))
    assert 'nothing is called {lastname} here, did you mean "last_name"?' in told


def test_the_first_login_counts_that_is_given(tmp_path: Path) -> None:
    bearer, oauth = compiled(
        tmp_path,
        GOOD.replace(
            '{bearer: "{token}"}',
            '{bearer: "{token}", oauth2: {grant: client_credentials, url: "{url}/t", client_id: "{region}"}}',
        ),
    ).auth
    given: dict[str, Any] = {"app": "crm", "fields": {}, "known": {}}
    both = Opening(settings={"url": "u", "region": "eu"}, secrets={"token": "t"}, **given)
    assert chosen((bearer, oauth), both) is bearer
    assert chosen((oauth, bearer), both) is oauth
    assert chosen((bearer, oauth), replace(both, secrets={"token": ""})) is oauth
    with pytest.raises(ConfigError, match="its login needs token, or url and region"):
        chosen((bearer, oauth), Opening(settings={"url": "u"}, secrets={}, **given))


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told_with_its_place(case: str, tmp_path: Path) -> None:
    old, new, message = WRONG[case]
    assert old in GOOD
    told = problems(tmp_path, GOOD.replace(old, new, 1))
    assert any(message in each for each in told), told
    assert all(each[0].isdecimal() for each in told), "a problem without its place"


def test_what_is_not_read_again_is_written_conditionally(tmp_path: Path) -> None:
    passing = GOOD.replace("overlap: 5s", "ordered: true, own: passed")
    changes = compiled(tmp_path, passing).changes
    assert changes is not None
    assert changes.since.passes_own
    [told] = problems(tmp_path, passing.replace(', rev: "{version}"', ""))
    assert "changes.since.own: needs conditional updates: use {version} in `update`" in told


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    text = (
        GOOD.replace("{cursor}", "{curser}")
        .replace("status: unknown", "status: subscribed")
        .replace("GET /me", "GET /x?")
    )
    assert [each.partition(" ")[0] for each in problems(tmp_path, text)] == ["10:15:", "21:35:", "23:3:", "30:30:"]


def test_a_manifest_that_is_wrong_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "manifest.yaml").write_text(GOOD.replace("rung: D", "rung: G"))
    with pytest.raises(ConfigError, match=r"manifest\.yaml:34:16: claims"):
        registry.load(str(tmp_path / "mine"))


def test_the_published_schema_is_what_the_code_checks() -> None:
    said = (ROOT / "docs" / "manifest.schema.json").read_bytes()
    assert said == schema.text(), "python -m syncd.http.schema > docs/manifest.schema.json"


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_schema_takes_our_manifests(name: str) -> None:
    document: Any = YAML(typ="safe").load(ROOT / "connectors" / name / "manifest.yaml")
    said = orjson.loads(schema.text())
    assert list(Document(said).check(orjson.loads(orjson.dumps(document)), said, "manifest")) == []


@pytest.mark.parametrize("name", MANIFESTS)
def test_every_manifest_says_what_errors_mean(name: str) -> None:
    manifest = load_manifest(ROOT / "connectors" / name / "manifest.yaml", name)
    assert manifest.spec.create <= any(rule.then == "invalid" for rule in manifest.rules)
    looked_up = manifest.create is not None and manifest.create.unless_found is not None
    assert not manifest.spec.unique or looked_up or any(rule.then == "exists" for rule in manifest.rules)
    for field in manifest.fields.values():
        assert field.consent is None or "opted_out" in (field.map.values or {"opted_out": ""})

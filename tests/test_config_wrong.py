"""What syncd says when the configuration is wrong: everything at once, with its place, the near miss, and never a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.configs import DAV, A, Load, load_fixture, problems

__all__ = ["load_fixture"]

APP = "apps:\n  a:\n    connector: csv\n    settings: {path: a.csv, key: id}\n"

WRONG: list[tuple[str, list[str]]] = [
    ("", ['c.yaml:1:1: needs the key "apps" (the connected accounts; their order decides between concurrent changes)']),
    ("apps: {}", ["c.yaml:1:1: apps: needs at least 1 entry"]),
    ("apps:", ["c.yaml:1:1: apps: expected a map of keys, found nothing"]),
    ("apps: [a]", ["c.yaml:1:1: apps: expected a map of keys, found a list"]),
    ("apps: {a: csv}", ["c.yaml:1:11: apps.a: expected a map of keys, found a text; write {connector: csv, settings: {...}}"]),
    ("apps: {A-b: {connector: csv}}", ["c.yaml:1:8: apps.A-b: expected a name of lower-case letters, digits and _, such as crm"]),
    ("apps: {a: {}}", ['c.yaml:1:8: apps.a: needs the key "connector" (the kind of app: a name of `syncd connectors`, or ./a/folder of your own)']),
    ("apps: {a: {connector: cvs}}", ['c.yaml:1:23: apps.a.connector: no connector "cvs"']),
    ("apps: {a: {connector: ./x/mine}}", ['c.yaml:1:23: apps.a.connector: no connector "mine"']),
    ("apps: {a: {connector: 7}}", ["c.yaml:1:23: apps.a.connector: expected a text that is not empty, found a number; put it in quotes"]),
    ("apps: {a: {connector: csv}}", [
        'c.yaml:1:8: apps.a.settings: needs the key "path" (the file)',
        'c.yaml:1:8: apps.a.settings: needs the key "key" (its key column)',
    ]),
    ("apps: {a: {connector: csv, settings: {path: x, key: id, sep: ;}}}", [
        "c.yaml:1:57: apps.a.settings.sep: unknown key; known here: encoding, key, path",
    ]),
    ("apps: {a: {connector: csv, path: x, settings: {key: id, path: x}}}", [
        "c.yaml:1:28: apps.a.path: belongs under settings: (settings: {path: ...})",
    ]),
    ("apps: {a: {connector: csv, create: no, settings: {key: id, path: x}}}", ["c.yaml:1:28: apps.a.create: belongs under writes:"]),
    ("apps: {a: {conector: csv}}", [
        'c.yaml:1:8: apps.a: needs the key "connector" (the kind of app: a name of `syncd connectors`, or ./a/folder of your own)',
        'c.yaml:1:12: apps.a.conector: unknown key, did you mean "connector"?',
    ]),
    ("connector: csv\n" + A, ["c.yaml:1:1: connector: belongs to an app: apps: <app>:"]),
    ("log_level: debug\n" + A, ["c.yaml:1:1: log_level: is a process setting: environment, SYNCD_..."]),
    (A + "fieds: {}", ['c.yaml:2:1: fieds: unknown key, did you mean "fields"?']),
    (A + "version: 2", ["c.yaml:2:10: version: expected a whole number from 1 to 1"]),
    (A + "connectors: [./nowhere]", ["c.yaml:2:14: connectors[0]: no such folder (looked at {tmp}/nowhere)"]),
    (A + "connectors: ./mine", ["c.yaml:2:13: connectors: expected a list, found a text; write [./my-connectors]"]),
    # times, schedules, limits, flags
    (APP + "    poll: 60", ["c.yaml:5:11: apps.a.poll: expected a time with its unit, such as 60s, 5m, 2h or 1d, found a number; put it in quotes"]),
    (APP + "    poll: 1 minute", ["c.yaml:5:11: apps.a.poll: expected a time with its unit, such as 60s, 5m, 2h or 1d"]),
    (APP + "    poll: 0s", ["c.yaml:5:11: apps.a.poll: expected at least 1s"]),
    (APP + "    sweep: 0 3 * *", ['c.yaml:5:12: apps.a.sweep: expected five cron fields: minute hour day month weekday, such as "0 3 * * *"']),
    (APP + "    sweep: 0 25 * * *", ["c.yaml:5:12: apps.a.sweep: the hour of the cron text is not *, a number from 0 to 23, a range or a list of them"]),
    (APP + "    sweep: 0 3 1 * mon", ["c.yaml:5:12: apps.a.sweep: give a day of the month or a weekday, not both: schedulers disagree on what both mean"]),
    (APP + "    writes: {create: no}", ["c.yaml:5:22: apps.a.writes.create: expected true or false, found a text (yes, no, on and off are texts in YAML 1.2)"]),
    (APP + "    trust: hihg", ['c.yaml:5:12: apps.a.trust: expected one of high, low, did you mean "high"?']),
    (A + "guards: {updates: 5 percent}", ['c.yaml:2:19: guards.updates: expected a limit such as "max(50, 5%)", 50 or "5%"']),
    (A + "guards: {updates: 500%}", ["c.yaml:2:19: guards.updates: expected at most 100%"]),
    (A + "guards: {updates: none, opt_outs: none}", ['c.yaml:2:19: guards.updates: expected a limit such as "max(50, 5%)", 50 or "5%"']),
    (A + "guards: {update: 5}", ['c.yaml:2:10: guards.update: unknown key, did you mean "updates"?']),
    # match rules and fields
    (A + "match: [email]", ["c.yaml:2:9: match[0]: expected a list, found a text; write - [email]"]),
    (A + "match: [[emial], []]", ["c.yaml:2:10: match[0][0]: no such field, did you mean \"email\"?", "c.yaml:2:18: match[1]: needs at least 1 item"]),
    (A + "match: [[email, email]]", ["c.yaml:2:17: match[0][1]: this field is named twice in one rule"]),
    (A + "fields: {job_titel: {policy: ask}}", ['c.yaml:2:10: fields.job_titel: no such field, did you mean "job_title"? If not, a field of your own needs its type:']),
    (A + "fields: {shoe: {blank: ignore}}", ["c.yaml:2:10: fields.shoe: no such field; a field of your own needs its type:"]),
    (A + "fields: {shoe: {type: txt}}", ['c.yaml:2:23: fields.shoe.type: no such type, did you mean "text"?']),
    (A + "fields: {company: {policy: lates}}", ['c.yaml:2:28: fields.company.policy: expected one of latest, set, non_blank, restrictive, ask, lock, {owner: APP}, {rank: [APP, APP]}, did you mean "latest"?']),
    (A + "fields: {company: {policy: owner}}", ['c.yaml:2:28: fields.company.policy: name the app that is right: {owner: crm}']),
    (A + "fields: {company: {policy: {owner: crm}}}", ["c.yaml:2:36: fields.company.policy.owner: no such app; there are: a"]),
    (A + "fields: {company: {policy: {rank: [a, a]}}}", ["c.yaml:2:39: fields.company.policy.rank[1]: this app is named twice"]),
    (A + "fields: {company: {policy: {rank: a}}}", ["c.yaml:2:35: fields.company.policy.rank: expected a list, found a text; write {rank: [crm, books]}"]),
    (A + "fields: {company: {policy: {owner: a, rank: [a, a]}}}", ["c.yaml:2:20: fields.company.policy: expected exactly one of owner, rank"]),
    (A + "fields: {company: {policy: set}}", ["c.yaml:2:28: fields.company.policy: this policy is for fields of type emails, set"]),
    (A + "fields: {email_consent: {policy: latest}}", ["c.yaml:2:26: fields.email_consent.policy: consent has rules of its own (the most restrictive app wins); remove the key"]),
    (A + "fields: {email_consent: {type: text}}", ["c.yaml:2:32: fields.email_consent.type: the type of this field is always consent"]),
    (A + "fields: {city: {policy: ask}}", ['c.yaml:2:17: fields.city.policy: this field is merged as part of "address"; give the rule there']),
    (A + "fields: {home: {group: [city, stret]}}", ['c.yaml:2:31: fields.home.group[1]: no such field, did you mean "street"?']),
    (A + "fields: {x: {group: [city]}, y: {group: [city]}}", ['c.yaml:2:42: fields.y.group[0]: already a member of "x"']),
    (A + "fields: {x: {group: [city], type: text}}", ["c.yaml:2:29: fields.x.type: a group has no such key; give it to its fields"]),
    (A + "fields: {ltv: {formula: '1 + 1'}}", [
        "c.yaml:2:10: fields.ltv: no such field; a field of your own needs its type:",
        "c.yaml:2:16: fields.ltv.formula: computed fields are not supported in this version; remove the key",
    ]),
    (A + "fields: {phone: {region: Germany}}", ["c.yaml:2:26: fields.phone.region: expected a country code such as DE"]),
    (A + "fields: {company: {choices: [x]}}", ["c.yaml:2:10: fields.company: the field type text has no option 'choices'"]),
    # fields of an app
    (APP + "    fields: {phon: {path: T}}", ['c.yaml:5:14: apps.a.fields.phon: no such field, did you mean "phone"?']),
    (APP + "    fields: {phone: {paht: T}}", ['c.yaml:5:22: apps.a.fields.phone.paht: unknown key, did you mean "path"?']),
    (APP + "    fields: {phone: T}", ["c.yaml:5:21: apps.a.fields.phone: expected a map with the keys direction, label, max_length, order, overflow, path, placeholder, region, required, separator, values, found a text"]),
    (APP + "    fields: {phone: {path: T}, mobile: {path: T}}", ['c.yaml:5:47: apps.a.fields.mobile.path: the same path as that of the field "phone"']),
    (APP + "    fields: {phone: {order: dmy}}", ["c.yaml:5:14: apps.a.fields.phone: the field type phone has no option 'order'"]),
    (APP + "    fields: {industry: {values: {IT: x, EDV: X}}}", ["c.yaml:5:46: apps.a.fields.industry.values.EDV: the same word stands for another value above; it could not be read back"]),
    (APP + "    fields: {industry: {values: {IT: [x, y], Trade: [z, Y]}}}", ["c.yaml:5:57: apps.a.fields.industry.values.Trade[1]: the same word stands for another value above; it could not be read back"]),
    (APP + "    fields: {industry: {values: {IT: []}}}", ["c.yaml:5:34: apps.a.fields.industry.values.IT: needs at least 1 item"]),
    (APP + "    fields: {email_consent: {values: {maybe: x}}}", ["c.yaml:5:46: apps.a.fields.email_consent.values.maybe: no value of type consent: not a word for consent; map it with `values`"]),
    (APP + "    fields: {email_consent: {values: {yes: x, opted_in: y}}}", ["c.yaml:5:57: apps.a.fields.email_consent.values.opted_in: the same value as one above, in another spelling"]),
    (DAV % ", fields: {fax: {path: FAX}}", ["c.yaml:1:99: apps.a.fields.fax: no such field; a field of your own is declared under fields: at the top"]),
    (DAV % ", fields: {city: {direction: in}}", ["c.yaml:1:99: apps.a.fields.city: dav has no place of its own for this field: give its path (EMAIL, ORG, TEL, TEL;CELL)"]),
    (DAV % ", fields: {phone: {path: TELL}}", ['c.yaml:1:113: apps.a.fields.phone.path: dav has no such path, did you mean "TEL"?']),
    # expressions
    (APP + "    scope: contact.lifecyle == 'lead'", ['c.yaml:5:12: apps.a.scope: contact has no such field, did you mean "lifecycle"?']),
    (APP + "    scope: contact.lifecycle =! 3", ["c.yaml:5:12: apps.a.scope: line 1, column 19 of the expression: Syntax error: token recognition error at: '=!'"]),
    (APP + "    scope: 1 + 1", ["c.yaml:5:12: apps.a.scope: the expression must say true or false"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"), WRONG, ids=[text.splitlines()[-1][-60:] if text else "empty" for text, _ in WRONG]
)
def test_what_is_wrong_is_told(load: Load, tmp_path: Path, text: str, told: list[str]) -> None:
    assert problems(load, text, environ={"T": "x"}) == [line.replace("{tmp}", str(tmp_path)) for line in told]


def test_everything_is_told_at_once_in_the_order_of_the_text(load: Load) -> None:
    text = "apps:\n  crm: {connector: cvs, pol: 60s}\n  b: {connector: dav}\nmatch: [[emial]]\nfields: {company: {policy: {owner: cmr}}}\n"
    assert problems(load, text) == [
        'c.yaml:2:20: apps.crm.connector: no connector "cvs"',
        'c.yaml:2:25: apps.crm.pol: unknown key, did you mean "poll"?',
        'c.yaml:3:3: apps.b.secrets: needs the key "token" (an app password)',
        'c.yaml:3:3: apps.b.settings: needs the key "url" (the address book)',
        'c.yaml:4:10: match[0][0]: no such field, did you mean "email"?',
        'c.yaml:5:36: fields.company.policy.owner: no such app, did you mean "crm"?',
    ]

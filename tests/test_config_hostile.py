"""Texts that want to hurt: bombs, broken YAML, bytes that are none, secrets in the wrong place. Each ends in a sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from syncd.config import load_config
from syncd.config.text import PROBLEMS_MAX, parse
from syncd.errors import ConfigError, Problem
from tests.configs import DAV, A, Load, load_fixture, problems, specs

__all__ = ["load_fixture"]

CANARY = "hunter2-canary"

ALIAS_BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (ALIAS_BOMB, "c.yaml:5:15: more than 20000 values, aliases counted as often as they are used"),
        ("a: &a [*a]", "c.yaml:1:8: an alias inside of what it stands for"),
        ("a: *nobody", 'c.yaml:1:4: no anchor "&nobody" above this alias'),
        ("a: " + "[" * 500_000, "c.yaml:1:35: nested deeper than 32 levels"),
        ("a: " + "{a: " * 200_000, "c.yaml:1:128: nested deeper than 32 levels"),
        ("a: &a [[[[[[[[[[]]]]]]]]]]\nb: [[[[[[[[[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]]]]]]]]", "c.yaml:2:26: nested deeper than 32 levels"),
        ("a:" + "\n- " * 300_000, "c.yaml:20000:2: more than 20000 values, aliases counted as often as they are used"),
        ("a: " + "x" * (2 << 20), "c.yaml: larger than the 1024 KiB a configuration may have"),
        (b"a: 1\nb: \xe9", "c.yaml:2:4: not UTF-8; save the file as UTF-8"),
        ("apps: 1".encode("utf-16"), "c.yaml:1:1: not UTF-8; save the file as UTF-8"),
        ("a: 1\nb: \0", "c.yaml:2:4: a character that YAML does not allow"),
        ('a: "\\ud800"', "c.yaml:1:4: half of a character (a lone surrogate)"),
        ('a: "\\UFFFFFFFF"', "c.yaml:1:1: no valid YAML here"),
        ("a:\n\tb: 1", r"c.yaml:2:1: no valid YAML: found character '\t' that cannot start any token; indent with spaces, not with tabs"),
        ("a: b: c", "c.yaml:1:5: no valid YAML: mapping values are not allowed here; a text with `: ` in it wants quotes"),
        ("a: 'b\nc: d", "c.yaml:2:5: no valid YAML: found unexpected end of stream (what was begun in line 1); a closing quote is missing"),
        ("a: [1, 2\nb: 3", "c.yaml:2:2: no valid YAML: expected ',' or ']', but got ':' (what was begun in line 1)"),
        ("a: 1\n---\nb: 2", "c.yaml:2:1: a second document begins here; one document per file"),
        ("- a", "c.yaml:1:1: expected a map of keys (`apps:` and so on) at the top"),
        ("? [a]\n: b", "c.yaml:1:3: a key must be a plain text"),
    ],
    ids=range(20),
)  # fmt: skip
def test_a_hostile_text_is_refused_with_its_place(load: Load, text: str | bytes, told: str) -> None:
    assert problems(load, text) == [told]


def test_tags_merge_keys_and_double_keys_are_refused(load: Load) -> None:
    text = (
        A
        + "x: !!python/object/apply:os.system [touch owned]\nguards: &a {<<: *a}\nmatch: [[email]]\nmatch: [[phone]]\n"
    )
    told = problems(load, text.replace("&a {<<: *a}", "{<<: {x: 1}}"))
    assert told == [
        'c.yaml:2:1: x: unknown key; known here: apps, connectors, debug, fields, guards, key, match, settle, store, version',
        "c.yaml:2:4: tags (`!...`) are not accepted; write the plain value",
        "c.yaml:3:10: merge keys (`<<`) are not accepted; repeat the keys or use an alias for a whole value",
        'c.yaml:5:1: key "match" is given twice, first at c.yaml:4:1',
    ]  # fmt: skip
    assert not Path("owned").exists()


def test_every_file_of_a_folder_is_looked_at(load: Load) -> None:
    assert problems(load, {"1.yaml": "a: b: c", "2.yaml": "'", "3.yaml": A}) == [
        "c/1.yaml:1:5: no valid YAML: mapping values are not allowed here; a text with `: ` in it wants quotes",
        "c/2.yaml:1:2: no valid YAML: found unexpected end of stream (what was begun in line 1); a closing quote is missing",
    ]


def test_a_byte_order_mark_and_an_alias_are_fine(load: Load) -> None:
    text = (
        "\ufeffapps:\n  a: {connector: csv, settings: &s {path: a.csv, key: id}}\n  b: {connector: csv, settings: *s}\n"
    )
    assert [app.settings["key"] for app in load(text).apps] == ["id", "id"]


@pytest.mark.parametrize("path", ["missing.yaml", "empty", "/dev/null/x"])
def test_what_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    with pytest.raises(ConfigError, match=r"cannot be read: No such file|no \*.yaml file|Not a directory"):
        load_config(Path(path), specs)


def test_thousands_of_mistakes_are_told_up_to_a_hundred(load: Load) -> None:
    fields = "".join(f"  field_{n}: {{type: text}}\n" for n in range(3_000))
    wrong = "".join(f"- [feild_{n}]\n" for n in range(3_000))
    assert len(problems(load, f"{A}fields:\n{fields}match:\n{wrong}")) == PROBLEMS_MAX


# ---- secrets ------------------------------------------------------------------------------------------------------

SQL = "apps:\n  a:\n    connector: sql\n    settings: {url: %s}\n    secrets: {%s}\n"
INLINE = "a secret is never written here, give a reference: env:NAME, file:/path or cmd:[program, argument]; if this was the secret itself, consider it exposed"
IN_URL = "a password or token never stands in an address here; give it under secrets:, by reference"
LITE = "'sqlite:///x.db'"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SQL % (LITE, f"password: {CANARY}"), f"5:25: apps.a.secrets.password: {INLINE}"),
        (SQL % (LITE, "password: 123456"), f"5:25: apps.a.secrets.password: {INLINE}"),
        (SQL % (LITE, f"password: [{CANARY}]"), f"5:15: apps.a.secrets.password: {INLINE}"),
        (SQL % (LITE, f"password: {{cmd: {CANARY}}}"), "5:31: apps.a.secrets.password.cmd: expected a list, found a text"),
        (SQL % (LITE, f"password: 'env:{CANARY}'"), "5:25: apps.a.secrets.password: env: wants the name of an environment variable (letters, digits, underscores)"),
        (SQL % (LITE, f"password: 'cmd:{CANARY}'"), '5:25: apps.a.secrets.password: cmd: wants a list of texts: cmd:["program", "argument"], or {cmd: [program, argument]}'),
        (SQL % (LITE, "password: 'file:'"), "5:25: apps.a.secrets.password: file: names nothing"),
        (SQL % (LITE, "password: env:SYNCD_NOT_THERE"), "5:25: apps.a.secrets.password: not found; looked at: environment variable SYNCD_NOT_THERE (not set)"),
        (SQL % (LITE, "password: env:EMPTY"), "5:25: apps.a.secrets.password: not found; looked at: environment variable EMPTY (empty)"),
        (SQL % (LITE, "password: file:none"), "5:25: apps.a.secrets.password: not found; looked at: file {tmp}/none (No such file or directory)"),
        (SQL % (LITE, "password: file:bytes"), "5:25: apps.a.secrets.password: not found; looked at: file {tmp}/bytes (not readable as UTF-8 text)"),
        (SQL % (LITE, f"password: {{cmd: [sh, -c, 'echo {CANARY}; echo {CANARY} >&2; exit 3']}}"), "5:15: apps.a.secrets.password: not found; looked at: command sh (exit code 3)"),
        (SQL % (LITE, "password: {cmd: [no-such-program]}"), "5:15: apps.a.secrets.password: not found; looked at: command no-such-program (No such file or directory)"),
        (SQL % (LITE, "password: {cmd: ['true']}"), "5:15: apps.a.secrets.password: not found; looked at: command true (printed nothing)"),
        (SQL % (f"'postgresql://u:{CANARY}@h/x'", ""), f"4:21: apps.a.settings.url: {IN_URL}"),
        (SQL % (f"'postgresql://u:{CANARY}/y@h/x'", ""), f"4:21: apps.a.settings.url: {IN_URL}"),
        (SQL % (f"'https://h/x?token={CANARY}'", ""), f"4:21: apps.a.settings.url: {IN_URL}"),
        (SQL % (CANARY, ""), "4:21: apps.a.settings.url: expected an address such as https://host/path or sqlite:///file.db"),
        (SQL % (f"{LITE}, password: {CANARY}", ""), "4:39: apps.a.settings.password: is a secret: it belongs under secrets:, by reference"),
        (SQL % (f"{LITE}}}\n    password: {CANARY}\n    writes: {{", ""), "5:5: apps.a.password: belongs under secrets:, by reference (secrets: {password: env:NAME})"),
        (A + f"store: 'postgresql://u:{CANARY}@h/x'", "2:8: store: a password never stands in an address here; write env:NAME and put the whole address there"),
        (A + f"store: {CANARY}", "2:8: store: expected sqlite:///path/to/file.db or postgresql+psycopg://user@host/database, or env:NAME"),
        (A + "store: env:STORE", "2:8: store: expected sqlite:///path/to/file.db or postgresql+psycopg://user@host/database"),
        (A + "store: env:NO_STORE", "2:8: store: not found; looked at: environment variable NO_STORE (not set)"),
    ],
    ids=range(24),
)  # fmt: skip
def test_a_secret_in_the_wrong_place_is_named_and_never_shown(load: Load, tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    environ = {"PATH": os.environ["PATH"], "EMPTY": "", "STORE": f"mysql://u:{CANARY}@h/x"}
    with pytest.raises(ConfigError) as caught:
        load(text, environ=environ)
    assert [str(problem) for problem in caught.value.problems] == [f"c.yaml:{told}".replace("{tmp}", str(tmp_path))]
    seen: BaseException | None = caught.value
    while seen is not None:
        assert CANARY not in f"{seen}{seen!r}{seen.args}{getattr(seen, 'detail', '')}"
        seen = seen.__context__


def test_no_place_where_a_text_may_stand_repeats_it(load: Load) -> None:
    """Put the canary in place of every value of a configuration, one after the other."""
    lines = [
        *("version", "store", "connectors", "match", "settle", "guards: {updates: %}", "guards: {opt_outs: %}"),
        *("apps: {a: %}", "apps: {a: {connector: csv, settings: %}}", "apps: {a: {connector: csv, secrets: %}}"),
        *(f"apps: {{a: {{connector: csv, {key}: %}}}}" for key in ("poll", "sweep", "writes", "scope", "on_leave", "trust")),
        *(f"apps: {{a: {{connector: csv, fields: {{phone: {{{key}: %}}}}}}}}" for key in ("direction", "max_length", "region")),
        *(f"fields: {{phone: {{{key}: %}}}}" for key in ("type", "policy", "blank", "group", "settle", "region", "choices")),
        *("match: [[%]]", "match: [%]", "fields: {phone: {policy: {owner: %}}}", "fields: {x: {group: [%]}}"),
        *("store: 'env:%", "store: 'file:%'", "store: 'cmd:%'", "a: '%", "a: [%", "a: *%", "a: !% x", "%YAML %"),
    ]  # fmt: skip
    for line in lines:
        text = line if "%" in line else f"{line}: %"
        for value in (CANARY, f"[{CANARY}]", f"{{x: {CANARY}}}", f'"{CANARY}"'):
            try:
                load(text.replace("%", value) + "\n")
            except ConfigError as error:
                message = str(error).replace(f"file {Path.cwd()}/{CANARY} ", "")
                allowed = ("no anchor", "looked at")  # names and paths, not values
                assert CANARY not in message or any(word in message for word in allowed), f"{text} -> {message}"


def test_secrets_may_wait(load: Load) -> None:
    config = load(DAV % "" + "store: env:NO_STORE", resolve=False)
    with pytest.raises(
        ConfigError, match=r"apps\.a\.secrets\.token: not found; looked at: environment variable T \(not set\)"
    ):
        config.app("a").secrets["token"].reveal()
    with pytest.raises(ConfigError, match=r"store: not found; looked at: environment variable NO_STORE \(not set\)"):
        _ = config.store


def test_a_secret_is_read_once_and_never_printed(load: Load, tmp_path: Path) -> None:
    (tmp_path / "t").write_text(f"{CANARY}\n")
    secret = load(DAV.replace("env:T", "file:t") % "").app("a").secrets["token"]
    (tmp_path / "t").unlink()
    assert secret.reveal() == CANARY
    assert repr(secret) == "<secret apps.a.secrets.token, by file>"
    assert f"{secret}" == repr(secret)


# ---- anything at all ----------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    ["apps", "a", "connector", "csv", "sql", "dav", "settings", "path", "key", "url", "secrets", "token", "env:T", "file:t",
     'cmd:["x"]', "fields", "phone", "x", "values", "direction", "policy", "owner", "rank", "group", "address", "type", "consent",
     "set", "choice", "choices", "guards", "updates", "max(5, 1%)", "match", "email", "store", "sqlite:///x", "scope", "true", "no",
     "0 3 * * *", "60s", "connectors", "./x", "/", "..", "-1", "1e99", "0x1F", "~", "%", "\0", "é", "\U0001f600", ""]
)  # fmt: skip
TREES = st.recursive(
    WORDS | st.integers() | st.booleans() | st.none() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=8), inner, max_size=5),
    max_leaves=25,
)
LINES = st.lists(st.text(alphabet="ab:- \n\t'\"[]{}&*!|>%@`#,?<~0é\0\\", max_size=12) | WORDS, max_size=30).map("".join)


def only_config_errors(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    told: tuple[Problem, ...] = ()
    try:
        config = load_config(path, specs, environ={})
    except ConfigError as error:
        config, told = None, error.problems
    assert (config is None) == bool(told)
    assert "\n" not in "".join(map(str, told))


@given(text=LINES)
@example("%YAML 1.2\n---\na: b")
@example("&a a: *a")
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_a_configuration_or_a_list_of_problems(tmp_path: Path, text: str) -> None:
    only_config_errors(tmp_path, text)


@given(tree=TREES)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_tree_is_a_configuration_or_a_list_of_problems(tmp_path: Path, tree: object) -> None:
    """JSON is YAML: put words that mean something into places where they mean nothing."""
    import json

    only_config_errors(tmp_path, json.dumps({"apps": tree, "fields": tree, "match": tree}, ensure_ascii=True))
    only_config_errors(tmp_path, json.dumps({"apps": {"a": {"connector": "csv", "fields": tree, "settings": tree}}}))
    only_config_errors(tmp_path, json.dumps({"apps": {"a": {"connector": "dav", "secrets": tree}}, "guards": tree}))


@given(content=st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_a_tree_or_problems(content: bytes) -> None:
    tree, found = parse(content, "f")
    assert tree is not None or found

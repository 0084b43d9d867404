"""Countries and languages: the code, whatever name an app shows."""

from __future__ import annotations

import pytest
from babel import Locale
from babel.core import get_global
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.fields import Invalid, field_type
from syncd.core.places import COUNTRIES, FIRST_LOCALES

COUNTRY = field_type("country")
LANGUAGE = field_type("language")


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("DE", ["DE", "de", " de ", "DEU", "276", "Germany", "Deutschland", "Allemagne", "Alemania", "GERMANY"]),
        ("GB", ["UK", "U.K.", "GBR", "United Kingdom", "Great Britain", "England", "Royaume-Uni", "Reino Unido"]),
        ("US", ["USA", "U.S.A.", "United States", "United States of America", "Vereinigte Staaten", "Estados Unidos"]),
        ("AT", ["Österreich", "Osterreich", "O\u0308sterreich", "Austria", "Autriche"]),
        ("CH", ["Schweiz", "Suisse", "Svizzera", "Switzerland"]),
        ("CI", ["Côte d'Ivoire", "Cote d’Ivoire", "Ivory Coast"]),
        ("LC", ["St. Lucia", "Saint Lucia"]),
        ("KR", ["Korea, Republic of", "South Korea", "대한민국"]),
        ("CZ", ["Czech Republic", "Czechia", "Česko", "Tschechien"]),
        ("NL", ["The Netherlands", "Holland", "Nederland"]),
        ("GR", ["EL", "GR", "Ελλάδα"]),
        ("JP", ["日本", "Japan"]),
        ("NA", ["NA"]),  # Namibia, not "n/a"
        ("NO", ["NO", "no", "Norge"]),
    ],
)
def test_countries_are_read(code: str, names: list[str]) -> None:
    assert [COUNTRY.parse(name) for name in names] == [code] * len(names)


@pytest.mark.parametrize(
    "raw", ["Atlantis", "xx", "EU", "ZZ", "SU", "AN", "(NA)", "YU", "999", "Other", False, 1.5, "x" * 500]
)
def test_what_is_no_country_is_flagged(raw: object) -> None:
    assert isinstance(COUNTRY.parse(raw), Invalid)


def test_namibia_is_not_what_nobody_filled_in() -> None:
    assert [COUNTRY.parse(raw) for raw in ("N/A", "n.a.", "#N/A", "none")] == [None] * 4
    assert COUNTRY.parse("NA") == COUNTRY.parse("Namibia") == "NA"


def test_the_countries_are_those_of_iso_3166() -> None:
    """CLDR's territories less what ISO reserves (AC CP CQ DG EA EU EZ IC TA UN) and CLDR made up (QO XA XB ZZ)."""
    territories = {code for code in map(str, Locale("en").territories) if len(code) == 2 and code.isalpha()}
    assert territories - set("AC CP CQ DG EA EU EZ IC QO TA UN XA XB ZZ".split()) == COUNTRIES
    assert len(COUNTRIES) == 249 + 1


@pytest.mark.parametrize("locale", FIRST_LOCALES)
def test_every_name_of_the_first_locales_is_its_country(locale: str) -> None:
    names = Locale(locale).territories
    assert {code: COUNTRY.parse(names[code]) for code in COUNTRIES} == {code: code for code in COUNTRIES}


@given(code=st.sampled_from(sorted(code for code, now in get_global("territory_aliases").items() if len(now) == 1)))
def test_every_alias_is_a_country_or_flagged(code: str) -> None:
    found = COUNTRY.parse(code)
    assert isinstance(found, Invalid) or found in COUNTRIES


@pytest.mark.parametrize(
    ("tag", "names"),
    [
        ("de", ["de", "DE", "deu", "ger", "German", "deutsch", "Allemand", "Alemán"]),
        ("de-DE", ["de_DE", "de-de", "de_DE.UTF-8", "German (Germany)", "Deutsch (Deutschland)"]),
        ("en-US", ["en-US", "English (US)", "English (United States)", "American English"]),
        ("pt-BR", ["pt_BR", "Brazilian Portuguese", "Portuguese (Brazil)"]),
        ("zh-Hans", ["Chinese (Simplified)", "Simplified Chinese", "zh-hans"]),
        ("he", ["iw", "he", "Hebrew", "עברית"]),
        ("ja", ["日本語", "ja", "Japanese"]),
        ("fr", ["Français", "francais", "French", "Französisch"]),
    ],
)
def test_languages_are_read(tag: str, names: list[str]) -> None:
    assert [LANGUAGE.parse(name) for name in names] == [tag] * len(names)


@pytest.mark.parametrize(
    "raw", ["xx", "und", "mul", "zxx", "mis", "x-private", "Martian", "en-", "English (Atlantis)", 5, True, "x" * 500]
)
def test_what_is_no_language_is_flagged(raw: object) -> None:
    assert isinstance(LANGUAGE.parse(raw), Invalid)


@pytest.mark.parametrize("locale", FIRST_LOCALES)
def test_every_language_that_cldr_names_is_settled(locale: str) -> None:
    for name in Locale(locale).languages.values():
        found = LANGUAGE.parse(name)
        assert isinstance(found, Invalid) or LANGUAGE.parse(found) == found

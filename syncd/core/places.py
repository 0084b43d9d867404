"""Countries and languages: the code, whatever name, alias or spelling an app shows.

Must not know people or apps. Hard rule: a name that means two places, or none, is `Invalid`; there is no "Other".

Names come from Unicode CLDR by Babel: English, German, French and Spanish first, then each country's own languages
(read once, when a name is first not found). Codes: ISO 3166-1 with CLDR's aliases, BCP 47 by langcodes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final
from unicodedata import normalize

from syncd.core.values import FieldType, Invalid, read_line, same
from syncd.model import Raw

if TYPE_CHECKING:
    from babel import Locale

NO_COUNTRY: Final = Invalid(reason="not a country that ISO 3166 or Unicode CLDR knows")
NO_LANGUAGE: Final = Invalid(reason="not a language that BCP 47 or Unicode CLDR knows")

PLACE_CHARS_MAX: Final = 100

# ISO 3166-1 alpha-2, all that is assigned, and XK: user-assigned, but what everybody writes for Kosovo.
COUNTRIES: Final = frozenset(
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA"
    " CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA"
    " GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP"
    " KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS"
    " MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS"
    " RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW"
    " TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW".split()
)

FIRST_LOCALES: Final = ("en", "de", "fr", "es")

# What CLDR's display names leave out: ISO's and the UN's formal names as vendors list them, former names, the parts
# of the United Kingdom, and codes of the EU's own style guide (EL). Compared as `_plain` makes them.
_COUNTRY_ALIASES: Final = {
    "EL": "GR",
    "America, United States of": "US",
    "Bolivia, Plurinational State of": "BO",
    "Bosnia": "BA",
    "BRD": "DE",
    "Britain": "GB",
    "Brunei Darussalam": "BN",
    "Bundesrepublik Deutschland": "DE",
    "Burma": "MM",
    "Myanmar": "MM",
    "Cabo Verde": "CV",
    "China, People's Republic of": "CN",
    "People's Republic of China": "CN",
    "Congo, Democratic Republic of the": "CD",
    "Congo, the Democratic Republic of the": "CD",
    "Democratic Republic of the Congo": "CD",
    "DR Congo": "CD",
    "Republic of the Congo": "CG",
    "Congo, Republic of the": "CG",
    "Czech Republic": "CZ",
    "Tschechische Republik": "CZ",
    "East Timor": "TL",
    "EE. UU.": "US",
    "EEUU": "US",
    "England": "GB",
    "Etats-Unis d'Amérique": "US",
    "Falkland Islands (Malvinas)": "FK",
    "Federated States of Micronesia": "FM",
    "Micronesia, Federated States of": "FM",
    "Great Britain": "GB",
    "Großbritannien": "GB",
    "Grande-Bretagne": "GB",
    "Gran Bretaña": "GB",
    "Hellas": "GR",
    "Holland": "NL",
    "Holy See": "VA",
    "Holy See (Vatican City State)": "VA",
    "Hong Kong": "HK",
    "Iran, Islamic Republic of": "IR",
    "Islamic Republic of Iran": "IR",
    "Ireland, Republic of": "IE",
    "Republic of Ireland": "IE",
    "Ivory Coast": "CI",
    "Korea, Democratic People's Republic of": "KP",
    "Democratic People's Republic of Korea": "KP",
    "Korea, Republic of": "KR",
    "Republic of Korea": "KR",
    "Korea (South)": "KR",
    "Korea (North)": "KP",
    "Lao People's Democratic Republic": "LA",
    "Libyan Arab Jamahiriya": "LY",
    "Macao": "MO",
    "Macau": "MO",
    "Macedonia": "MK",
    "Macedonia, the former Yugoslav Republic of": "MK",
    "Moldova, Republic of": "MD",
    "Republic of Moldova": "MD",
    "Northern Ireland": "GB",
    "Palestine": "PS",
    "Palestine, State of": "PS",
    "State of Palestine": "PS",
    "Palestinian Territory, Occupied": "PS",
    "Russian Federation": "RU",
    "Saint Helena, Ascension and Tristan da Cunha": "SH",
    "Saint Martin (French part)": "MF",
    "Schottland": "GB",
    "Scotland": "GB",
    "Sint Maarten (Dutch part)": "SX",
    "Swaziland": "SZ",
    "Syrian Arab Republic": "SY",
    "Taiwan, Province of China": "TW",
    "Tanzania, United Republic of": "TZ",
    "United Republic of Tanzania": "TZ",
    "Turkey": "TR",
    "United Kingdom of Great Britain and Northern Ireland": "GB",
    "United States of America": "US",
    "Vatican": "VA",
    "Venezuela, Bolivarian Republic of": "VE",
    "Vereinigte Staaten von Amerika": "US",
    "Viet Nam": "VN",
    "Virgin Islands, British": "VG",
    "Virgin Islands, U.S.": "VI",
    "Wales": "GB",
    "Weißrussland": "BY",
}
_LANGUAGE_ALIASES: Final = {
    "Castellano": "es",
    "Chinese (Simplified)": "zh-Hans",
    "Chinese (Traditional)": "zh-Hant",
    "Farsi": "fa",
    "Mandarin": "zh",
    "Norsk": "no",
    "Tagalog": "tl",
}

_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*(?:\.[A-Za-z0-9-]+)?(?:@\w+)?", re.ASCII)
_QUALIFIED = re.compile(r"(.+?)\s*\((.+)\)")


def parse_country(raw: Raw) -> str | Invalid | None:
    """Read a country as its ISO 3166-1 alpha-2 code."""
    text = read_line(raw)
    if text is None or isinstance(text, Invalid) or text in COUNTRIES:
        return text
    return _country(text) if len(text) <= PLACE_CHARS_MAX else NO_COUNTRY


def parse_language(raw: Raw) -> str | Invalid | None:
    """Read a language as its BCP 47 tag: "de", "pt-BR", "zh-Hant"."""
    text = read_line(raw)
    if text is None or isinstance(text, Invalid):
        return text
    return _language(text) if len(text) <= PLACE_CHARS_MAX else NO_LANGUAGE


@lru_cache(maxsize=4096)
def _country(text: str) -> str | Invalid:
    name = _plain(text)
    code = name.upper()
    if code in COUNTRIES:  # "U.S.", but "(NA)" is not Namibia
        return code if len(text.replace(".", "")) == 2 else NO_COUNTRY
    return _alias(code) or _names()[0].get(name) or _own_names()[0].get(name) or NO_COUNTRY


def _alias(code: str) -> str | None:
    """Give the one country that a three-letter, numeric or former code stands for, if it is one."""
    from babel.core import get_global

    now: Iterable[str] = get_global("territory_aliases").get(code, ())
    countries = [country for country in now if country in COUNTRIES]
    return countries[0] if len(countries) == 1 == len([*now]) else None


@lru_cache(maxsize=4096)
def _language(text: str) -> str | Invalid:
    tag = _tag(text) if _TAG.fullmatch(text) else None
    if tag is not None:
        return tag
    name = _plain(text)
    found = _names()[1].get(name) or _own_names()[1].get(name)
    if found is None and (match := _QUALIFIED.fullmatch(text)):  # "English (United States)"
        language, country = _language(match[1]), _country(match[2])
        if isinstance(language, str) and isinstance(country, str) and "-" not in language:
            found = f"{language}-{country}"
    return NO_LANGUAGE if found is None else _tag(found) or NO_LANGUAGE


def _tag(text: str) -> str | None:
    """Give the preferred spelling of a tag (also a POSIX locale); None if it names no language."""
    import langcodes
    from langcodes.tag_parser import LanguageTagError

    tag = re.split(r"[.@]", text, maxsplit=1)[0]
    try:
        tag = langcodes.standardize_tag(tag)
    except LanguageTagError:
        return None
    return tag if langcodes.tag_is_valid(tag) and not tag.startswith(("und", "x-", "mul", "zxx", "mis")) else None


@cache
def _names() -> tuple[dict[str, str], dict[str, str]]:
    """Collect the names of countries and of languages that most apps show."""
    from babel import Locale

    countries, languages = _collect(Locale(locale) for locale in FIRST_LOCALES)
    return (
        countries | {_plain(name): code for name, code in _COUNTRY_ALIASES.items()},
        languages | {_plain(name): tag for name, tag in _LANGUAGE_ALIASES.items()},
    )


@cache
def _own_names() -> tuple[dict[str, str], dict[str, str]]:
    """Collect what countries and languages are called at home, in each language that is official somewhere."""
    from babel import Locale, UnknownLocaleError
    from babel.languages import get_official_languages

    locales = []
    for name in sorted({name for country in COUNTRIES for name in get_official_languages(country, de_facto=True)}):
        try:
            locales.append(Locale.parse(name))
        except UnknownLocaleError:
            continue  # official, but not in CLDR
    return _collect(locales)


def _collect(locales: Iterable[Locale]) -> tuple[dict[str, str], dict[str, str]]:
    countries: dict[str, set[str]] = {}
    languages: dict[str, set[str]] = {}
    for locale in locales:
        for code, name in locale.territories.items():
            if code in COUNTRIES:
                countries.setdefault(_plain(name), set()).add(code)
        for tag, name in locale.languages.items():
            languages.setdefault(_plain(name), set()).add(tag)
    return _unambiguous(countries), _unambiguous(languages)


def _unambiguous(meanings: Mapping[str, set[str]]) -> dict[str, str]:
    return {name: min(codes) for name, codes in meanings.items() if len(codes) == 1}


def _plain(name: str) -> str:
    """Reduce a name to what its spellings share: no case, accents, spaces, punctuation or leading article."""
    text = normalize("NFKD", name).casefold().replace("&", " and ")
    text = re.sub(r"\bsaint\b", "st", re.sub(r"^the\b", "", text))
    return "".join([char for char in text if char.isalnum()])


COUNTRY: Final = FieldType(name="country", parse=parse_country, key=same, render=same)
LANGUAGE: Final = FieldType(name="language", parse=parse_language, key=same, render=same)

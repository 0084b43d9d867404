"""Telephone numbers: E.164 wherever the country is certain, the typed text wherever it is not.

Must not know people or apps; an app's region comes as an option. Hard rule: nothing is guessed. A number is completed
only with the region that was configured; a short code, a local number or an ambiguous one stays as it was typed.

A number whose country is written is taken as that country's numbering plan parses it, whether or not it has been assigned
to anybody (the plan's `is_valid` lags behind reality). One whose country is assumed is completed only if it is valid there,
or as long as that country's numbers are (`_NATIONAL`): else the assumption is what is wrong.
"""

from __future__ import annotations

import re
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final
from unicodedata import decimal, normalize

from syncd.core.values import Certainty, FieldType, Invalid, one_line, read_line
from syncd.model import Raw

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

NO_PHONE: Final = Invalid(reason="not a phone number")
SEVERAL: Final = Invalid(reason="more than one phone number")
MORE: Final = Invalid(reason="more than a phone number: words, or a second number")

PHONE_CHARS_MAX: Final = 100
DIGITS_MAX: Final = 15  # ITU-T E.164 6.1, with the country code
COMPLETED_MIN: Final = 6  # shorter ones are the same in many countries
DIGITS_TYPED_MAX: Final = 20  # with a carrier's or an exchange's prefix
EXTENSION_DIGITS_MAX: Final = 8  # more is a second number
LOCAL_DIGITS_MAX: Final = 8  # no country's numbers are longer within one town

# Country code -> the digits with which a national number must not begin, if there is no asking the library: its trunk
# prefix, which the library takes out ("-" = none). Left out: codes with more complicated plans. As of phonenumbers 9;
# tests compare it with the library's own tables.
_TRUNK: Final = {
    "1": "1",
    "7": "8",
    "44": "01",  # 0, and 180020 of the text relay
    **dict.fromkeys(
        "20 27 31 32 33 40 41 43 46 49 51 53 58 60 62 63 64 66 84 90 91 92 93 94 95 98 211 212 213 218 231 232 233 234"
        " 243 249 250 251 252 254 255 256 260 262 263 264 265 291 353 355 358 359 373 374 377 380 381 382 383 385 386"
        " 387 389 421 508 590 593 594 595 596 598 686 850 855 856 880 886 961 962 963 964 966 967 970 971 972 976 977"
        " 994 995 996".split(),
        "0",
    ),
    **dict.fromkeys(
        "30 34 39 45 47 48 52 56 65 216 220 221 222 223 224 225 226 227 228 229 230 235 236 237 238 239 240 242 244"
        " 245 246 247 248 253 257 258 266 267 268 269 290 297 299 350 351 354 356 357 371 372 376 420 500 501 502 503"
        " 504 505 507 509 592 597 599 670 673 674 675 676 677 678 679 680 681 682 683 685 687 688 689 690 691 852 853"
        " 960 965 968 973 974 975 992 998".split(),
        "-",
    ),
}

# Region -> country code and the national numbers that the library completes without a change. Proven by tests as well.
_NATIONAL: Final = {
    region: (code, re.compile(pattern, re.ASCII))
    for region, code, pattern in (
        ("AT", "43", r"0([2-9]\d{6,11})"),
        ("BE", "32", r"0([1-9]\d{7,8})"),
        ("CA", "1", r"([2-9]\d{9})"),
        ("CH", "41", r"0([2-9]\d{8})"),
        ("DE", "49", r"0([2-9]\d{6,9}|1[5-7]\d{8,9})"),
        ("DK", "45", r"([2-9]\d{7})"),
        ("ES", "34", r"([6-9]\d{8})"),
        ("FR", "33", r"0([1-9]\d{8})"),
        ("GB", "44", r"0([1-37]\d{9})"),
        ("IT", "39", r"(0[1-9]\d{6,9}|3[1-8]\d{8})"),
        ("NL", "31", r"0([1-7]\d{8})"),
        ("US", "1", r"([2-9]\d{9})"),
    )
}

_SEPARATORS = dict.fromkeys(map(ord, " -.()\u00a0"))
_DASHES = dict.fromkeys(range(0x2010, 0x2016), "-") | {0x2212: "-"}
_DIALLED = re.compile(r"[\d\s().*#/\-]*", re.ASCII)
_EXTENSION = re.compile(r"(.*\d)[\s,.]*(?:;ext=|ext(?:ension|n)?[.:]?|x)\s*(\d{1,8})", re.IGNORECASE | re.ASCII)
_VANITY = re.compile(r"[\s().\-]*(?:\d[\s().\-]*){3,}[A-Z][A-Z\d\s\-]*", re.ASCII)
_KEYPAD = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999")  # ITU-T E.161
_ABROAD = re.compile(r"\(?00")
_UNDIALLED = re.compile(r"[^\d*#]", re.ASCII)


def phone_type(region: str | None = None) -> FieldType:
    """Make the type of phone numbers; `region` (ISO 3166 alpha-2) completes national numbers."""
    parse, certainty = partial(parse_phone, region=region), partial(phone_certainty, region=region)
    return FieldType(
        name="phone", parse=parse, key=phone_key, render=render_phone, certainty=certainty, completes=completes
    )


def parse_phone(raw: Raw, *, region: str | None = None) -> str | Invalid | None:
    """Read a number as E.164, with `;ext=` if it has an extension; text where the country cannot be known."""
    if type(raw) is str and 0 < len(raw) <= PHONE_CHARS_MAX:
        quick = _quick(raw, region)
        if quick is not None:
            return quick
    text = read_line(raw)
    if text is None or isinstance(text, Invalid):
        return text
    return NO_PHONE if len(text) > PHONE_CHARS_MAX else (_quick(text, region) or _parse_unusual(text, region))


def phone_certainty(raw: Raw, *, region: str | None = None) -> Certainty:
    """Say whether a number was written with its country (+ or 00), or has it, or would have it, from `region`."""
    value, text = parse_phone(raw, region=region), read_line(raw)
    if not isinstance(text, str) or not isinstance(value, str):
        return "plain"
    if value[0] != "+":
        return "assumed"
    text = _in_ascii(text)
    return "written" if "+" in text or _ABROAD.match(text) or not _is_assumed(text, region) else "assumed"


def completes(raw: Raw, value: str) -> bool:
    """Say whether a number without its country is one that is known with it: 030 23125053 of +493023125053."""
    import phonenumbers as library

    text = read_line(raw)
    if not isinstance(text, str) or value[0] != "+" or phone_certainty(raw) != "assumed":
        return False
    number, extension = _split_extension(_in_ascii(text))
    whole, mark, known_extension = value.partition(";")
    try:
        known = library.parse(whole)
    except library.NumberParseException:
        return False  # of a time when the field was no phone number
    digits = _UNDIALLED.sub("", number).lstrip("0")
    same = len(digits) >= COMPLETED_MIN and digits == str(known.national_number)
    return same and extension == mark + known_extension


def _is_assumed(text: str, region: str | None) -> bool:
    """Tell whether a number without a plus has its country from `region`: no prefix for calls abroad (00) stands before it."""
    import phonenumbers as library

    source = library.parse(text, region, keep_raw_input=True).country_code_source
    return bool(source != library.CountryCodeSource.FROM_NUMBER_WITH_IDD)


def is_abroad(country: str, region: str) -> bool:
    """Say whether numbers of a country have another country code than those of `region`."""
    import phonenumbers as library

    return library.country_code_for_region(country) != library.country_code_for_region(region)


def phone_key(value: str) -> str:
    """Give the E.164 form, or of a number without a country what one dials."""
    if value[0] == "+":
        return value
    number, extension = _split_extension(value)
    return _UNDIALLED.sub("", number.translate(_KEYPAD)) + extension


def render_phone(value: str) -> str:
    """Spell a number as people and mailers read it: an extension stands behind a space."""
    return value.replace(";ext=", " ext. ") if ";" in value and value[0] == "+" else value


def _quick(text: str, region: str | None) -> str | None:
    """Answer plain numbers as `_parse_unusual` does, without the library; None for all others."""
    digits = text if text[1:].isdigit() else text.translate(_SEPARATORS)
    if not digits.isascii():
        return None
    if text[0] == "+":
        number = digits[1:]
        if not number.isdigit() or not 7 <= len(number) <= DIGITS_MAX:
            return None
        for length in (2, 1, 3):
            trunk = _TRUNK.get(number[:length])
            if trunk is not None:
                return None if number[length] in trunk else digits
        return None
    if region not in _NATIONAL:
        return None
    code, national = _NATIONAL[region]
    match = national.fullmatch(digits)
    return None if match is None else f"+{code}{match[1]}"


@lru_cache(maxsize=65536)
def _parse_unusual(text: str, region: str | None) -> str | Invalid:
    text = _in_ascii(text)
    if text[:4].lower() == "tel:":  # RFC 3966, as vCard 4 writes it
        text = text[4:].strip()
    before = re.split(r"[+\d]", text, maxsplit=1)[0]
    if before == text:
        return NO_PHONE
    if any(map(str.isalpha, before)):
        return MORE
    if text.count("+") > 1 or sum(len(re.findall(r"\d", part)) >= 7 for part in text.split("/")) > 1:
        return SEVERAL
    found = _ask(text, region) if region is not None or "+" in text else None
    if found is None and (abroad := _ABROAD.match(text)):
        found = _ask_abroad("+" + text[abroad.end() :])
    if found is not None:
        return found
    return NO_PHONE if "+" in text else _as_typed(text)


def _in_ascii(text: str) -> str:
    """Write digits, signs and dashes of any script as those of ASCII."""
    if text.isascii():
        return text
    text = one_line(normalize("NFKC", text)).translate(_DASHES)
    return "".join([str(decimal(char)) if char.isdecimal() else char for char in text])


def _as_typed(text: str) -> str | Invalid:
    """Keep a number whose country is not known, if it is something that one can dial."""
    number, _ = _split_extension(text)
    if not (_DIALLED.fullmatch(number) or _VANITY.fullmatch(number)):
        return MORE
    return text if 2 <= len(_UNDIALLED.sub("", number)) <= DIGITS_TYPED_MAX else NO_PHONE


def _split_extension(text: str) -> tuple[str, str]:
    match = _EXTENSION.fullmatch(text)
    return (text, "") if match is None else (match[1], f";ext={match[2]}")


def _ask(text: str, region: str | None) -> str | Invalid | None:
    """Ask phonenumbers for the E.164 form; None if it cannot tell, or not with certainty."""
    import phonenumbers as library

    try:
        number = library.parse(text, region)
    except library.NumberParseException:
        return None
    if "+" not in text and region is not None and _is_uncertain(text, region, number):
        return None
    if library.is_alpha_number(text) and not _is_vanity(number):
        return MORE
    if library.is_alpha_number(text) and "+" not in text and _lacks_trunk(text, region, number):
        return None  # letters of some other country's service, as likely as not
    extension = number.extension or ""
    if len(extension) > EXTENSION_DIGITS_MAX:
        return SEVERAL
    value = _settle(library.format_number(number, library.PhoneNumberFormat.E164))
    return f"{value};ext={extension}" if extension and isinstance(value, str) else value


def _ask_abroad(text: str) -> str | Invalid | None:
    """Read a number that was typed with 00, where no region says that this is the prefix for calls abroad: if it is valid then."""
    import phonenumbers as library

    try:
        valid = library.is_valid_number(library.parse(text))
    except library.NumberParseException:
        return None
    return _ask(text, None) if valid else None


def _is_uncertain(text: str, region: str, number: PhoneNumber) -> bool:
    """Tell whether a national number is a local one, a short code, or one with the country code but without a plus."""
    import phonenumbers as library

    if library.is_possible_number_with_reason(number) != library.ValidationResult.IS_POSSIBLE:
        return True
    if (
        _is_assumed(text, region)
        and not library.is_valid_number(number)
        and _quick(_split_extension(text)[0], region) is None
    ):
        return True
    digits = library.normalize_digits_only(text)
    if digits == str(number.national_number):  # no trunk prefix
        if len(digits) <= LOCAL_DIGITS_MAX and library.ndd_prefix_for_region(region, True):
            return True
        if not library.is_valid_number(number):
            return library.is_valid_short_number_for_region(number, region)
    if not digits.startswith(str(number.country_code)):
        return False
    try:
        other = library.parse(f"+{digits}")
    except library.NumberParseException:
        return False
    return library.is_valid_number(other) and library.is_number_match(number, other) != library.MatchType.EXACT_MATCH


def _lacks_trunk(text: str, region: str | None, number: PhoneNumber) -> bool:
    """Tell whether a national number was typed without the prefix that its country has for them (North America aside)."""
    import phonenumbers as library

    digits = _UNDIALLED.sub("", text.upper().translate(_KEYPAD))
    prefix = library.ndd_prefix_for_region(region, True) if region is not None else None
    return bool(prefix) and number.country_code != 1 and digits == str(number.national_number)


def _is_vanity(number: PhoneNumber) -> bool:
    """Tell whether letters may have been digits: in North America, else only in service numbers (0800 ...)."""
    import phonenumbers as library

    kinds = library.PhoneNumberType
    private = (kinds.FIXED_LINE, kinds.MOBILE, kinds.FIXED_LINE_OR_MOBILE)
    return library.is_valid_number(number) and (number.country_code == 1 or library.number_type(number) not in private)


def _settle(value: str) -> str | Invalid:
    """Parse until nothing changes: "+49 00171" loses one trunk prefix each time."""
    import phonenumbers as library

    while len(value) <= DIGITS_MAX + 1 and _quick(value, None) is None:
        try:
            again = library.format_number(library.parse(value), library.PhoneNumberFormat.E164)
        except library.NumberParseException:
            return NO_PHONE
        if again == value:
            return value
        if len(again) >= len(value):  # so that this ends
            return NO_PHONE
        value = again
    return value if len(value) <= DIGITS_MAX + 1 else NO_PHONE

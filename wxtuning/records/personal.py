"""Personal data in texts, by kind. Knows what addresses and numbers look like; tells where they are, never which."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import ip_address
from itertools import chain

# Each pattern begins with a set of characters, and looks back only after one of them: the search skips to those.
EMAIL = re.compile(r"@(?<=[\w+%-]@)(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}\b")
IBAN = re.compile(r"[A-Z](?<!\w.)[A-Z]\d{2}(?: ?[A-Z0-9]){11,30}\b")
CARD = re.compile(r"[3-6](?<![\d.,-].)(?<!\d .)(?:[ -]?\d){12,18}(?![\d-]|[.,]\d)")
PHONE = re.compile(
    r"[+(02-9](?<![\w.,/-].)(?<!\d .)(?:"
    r"(?:(?<=\+)|(?<=0)0)[1-9][ ./()-]{0,2}\d(?:[ ./()-]{0,2}\d){5,13}"
    r"|(?:(?<=0)|(?<=\()0)[1-9]\d{0,4}\)?[ ./-]{1,2}\d(?:[ ./-]?\d){4,10}"
    r"|(?:(?<=[2-9])|(?<=\()[2-9])\d{2}\)?[ .-]{1,2}\d{3}[ .-]\d{4}"
    r")(?![\w-]|[.,]\d)"
)
IPV4 = re.compile(r"\d(?<![\w.].)\d{0,2}(?:\.\d{1,3}){3}(?!\w|\.\d)")
IPV6 = re.compile(r"(?<![\w:])[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}(?![\w:])")

MARKS = b" .-()/"
_AS_ZERO = bytes.maketrans(b"123456789", b"0" * 9)

Finder = Callable[[str], bool]
Hint = tuple[bytes, bytes]


def personal(texts: Sequence[str]) -> dict[str, list[int]]:
    """Which kinds of personal data stand in which texts: the places (from 0) of the texts, by kind.

    Text of all places is searched at once for what such data cannot do without (`@`, a run of digits), and only the
    texts with such a thing are looked at.
    """
    whole = "\0".join(texts)
    found: dict[str, list[int]] = {}
    for kind, places in _suspects(whole).items():
        if true := [place for place in places if KINDS[kind](texts[place])]:
            found[kind] = true
    return found


def has_email(text: str) -> bool:
    return bool(EMAIL.search(text))


def has_iban(text: str) -> bool:
    """Whether an IBAN whose two check digits are right stands in the text (ISO 7064, mod 97-10)."""
    return any(_is_iban(match[0].replace(" ", "")) for match in IBAN.finditer(text))


def has_card(text: str) -> bool:
    """Whether a card number whose check digit is right stands in the text (ISO/IEC 7812, Luhn)."""
    return any(_is_card(re.sub(r"\D", "", match[0])) for match in CARD.finditer(text))


def has_phone(text: str) -> bool:
    return bool(PHONE.search(text))


def has_ip(text: str) -> bool:
    if any(_is_ip(match[0]) for match in IPV4.finditer(text)):
        return True
    is_possible = "::" in text or text.count(":") >= 7
    return is_possible and any(_is_ip(match[0]) for match in IPV6.finditer(text))


KINDS: dict[str, Finder] = {
    "e-mail address": has_email,
    "phone number": has_phone,
    "IBAN": has_iban,
    "card number": has_card,
    "IP address": has_ip,
}


def _is_iban(compact: str) -> bool:
    # What follows an IBAN may look like a part of it, so its end is tried at each length that a country uses.
    return any(_checks(compact[:length]) for length in range(15, min(len(compact), 34) + 1))


def _checks(iban: str) -> bool:
    return int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97 == 1 and sum(map(str.isdigit, iban)) >= 8


def _is_card(digits: str) -> bool:
    if len(set(digits)) == 1 or digits[0] not in "3456" or not 13 <= len(digits) <= 19:
        return False
    doubled = (2 * int(digit) for digit in digits[-2::-2])
    return (sum(map(int, digits[::-2])) + sum(sum(divmod(number, 10)) for number in doubled)) % 10 == 0


def _is_ip(text: str) -> bool:
    # "::" alone, and "12:30:45", are no addresses anybody lives at.
    if ":" in text and (len(text) < 6 or ("::" not in text and text.count(":") != 7)):
        return False
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return not (address.is_unspecified or address.is_loopback)


def _suspects(whole: str) -> dict[str, Iterable[int]]:
    raw = whole.encode("utf-8", "replace")
    found: dict[str, Iterable[int]] = {"e-mail address": _places(raw, b"@")}
    zeros = raw.translate(_AS_ZERO)
    if b"0" in zeros:
        long_numbers = list(_places(zeros.translate(None, MARKS), b"0000000"))
        found |= dict.fromkeys(("phone number", "IBAN", "card number"), long_numbers)
        found["IP address"] = sorted({*_places(zeros, b"0.0"), *_addresses(zeros)})
    return found


def _addresses(zeros: bytes) -> Iterator[int]:
    return chain(_places(zeros, b"::"), _places(zeros, b":0:0:")) if b":" in zeros else iter(())


def _places(joined: bytes, needle: bytes) -> Iterator[int]:
    """The places of the texts, which NUL separates, in which the needle stands."""
    place, start = 0, 0
    while (hit := joined.find(needle, start)) >= 0:
        place += joined.count(b"\0", start, hit)
        yield place
        start = joined.find(b"\0", hit)
        if start < 0:
            return

"""Text that was read in the wrong encoding, repaired. Knows bytes and code pages; knows no rows."""

from __future__ import annotations

import re
from functools import cache

CODE_PAGES = (
    "latin-1", "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1257", "iso8859-2", "mac_roman", "cp437",
)  # fmt: skip
"""The wrong encodings that ftfy undoes."""

VARIATION_SELECTOR = "Ô∏è"
"""U+FE0F, which follows many emoji, as Mac Roman shows it."""


def repaired(text: str) -> str:
    """The text with its mojibake undone; every other text comes back as it is.

    ftfy decides what is mojibake. It is only asked about texts in which the characters of a lead byte and of its
    continuation bytes stand side by side, which takes a tenth of its time.
    """
    if text.isascii() or not _suspicious().search(text):
        return text
    import ftfy

    return ftfy.fix_encoding(_without_mac_emoji(text))


@cache
def suspicious() -> str:
    """A regular expression that finds where mojibake may be; also for regex libraries other than Python's."""
    leads, following = "", ""
    for page in CODE_PAGES:
        leads += bytes(range(0xC2, 0xF5)).decode(page, "ignore")
        following += bytes(range(0x80, 0xC0)).decode(page, "ignore")
    # Code page 1252 leaves five bytes open, which readers pass through; a no-break space is often read as a space.
    following += "".join(map(chr, range(0x80, 0xA0)))
    return f"[{_class(leads)}][{_class(following)}]|[ÂÃ] |{VARIATION_SELECTOR}"


@cache
def _suspicious() -> re.Pattern[str]:
    return re.compile(suspicious())


def _class(characters: str) -> str:
    return "".join(map(re.escape, sorted({c for c in characters if not c.isascii()})))


# ftfy does not know Mac Roman's first byte of an emoji, U+F8FF (Apple's logo). Copying often loses that character;
# where a variation selector follows, what is left of the emoji is still beyond doubt.
def _without_mac_emoji(text: str) -> str:
    return _mac_emoji().sub(_decoded, text)


@cache
def _mac_emoji() -> re.Pattern[str]:
    following = f"[{_class(bytes(range(0x80, 0xC0)).decode('mac_roman'))}]"
    return re.compile(f"(?:\\uf8ff{following}{{3}}|ü{following}{{2}}(?={VARIATION_SELECTOR}))(?:{VARIATION_SELECTOR})?")


def _decoded(found: re.Match[str]) -> str:
    try:
        return f"\uf8ff{found[0].removeprefix(chr(0xF8FF))}".encode("mac_roman").decode()
    except UnicodeDecodeError:
        return found[0]

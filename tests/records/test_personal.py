"""Personal data are found and told by row, and never quoted."""

from __future__ import annotations

import json

import pytest

from wxtuning.records import convert
from wxtuning.records.personal import KINDS, personal
from wxtuning.spec import Cleaning, Mapping

FOUND = {
    "e-mail address": ["write to ann.lee+x@mail.example.org.", "ünal@beispiel.de"],
    "phone number": ["+49 30 1234567", "call (030) 123 45 67", "0171-2345678", "+1-202-555-0143", "202-555-0143"],
    "IBAN": ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432 is mine", "MT84MALT011000012345MTLCAST001S"],
    "card number": ["4111 1111 1111 1111", "card 5500-0000-0000-0004, thanks"],
    "IP address": ["from 192.168.10.4:8080", "2001:db8::8a2e:370:7334", "fe80:0:0:0:204:61ff:fe9d:f156"],
}
OTHERS = [
    "@you are right",
    "version 1.2.3.4.5",
    "at 12:30:45 or 12:30",
    "std::vector<int> and a::b",
    "DE89 3704 0044 0532 0130 01",
    "4111 1111 1111 1112",
    "pi is 3.14159265358979",
    "order 20241213123456",
    "2024-12-13 10:00",
    "300.400.500.600",
    "0000 0000 0000 0000",
    "127.0.0.1",
    "1 2 3 4 5 6 7 8 9 10",
    "population 1,234,567,890",
]


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in FOUND.items() for text in texts])
def test_what_is_personal_is_found_by_kind_wherever_it_stands(kind, text):
    assert personal(["plain", text, "", f"so: {text}"])[kind] == [1, 3]


@pytest.mark.parametrize("text", OTHERS)
def test_what_only_looks_personal_is_not_told(text):
    assert personal([text]) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_the_search_over_all_texts_finds_what_the_search_in_each_finds(kind):
    texts = [*OTHERS, *(text for texts in FOUND.values() for text in texts)]
    assert personal(texts).get(kind, []) == [place for place, text in enumerate(texts) if KINDS[kind](text)]


def test_a_report_tells_rows_and_never_the_data():
    rows = [{"input": "hello", "output": "a"}, {"input": "I am ann@example.org", "output": "call +49 30 1234567"}]
    report = convert(rows, Mapping(), Cleaning()).report
    assert report.flagged == {"personal data: e-mail address": (2,), "personal data: phone number": (2,)}
    assert report.kept == 2
    shown = json.dumps(report.to_dict()) + report.table().text()
    assert "ann@" not in shown
    assert "1234567" not in shown
    assert convert(rows, Mapping(), Cleaning(flag_personal=False)).report.flagged == {}

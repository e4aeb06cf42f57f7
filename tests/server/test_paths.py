"""Which route an address belongs to."""

from __future__ import annotations

import pytest

from wxtuning.server.entrance.paths import Table
from wxtuning.server.routing import Route

TABLE = Table(
    [
        Route(method=method, path=path, handler=dict)
        for method, path in (("GET", "/a/{id}"), ("PUT", "/a/{id}"), ("GET", "/a/{id}/b"), ("GET", "/m/{name:path}"))
    ]
)


def found(method: str, path: str) -> tuple[str, dict[str, str]] | None:
    match = TABLE.match(method, path)
    return (match.route.path, match.parts) if match else None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/1", ("/a/{id}", {"id": "1"})),
        ("/a/%C3%A9%20x", ("/a/{id}", {"id": "é x"})),
        ("/a/%2525", ("/a/{id}", {"id": "%25"})),
        ("/a/1/b", ("/a/{id}/b", {"id": "1"})),
        ("/m/x", ("/m/{name:path}", {"name": "x"})),
        ("/m/x/y/z", ("/m/{name:path}", {"name": "x/y/z"})),
        ("/m/google%2Fflan-t5-xl", ("/m/{name:path}", {"name": "google/flan-t5-xl"})),
    ],
)
def test_an_address_belongs_to_the_route_whose_pattern_it_fits(path, expected):
    assert found("GET", path) == expected


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "/a", "/a/", "/a/1/", "//a/1", "/a//1", "/A/1", "/a/1/c", "/m", "/m/", "/a/1%2Fb", "/a/..",
        "/a/%2e%2e", "/a/1/../b", "/m/../a", "/m/x/../../y", "/m/%2e%2e%2fy", "/m/x%2f%2e%2e%2fy", "/m/x%2f%2fy",
        "/m/%2fetc", "/m/a%5cb", "/m/a%00b", "/m/.", "http://127.0.0.1/a/1", "*",
    ],
)  # fmt: skip
def test_what_fits_none_or_could_leave_its_place_belongs_to_none(path):
    assert found("GET", path) is None


def test_the_method_is_part_of_a_route():
    assert found("PUT", "/a/1") == ("/a/{id}", {"id": "1"})
    assert found("DELETE", "/a/1") is None
    assert found("put", "/a/1") is None

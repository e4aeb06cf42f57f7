"""How a contract says what it expected: pytest explains no bare assertion outside of a project's own tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from reprlib import repr as shortened


def same(what: str, found: object, expected: object) -> None:
    """Make sure that a store did as it should; `what` is a sentence about what it does then."""
    assert found == expected, f"{what}: found {shortened(found)}, expected {shortened(expected)}"


@contextmanager
def refused(what: str, *kinds: type[BaseException]) -> Iterator[None]:
    """Make sure that the block ends with one of these errors; `what` is a sentence about what ends with it."""
    names = " or ".join(kind.__name__ for kind in kinds)
    try:
        yield
    except kinds:
        return
    except Exception as error:
        raise AssertionError(f"{what}: raised {type(error).__name__} ({error}), expected {names}") from error
    raise AssertionError(f"{what}: raised nothing, expected {names}")


@contextmanager
def accepted(what: str) -> Iterator[None]:
    """Make sure that the block ends without an error; `what` is a sentence about what it does."""
    try:
        yield
    except Exception as error:
        raise AssertionError(f"{what}: raised {type(error).__name__} ({error})") from error

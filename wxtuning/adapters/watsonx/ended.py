"""When tuning ended, platform by platform, and the ways on. Dates and words; asks nobody."""

from __future__ import annotations

from wxtuning.adapters.watsonx.faults import BACKEND
from wxtuning.errors import AdapterError, NotOffered

SAAS_ENDED = "2026-09-10"
CPD_DEPRECATED, CPD_WITHOUT_TUNING = (5, 2), (6, 0)

WAYS_ON = (
    "Two ways on: leave .on(...) out and the same experiment runs on this machine; or run it on a cluster of your own "
    "(OpenShift AI is what IBM names)."
)


def numbered(version: str) -> tuple[int, ...]:
    """The first two numbers of a version, to be compared; empty if it does not begin with two."""
    parts = version.split(".")[:2]
    return tuple(map(int, parts)) if len(parts) == 2 and all(part.isdecimal() for part in parts) else ()


def refuse_without_tuning(version: str) -> None:
    """Whether a version of Cloud Pak for Data tunes; the empty one is the cloud's.

    Raises:
        NotOffered: if tuning has ended with it.
    """
    if numbered(version) >= CPD_WITHOUT_TUNING:
        raise NotOffered(
            f"Cloud Pak for Data {version} has no tuning any more; it ended with 6.0.0", backend=BACKEND, hint=WAYS_ON
        )


def refuse_unknown(version: str, known: tuple[str, ...], host: str) -> None:
    """Whether a version of Cloud Pak for Data can be talked to.

    Args:
        version: As the service tells it, or its user.
        known: The versions that the SDK knows.
        host: Who told.

    Raises:
        NotOffered: if there is no tuning in it, nor anything else that the SDK can ask for.
        AdapterError: if it is another one.
    """
    if ".".join(version.split(".")[:2]) in known:
        return
    refuse_without_tuning(version)
    raise AdapterError(
        f"{host} is Cloud Pak for Data {version[:40]!r}; expected {', '.join(known[:-1])} or {known[-1]}",
        backend=BACKEND,
        hint="Check url= and version=; another cluster, or this machine, tunes the same experiment.",
    )


def warning_of(version: str) -> str:
    """What a version of Cloud Pak for Data says of the end of tuning; empty if nothing."""
    if numbered(version) < CPD_DEPRECATED:
        return ""
    return (
        f"the service is Cloud Pak for Data {version}: prompt tuning is deprecated since 5.2, and 6.0 has no tuning "
        "of any kind"
    )

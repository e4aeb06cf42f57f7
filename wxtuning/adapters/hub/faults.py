"""What goes wrong at the Hub, in wxtuning's words. The only place that knows the vendors' exceptions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any, TypeVar

from wxtuning.errors import AdapterError, NotAuthorized, NotOffered, Unavailable, WxTuningError
from wxtuning.rows.policy import nearest
from wxtuning.rows.verdict import FileError

Value = TypeVar("Value")

BACKEND = "hub"
TOKEN = "HF_TOKEN"
MOST_NAMES = 1_000
"""So many of an owner's data sets are looked at for one that was meant."""

AS_OBJECT = "Or load it with `datasets` yourself and hand the Dataset to `.load(...)`."


def patiently(call: Callable[[], Value]) -> Value:
    """Call again, a little later, what the Hub answered with a fault of its own; at most three times in all."""
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

    wait = wait_random_exponential(multiplier=0.3, max=5)
    retrying = Retrying(stop=stop_after_attempt(3), wait=wait, retry=retry_if_exception(_is_passing), reraise=True)
    return retrying(call)


def _is_passing(error: BaseException) -> bool:
    # Where huggingface_hub has tried again itself, it hides the answer behind another error.
    from huggingface_hub.errors import HfHubHTTPError, RevisionResolutionError

    answer = error.__cause__ if isinstance(error, RevisionResolutionError) else error
    return isinstance(answer, HfHubHTTPError) and answer.response.status_code >= 500


@contextmanager
def translated(dataset: str, revision: str | None = None) -> Iterator[None]:
    """Raise what `datasets`, `huggingface_hub` and Arrow raise about a data set as one of ours.

    Raises:
        FileError: if the data set, its revision or its files are not there or cannot be read.
        NotAuthorized: if it may not be read with the token that was found.
        Unavailable: if the Hub did not answer, and no copy is on this machine.
        AdapterError: for anything else.
    """
    import httpx2
    from huggingface_hub.errors import RevisionResolutionError
    from pyarrow.lib import ArrowException
    from yaml import YAMLError

    of_vendors = (httpx2.HTTPError, RevisionResolutionError, ArrowException, YAMLError)
    try:
        yield
    except WxTuningError as error:
        # A reader takes whatever a stream raises for damage.
        if not isinstance(error.__cause__, httpx2.HTTPError):
            raise
        raise translation(error.__cause__, dataset, revision) from error.__cause__
    except (*of_vendors, OSError, ValueError, RuntimeError, LookupError, TypeError, AttributeError) as cause:
        raise translation(cause, dataset, revision) from cause


@contextmanager
def model_translated(model: str) -> Iterator[None]:
    """Raise what `huggingface_hub` raises about a model as one of ours.

    Raises:
        NotOffered: if the Hub has no such model.
        NotAuthorized: if it may not be read with the token that was found.
        Unavailable: if the Hub did not answer, or something else did.
    """
    import httpx2
    from huggingface_hub import errors as hub

    try:
        yield
    except hub.GatedRepoError as cause:
        raise _gated(model) from cause
    except hub.RepositoryNotFoundError as cause:
        raise NotOffered(
            f"the Hub has no model {model!r}",
            backend=BACKEND,
            hint=f"Check the id; if it is private, put a token that may read it into {TOKEN}.",
        ) from cause
    except hub.HfHubHTTPError as cause:
        raise _refused(cause, model) from cause
    except (httpx2.HTTPError, OSError, ValueError, TypeError, LookupError) as cause:
        raise unreachable(model) from cause


def translation(cause: BaseException, dataset: str, revision: str | None) -> WxTuningError:
    """The error to raise for what a vendor raised."""
    from huggingface_hub import errors as hub

    match cause:
        case hub.GatedRepoError():
            return _gated(dataset)
        case hub.RevisionNotFoundError():
            return _no_revision(dataset, revision)
        case hub.RepositoryNotFoundError() | hub.HFValidationError():
            return no_data_set(dataset)
        case hub.RemoteEntryNotFoundError():
            return FileError(f"the Hub has lost a file of {dataset}", code="not_found", hint=_ANOTHER_REVISION)
        case hub.HfHubHTTPError():
            return _refused(cause, dataset)
        case hub.RevisionResolutionError() | hub.LocalEntryNotFoundError() if cause.__cause__ is not None:
            return _not_reached(cause.__cause__, dataset, revision)
    return _of_the_machine(cause, dataset)


def _not_reached(cause: BaseException, dataset: str, revision: str | None) -> WxTuningError:
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    if isinstance(cause, HfHubHTTPError | LocalEntryNotFoundError):
        return translation(cause, dataset, revision)
    return unreachable(dataset)


def _of_the_machine(cause: BaseException, dataset: str) -> WxTuningError:
    import httpx2
    from huggingface_hub.errors import LocalEntryNotFoundError

    if isinstance(cause, httpx2.HTTPError | ConnectionError | TimeoutError | LocalEntryNotFoundError):
        return unreachable(dataset)
    if "scripts are no longer supported" in str(cause):
        return FileError(
            f"{dataset} is a program that makes rows, not a data set: wxtuning runs no code of a data set",
            code="unsupported_format",
            hint="Take a data set that holds files, such as Parquet or JSONL.",
        )
    if isinstance(cause, OSError) and cause.errno:
        return AdapterError(
            f"no copy of {dataset} can be kept on this machine: {cause.strerror}",
            backend=BACKEND,
            hint="Make room there, or name another folder in the environment variable HF_HOME.",
        )
    return FileError(
        f"{dataset} cannot be read as a data set: {_first_line(cause)}",
        code="unsupported_format",
        hint=f"Name the configuration in name= if it has several. {AS_OBJECT}",
    )


def _first_line(cause: BaseException) -> str:
    return next(iter(str(cause).splitlines()), "") or type(cause).__name__


def _gated(dataset: str) -> NotAuthorized:
    return NotAuthorized(
        f"{dataset} is only for people whom its owner has let in",
        backend=BACKEND,
        hint=f"Ask for access on its page of the Hub, then put your token into {TOKEN}.",
    )


def _refused(cause: Any, dataset: str) -> WxTuningError:
    status = cause.response.status_code
    if status in (401, 403):
        return NotAuthorized(
            f"the Hub does not let you read {dataset} (HTTP {status})",
            backend=BACKEND,
            hint=f"Put a token that may read it into {TOKEN}; the one found is absent, wrong, expired or too narrow.",
        )
    return Unavailable(f"the Hub did not give {dataset} (HTTP {status})", backend=BACKEND, hint="Try again later.")


def unreachable(dataset: str) -> Unavailable:
    """The Hub does not answer and nothing is kept here."""
    from huggingface_hub import is_offline_mode

    if is_offline_mode():
        return Unavailable(
            f"{dataset} is not on this machine, and HF_HUB_OFFLINE forbids asking the Hub",
            backend=BACKEND,
            hint="Unset HF_HUB_OFFLINE and ask for it once; whether the id is right could not be looked up.",
        )
    return Unavailable(
        f"the Hub cannot be reached, and {dataset} is not on this machine",
        backend=BACKEND,
        hint="Check the connection and try again; whether the id is right could not be looked up.",
    )


_ANOTHER_REVISION = "Name another revision= of it."


def _no_revision(dataset: str, revision: str | None) -> FileError:
    names: list[str] = []
    with _looking_up():
        from huggingface_hub import HfApi

        refs = HfApi().list_repo_refs(dataset, repo_type="dataset")
        names = [ref.name for ref in (*refs.branches, *refs.tags)]
    return FileError(
        f"{dataset} has no revision {revision!r}{did_you_mean(revision or '', names)}",
        code="not_found",
        hint=f"Branches and tags: {', '.join(names)}; or the hash of a commit." if names else _ANOTHER_REVISION,
    )


def no_data_set(dataset: str) -> FileError:
    """There is no data set with this id, or it is private: the Hub does not tell the two apart."""
    try:
        meant = did_you_mean(dataset, _ids_near(dataset))
    except LookupError:
        meant = "; whether another was meant could not be looked up"
    return FileError(
        f"the Hub has no data set {dataset!r}{meant}",
        code="not_found",
        hint=f"If it is private, put a token that may read it into {TOKEN}; if a file was meant, there is none here.",
    )


def did_you_mean(given: str, names: Sequence[str]) -> str:
    """The end of a sentence that names the nearest of the names; empty if none is near."""
    near = nearest(given, names)
    return f"; did you mean {near!r}?" if near else ""


def _ids_near(dataset: str) -> list[str]:
    """Ids that may have been meant: those of the owner, else those with that name.

    Raises:
        LookupError: if the Hub does not tell.
    """
    owner, _, name = dataset.partition("/")
    with _looking_up():
        return _ids(author=owner) or _ids(name=name)
    raise LookupError(dataset)


def _ids(*, author: str | None = None, name: str | None = None) -> list[str]:
    from huggingface_hub import HfApi

    found = HfApi().list_datasets(author=author, search=name)
    return [data_set.id for data_set in islice(found, MOST_NAMES)]


@contextmanager
def _looking_up() -> Iterator[None]:
    # A hint is looked up when something has gone wrong already; that it cannot be must not hide what has.
    import httpx2

    with suppress(httpx2.HTTPError, OSError, ValueError):
        yield

"""Requests to one bucket: sent, signed, repeated where that helps, and their errors translated. Knows no files.

A connection lives for one transfer and keeps nothing afterwards: no socket, no thread.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from wxtuning.adapters.cos.faults import (
    BACKEND,
    Request,
    check_whole,
    is_expired,
    is_unexplained,
    of_vendors,
    passing,
    translation,
)
from wxtuning.adapters.cos.keys import Authority
from wxtuning.adapters.cos.limits import Limits, Stopped
from wxtuning.adapters.cos.parts import Body
from wxtuning.adapters.cos.redaction import bared
from wxtuning.adapters.cos.wire import session
from wxtuning.errors import MissingDependency, Unavailable, WxTuningError
from wxtuning.retry import Patience, patiently

Answer = Mapping[str, Any]
Value = TypeVar("Value")

_making_clients = threading.Lock()


@dataclass(frozen=True)
class Place:
    """A bucket and how it is reached; `address` is what the addresses of its objects begin with."""

    endpoint: str
    bucket: str
    region: str
    ca: str | Path | None
    connections: int
    address: str

    @property
    def host(self) -> str:
        return urlsplit(self.endpoint).netloc


class Connection:
    """Asks one bucket for things.

    Args:
        place: The bucket.
        authority: Who signs.
        patience: How long to wait and how often to ask.
        seconds: When it must all be over.
    """

    def __init__(self, place: Place, authority: Authority, patience: Patience, seconds: float) -> None:
        self.place = place
        self._authority = authority
        self._patience = patience
        self._limits = Limits(patience, seconds)
        self._client = _client(place, self._limits)
        self._current = threading.local()
        self._client.meta.events.register("before-send.s3", self._sign)

    def close(self) -> None:
        self._client.close()

    def allow(self, seconds: float) -> None:
        """Set the deadline anew, from now on."""
        self._limits.allow(seconds)

    def stop(self) -> None:
        """Let every thread end, whatever it is doing."""
        self._limits.stop()

    def go_on(self) -> None:
        """Take `stop` back, for what tidies up."""
        self._limits.go_on()

    def end(self) -> None:
        """Stop for good: what is in the bucket stays there, as after a kill. For any thread."""
        self._limits.end()

    def check(self) -> None:
        """Make sure that this transfer is still wanted.

        Raises:
            Stopped: if it is not, or if another thread of it has failed.
            Unavailable: if its time is over.
        """
        self._limits.check()
        if self._limits.deadline.left <= 0:
            raise Unavailable(
                f"{self.place.host} took longer than {_shown(self._limits.deadline.seconds)} seconds",
                backend=BACKEND,
                hint="Run the same line again: it goes on from what has been stored. timeout= allows more.",
            )

    def ask(
        self,
        operation: str,
        *,
        body: Callable[[], Body] | None = None,
        unless: Callable[[], Answer | None] | None = None,
        attempts: int | None = None,
        **parameters: Any,
    ) -> Answer:
        """What the bucket answers.

        Args:
            operation: The SDK's name of the request.
            body: Makes the content, for every attempt anew.
            unless: Asked before a second attempt: the answer, if the first succeeded and only its answer was lost.
            attempts: At most so many; None: as many as the patience allows.
            parameters: As the SDK names them; the bucket is known.

        Raises:
            Missing: if what was asked for is not there.
            NotAuthorized, NotOffered, Unavailable, UploadIntegrityError: see `faults`.
        """
        call = partial(self._once, operation, body, parameters)
        request = self.request(operation, str(parameters.get("Key", "")))
        return self.repeatedly(call, request, unless=unless, attempts=attempts)

    def once(self, operation: str, **parameters: Any) -> Answer:
        """As `ask`, but sent once, and with the vendor's errors; for `repeatedly`."""
        return self._once(operation, None, parameters)

    def request(self, operation: str, key: str) -> Request:
        """What is asked, for messages."""
        return Request(operation, self.place.bucket, self.place.host, self.place.region, key)

    def repeatedly(
        self,
        call: Callable[[], Value],
        request: Request,
        *,
        unless: Callable[[], Value | None] | None = None,
        attempts: int | None = None,
    ) -> Value:
        """Call until it succeeds, or cannot; as `ask` does."""
        tried = 0

        def attempt() -> Value:
            nonlocal tried
            tried += 1
            self.check()
            if tried > 1 and unless and (found := unless()) is not None:
                return found
            return self._in_time(call)

        try:
            return patiently(
                attempt,
                passing=lambda error: passing(error) if attempts is None or tried < attempts else None,
                deadline=self._limits.deadline,
                patience=self._patience,
                sleep=self._limits.rest,
            )
        except of_vendors() as error:
            raise translation(error, request, tried) from error

    def _in_time(self, call: Callable[[], Value]) -> Value:
        try:
            return call()
        except of_vendors() as error:
            bared(error)  # it may become the context of another
            self.check()  # what breaks when the time is over breaks because of that
            raise

    def pages(self, operation: str, marks: Mapping[str, str], **parameters: Any) -> Iterator[Answer]:
        """All pages of a list; `marks` names what of an answer is which parameter of the next request."""
        page = self.ask(operation, **parameters)
        yield page
        while page.get("IsTruncated") and all(page.get(answered) for answered in marks):
            parameters.update({asked: page[answered] for answered, asked in marks.items()})
            page = self.ask(operation, **parameters)
            yield page

    def _once(self, operation: str, body: Callable[[], Body] | None, parameters: Mapping[str, Any]) -> Answer:
        try:
            return self._sent(operation, body, parameters)
        except of_vendors() as error:
            if is_expired(error) and self._authority.renew(self._current.generation, self._limits):
                return self._sent(operation, body, parameters)
            raise

    def _sent(self, operation: str, body: Callable[[], Body] | None, parameters: Mapping[str, Any]) -> Answer:
        self._current.signer = self._authority.ready(self._limits)
        self._current.generation = self._authority.generation
        content = body() if body else None
        given = {**parameters, "Body": content} if content is not None else parameters
        try:
            answer: Answer = getattr(self._client, operation)(Bucket=self.place.bucket, **given)
            check_whole(operation, answer)
            return answer
        except of_vendors() as error:
            bared(error)
            if content is not None and content.stopped_by:
                raise content.stopped_by.with_traceback(content.stopped_at) from None
            if content is not None:
                content.take_back()
            if operation == "head_object" and is_unexplained(error):
                # The answer to a HEAD has no body that could say why; the same question as a GET has one.
                self._client.get_object(Bucket=self.place.bucket, **parameters)["Body"].close()
            raise

    def _sign(self, request: Any, **_: object) -> None:
        self._current.signer.sign(request)


def _shown(seconds: float) -> str:
    return f"{seconds:,.1f}".removesuffix(".0")


def _client(place: Place, limits: Limits) -> Any:
    config_of, unsigned = _vendor()
    config = config_of(
        signature_version=unsigned,  # requests are signed as they leave, see `keys`
        retries={"total_max_attempts": 1},
        max_pool_connections=place.connections + 1,
        s3={"addressing_style": "path"},
        user_agent_extra="wxtuning",
    )
    with _making_clients:
        client = _session(os.getpid()).create_client(
            "s3",
            region_name=place.region,
            endpoint_url=place.endpoint,
            verify=str(place.ca) if place.ca else True,
            config=config,
        )
    client.meta.events.register("before-parameter-build.s3", _stay)
    # There is no public way to say it: no client has had a connection at this point.
    client._endpoint.http_session = session(
        place.endpoint, ca=place.ca, limits=limits, connections=place.connections + 1
    )
    return client


def _vendor() -> tuple[Any, Any]:
    try:
        from ibm_botocore import UNSIGNED
        from ibm_botocore.config import Config
    except ImportError as cause:
        raise MissingDependency(
            "the IBM COS SDK is not installed", backend=BACKEND, hint="pip install ibm-cos-sdk"
        ) from cause
    return Config, UNSIGNED


@cache
def _session(process: int) -> Any:
    """The SDK's session: its descriptions of the service, read once; no setting of this machine's other tools."""
    from ibm_botocore.session import Session

    files = ("config_file", "credentials_file", "cos_credentials_file")
    nothing = dict.fromkeys(files, (None, None, os.devnull, None))
    return Session(session_vars={**nothing, "profile": (None, None, None, None)})


def _stay(context: dict[str, Any], **_: object) -> None:
    # The SDK would follow a server that names another region, and ask that one with our keys.
    context.setdefault("s3_redirect", {})["redirected"] = True


@contextmanager
def quietly() -> Iterator[None]:
    """For what tidies up after an error: that it fails too must not hide the first."""
    try:
        yield
    except (WxTuningError, Stopped):
        return

"""What a server is started with. Values; knows no sockets and no files but its own folder's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Platform = Literal["cpd", "cloud"]

MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much one caller may ask of the server.

    Args:
        header_bytes: The longest request line with headers.
        body_bytes: The longest JSON or form.
        upload_bytes: The largest file.
        head_seconds: In which a request's headers must have come, from the first byte or the opened connection on.
        body_seconds: In which a JSON or form must have come.
        upload_seconds: In which a file must have come.
        idle_seconds: The longest silence inside a body, and the longest that a reader of an answer may not read.
        linger_seconds: How long the rest of a request is still read, and dropped, after it was refused.
        keep_seconds: How long a connection stays open between two requests.
        end_seconds: How long answers in flight may go on when the server is told to end.
        answers: Requests at a time that wait for a model; one more is answered 503.
        requests: All other requests worked on at a time, likewise.
    """

    header_bytes: int = 32 * 1024
    body_bytes: int = 4 * MIB
    upload_bytes: int = 200 * MIB
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    upload_seconds: float = 600.0
    idle_seconds: float = 30.0
    linger_seconds: float = 2.0
    keep_seconds: int = 15
    end_seconds: int = 5
    answers: int = 128
    requests: int = 256


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a server is started with.

    Args:
        home: Its folder: state, uploads, jobs, keys and certificates; made with the right of its owner alone.
        chain: The home of experiments whose deployments are also served, to be read only; none if not given.
        platform: Which of the two APIs of watsonx it speaks: Cloud Pak for Data (`cpd`) or IBM Cloud (`cloud`).
        host, port: Where it listens; port 0 takes a free one.
        names: Other host names that callers may use for it, without port.
        tls: Speak https with a certificate of its own authority; the official SDK refuses http.
        models: Names of base models and what is behind them: a folder or a Hub id. The embedded one is always there.
        jobs: Training jobs at a time, 1 and more.
        least_rows: Fewer rows than this are no training data, 1 and more.
        endpoints: Addresses of object stores (`http://127.0.0.1:9000`) that connections may name although they lie
            in this machine or its network.
        token_seconds: How long a token is good.
        version: What `cpd` says it is.
        limits: How much one caller may ask.
    """

    home: Path
    chain: Path | None = None
    platform: Platform = "cpd"
    host: str = "127.0.0.1"
    port: int = 0
    names: tuple[str, ...] = ()
    tls: bool = True
    models: Mapping[str, str] = field(default_factory=dict)
    jobs: int = 1
    least_rows: int = 50
    endpoints: tuple[str, ...] = ()
    token_seconds: float = 3600.0
    version: str = "5.2.0"
    limits: Limits = Limits()

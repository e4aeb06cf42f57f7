"""Sockets of which every wait is within the limits of a transfer. Knows addresses; knows nothing of HTTP.

A socket's own time limit begins anew with every byte that moves, so that a server of one byte a second is never late.
"""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from errno import EINPROGRESS
from functools import partial
from typing import Any, TypeVar, cast

from wxtuning.adapters.cos.limits import Limits

Value = TypeVar("Value")
Address = tuple[Any, ...]
Option = tuple[int, int, int]


class Timed(socket.socket):
    """A socket that waits as long as its limits say, whatever it is told; they belong to its class, see `bound`."""

    limits: Limits

    def connect(self, address: Any, /) -> None:
        self.setblocking(False)
        error = self.connect_ex(address)
        if error == EINPROGRESS:
            self.limits.within(self.limits.connect_seconds, self._wait_for_connection)
            error = self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        self.setblocking(True)

    def _wait_for_connection(self, seconds: float) -> None:
        from urllib3.util import wait_for_write

        if not wait_for_write(self, seconds):
            raise TimeoutError

    def recv(self, *arguments: Any) -> bytes:
        return self._in_time(partial(super().recv, *arguments))

    def recv_into(self, *arguments: Any) -> int:
        return self._in_time(partial(super().recv_into, *arguments))

    def send(self, *arguments: Any) -> int:
        return self._in_time(partial(super().send, *arguments))

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        rest = memoryview(data).cast("B")
        while rest:
            rest = rest[self.send(rest, flags) :]

    def _in_time(self, act: Callable[[], Value]) -> Value:
        def in_slices(seconds: float) -> Value:
            self.settimeout(seconds)
            return act()

        return self.limits.within(self.limits.read_seconds, in_slices)


class TimedTLS(Timed, ssl.SSLSocket):
    """The same, over TLS."""

    def do_handshake(self, block: bool = False) -> None:
        def in_slices(seconds: float) -> None:
            self.settimeout(seconds)
            ssl.SSLSocket.do_handshake(self, block)

        try:
            self.limits.within(self.limits.connect_seconds, in_slices)
        except BaseException:
            self.close()
            raise


Kind = TypeVar("Kind", bound=Timed)


def bound(kind: type[Kind], limits: Limits) -> type[Kind]:
    """A class of sockets with these limits; TLS makes its sockets itself, of a class that it is told."""
    return cast("type[Kind]", type(kind.__name__, (kind,), {"limits": limits}))


def connected(host: str, port: int, options: Iterable[Option], limits: Limits) -> Timed:
    """A socket to the first address of a host that takes it.

    Raises:
        OSError: if none does; TimeoutError if nobody says so in time.
    """
    error = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in _addresses(host, port, limits):
        try:
            return _connected(bound(Timed, limits)(family, kind, protocol), address, options)
        except OSError as found:
            error = found
    raise error


def _connected(found: Timed, address: Address, options: Iterable[Option]) -> Timed:
    try:
        for option in options:
            found.setsockopt(*option)
        found.connect(address)
    except BaseException:
        found.close()
        raise
    return found


def _addresses(host: str, port: int, limits: Limits) -> list[tuple[Any, ...]]:
    # The system's resolver knows no time limit and cannot be interrupted, so nobody waits for it but a thread.
    found: Future[list[tuple[Any, ...]]] = Future()
    thread = threading.Thread(target=_look_up, args=(host, port, found), name="wxtuning-cos-names", daemon=True)
    thread.start()
    addresses = limits.within(limits.read_seconds, found.result)
    thread.join()
    return addresses


def _look_up(host: str, port: int, found: Future[list[tuple[Any, ...]]]) -> None:
    try:
        found.set_result([*socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)])
    except (OSError, ValueError) as error:
        found.set_exception(error)

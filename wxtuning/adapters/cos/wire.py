"""How bytes get to a socket and how sockets end. Knows the vendors' connections; knows nothing of requests.

Three things are not as they are in the SDK: the time limit of sending, what waits in the kernel, and what closing does.
"""

from __future__ import annotations

import socket
from functools import cache
from pathlib import Path
from typing import Any

_UNSENT_BYTES = 128 * 1024


def session(
    endpoint: str, *, ca: str | Path | None, connect_seconds: float, read_seconds: float, connections: int
) -> Any:
    """The SDK's session for HTTP.

    Args:
        endpoint: The server, to find the proxy before it in the environment.
        ca: The file of a certificate authority; None: those that are commonly trusted.
        connect_seconds: For a connection.
        read_seconds: Without a byte moving, in either direction.
        connections: At once.
    """
    from ibm_botocore.utils import get_environ_proxies

    return _session_class()(
        verify=str(ca) if ca else True,
        proxies=get_environ_proxies(endpoint),
        timeout=(connect_seconds, read_seconds),
        max_pool_connections=connections,
        socket_options=_socket_options(),
    )


def _socket_options() -> list[tuple[int, int, int]]:
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        # A part must not wait in the kernel, where nobody sees it move: on a slow link megabytes of it would take
        # longer to leave than one waits for an answer.
        options.append((socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES))
    return options


@cache
def _session_class() -> Any:
    from ibm_botocore.httpsession import URLLib3Session

    class Session(URLLib3Session):  # type: ignore[misc]
        def __init__(self, *, timeout: tuple[float, float], **settings: Any) -> None:
            super().__init__(timeout=timeout, **settings)
            self._pool_classes_by_scheme.update(_pools(timeout[1]))

        def close(self) -> None:
            # urllib3 leaves connections open until the pool is collected as garbage.
            for manager in (self._manager, *self._proxy_managers.values()):
                for key in manager.pools.keys():  # noqa: SIM118 # iterating over the pools themselves is not offered
                    if pool := manager.pools.get(key):
                        pool.close()
            super().close()

    return Session


def _pools(read_seconds: float) -> dict[str, Any]:
    from ibm_botocore import awsrequest

    http = _with_send_limit(awsrequest.AWSHTTPConnection, read_seconds)
    https = _with_send_limit(awsrequest.AWSHTTPSConnection, read_seconds)
    return {
        "http": type("Pool", (awsrequest.AWSHTTPConnectionPool,), {"ConnectionCls": http}),
        "https": type("Pool", (awsrequest.AWSHTTPSConnectionPool,), {"ConnectionCls": https}),
    }


def _with_send_limit(vendor: Any, seconds: float) -> Any:
    class Connection(vendor):  # type: ignore[misc]
        def send(self, data: Any) -> None:
            # urllib3 sends with the limit for connecting, which is far too short for a slow link.
            if self.sock is not None:
                self.sock.settimeout(seconds)
            super().send(data)

    return Connection

"""How bytes get to a socket and how sockets end. Knows the vendors' connections; knows nothing of requests.

Three things are not as they are in the SDK: the time limits, what waits in the kernel, and what closing does.
"""

from __future__ import annotations

import socket
from functools import cache
from pathlib import Path
from typing import Any

from wxtuning.adapters.cos.limits import Limits
from wxtuning.adapters.cos.redaction import redacted
from wxtuning.adapters.cos.sockets import Timed, TimedTLS, bound, connected

_UNSENT_BYTES = 128 * 1024


def session(endpoint: str, *, ca: str | Path | None, limits: Limits, connections: int) -> Any:
    """The SDK's session for HTTP.

    Args:
        endpoint: The server, to find the proxy before it in the environment.
        ca: The file of a certificate authority; None: those that are commonly trusted.
        limits: How long to wait for a connection, and without a byte moving, in either direction; and for everything.
        connections: At once.
    """
    from ibm_botocore.utils import get_environ_proxies

    return _session_class()(
        limits=limits,
        verify=str(ca) if ca else True,
        proxies=get_environ_proxies(endpoint),
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
        def __init__(self, *, limits: Limits, **settings: Any) -> None:
            self._limits = limits
            super().__init__(**settings)
            self._pool_classes_by_scheme.update(_pools(limits))

        def _get_ssl_context(self) -> Any:
            context = super()._get_ssl_context()
            context.sslsocket_class = bound(TimedTLS, self._limits)
            return context

        def send(self, request: Any) -> Any:
            answer = super().send(request)
            if answer.status_code >= 300 or not request.stream_output:
                # Here, before the SDK logs it and makes an error of it.
                answer._content = redacted(answer.content, answer.status_code, request.headers)
            return answer

        def close(self) -> None:
            # urllib3 leaves connections open until the pool is collected as garbage.
            for manager in (self._manager, *self._proxy_managers.values()):
                for key in manager.pools.keys():  # noqa: SIM118 # iterating over the pools themselves is not offered
                    if pool := manager.pools.get(key):
                        pool.close()
            super().close()

    return Session


def _pools(limits: Limits) -> dict[str, Any]:
    from ibm_botocore import awsrequest

    http = _with_limits(awsrequest.AWSHTTPConnection, limits)
    https = _with_limits(awsrequest.AWSHTTPSConnection, limits)
    return {
        "http": type("Pool", (awsrequest.AWSHTTPConnectionPool,), {"ConnectionCls": http}),
        "https": type("Pool", (awsrequest.AWSHTTPSConnectionPool,), {"ConnectionCls": https}),
    }


def _with_limits(vendor: Any, limits: Limits) -> Any:
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    class Connection(vendor):  # type: ignore[misc]
        def _new_conn(self) -> Timed:
            try:
                return connected(self.host.strip("[]"), self.port, self.socket_options or (), limits)
            except TimeoutError as error:
                raise ConnectTimeoutError(self, str(error)) from error
            except OSError as error:
                raise NewConnectionError(self, str(error)) from error

    return Connection

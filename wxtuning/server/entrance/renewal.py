"""A certificate that is replaced while the server runs, well before it expires. Knows no sockets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from wxtuning.server.entrance.certificates import Files

EVERY_SECONDS = 24 * 3600.0
"""How often a running server looks whether its certificate is to be renewed."""

log = logging.getLogger("wxtuning.server")


class Shown(Protocol):
    """What a server shows its certificate with, such as an `ssl.SSLContext`."""

    def load_cert_chain(self, certfile: str, keyfile: str) -> None: ...


async def keep_fresh(
    shown: Shown, certificates: Callable[[], Files], *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Once a day, show callers who connect from then on the certificate that is good then; never ends by itself.

    Args:
        shown: What the certificate is loaded into.
        certificates: The files as they should be now; renews them where they are old.
        sleep: Waits so many seconds.
    """
    while True:
        await sleep(EVERY_SECONDS)
        try:
            files = await asyncio.to_thread(certificates)
            shown.load_cert_chain(str(files.certificate), str(files.key))
        except Exception:  # the server goes on with the certificate that it has, and looks again tomorrow
            log.exception("the certificate cannot be renewed; it is tried again in a day")

"""`python -m portal.server`: the web process, one event loop on one listening socket.

Refuses to start other processes, to restart itself, and to serve on more than this machine unless HOST says so.
"""

import contextlib
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from django.conf import settings

from portal import asgi, held
from portal.protocol import BoundedProtocol

logger = logging.getLogger("portal.web")

KEEP_ALIVE_S = 75


class CannotListen(Exception):
    """The address cannot be listened on; the text is one line for a person."""


class Server(uvicorn.Server):
    """Uvicorn, but held requests are answered by the application before the server would cut them off."""

    def __init__(self, config: uvicorn.Config, *, draining: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._draining = draining

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, let the application answer what it holds, then finish what is under way."""
        for server in self.servers:
            server.close()
        try:
            await self._draining()
        except Exception:
            logger.exception("held requests could not be answered")
        await super().shutdown(sockets)


def listening_socket() -> socket.socket:
    """The socket to serve on: the one handed over as file descriptor LISTEN_FD, or HOST:PORT. Raises CannotListen."""
    handed_over = os.environ.get("LISTEN_FD", "")
    if handed_over:
        try:
            return socket.socket(fileno=int(handed_over))
        except (OSError, ValueError):
            raise CannotListen(f"LISTEN_FD={handed_over} is not an open socket") from None
    host = settings.HOST
    port = settings.PORT
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        raise CannotListen(f"HOST={host} is not an address of this machine") from None
    # "localhost" is both; a browser tries IPv4 as well, and so does everything else.
    family, kind, protocol, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise CannotListen(f"port {port} on {host}: {reason}. Choose another, e.g. PORT={port + 1}") from None
    return listener


def raise_file_limit() -> int:
    """Take as many open files as this process may have: each poll that is held is one. Returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def make_config(application: Any, *, open_files: int) -> uvicorn.Config:
    """Uvicorn's settings. `application` is an ASGI callable."""
    proxies: list[str] = list(settings.TRUSTED_PROXIES)
    return uvicorn.Config(
        application,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        interface="asgi3",
        lifespan="on",
        # Django's logging stands; requests are not logged here, or every poll would be a line.
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(settings.WEB_DRAIN_S),
        # Half of the open files: a body or a database connection needs some too.
        limit_concurrency=max(64, open_files // 2),
        reset_contextvars=True,
    )


def serve(application: Any, *, listener: socket.socket, draining: Callable[[], Awaitable[None]]) -> None:
    """Serve an ASGI callable until SIGTERM or SIGINT; returns after the last answer is out.

    `draining` is awaited first when the end has come: it makes the application answer what it holds.
    """
    config = make_config(application, open_files=raise_file_limit())
    Server(config, draining=draining).run(sockets=[listener])


def _leave(signum: int, frame: FrameType | None) -> None:
    # uvicorn raises the signal again once it has drained; that is a clean end, not a death.
    sys.exit(0)


def main() -> int:
    """Run the web process; the exit code."""
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    try:
        listener = listening_socket()
    except CannotListen as problem:
        sys.stderr.write(f"web: {problem}\n")
        return 1
    BoundedProtocol.hold = staticmethod(partial(held.hold, limits=asgi.limits))
    name = listener.getsockname()
    if isinstance(name, tuple):
        host = f"[{name[0]}]" if ":" in name[0] else name[0]
        sys.stdout.write(f"web: listening on http://{host}:{name[1]}\n")
        sys.stdout.flush()
    serve(asgi.application, listener=listener, draining=partial(asgi.run, asgi.draining))
    return 0


if __name__ == "__main__":
    sys.exit(main())

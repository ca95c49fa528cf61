"""Reads request bodies whole, in bounded memory: small ones stay in memory, larger ones go to a temporary file.

Refuses a body that is too large, too slow, or not as long as it said; never hands on a part of one.
"""

import asyncio
import time
from io import BytesIO
from tempfile import TemporaryFile
from typing import Any

from portal.admission import Gone, Limits, Receive, Refused, Scope, header


class Body:
    """A complete request body: `file` stands at its start, `size` is its length in bytes."""

    __slots__ = ("file", "in_file", "size")

    def __init__(self) -> None:
        self.file: Any = BytesIO()
        self.size = 0
        self.in_file = False


class Bodies:
    """All bodies being received or held by this process. Belongs to one event loop; uses no locks."""

    def __init__(self, *, limits: Limits) -> None:
        self.limits = limits
        self.count = 0
        self.memory = 0
        self.disk = 0

    async def read(self, scope: Scope, receive: Receive, *, limit: int) -> Body:
        """The complete body, at most `limit` bytes. The caller must `release` it. Raises Refused or Gone."""
        length = header(scope, b"content-length")
        declared = int(length) if length else None
        if declared is not None and declared > limit:
            raise _too_large(limit)
        self._room(declared or 0)
        body = Body()
        self.count += 1
        try:
            if declared or header(scope, b"transfer-encoding"):
                await self._fill(body, receive, limit=limit)
            else:
                await self._empty(receive)
            _compare(body, declared=declared)
        except BaseException:
            self.release(body)
            raise
        body.file.seek(0)
        return body

    def release(self, body: Body) -> None:
        """Forget a body and free what it holds."""
        body.file.close()
        self.count -= 1
        if body.in_file:
            self.disk -= body.size
        else:
            self.memory -= body.size

    async def _empty(self, receive: Receive) -> None:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        if message.get("body") or message.get("more_body"):
            raise Refused(400, "bad_request", "The length of the body is not clear.")

    async def _fill(self, body: Body, receive: Receive, *, limit: int) -> None:
        limits = self.limits
        start = heard = time.monotonic()
        more = True
        while more:
            # Without a byte for a while, or slower on average than any line in use: not a sender worth waiting for.
            until = min(heard + limits.idle_s, start + limits.grace_s + body.size / limits.rate)
            try:
                async with asyncio.timeout(until - time.monotonic()):
                    message = await receive()
            except TimeoutError:
                raise Refused(408, "too_slow", "The request took too long to arrive.") from None
            if message["type"] == "http.disconnect":
                raise Gone
            chunk = message.get("body", b"")
            more = message.get("more_body", False)
            if body.size + len(chunk) > limit:
                raise _too_large(limit)
            if chunk:
                heard = time.monotonic()
                self._room(len(chunk))
                self._keep(body, chunk)

    def _keep(self, body: Body, chunk: bytes) -> None:
        size = len(chunk)
        in_memory = body.size + size <= self.limits.body_memory and self.memory + size <= self.limits.memory
        if not body.in_file and not in_memory:
            self._to_file(body)
        # A write to a temporary file is a copy into the page cache, far shorter than a hop to a thread and back.
        body.file.write(chunk)
        body.size += size
        if body.in_file:
            self.disk += size
        else:
            self.memory += size

    def _to_file(self, body: Body) -> None:
        file = TemporaryFile(prefix="body-")  # noqa: SIM115 - closed by release
        file.write(body.file.getbuffer())
        body.file = file
        body.in_file = True
        self.memory -= body.size
        self.disk += body.size

    def _room(self, size: int) -> None:
        if self.count > self.limits.bodies or self.disk + size > self.limits.disk:
            raise Refused(503, "busy", "The server is busy. Try again in a moment.")


def _compare(body: Body, *, declared: int | None) -> None:
    if declared is not None and body.size != declared:
        raise Refused(400, "bad_request", "The body is not as long as its content-length says.")


def _too_large(limit: int) -> Refused:
    return Refused(413, "too_large", f"The request is larger than {limit} bytes.")

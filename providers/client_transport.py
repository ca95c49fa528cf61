"""Carries requests over aiohttp and bounds what comes back: no redirects, no cookies, no environment proxies.

Knows bytes and sockets only. Unpacks gzip under a cap, closes at once, and tells a refused connection from one that broke
after the question was sent.
"""

from __future__ import annotations

import asyncio
import importlib
import socket
import ssl
import zlib
from collections.abc import Callable
from typing import Any

import aiohttp
import aiohttp.abc
import httpx2

from providers import addresses
from providers.endpoints import Endpoint
from providers.failures import Failure, Kind

NEVER_SENT: tuple[type[Exception], ...] = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)
ERROR_BODY = 64 * 1024
"""As much of an error's body is read, unpacked."""
READ_OUT_S = 0.5
"""So long the end of a body may take after its last event; then the connection is closed."""
_leaving: set[asyncio.Task[None]] = set()


class Body:
    """A response's body, unpacked. Of an error only the beginning is given; `allow` sets a limit it may not pass."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._content = response.content
        self._left = ERROR_BODY
        self._strict = False
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        self._unpack = zlib.decompressobj(47) if encoding in ("gzip", "x-gzip", "deflate") else None
        self._unknown = "" if self._unpack or encoding in ("", "identity") else encoding

    def allow(self, size: int) -> None:
        """From now on `size` bytes may come; more is Failure(TOO_LARGE)."""
        self._left = size
        self._strict = True

    async def read(self) -> bytes:
        """The next bytes, b"" at the end. Raises Failure: CUT_OFF (also when closed by us), TOO_LARGE, BAD_STREAM."""
        if self._unknown:
            raise Failure(Kind.BAD_STREAM, detail="content-encoding not understood", dispatched=True)
        try:
            chunk = await self._content.readany()
            while self._unpack is not None and chunk:
                unpacked = self._unpack.decompress(chunk, self._left + 1)
                if unpacked:
                    chunk = unpacked
                    break
                chunk = await self._content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise Failure(Kind.CUT_OFF, detail=type(error).__name__, dispatched=True) from None
        except zlib.error:
            raise Failure(Kind.BAD_STREAM, detail="broken gzip", dispatched=True) from None
        self._left -= len(chunk)
        if self._left < 0:
            if self._strict:
                raise Failure(Kind.TOO_LARGE, detail="body", dispatched=True)
            self._left = 0
            self.close()
            return b""
        return chunk

    def arrived(self) -> bytes:
        """What has come already and was not read, without waiting; packed bodies give nothing."""
        if self._unpack is not None or self._content.exception() is not None:
            return b""
        return self._content.read_nowait(-1)

    def close(self) -> None:
        """Ends the connection at once, unless the body was read to its end: then it is kept for the next request."""
        if self._content.is_eof() and self._content.at_eof():
            self._response.release()
        else:
            self._response.close()

    def leave(self) -> None:
        """The last event has come: what little follows is read beside, so that the connection serves the next request too."""
        if self._content.is_eof() and self._content.at_eof():
            self._response.release()
            return
        task = asyncio.get_running_loop().create_task(self._read_out())
        _leaving.add(task)
        task.add_done_callback(_leaving.discard)

    async def _read_out(self) -> None:
        read = 0
        try:
            async with asyncio.timeout(READ_OUT_S):
                while read <= ERROR_BODY and (chunk := await self._content.readany()):
                    read += len(chunk)
        except (aiohttp.ClientError, OSError, TimeoutError):
            pass
        finally:
            self.close()


class Names(aiohttp.abc.AbstractResolver):
    """Looks names up once; the connection goes to the very addresses that were judged here."""

    def __init__(self, *, allow_private: bool) -> None:
        self._inner = aiohttp.ThreadedResolver()
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[aiohttp.abc.ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for each in found:
            if addresses.refused(each["host"], allow_private=self._allow_private):
                raise Failure(Kind.UNREACHABLE, detail="the name leads to a refused address")
        return found

    async def close(self) -> None:
        await self._inner.close()


def _tracing() -> aiohttp.TraceConfig:
    """Calls what was given with a request when its head is written: not before there is a connection."""

    async def told(_session: aiohttp.ClientSession, context: Any, _params: object) -> None:
        if context.trace_request_ctx is not None:
            context.trace_request_ctx()

    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(told)
    return config


class Transport:
    """The connections to one endpoint, on one loop. `traced`: `send` can say when a request goes out."""

    def __init__(self, endpoint: Endpoint, *, traced: bool = False) -> None:
        self._traced = traced
        try:
            addresses.check_url(endpoint.base_url, allow_private=endpoint.allow_private)
            if endpoint.proxy:
                addresses.check_proxy(endpoint.proxy)
        except addresses.RefusedAddress as error:
            raise Failure(Kind.UNREACHABLE, detail=f"address: {error}") from None
        self._names = Names(allow_private=endpoint.allow_private or bool(endpoint.proxy))
        self._proxy = endpoint.proxy
        self._session: aiohttp.ClientSession | None = None
        self._proxy_errors: tuple[type[Exception], ...] = ()
        secure = endpoint.base_url.startswith("https:") or endpoint.proxy.startswith("https:")
        self._ssl = _ssl_context(endpoint.ca_bundle) if secure else None

    def _open_session(self) -> aiohttp.ClientSession:
        # Shorter than what servers wait (uvicorn 5 s), so that no question goes into a connection that is being closed.
        options: dict[str, Any] = {"limit": 0, "keepalive_timeout": 4, "ssl": self._ssl or True}
        if self._proxy.startswith("socks"):
            connector = self._socks_connector(options)
        else:
            connector = aiohttp.TCPConnector(resolver=self._names, **options)
        return aiohttp.ClientSession(
            connector=connector,
            trust_env=False,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(),
            trace_configs=[_tracing()] if self._traced else None,
        )

    def _socks_connector(self, options: dict[str, Any]) -> aiohttp.BaseConnector:
        try:
            library = importlib.import_module("aiohttp_socks")
        except ImportError:
            raise Failure(Kind.UNREACHABLE, detail="a socks5 proxy needs the package aiohttp-socks") from None
        self._proxy_errors = (library.ProxyError, library.ProxyConnectionError, library.ProxyTimeoutError)
        # Names are looked up by the proxy; "socks5h" says just that elsewhere.
        address = self._proxy.replace("socks5h://", "socks5://", 1)
        connector: aiohttp.BaseConnector = library.ProxyConnector.from_url(address, rdns=True, **options)
        return connector

    async def send(
        self,
        url: str,
        *,
        headers: list[tuple[str, str]],
        content: bytes | None,
        connect_s: float,
        sent: Callable[[], None] | None = None,
    ) -> aiohttp.ClientResponse:
        """Answers when the headers are there. Raises Failure(UNREACHABLE), told apart by `dispatched`.

        `sent` is called once there is a connection and the request goes out (of a transport that is traced).
        """
        if self._session is None:
            self._session = self._open_session()
        try:
            return await self._session.request(
                "GET" if content is None else "POST",
                url,
                headers=headers,
                data=content,
                allow_redirects=False,
                proxy=None if not self._proxy or self._proxy.startswith("socks") else self._proxy,
                # `connect` also covers the name lookup and a proxy's CONNECT; reading is watched by the caller
                timeout=aiohttp.ClientTimeout(connect=connect_s, sock_connect=connect_s),
                trace_request_ctx=sent,
            )
        except (*NEVER_SENT, *self._proxy_errors) as error:
            raise Failure(Kind.UNREACHABLE, detail=type(error).__name__) from None
        except (aiohttp.ClientError, OSError) as error:
            raise Failure(Kind.UNREACHABLE, detail=type(error).__name__, dispatched=True) from None

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # lets plain sockets see their end before the loop may be closed


def _ssl_context(ca_bundle: str) -> ssl.SSLContext:
    """The system's certificates, and those of the file beside them. Raises Failure if it cannot be read."""
    context = httpx2.create_ssl_context(trust_env=False)
    if ca_bundle:
        try:
            context.load_verify_locations(ca_bundle)
        except OSError as error:
            raise Failure(Kind.UNREACHABLE, detail=f"CA_BUNDLE: {type(error).__name__}") from None
    return context

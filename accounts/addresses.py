"""Which addresses a server entered in the browser may have. A cloud's metadata and link-local ones never, private by setting. Pure."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from urllib.parse import urlsplit

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
METADATA = frozenset(map(ipaddress.ip_address, ("100.100.100.200", "fd00:ec2::254", "192.0.0.192", "168.63.129.16")))
PROXIES = ("http", "https", "socks5", "socks5h")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# No name ends in a number; what does is an IPv4 address in a spelling that only some programs read as one.
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")


class RefusedAddress(ValueError):
    """Nothing of ours may be asked there; the text may be shown to an administrator."""


def refused(address: str, *, allow_private: bool) -> bool:
    """Whether this IP address may not be connected to. Raises ValueError if it is none."""
    ip = _plain(ipaddress.ip_address(address.partition("%")[0]))
    if ip.is_link_local or ip.is_multicast or ip in METADATA or ip.is_unspecified or ip.is_reserved:
        return True
    return not allow_private and not ip.is_global


def check_url(url: str, *, allow_private: bool) -> None:
    """Raises RefusedAddress for anything but a plain http(s) address. Names are judged again when resolved."""
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port != 0
    except ValueError:
        raise RefusedAddress("not an address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_fine:
        raise RefusedAddress("only http:// and https://")
    if "@" in parts.netloc or "\\" in url or parts.query or parts.fragment or any(c.isspace() for c in url):
        raise RefusedAddress("no user, query, fragment, backslash or blank in it")
    _check_host(parts.hostname, allow_private=allow_private)


def check_proxy(url: str) -> None:
    """Raises RefusedAddress for what is no proxy's address. One may be private and have a user, but is never link-local."""
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port != 0
    except ValueError:
        raise RefusedAddress("not an address") from None
    if parts.scheme not in PROXIES or not parts.hostname or not port_is_fine:
        raise RefusedAddress("only http://, https:// and socks5://")
    if "\\" in url or any(c.isspace() for c in url):
        raise RefusedAddress("no backslash or blank in it")
    _check_host(parts.hostname, allow_private=True)


def _check_host(given: str, *, allow_private: bool) -> None:
    # As the client will read it: it takes wide digits for digits, and an ideographic full stop for a dot.
    host = unicodedata.normalize("NFKC", given).replace("\u3002", ".").lower().rstrip(".")
    try:
        bad = refused(host, allow_private=allow_private)
    except ValueError:  # a name: localhost is known without asking, the rest when it is resolved
        local = host == "localhost" or host.endswith(".localhost")
        bad = host in ("metadata.google.internal", "metadata") or (local and not allow_private)
        bad = bad or not host or _NUMBER.fullmatch(host) is not None
    if bad:
        raise RefusedAddress("this address is refused")


def _plain(ip: IP) -> IP:
    """The IPv4 address inside an IPv6 one, where there is one."""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        return ip.ipv4_mapped or ip.sixtofour or ip
    return ip

"""Which addresses a provider may have: the rule of the whole house, kept in accounts. Nothing of its own."""

from __future__ import annotations

from accounts.addresses import METADATA, PROXIES, RefusedAddress, check_proxy, check_url, refused

__all__ = ["METADATA", "PROXIES", "RefusedAddress", "check_proxy", "check_url", "refused"]

"""What the issuer of the tests says beside the library's own claims: the session and the groups. Read only inside its process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from allauth.idp.oidc.adapter import DefaultOIDCAdapter

GROUPS = {"grace": ["research", "everybody"], "mallory": ["everybody"]}


class Claims(DefaultOIDCAdapter):  # type: ignore[misc]  # allauth has no types
    """Its sessions have names, its people have groups."""

    def get_claims(self, purpose: Any, user: Any, client: Any, scopes: Iterable[str], **kwargs: Any) -> dict[str, Any]:
        claims: dict[str, Any] = super().get_claims(purpose, user, client, scopes, **kwargs)
        return claims | {"groups": GROUPS.get(user.username, [])}

    def populate_id_token(self, id_token: dict[str, Any], client: Any, scopes: Iterable[str], **kwargs: Any) -> None:
        id_token["sid"] = f"issuer-{id_token['sub']}-{client.pk}"

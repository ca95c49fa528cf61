"""A passkey without a device: answers what a site asks as a phone would, and can be told to misbehave."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
)

FLAG = AuthenticatorData.FLAG


@dataclass
class SoftKey:
    """One credential. `origin` is the page that the browser says it stands on; `verified` whether a finger was shown."""

    origin: str = "http://localhost"
    rp: str = "localhost"
    verified: bool = True
    handle: str = ""
    number: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def make(self, options: dict[str, Any]) -> str:
        """What a form gets when the key is added."""
        asked = options["publicKey"]
        self.handle = asked["user"]["id"]
        public = self.private.public_key().public_numbers()
        curve = {1: 2, 3: -7, -1: 1, -2: public.x.to_bytes(32, "big"), -3: public.y.to_bytes(32, "big")}
        known = AttestedCredentialData.create(Aaguid.NONE, self.number, ES256(curve))
        data = AuthenticatorData.create(self._rp_digest(), self._flags() | FLAG.AT, 0, known)
        said = {"attestationObject": websafe_encode(AttestationObject.create("none", data, {}))}
        return self._answer("webauthn.create", asked["challenge"], said)

    def use(self, options: dict[str, Any]) -> str:
        """What a form gets when the key is used."""
        asked = options["publicKey"]
        data = AuthenticatorData.create(self._rp_digest(), self._flags(), 1)
        client = self._client("webauthn.get", asked["challenge"])
        signature = self.private.sign(bytes(data) + client.hash, ec.ECDSA(SHA256()))
        said = {"authenticatorData": websafe_encode(data), "signature": websafe_encode(signature)}
        return self._answer("webauthn.get", asked["challenge"], said | {"userHandle": self.handle})

    def _client(self, kind: str, challenge: str) -> CollectedClientData:
        return CollectedClientData.create(type=kind, challenge=challenge, origin=self.origin)

    def _answer(self, kind: str, challenge: str, said: dict[str, str]) -> str:
        number = websafe_encode(self.number)
        response = {"clientDataJSON": websafe_encode(self._client(kind, challenge))} | said
        whole = {
            "id": number,
            "rawId": number,
            "type": "public-key",
            "clientExtensionResults": {},
            "response": response,
        }
        return json.dumps(whole)

    def _rp_digest(self) -> bytes:
        return sha256(self.rp.encode()).digest()

    def _flags(self) -> AuthenticatorData.FLAG:
        return FLAG.UP | FLAG.UV if self.verified else FLAG.UP

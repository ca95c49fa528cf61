"""A provider behind the company's own certificate authority: trusted with CA_BUNDLE, refused without."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from providers.client import Endpoint
from tests.providers.raw_server import ANSWER, whole_request
from tests.providers.test_client import Told, on_uvloop, tell


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "provider")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "provider.pem"
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def ask_over_tls(certificate: Path, *, ca_bundle: str) -> Told:
    served: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(await whole_request(reader))
        writer.write(ANSWER)
        writer.close()
        await writer.wait_closed()

    async def work() -> Told:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        try:
            return await tell(replace(Endpoint(base_url=f"https://127.0.0.1:{port}/v1"), ca_bundle=ca_bundle), "hi")
        finally:
            server.close()
            await asyncio.sleep(0.05)  # lets the refused handshake end

    return on_uvloop(work)


def test_the_companys_authority_is_trusted_when_it_is_named(certificate: Path) -> None:
    assert ask_over_tls(certificate, ca_bundle=str(certificate)).text == "a"


def test_an_unknown_authority_is_unreachable_and_nothing_was_sent(certificate: Path) -> None:
    told = ask_over_tls(certificate, ca_bundle="")
    assert told.failure is not None
    assert (told.kind, told.failure.dispatched) == ("unreachable", False)

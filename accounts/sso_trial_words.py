"""What “Try it” says to an administrator: for each thing that can be wrong, what it is and what to do. Words only."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.sso_fetch import Fault as Reach
from accounts.sso_metadata import Fault

Pair = tuple[str | Promise, str | Promise]

CHECK_ADDRESS = _("Check the address for spelling, and whether something answers there at all.")
CHECK_ISSUER = _("Copy the issuer's address as the issuer itself writes it (“issuer” in its discovery document).")

REACHED: dict[Reach, Pair] = {
    Reach.ADDRESS: (
        _("This address may not be asked."),
        _("Addresses of the machine's own network or cloud are refused."),
    ),
    Reach.INSECURE: (
        _("This address is not encrypted."),
        _("It must begin with https://: whoever sees the answer could sign in as anybody."),
    ),
    Reach.DNS: (_("There is no server of this name."), _("Check the spelling, and the name servers of this machine.")),
    Reach.CONNECT: (
        _("The server cannot be reached."),
        _("Check the port, and whether a firewall lets this machine out to it."),
    ),
    Reach.TLS: (
        _("The server's certificate is not trusted."),
        _("A certificate of the company's own authority: put the authority's file into the setting CA_BUNDLE."),
    ),
    Reach.SLOW: (_("The server did not answer within ten seconds."), CHECK_ADDRESS),
    Reach.BUSY: (_("Other sign-ins are waiting for their issuer."), _("Try again in a few seconds.")),
    Reach.TOO_LARGE: (_("The answer is far too large for an issuer's."), CHECK_ADDRESS),
    Reach.NOT_HTTP: (_("What answers is no web server."), CHECK_ADDRESS),
    Reach.NOT_JSON: (_("Something answers, but it is no issuer."), CHECK_ADDRESS),
}

METADATA: dict[Fault, Pair] = {
    Fault.STATUS: (_("There is no discovery document at this address."), CHECK_ISSUER),
    Fault.REDIRECT: (_("The address leads on to another one; that is not followed."), CHECK_ISSUER),
    Fault.ISSUER: (_("The issuer calls itself by another address."), CHECK_ISSUER),
    Fault.MISSING: (_("The discovery document lacks something that is needed."), CHECK_ISSUER),
    Fault.ENDPOINT: (
        _("The discovery document names an address that may not be asked."),
        _("Its addresses must begin with https://."),
    ),
    Fault.FLOW: (_("The issuer does not offer the code flow."), _("Allow “authorization code” for this client.")),
    Fault.ALGORITHM: (
        _("The issuer signs in a way that is not believed here."),
        _("Choose RS256, PS256, ES256 or EdDSA for its id tokens."),
    ),
    Fault.CLIENT_AUTH: (
        _("The issuer takes no client secret."),
        _("Let this client prove itself with a secret (client_secret_basic or client_secret_post)."),
    ),
    Fault.KEYS: (
        _("The issuer's public keys cannot be used."),
        _("It must publish RSA, EC or Ed25519 keys for signing."),
    ),
}


def wecom_words(number: int | str) -> Pair:
    """For an errcode of WeCom."""
    if number == 60020:
        return (
            _("WeCom does not accept calls from this server's address."),
            _("Enter the server's public IP under “trusted IPs” (企业可信IP) of the application."),
        )
    if number in (40013, 40001, 40091, 41004):
        return _("WeCom does not accept the corp id or the secret."), _("Copy both once more from its administration.")
    if number in (40056, 301002, 41011):
        return _("WeCom does not know the agent id."), _("Copy it from the application's page.")
    return _("WeCom refused."), _("Look the number up in WeCom's list of errors.")

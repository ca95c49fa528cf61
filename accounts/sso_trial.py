"""“Try it”: asks an issuer everything that can be asked without a person, and says exactly what is wrong. Changes nothing.

Ten seconds for all of it. What cannot be seen from here (an issuer that shows its page first) is said to be unseen.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import sso_feishu, sso_fetch, sso_metadata, sso_oidc, sso_secrets, sso_wecom
from accounts.models import SsoConnection
from accounts.sso_fetch import Unanswered
from accounts.sso_journey import Journey, error_name
from accounts.sso_metadata import BadMetadata, Metadata
from accounts.sso_trial_words import METADATA, REACHED, wecom_words

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried; `state` is good, bad or unseen."""

    state: str
    what: Text
    do: Text = ""
    detail: str = ""


@dataclass
class Trial:
    """What was tried, in order; it ends at the first thing that is wrong."""

    steps: list[Step] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        """good, bad, or unseen when something could not be told from here."""
        states = {step.state for step in self.steps}
        return next((state for state in ("bad", "unseen") if state in states), "good")

    def add(self, state: str, what: Text, do: Text = "", *, detail: str = "") -> None:
        self.steps.append(Step(state, what, do, detail[:300]))


def run(connection: SsoConnection, *, callback: str) -> Trial:
    """Tries the connection; `callback` is the redirect address that the issuer must know."""
    trial = Trial()
    try:
        with sso_fetch.within():
            if connection.kind == SsoConnection.Kind.OIDC:
                _oidc(connection, trial=trial, callback=callback)
            elif connection.kind == SsoConnection.Kind.FEISHU:
                _feishu(connection, trial=trial)
            else:
                _wecom(connection, trial=trial)
    except Unanswered as error:
        what, do = REACHED[error.fault]
        trial.add("bad", what, do, detail=error.detail)
    except BadMetadata as error:
        what, do = METADATA[error.fault]
        trial.add("bad", what, do, detail=error.detail)
    return trial


def _oidc(connection: SsoConnection, *, trial: Trial, callback: str) -> None:
    issuer = sso_metadata.read(connection.server_url)
    trial.add("good", _("The issuer answers and says where to sign in."), detail=issuer.issuer)
    sso_metadata.signing_keys(issuer.jwks_uri)
    trial.add("good", _("Its public keys can be read."))
    _client(connection, issuer=issuer, trial=trial, callback=callback)
    _redirect(connection, issuer=issuer, trial=trial, callback=callback)


def _client(connection: SsoConnection, *, issuer: Metadata, trial: Trial, callback: str) -> None:
    """A code that nobody has: an issuer that knows us complains about the code, another one about us."""
    fields = {"grant_type": "authorization_code", "code": "trial", "redirect_uri": callback}
    fields["code_verifier"] = secrets.token_urlsafe(48)
    secret = sso_secrets.decrypt(connection.secret)
    answer = sso_oidc.token_request(connection, issuer=issuer, secret=secret, fields=fields)
    error = error_name(answer)
    if error == "invalid_grant":
        trial.add("good", _("Client id and secret are right."))
    elif error in ("invalid_client", "unauthorized_client") or answer.status == 401:
        trial.add(
            "bad",
            _("The issuer does not accept the client id or the secret."),
            _("Copy both once more; a secret may have expired, or belong to another client."),
            detail=f"HTTP {answer.status} {error}",
        )
    else:
        trial.add("unseen", _("Whether client id and secret are right shows at the first sign-in."), detail=error)


def _redirect(connection: SsoConnection, *, issuer: Metadata, trial: Trial, callback: str) -> None:
    """Asks for an answer without a page: it comes back to the redirect address if the issuer knows that."""
    journey = Journey(
        state=secrets.token_hex(8), nonce=secrets.token_hex(8), verifier=secrets.token_urlsafe(48), callback=callback
    )
    url = sso_oidc.authorize(connection, journey=journey) + "&prompt=none"
    try:
        answer = sso_fetch.fetch(url, headers={"Accept": "text/html"})
    except Unanswered:
        answer = None
    place = answer.headers.get("location", "") if answer else ""
    if answer and 300 <= answer.status < 400 and place.startswith(callback):
        trial.add("good", _("The redirect address is known there."))
    elif answer and answer.status in (400, 401, 403):
        trial.add(
            "bad",
            _("The issuer refuses this redirect address."),
            _(
                "Enter exactly the redirect address below at the issuer, with the same spelling and the slash at its end."
            ),
            detail=f"HTTP {answer.status}",
        )
    else:
        trial.add("unseen", _("Whether the redirect address is known there shows at the first sign-in."))


def _feishu(connection: SsoConnection, *, trial: Trial) -> None:
    payload = {"app_id": connection.client_id, "app_secret": sso_secrets.decrypt(connection.secret)}
    server = sso_feishu.doors(connection)[0]
    said = sso_fetch.fetch(f"{server}/open-apis/auth/v3/app_access_token/internal", payload=payload).json()
    trial.add("good", _("Feishu answers."), detail=server)
    if said.get("code") == 0:
        trial.add("good", _("App id and app secret are right."))
        trial.add("unseen", _("Whether the redirect address is known there shows at the first sign-in."))
        return
    trial.add(
        "bad",
        _("Feishu does not accept the app id or the app secret."),
        _("Copy both once more from “Credentials & basic info” of the app."),
        detail=f"code {said.get('code')}",
    )


def _wecom(connection: SsoConnection, *, trial: Trial) -> None:
    try:
        token = sso_wecom.app_token(connection, secret=sso_secrets.decrypt(connection.secret), fresh=True)
        trial.add("good", _("Corp id and secret are right."))
        sso_wecom.agent(connection, token=token)
        trial.add("good", _("The application is known there."))
        trial.add("unseen", _("Whether the redirect domain is known there shows at the first sign-in."))
    except sso_wecom.Refused as error:
        what, do = wecom_words(error.number)
        trial.add("bad", what, do, detail=str(error))

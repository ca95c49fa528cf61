"""WeCom (企业微信): the QR page in a browser, the quiet way inside its own app, and whom the answer names.

The subject is the `userid` in small letters: WeCom's do not tell capitals apart. It tells no e-mail address. It has neither nonce
nor PKCE: the state in the session and the code, good once, are what ties the answer to the browser.
"""

from __future__ import annotations

import hashlib
import re
import time
from typing import Any

from django.http import QueryDict

from accounts import sso_fetch, sso_secrets
from accounts.models import SsoConnection
from accounts.sso_entry import Arrival
from accounts.sso_journey import Journey, code_in, with_query
from accounts.sso_refusals import Refusal

QR = "https://login.work.weixin.qq.com"
INSIDE = "https://open.weixin.qq.com"
API = "https://qyapi.weixin.qq.com"
STALE = (40014, 42001)
"""The application's own token is no longer good."""
_USERID = re.compile(r"[A-Za-z0-9_.@-]{1,64}")

_tokens: dict[str, tuple[float, str]] = {}


class Refused(Exception):
    """WeCom's own error; `number` is its errcode."""

    def __init__(self, number: int | str, where: str) -> None:
        super().__init__(f"{where}: errcode {number}")
        self.number = number


def authorize(connection: SsoConnection, *, journey: Journey, device: str = "") -> str:
    """The address to which the browser goes: inside WeCom's app nobody scans her own screen."""
    if "wxwork/" in device.lower():
        asked = {
            "appid": connection.client_id,
            "redirect_uri": journey.callback,
            "response_type": "code",
            "scope": "snsapi_base",
            "state": journey.state,
            "agentid": connection.agent_id,
        }
        return with_query(f"{_server(connection, INSIDE)}/connect/oauth2/authorize", asked) + "#wechat_redirect"
    asked = {
        "login_type": "CorpApp",
        "appid": connection.client_id,
        "agentid": connection.agent_id,
        "redirect_uri": journey.callback,
        "state": journey.state,
    }
    return with_query(f"{_server(connection, QR)}/wwlogin/sso/login", asked)


def arrive(connection: SsoConnection, *, answer: QueryDict, journey: Journey) -> Arrival:
    """Whom WeCom names. Raises Refusal, Unanswered."""
    code = code_in(answer)
    try:
        said = _call(connection, "auth/getuserinfo", {"code": code})
        userid = said.get("userid") or said.get("UserId")
        if not userid:
            raise Refusal("outsider", detail="no userid")
        if not isinstance(userid, str) or not _USERID.fullmatch(userid):
            raise Refusal("answer", detail="a userid that is none")
        name = _name(connection, userid=userid)
    except Refused as error:
        raise Refusal("issuer", detail=str(error)) from None
    return Arrival(subject=userid.lower(), name=name or userid)


def app_token(connection: SsoConnection, *, secret: str, fresh: bool = False) -> str:
    """The application's token, kept until a minute before its end. Raises Refused, Unanswered."""
    mark = hashlib.sha256("\n".join((_server(connection, API), connection.client_id, secret)).encode()).hexdigest()
    held = _tokens.get(mark)
    if held and not fresh and held[0] > time.monotonic():
        return held[1]
    asked = {"corpid": connection.client_id, "corpsecret": secret}
    said = _ask(connection, "gettoken", asked)
    token, lives = said.get("access_token"), said.get("expires_in")
    if not isinstance(token, str) or not token:
        raise Refused("?", "gettoken")
    if len(_tokens) > 50:
        _tokens.clear()
    _tokens[mark] = (time.monotonic() + (lives if isinstance(lives, int) else 0) - 60, token)
    return token


def agent(connection: SsoConnection, *, token: str) -> None:
    """Asks for the application itself. Raises Refused, Unanswered."""
    _ask(connection, "agent/get", {"access_token": token, "agentid": connection.agent_id})


def _name(connection: SsoConnection, *, userid: str) -> str:
    """How the person is called; empty where the application may not know."""
    try:
        name = _call(connection, "user/get", {"userid": userid}).get("name")
    except (Refused, sso_fetch.Unanswered):
        return ""
    return " ".join(name.split())[:120] if isinstance(name, str) else ""


def _call(connection: SsoConnection, name: str, fields: dict[str, str]) -> dict[str, Any]:
    secret = sso_secrets.decrypt(connection.secret)
    token = app_token(connection, secret=secret)
    try:
        return _ask(connection, name, {"access_token": token, **fields})
    except Refused as error:
        if error.number not in STALE:
            raise
    token = app_token(connection, secret=secret, fresh=True)
    return _ask(connection, name, {"access_token": token, **fields})


def _ask(connection: SsoConnection, name: str, fields: dict[str, str]) -> dict[str, Any]:
    said = sso_fetch.fetch(with_query(f"{_server(connection, API)}/cgi-bin/{name}", fields)).json()
    number = said.get("errcode", 0)
    if number != 0:
        raise Refused(number if isinstance(number, int) else "?", name)
    return said


def _server(connection: SsoConnection, usual: str) -> str:
    """The usual server, or the one of a deployment in the company's own house."""
    return (connection.server_url or usual).rstrip("/")

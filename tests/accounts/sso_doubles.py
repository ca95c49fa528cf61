"""Feishu and WeCom on loopback: what their documentation says they answer, over real sockets, with codes that work once."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import urllib.parse
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

APP, SECRET, CORP, AGENT = "cli_a5ca35a685b0x26e", "a secret of the app", "ww0123456789abcdef", "1000002"


@dataclass
class Double:
    """Either of the two; `person` is who signs in next."""

    person: dict[str, Any] = field(default_factory=dict)
    journal: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    stale: bool = False
    server: ThreadingHTTPServer | None = None
    number: int = 0

    def start(self) -> Double:
        handler = type("Bound", (Handler,), {"double": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        assert self.server is not None
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def asked(self, path: str) -> list[dict[str, str]]:
        return [fields for _method, asked, fields in self.journal if asked == path]

    def code_for(self, fields: dict[str, str]) -> str:
        self.number += 1
        self.codes[f"code{self.number}"] = fields
        return f"code{self.number}"

    def answer(self, method: str, path: str, fields: dict[str, str], bearer: str) -> tuple[int, Any]:
        raise NotImplementedError


class Feishu(Double):
    """open.feishu.cn and accounts.feishu.cn in one."""

    def answer(self, method: str, path: str, fields: dict[str, str], bearer: str) -> tuple[int, Any]:
        if (method, path) == ("GET", "/open-apis/authen/v1/authorize"):
            query = {"code": self.code_for(fields), "state": fields["state"]}
            return 302, f"{fields['redirect_uri']}?{urllib.parse.urlencode(query)}"
        if (method, path) == ("POST", "/open-apis/authen/v2/oauth/token"):
            return self._token(fields)
        if (method, path) == ("GET", "/open-apis/authen/v1/user_info"):
            if bearer not in self.tokens:
                return 400, {"code": 20005, "msg": "The user access token passed is invalid."}
            return 200, {"code": 0, "msg": "success", "data": self.person}
        if (method, path) == ("POST", "/open-apis/auth/v3/app_access_token/internal"):
            if (fields.get("app_id"), fields.get("app_secret")) != (APP, SECRET):
                return 200, {"code": 10014, "msg": "app secret invalid"}
            return 200, {
                "code": 0,
                "msg": "ok",
                "app_access_token": "t-1",
                "tenant_access_token": "t-1",
                "expire": 7200,
            }
        return 404, {"code": 404, "msg": "not found"}

    def _token(self, fields: dict[str, str]) -> tuple[int, Any]:
        if (fields.get("client_id"), fields.get("client_secret")) != (APP, SECRET):
            return 400, {"code": 20002, "error": "invalid_client", "error_description": "The client secret is invalid."}
        asked = self.codes.pop(fields.get("code", ""), None)
        if asked is None:
            return 400, {"code": 20003, "error": "invalid_grant", "error_description": "The code is invalid."}
        digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
        if asked.get("code_challenge") != base64.urlsafe_b64encode(digest).rstrip(b"=").decode():
            return 400, {"code": 20049, "error": "invalid_grant", "error_description": "PKCE verification failed."}
        if fields.get("redirect_uri") != asked["redirect_uri"]:
            return 400, {"code": 20071, "error": "invalid_grant", "error_description": "The redirect_uri differs."}
        self.tokens.append(f"u-{len(self.tokens)}")
        return 200, {
            "code": 0,
            "access_token": self.tokens[-1],
            "expires_in": 7200,
            "token_type": "Bearer",
            "scope": "",
        }


class WeCom(Double):
    """login.work.weixin.qq.com, open.weixin.qq.com and qyapi.weixin.qq.com in one."""

    def answer(self, method: str, path: str, fields: dict[str, str], bearer: str) -> tuple[int, Any]:
        if path in ("/wwlogin/sso/login", "/connect/oauth2/authorize"):
            query = {"code": self.code_for(fields), "state": fields["state"]}
            return 302, f"{fields['redirect_uri']}?{urllib.parse.urlencode(query)}"
        if path == "/cgi-bin/gettoken":
            return 200, self._token(fields)
        if fields.get("access_token") not in self.tokens:
            return 200, {"errcode": 40014, "errmsg": "invalid access_token"}
        if path == "/cgi-bin/auth/getuserinfo":
            if self.codes.pop(fields.get("code", ""), None) is None:
                return 200, {"errcode": 40029, "errmsg": "invalid code"}
            known = {name: value for name, value in self.person.items() if name in ("userid", "openid")}
            return 200, {"errcode": 0, "errmsg": "ok", **known}
        if path == "/cgi-bin/user/get":
            if "name" not in self.person:
                return 200, {"errcode": 60011, "errmsg": "no privilege to access/modify contact/party/agent"}
            return 200, {"errcode": 0, "errmsg": "ok", "userid": fields["userid"], "name": self.person["name"]}
        if path == "/cgi-bin/agent/get":
            good = fields.get("agentid") == AGENT
            return 200, {"errcode": 0, "errmsg": "ok"} if good else {"errcode": 301002, "errmsg": "no permission"}
        return 404, {"errcode": 404}

    def _token(self, fields: dict[str, str]) -> dict[str, Any]:
        if fields.get("corpid") != CORP:
            return {"errcode": 40013, "errmsg": "invalid corpid"}
        if fields.get("corpsecret") != SECRET:
            return {"errcode": 40001, "errmsg": "invalid credential"}
        self.tokens.append(f"token-{len(self.tokens)}")
        return {"errcode": 0, "errmsg": "ok", "access_token": self.tokens[-1], "expires_in": 7200}


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    double: Double
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urllib.parse.urlsplit(self.path)
        self._answer(parts.path, dict(urllib.parse.parse_qsl(parts.query)))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        assert self.headers["content-type"] == "application/json; charset=utf-8"
        self._answer(self.path, json.loads(body))

    def _answer(self, path: str, fields: dict[str, str]) -> None:
        self.double.journal.append((self.command, path, fields))
        bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
        status, said = self.double.answer(self.command, path, fields, bearer)
        body = b"" if status == 302 else json.dumps(said).encode()
        self.send_response(status)
        if status == 302:
            self.send_header("Location", said)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

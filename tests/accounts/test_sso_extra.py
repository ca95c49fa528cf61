"""Other providers of the library, by one setting: they serve whoever connected them, and never make or merge an account."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
GITHUB = "github:an-id:a-secret:with:colons"
# A process of its own: installed apps are read once. GitHub's endpoints are turned to a server of this machine.
WALK = """
import html, json, re, threading, urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import django; django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.test import Client
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers.github.views import GitHubOAuth2Adapter
from accounts.models import User

class GitHub(BaseHTTPRequestHandler):
    def do_GET(self):
        who = {"id": 7, "login": "ada", "email": "ada@example.com", "name": "Ada"}
        self.say([] if self.path == "/emails" else who)
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.say({"access_token": "t", "token_type": "bearer"})
    def say(self, what):
        body = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass

server = ThreadingHTTPServer(("127.0.0.1", 0), GitHub)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_address[1]}"
GitHubOAuth2Adapter.access_token_url = base + "/token"
GitHubOAuth2Adapter.profile_url = base + "/user"
GitHubOAuth2Adapter.emails_url = base + "/emails"

def walk(client, **fields):
    page = client.post("/accounts/company/github/", fields).content.decode()
    address = html.unescape(re.search(r"0;url=([^\\"]+)", page)[1])
    state = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))["state"]
    return address, client.get(f"/accounts/github/login/callback/?code=c&state={state}")

ada = User.objects.create_user("ada@example.com", "pine needles on paper")
stranger, signed_in, later = Client(), Client(), Client()
address, refused = walk(stranger)
signed_in.force_login(ada)
_, connected = walk(signed_in, connect="1")
_, known = walk(later)
cancelled = Client()
page = cancelled.post("/accounts/company/github/").content.decode()
state = re.search(r"state=(\\w+)", html.unescape(page))[1]
cancelled = cancelled.get(f"/accounts/github/login/callback/?error=access_denied&state={state}")
print(json.dumps({
    "address": address,
    "button": "Continue with Github" in stranger.get("/accounts/login/").content.decode(),
    "refused": [refused.status_code, User.objects.count(), "Nobody here is known" in refused.content.decode()],
    "connected": [connected.status_code, connected["Location"]],
    "known": [known.status_code, later.session["_auth_user_id"] == str(ada.pk)],
    "cancelled": [cancelled.status_code, "was cancelled" in cancelled.content.decode()],
    "accounts": SocialAccount.objects.count(),
    "others": [Client().get(path).status_code for path in ("/accounts/github/login/", "/accounts/3rdparty/")],
}))
"""


def run(code: str, data: Path, setting: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment = kept | {"DATA_DIR": str(data), "IGNORE_DOTENV": "1", "SSO_EXTRA_APPS": setting, "DEBUG": "1"}
    environment["DJANGO_SETTINGS_MODULE"] = "portal.settings"
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )  # fmt: skip


def test_a_provider_of_the_settings_serves_whoever_connected_it_and_nobody_else(tmp_path: Path) -> None:
    code = WALK.replace(
        "import django;", "from django.conf import settings; settings.ALLOWED_HOSTS = ['*']; import django;"
    )
    done = run(code, tmp_path, GITHUB)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found.pop("address").startswith("https://github.com/login/oauth/authorize?client_id=an-id&")
    assert found == {
        "button": True,
        "refused": [403, 1, True],
        "connected": [302, "/me/company/?connected"],
        "known": [302, True],
        "cancelled": [400, True],
        "accounts": 1,
        "others": [404, 404],
    }


@pytest.mark.parametrize(
    "setting",
    ["github", "github:id", "github::secret", "nobody:id:secret", "saml:id:secret", f"{GITHUB},{GITHUB}", "../x:i:s"],
)
def test_a_setting_that_is_not_understood_stops_the_start_and_shows_no_secret(tmp_path: Path, setting: str) -> None:
    done = run("import django; django.setup(); from django.core.management import call_command; call_command('check')",
               tmp_path, setting)  # fmt: skip
    assert done.returncode != 0
    assert "SSO_EXTRA_APPS" in done.stderr
    assert "secret" not in done.stderr.replace("name:id:secret", "")


def test_without_it_the_librarys_clients_are_not_loaded(tmp_path: Path) -> None:
    """They and what they need (requests, oauthlib) cost megabytes in each process that sets Django up."""
    code = """
import sys, django
django.setup()
import accounts.sso_flow, accounts.sso_setup_views, accounts.sso_views
{planted}
heavy = {"requests", "oauthlib", "allauth.socialaccount.providers.oauth2.client"}
print(sorted(heavy & set(sys.modules)))
"""
    assert run(code.replace("{planted}", ""), tmp_path, "").stdout.strip() == "[]"
    planted = code.replace("{planted}", "import allauth.socialaccount.providers.oauth2.client")
    assert run(planted, tmp_path, "").stdout.strip() == "['allauth.socialaccount.providers.oauth2.client', 'requests']"

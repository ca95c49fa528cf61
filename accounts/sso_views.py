"""The doors of the company sign-in: the button, the way back, the issuer's own sign-out, and a person's connections under /me/company/."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from accounts import invitations, sso_entry, sso_flow, sso_logout, sso_pages, sso_ways
from accounts.models import Organisation, SsoConnection, User
from accounts.sso_entry import Way
from accounts.sso_fetch import Unanswered
from accounts.sso_metadata import BadMetadata
from accounts.sso_refusals import Refusal
from accounts.sso_tokens import BadToken

if TYPE_CHECKING:
    from django.http import HttpResponseBase

LONGEST_LOGOUT = 64 * 1024


@require_http_methods(["GET", "HEAD", "POST"])
def begin(request: HttpRequest, slug: str) -> HttpResponse:
    """The button. Only a post of our own form starts anything; a link from elsewhere is asked about first."""
    way = sso_ways.find(slug)
    if way is None:
        raise Http404
    after = request.POST.get("next", "") or request.GET.get("next", "")
    if not url_has_allowed_host_and_scheme(after, allowed_hosts=None):
        after = ""
    if request.method != "POST":
        return render(request, "accounts/company_ask.html", {"way": way, "next": after})
    connecting = "connect" in request.POST
    if connecting and not request.user.is_authenticated:
        return HttpResponseRedirect(reverse("account_login"))
    try:
        address = _address(request, way=way, connecting=connecting, after=after)
    except Refusal as refusal:
        return sso_pages.refused(request, refusal, way=way)
    return sso_pages.off(request, way=way, address=address)


@require_http_methods(["GET"])
def callback(request: HttpRequest, slug: str) -> HttpResponse:
    """Where the issuer sends the browser back to."""
    connection = get_object_or_404(SsoConnection, slug=slug, is_enabled=True)
    try:
        response = sso_flow.finish(request, connection=connection)
    except Refusal as refusal:
        return sso_pages.refused(request, refusal, way=Way(slug, connection.name, connection))
    response["Cache-Control"] = "no-store"
    return response


@csrf_exempt
@require_POST
def backchannel(request: HttpRequest, slug: str) -> HttpResponse:
    """The issuer's own post (OpenID Connect Back-Channel Logout): its signature is its credential."""
    connection = get_object_or_404(SsoConnection, slug=slug, kind=SsoConnection.Kind.OIDC)
    token = request.POST.get("logout_token", "")
    try:
        sso_logout.obey(token, connection=connection, request=request)
    except (BadToken, Unanswered, BadMetadata) as error:
        sso_pages.logger.warning("back-channel logout by %s refused: %s", slug, error)
        answer: HttpResponse = JsonResponse({"error": "invalid_request"}, status=400)
    else:
        answer = HttpResponse(status=200)
    answer["Cache-Control"] = "no-store"
    return answer


@require_http_methods(["GET", "HEAD"])
@login_required
def mine(request: HttpRequest) -> HttpResponse:
    """What the person is connected with, and what she could connect."""
    assert isinstance(request.user, User)
    context = {
        "ways": sso_ways.of(request.user),
        "can_leave": sso_ways.may_disconnect(request.user),
        "only": Organisation.get().sso_only,
        "connected": "connected" in request.GET,
        "disconnected": "disconnected" in request.GET,
        "kept": "kept" in request.GET,
    }
    return render(request, "accounts/company.html", context)


@require_POST
@login_required
def disconnect(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Unties one connection, if another way in is left."""
    assert isinstance(request.user, User)
    account = get_object_or_404(SocialAccount, user=request.user, provider=slug)
    if not sso_ways.may_disconnect(request.user):
        return HttpResponseRedirect(reverse("company:mine") + "?kept")
    way = sso_ways.find(slug, enabled_only=False) or Way(slug, slug)
    sso_entry.disconnect(account, way=way, user=request.user, request=request)
    return HttpResponseRedirect(reverse("company:mine") + "?disconnected")


def _address(request: HttpRequest, *, way: Way, connecting: bool, after: str) -> str:
    if way.connection is None:  # a provider of the settings: allauth's own way
        provider = get_adapter(request).get_provider(request, provider=way.provider)
        process = "connect" if connecting else "login"
        response = provider.redirect(request, process=process, next_url=after or None)
        address: str = response.url
        return address
    # The button on the invitation's page; which one it is this browser remembers.
    invitation = invitations.held_by(request) if "invitation" in request.POST and not connecting else None
    return sso_flow.begin(request, connection=way.connection, connecting=connecting, after=after, invitation=invitation)

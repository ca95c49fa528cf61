"""Company sign-in in the browser, for administrators: add, try, change, tie groups, switch, remove. Removing asks once."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts import passwords, sso_connections, sso_journey, sso_only, sso_staff, sso_trial
from accounts.administration import administrator
from accounts.confirmation import confirmed
from accounts.models import Organisation, SsoConnection
from accounts.refusals import NotPossible, Refused
from accounts.sso_forms import ConnectionForm, DaysForm, GroupsForm
from accounts.sso_staff import StaffForm

KINDS: tuple[tuple[str, str | Promise, str | Promise], ...] = (
    ("oidc", _("OpenID Connect"), _("Keycloak, Microsoft Entra ID, Google, Okta, Authentik and most others.")),
    ("feishu", _("Feishu"), _("Also Lark. The app of your company's own tenant.")),
    ("wecom", _("WeCom"), _("By QR code in the browser, at once inside the app.")),
)
NAMED_AT_MOST = 20


@require_http_methods(["GET", "HEAD"])
@administrator("accounts.view_ssoconnection")
def overview(request: HttpRequest) -> HttpResponse:
    """Every connection, the kinds that can be added, and whether passwords still work."""
    return _overview(request)


@require_POST
@administrator("accounts.change_ssoconnection", "accounts.change_organisation")
def only(request: HttpRequest) -> HttpResponse:
    """Switches passwords off and on; off only for somebody who has just come in through the company."""
    if request.POST.get("do") == "off":
        sso_only.switch_off(request)
        return HttpResponseRedirect(reverse("setup_company:list") + "?opened")
    try:
        sso_only.switch_on(request)
    except NotPossible as error:
        return _overview(request, refused=error, status=409)
    return HttpResponseRedirect(reverse("setup_company:list") + "?closed")


@require_POST
@administrator("accounts.change_ssoconnection", "accounts.change_organisation")
def days(request: HttpRequest) -> HttpResponse:
    """After how many days without a sign-in through the company a colleague's API keys pause."""
    form = DaysForm(request.POST)
    if not form.is_valid():
        return _overview(request, days=form)
    sso_connections.pause_after(form.cleaned_data["days"], request=request)
    return HttpResponseRedirect(reverse("setup_company:list") + "?saved")


@require_http_methods(["GET", "HEAD", "POST"])
@administrator("accounts.add_ssoconnection")
def new(request: HttpRequest, kind: str) -> HttpResponse:
    """The form of one kind. The redirect address stands there already: the issuer asks for it first."""
    if kind not in sso_connections.FIRST_SLUG:
        raise Http404
    slug = sso_connections.free_slug(kind)
    connection = SsoConnection(kind=kind, slug=slug, makes_people=False)
    form = ConnectionForm(request.POST or None, instance=connection)
    if request.method == "POST" and form.is_valid():
        connection.is_enabled = False  # until it was tried
        sso_connections.save(connection, secret=form.cleaned_data["new_secret"], request=request)
        return _try(request, connection=connection)
    context = {"form": form, "connection": connection, "kind": Named(kind), **_addresses(request, connection)}
    return render(request, "setup/company_new.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@administrator("accounts.change_ssoconnection")
def one(request: HttpRequest, uuid: str) -> HttpResponse:
    """One connection: its addresses, what is set, its groups, its switch."""
    connection = get_object_or_404(SsoConnection, uuid=uuid)
    form = ConnectionForm(request.POST or None, instance=SsoConnection.objects.get(pk=connection.pk))
    if request.method == "POST" and form.is_valid() and _may_save(request, connection=connection, form=form):
        sso_connections.save(form.instance, secret=form.cleaned_data["new_secret"], request=request)
        return _try(request, connection=form.instance)
    return _page(request, connection=connection, form=form)


@require_POST
@administrator("accounts.change_ssoconnection")
def trial(request: HttpRequest, uuid: str) -> HttpResponse:
    """Asks the issuer now and says what is wrong."""
    return _try(request, connection=get_object_or_404(SsoConnection, uuid=uuid))


@require_POST
@administrator("accounts.change_ssoconnection")
def groups(request: HttpRequest, uuid: str) -> HttpResponse:
    """Which group is which team."""
    connection = get_object_or_404(SsoConnection, uuid=uuid)
    form = GroupsForm(request.POST, connection=connection)
    if not form.is_valid():
        return _page(request, connection=connection, groups=form)
    sso_connections.tie(connection, groups=form.groups, request=request)
    return HttpResponseRedirect(reverse("setup_company:one", args=[connection.uuid]) + "?tied")


@require_POST
@administrator("accounts.change_ssoconnection")
@confirmed
def staff(request: HttpRequest, uuid: str) -> HttpResponse:
    """Which group is staff. Administrators only: it gives rights."""
    if not request.user.is_superuser:
        raise Refused
    connection = get_object_or_404(SsoConnection, uuid=uuid)
    form = StaffForm(request.POST)
    if not form.is_valid():
        return _page(request, connection=connection, staff_form=form)
    given = form.cleaned_data
    sso_staff.tie(connection, group=given["staff_group"], bundles=given["bundles"], request=request)
    return HttpResponseRedirect(reverse("setup_company:one", args=[connection.uuid]) + "?tied")


@require_POST
@administrator("accounts.change_ssoconnection")
def switch(request: HttpRequest, uuid: str) -> HttpResponse:
    """On or off."""
    connection = get_object_or_404(SsoConnection, uuid=uuid)
    try:
        sso_connections.switch(connection, on=request.POST.get("do") == "on", request=request)
    except NotPossible as error:
        return _page(request, connection=connection, refused=error)
    return HttpResponseRedirect(reverse("setup_company:one", args=[connection.uuid]))


@require_http_methods(["GET", "HEAD", "POST"])
@administrator("accounts.delete_ssoconnection")
def remove(request: HttpRequest, uuid: str) -> HttpResponse:
    """Asks once and says who loses the way in; the post removes."""
    connection = get_object_or_404(SsoConnection, uuid=uuid)
    refused = None
    if request.method == "POST":
        try:
            sso_connections.remove(connection, request=request)
        except NotPossible as error:
            refused = error
        else:
            return HttpResponseRedirect(reverse("setup_company:list") + "?removed")
    losing = sso_connections.who_loses_the_way_in(connection)
    count = losing.count()
    context = {
        "connection": connection,
        "refused": refused,
        "people": sso_connections.people_of(connection).count(),
        "losing": losing[:NAMED_AT_MOST],
        "losing_count": count,
        "more": max(0, count - NAMED_AT_MOST),
    }
    return render(request, "setup/company_remove.html", context, status=409 if refused else 200)


def _may_save(request: HttpRequest, *, connection: SsoConnection, form: ConnectionForm) -> bool:
    """Else whoever may change a connection could have her own words taken for a group that makes staff."""
    if not connection.staff_group or request.user.is_superuser or not sso_staff.DECIDING & set(form.changed_data):
        return True
    form.add_error(None, _("A group makes staff here: only administrators change who says so."))
    return False


class Named:
    """A kind with its name, for the pages."""

    def __init__(self, kind: str) -> None:
        self.slug = kind
        self.title = next(title for slug, title, _hint in KINDS if slug == kind)


def _overview(
    request: HttpRequest, *, refused: NotPossible | None = None, days: DaysForm | None = None, status: int = 200
) -> HttpResponse:
    organisation = Organisation.get()
    rows = list(SsoConnection.objects.order_by("pk"))
    people = sso_connections.connected_to()
    context = {
        "connections": [(row, Named(row.kind), people.get(row.slug, 0)) for row in rows],
        "kinds": KINDS,
        "only": organisation.sso_only,
        "days": days or DaysForm(initial={"days": organisation.sso_days}),
        "may_close": sso_only.came_in_just_now(request),
        "left_behind": sso_only.left_behind() if rows else 0,
        "refused": refused,
        "said": next((word for word in ("removed", "closed", "opened", "saved") if word in request.GET), ""),
    }
    return render(request, "setup/company.html", context, status=status)


def _try(request: HttpRequest, *, connection: SsoConnection) -> HttpResponse:
    found = sso_trial.run(connection, callback=sso_journey.callback_address(request, connection=connection))
    return _page(request, connection=connection, trial=found)


def _page(
    request: HttpRequest,
    *,
    connection: SsoConnection,
    form: ConnectionForm | None = None,
    groups: GroupsForm | None = None,
    staff_form: StaffForm | None = None,
    trial: sso_trial.Trial | None = None,
    refused: NotPossible | None = None,
) -> HttpResponse:
    context = {
        "connection": connection,
        "kind": Named(connection.kind),
        "form": form or ConnectionForm(instance=connection),
        "groups": groups or GroupsForm(connection=connection),
        "staff": staff_form or StaffForm.of(connection),
        "editing": form is not None and form.is_bound,
        "trial": trial,
        "refused": refused,
        "people": sso_connections.people_of(connection).count(),
        "tied": "tied" in request.GET,
        **_addresses(request, connection),
    }
    return render(request, "setup/company_one.html", context, status=409 if refused else 200)


def _addresses(request: HttpRequest, connection: SsoConnection) -> dict[str, str]:
    """What is entered at the issuer."""
    logout = reverse("company_logout", args=[connection.slug])
    return {
        "callback": sso_journey.callback_address(request, connection=connection),
        "logout": passwords.absolute(logout, request=request) if connection.kind == "oidc" else "",
        "host": request.get_host().partition(":")[0],
    }

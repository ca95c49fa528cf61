"""The privacy page of everybody: what is kept of her and for how long, who could look, who did, and her own copy. Decides no rights."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts import audit, audit_words, legal_holds, openings, taking_along
from accounts.confirmation import confirmed
from accounts.models import AuditEvent, Membership, Organisation, User
from chat import page, retention
from chat.erasing_views import part_of, zip_answer
from chat.models import Conversation
from chat.views import signed_in

FEW = 5


@require_safe
@signed_in
def mine(request: HttpRequest) -> HttpResponse:
    """In words, with figures counted from the rights that there are at this moment."""
    user = page.person(request)
    days, team = retention.days_for(user)
    managers = User.objects.filter(
        memberships__team__in=Membership.objects.filter(user=user).values("team"),
        memberships__role=Membership.Role.MANAGER, is_active=True,
    )  # fmt: skip
    changed = AuditEvent.objects.filter(action="look.rules_changed").order_by("-number")[:FEW]
    mine_ = Conversation.objects.filter(user=user, going=False)
    context = {
        "rule": Organisation.get(),
        "days": days,
        "team": team,
        "bin_days": settings.BIN_DAYS,
        "held": legal_holds.is_held(user),
        "count": mine_.count(),
        "temporary": mine_.filter(expires_at__isnull=False).order_by("expires_at").first(),
        "holders": openings.holders().exclude(pk=user.pk).count(),
        "administrators": User.objects.filter(is_active=True, is_superuser=True).exclude(pk=user.pk).count(),
        "auditors": _who_may("view_auditevent", but=user),
        "managers": managers.exclude(pk=user.pk).distinct().count(),
        "looks": list(openings.known_to(user)[: openings.KEPT]),
        "reads": _reads(user),
        "changed": audit_words.lines(changed),
    }
    return render(request, "chat/privacy.html", context)


@require_POST
@signed_in
@confirmed
def export(request: HttpRequest) -> HttpResponse:
    """Everything about oneself, in parts."""
    user = page.person(request)
    part = part_of(request)
    body, count, _more = taking_along.archive(taking_along.files(user), part=part)
    if not count:
        messages.info(request, _("There is nothing in this part: you have everything."))
        return HttpResponseRedirect(reverse("privacy:mine"))
    audit.record("person.exported", request=request, target=user, changes={"part": (None, part)})
    return zip_answer(body, name=f"my-data-{part}.zip")


def _who_may(codename: str, *, but: User) -> int:
    """How many people hold a permission, administrators among them."""
    may = Q(is_superuser=True) | Q(
        is_staff=True, user_permissions__codename=codename, user_permissions__content_type__app_label="accounts"
    )
    return User.objects.filter(may, is_active=True).exclude(pk=but.pk).distinct().count()


def _reads(user: User) -> dict[str, int]:
    """By look, how many conversations were read."""
    found: dict[str, set[str]] = {}
    events = AuditEvent.objects.filter(concerns=user.uuid, action="look.read").exclude(
        target__in=openings.hidden_from(user)
    )
    for target, changes in events.order_by("-number").values_list("target", "changes")[:1000]:
        found.setdefault(str(target), set()).add(str(changes.get("conversation", [None, None])[1]))
    return {opening: len(read) for opening, read in found.items()}

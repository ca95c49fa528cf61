"""One person's data in the administration: what there is, taken along, erased, and the receipt.

A file that an administrator takes holds no conversation, unless an open look (accounts.openings) reaches it: this is no way around.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts import audit, erasing, legal_holds, openings, taking_along
from accounts.administration import administrator
from accounts.confirmation import confirmed
from accounts.models import Erasure, Opening, User
from accounts.refusals import NotPossible
from chat import opened, page, personal_own

MAY = ("accounts.manage_privacy", "accounts.view_user")


@require_http_methods(["GET", "HEAD", "POST"])
@administrator(*MAY)
@confirmed
def person(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The rows of one person by kind. `do=export` gives a zip, `do=erase` with `sure` erases what was counted."""
    found = get_object_or_404(User, uuid=uuid)
    done = Erasure.objects.filter(person=found.uuid).first()
    if request.method == "POST":
        if request.POST.get("do") == "export":
            return _export(request, found)
        if request.POST.get("do") == "erase":
            return _erase(request, found)
    if done is not None:
        return HttpResponseRedirect(reverse("keeping:receipt", args=[done.uuid]))
    lines = erasing.plan(found)
    context = {
        "person": found,
        "lines": lines,
        "rows": sum(line.count for line in lines),
        "refused": _refusal(request, found),
        "held": legal_holds.is_held(found),
        "look": _look(request, found),
    }
    return render(request, "setup/erase.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@administrator(*MAY)
def receipt(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What was erased. While it is not done, a post carries on, and so does the schedule."""
    erasure = get_object_or_404(Erasure, uuid=uuid)
    if request.method == "POST":
        try:
            erasing.carry_on(erasure)
        except NotPossible as refused:
            messages.error(request, str(refused.message))
        return HttpResponseRedirect(reverse("keeping:receipt", args=[erasure.uuid]))
    context = {"erasure": erasure, "lines": erasing.lines_of(erasure), "rows": sum(erasure.erased.values())}
    return render(request, "setup/erasure.html", context)


@require_safe
@administrator(*MAY)
def receipt_file(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The receipt as a file."""
    erasure = get_object_or_404(Erasure, uuid=uuid)
    answer = HttpResponse(erasing.receipt(erasure), content_type="application/json; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="erasure-{erasure.uuid}.json"'
    return answer


def _refusal(request: HttpRequest, found: User) -> str:
    try:
        erasing.refuse(found, by=page.person(request))
    except NotPossible as refused:
        return str(refused.message)
    return ""


def _erase(request: HttpRequest, found: User) -> HttpResponse:
    here = reverse("keeping:person", args=[found.uuid])
    if request.POST.get("sure") != "yes":
        messages.error(request, _("Tick that you have read what goes. Nothing was erased."))
        return HttpResponseRedirect(here)
    try:
        erasure = erasing.begin(found, by=page.person(request), request=request)
    except NotPossible as refused:
        messages.error(request, str(refused.message))
        return HttpResponseRedirect(here)
    try:
        erasing.carry_on(erasure)
    except NotPossible as refused:
        messages.error(request, str(refused.message))
    return HttpResponseRedirect(reverse("keeping:receipt", args=[erasure.uuid]))


def _look(request: HttpRequest, found: User) -> Opening | None:
    return openings.living(page.person(request)).filter(person=found).first()


def _export(request: HttpRequest, found: User) -> HttpResponse:
    look = _look(request, found)
    part = part_of(request)
    body, count, _more = taking_along.archive(_files(found, look=look), part=part)
    if not count:
        messages.error(request, _("There is nothing in this part."))
        return HttpResponseRedirect(reverse("keeping:person", args=[found.uuid]))
    with transaction.atomic():
        changes: audit.Changes = {"part": (None, part), "conversations": (None, look is not None)}
        audit.record("person.exported", request=request, target=found, changes=changes)
        if look is not None:
            more: audit.Changes = {"part": (None, part)}
            openings.record_look("look.exported", look, by=page.person(request), request=request, more=more)
    return zip_answer(body, name=f"person-{found.uuid}-{part}.zip")


def _files(found: User, *, look: Opening | None) -> Iterator[taking_along.File]:
    yield from taking_along.files(found, without=frozenset({personal_own.SLUG}))
    if look is not None:
        yield from opened.files(look)


def part_of(request: HttpRequest) -> int:
    """Which part is asked for; what makes no sense is the first."""
    text = request.POST.get("part", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 4 and int(text) else 1


def zip_answer(body: bytes, *, name: str) -> HttpResponse:
    """A download."""
    answer = HttpResponse(body, content_type="application/zip")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer

"""The organisation's style sheet and picture for everybody, and the page on which an administrator sets them."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import brand, colours, pictures
from accounts.administration import administrator
from accounts.models import Logo, Organisation
from accounts.models.people import SHEET

CHANGE = "accounts.change_organisation"
_NAME = re.compile(rf"([0-9a-f]{{6}})-([0-9a-f]{{6}})-{SHEET}")
# Its address says what it holds, so that it may be kept for good.
_FOR_GOOD = "public, max-age=31536000, immutable"


@require_safe
def sheet(request: HttpRequest, name: str) -> HttpResponse:
    """Four variables in two themes. Made of its address alone: no row is read, and only colours can be in it."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise Http404
    answer = HttpResponse(colours.sheet(f"#{found[1]}", f"#{found[2]}"), content_type="text/css; charset=utf-8")
    answer["Cache-Control"] = _FOR_GOOD
    return answer


@require_safe
def logo(request: HttpRequest, digest: str) -> HttpResponse:
    """The picture as it was written here. Opened by itself it may do nothing at all."""
    found = get_object_or_404(Logo, digest=digest)
    answer = HttpResponse(bytes(found.data), content_type="image/png")
    answer["Cache-Control"] = _FOR_GOOD
    answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer["Content-Disposition"] = 'inline; filename="logo.png"'
    return answer


class Accent(forms.Form):
    """The accent of both themes."""

    accent = forms.CharField(label=_("In the light theme"), required=False, max_length=7)
    accent_dark = forms.CharField(label=_("In the dark theme"), required=False, max_length=7)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, example in zip(("accent", "accent_dark"), brand.OWN, strict=True):
            self.fields[name].widget.attrs |= {"placeholder": example, "spellcheck": "false", "autocapitalize": "off"}
        self.fields["accent"].help_text = _("For what can be done: links and buttons. Empty: the portal's own green.")
        self.fields["accent_dark"].help_text = _("Empty: the same colour, as much lighter as it takes to be read.")

    def clean_accent(self) -> str:
        return _checked(self.cleaned_data["accent"], theme="light")

    def clean_accent_dark(self) -> str:
        return _checked(self.cleaned_data["accent_dark"], theme="dark")

    def clean(self) -> None:
        super().clean()
        if self.cleaned_data.get("accent_dark") and not self.cleaned_data.get("accent") and not self.errors:
            self.add_error("accent", _("Enter the colour of the light theme, too."))


def _checked(value: str, *, theme: colours.Theme) -> str:
    colour = value.strip().lower()
    if colour:
        colours.check(colour, theme=theme)
    return colour


class Upload(forms.Form):
    """A picture from the administrator's machine."""

    logo = forms.FileField(
        label=_("Picture"),
        max_length=200,
        widget=forms.FileInput(attrs={"accept": "image/png"}),
        help_text=_("PNG, at most 1,024 pixels on each side and 256 kB. Shown 28 pixels high."),
    )

    def clean_logo(self) -> pictures.Picture:
        given = self.cleaned_data["logo"]
        assert isinstance(given, UploadedFile)
        return pictures.read(given.read(pictures.LARGEST + 1))


@require_http_methods(["GET", "HEAD", "POST"])
@administrator(CHANGE)
def look(request: HttpRequest) -> HttpResponse:
    """Picture and colour; a post sets the colour."""
    organisation = Organisation.get()
    given = {"accent": organisation.accent, "accent_dark": organisation.accent_dark}
    form = Accent(request.POST or None, initial=given)
    if request.method == "POST" and form.is_valid():
        light, dark = form.cleaned_data["accent"], form.cleaned_data["accent_dark"]
        brand.set_accent(organisation, light=light, dark=dark, request=request)
        return _saved()
    return _page(request, organisation, accent=form)


def _page(
    request: HttpRequest, organisation: Organisation, *, accent: Accent | None = None, upload: Upload | None = None
) -> HttpResponse:
    given = {"accent": organisation.accent, "accent_dark": organisation.accent_dark}
    context = {
        "accent": accent or Accent(initial=given),
        "upload": upload or Upload(),
        "of": organisation,
        "saved": "saved" in request.GET,
    }
    refused = any(form is not None and form.is_bound for form in (accent, upload))
    return render(request, "setup/look.html", context, status=422 if refused else 200)


@require_POST
@administrator(CHANGE)
def picture(request: HttpRequest) -> HttpResponse:
    """Another picture, or (`do=remove`) none."""
    organisation = Organisation.get()
    if request.POST.get("do") == "remove":
        brand.set_logo(organisation, picture=None, request=request)
        return _saved()
    form = Upload(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, organisation, upload=form)
    brand.set_logo(organisation, picture=form.cleaned_data["logo"], request=request)
    return _saved()


def _saved() -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("setup_accounts:look") + "?saved")

"""The organisation and new colleagues in the browser, for administrators. A one-time password is shown once, on one page."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from accounts import audit, audit_changes, house_rules, passwords
from accounts.administration import administrator
from accounts.models import Organisation
from accounts.setup_forms import NewColleague, OrganisationForm


@require_http_methods(["GET", "HEAD", "POST"])
@administrator("accounts.change_organisation")
def organisation(request: HttpRequest) -> HttpResponse:
    """Name, time zone, language, contact, house rules, instructions, starters."""
    form = OrganisationForm(request.POST or None, instance=Organisation.get())
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            form.instance.save(update_fields=list(form.fields))
            house_rules.keep_version(form.instance)
            if changes := audit_changes.of_form(form):
                audit.record("organisation.changed", request=request, target=form.instance, changes=changes)
        return HttpResponseRedirect(reverse("setup_accounts:organisation") + "?saved")
    return render(request, "setup/organisation.html", {"form": form, "saved": "saved" in request.GET})


@require_http_methods(["GET", "HEAD", "POST"])
@administrator("accounts.add_user")
def new_person(request: HttpRequest) -> HttpResponse:
    """Makes an account without rights. The answer to the post is the only place where its password ever stands."""
    form = NewColleague(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                person, password = form.make()
                audit.record("person.added", request=request, target=person, changes=audit_changes.of_new(form))
        except IntegrityError:
            form.add_error("email", gettext("This e-mail is in use."))
        else:
            context = {"person": person, "password": password, "address": passwords.absolute("/", request=request)}
            return render(request, "setup/person_made.html", context)
    return render(request, "setup/person_new.html", {"form": form})

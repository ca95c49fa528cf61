"""Whatever is added, changed or deleted in Django's plain administration becomes an event, for every table registered there.

Beside Django's own history, not instead of it. Of rooms where people write, only the names of changed fields are told.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from accounts import audit, audit_changes
from accounts.audit_actions import ACTIONS
from accounts.models import Membership, User

if TYPE_CHECKING:
    Table: TypeAlias = admin.ModelAdmin[Any]
else:
    Table = admin.ModelAdmin

TOLD = frozenset({"accounts", "providers", "usage"})
"""Rooms whose values may be told; nobody's words stand there."""
OWN_WORDS = frozenset({"person", "team", "organisation", "provider", "model"})
FORM = "audit_form"


class Audited(Table):
    """Django's three hooks, called in the transaction of the deed."""

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:  # noqa: FBT001, FBT002  # Django's signature
        changes = audit_changes.of_new(form) if add else audit_changes.of_form(form)
        vars(request)[FORM] = changes | _inlines(formsets or []), list(form.changed_data)
        return super().construct_change_message(request, form, formsets, add)

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        _tell(request, obj, verb="added")
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        _tell(request, obj, verb="changed")
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        rows = list(queryset)
        for row in rows:
            vars(request).pop(FORM, None)
            _tell(request, row, verb="deleted")
        return super().log_deletions(request, queryset)


class AuditedSite(admin.AdminSite):
    """Registers every table with the hooks in front, a library's tables too."""

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        given = admin_class or admin.ModelAdmin
        super().register(model_or_iterable, type(given.__name__, (Audited, given), {}), **options)


def _tell(request: HttpRequest, row: Model, *, verb: str) -> None:
    changes, fields = vars(request).pop(FORM, ({}, []))
    if row._meta.app_label not in TOLD:
        changes = {"fields": [None, fields]} if fields else {}
    target = row
    if isinstance(row, Membership):
        target = row.user
        there, gone = (row.team.name, None) if verb == "deleted" else (None, row.team.name)
        changes = {"team": [row.team.name if verb == "changed" else there, gone]} | changes
    audit.record(_action(row, verb=verb, fields=fields), request=request, target=target, changes=changes)


def _action(row: Model, *, verb: str, fields: list[str]) -> str:
    """The word that says most; everything else stands in the changes."""
    if isinstance(row, Membership):
        return "person.team_changed"
    if isinstance(row, User) and verb == "changed":
        if {"password", "password1", "password2", "usable_password"} & set(fields):
            return "password.set"
        if "user_permissions" in fields:
            return "person.rights_changed"
    kind = audit.kind_of(row)
    if kind == "provider" and verb == "changed" and "new_key" in fields:
        return "provider.key_changed"
    own = f"{kind}.{verb}"
    return own if kind in OWN_WORDS and own in ACTIONS else f"row.{verb}"


def _inlines(formsets: Iterable[Any]) -> dict[str, list[Any]]:
    """Rows that were added, changed or taken away below the form, by name."""
    changes: dict[str, list[Any]] = {}
    for formset in formsets:
        word = audit.kind_of(formset.model)
        gone = [str(row) for row in formset.deleted_objects]
        new = [str(row) for row in formset.new_objects]
        if gone or new:
            changes[word] = [gone, new]
        edited = {row.pk for row, _ in formset.changed_objects}
        for form in (each for each in formset.forms if each.instance.pk in edited):
            told = audit_changes.of_form(form)
            changes |= {f"{word} {form.instance} {field}": pair for field, pair in told.items()}
    return changes

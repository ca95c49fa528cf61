"""What a form changes, as before and after for the audit trail. Leaves out what could hold a secret; writes nothing."""

from __future__ import annotations

from typing import Any

from django.db.models import Model, QuerySet
from django.forms import BaseForm, ModelForm, ModelMultipleChoiceField
from django.forms.models import ModelChoiceField

from accounts import audit


def of_form(form: BaseForm) -> dict[str, list[Any]]:
    """`{"field": [before, after]}` of a valid form. A bare instance counts as its name.

    Reads before from the form's initial values, so it is right after `save` too.
    """
    changes = {}
    for name in form.changed_data:
        if name in form.fields and name in form.cleaned_data and not audit.is_secret(name):
            changes[name] = [_before(form, name=name), _told(form.cleaned_data[name])]
    return changes


def of_new(form: ModelForm[Any]) -> dict[str, list[Any]]:
    """The same for a row that was just made: nothing before, and only what was filled in."""
    told = {name: [None, _told(form.cleaned_data.get(name))] for name in form.fields if not audit.is_secret(name)}
    return {name: pair for name, pair in told.items() if pair[1] not in (None, "", [], {})}


def of_rows(before: Model, after: Model, *, fields: tuple[str, ...]) -> dict[str, list[Any]]:
    """The fields in which two states of one row differ."""
    pairs = {name: [getattr(before, name), getattr(after, name)] for name in fields if not audit.is_secret(name)}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _before(form: BaseForm, *, name: str) -> Any:
    value = form.get_initial_for_field(form.fields[name], name)
    field = form.fields[name]
    # Initial values of choices among rows are keys.
    if isinstance(field, ModelMultipleChoiceField):
        return _told(_rows(field, value))
    if isinstance(field, ModelChoiceField) and value is not None:
        found = _rows(field, [value])
        return _told(found[0]) if found else value
    return _told(value)


def _rows(field: ModelChoiceField[Any], keys: Any) -> list[Model]:
    given = [each.pk if isinstance(each, Model) else each for each in keys or []]
    return (
        list(field.queryset.filter(**{f"{field.to_field_name or 'pk'}__in": given}))
        if field.queryset is not None
        else []
    )


def _told(value: Any) -> Any:
    if isinstance(value, Model):
        return audit.name_of(value) or str(value.pk)
    if isinstance(value, QuerySet | list | tuple | set):
        return [_told(each) for each in value]
    return value

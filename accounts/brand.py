"""How the organisation looks: its accent colour and its picture, set with a line in the trail. Decides no rights."""

from __future__ import annotations

import hashlib
from typing import Any

from django.db import transaction
from django.http import HttpRequest

from accounts import audit, colours, pictures
from accounts.models import Logo, Organisation

OWN = ("#0f6b5c", "#63c7b2")
"""The portal's own accent, in the light and in the dark (static/css)."""


def set_accent(organisation: Organisation, *, light: str, dark: str, request: HttpRequest) -> None:
    """Checked colours, or "" for the portal's own. `dark` "": made of the light one."""
    made = dark or (colours.for_the_dark(light) if light else "")
    _change(organisation, {"accent": light, "accent_dark": made}, request=request)


def set_logo(organisation: Organisation, *, picture: pictures.Picture | None, request: HttpRequest) -> None:
    """A picture that accounts.pictures has written anew, or none. The one before it is gone."""
    digest = hashlib.sha256(picture.data).hexdigest() if picture else ""
    with transaction.atomic():
        if picture is not None:
            values = {"data": picture.data, "width": picture.width, "height": picture.height}
            Logo.objects.get_or_create(digest=digest, defaults=values)
        _change(organisation, {"logo": digest}, request=request)
        Logo.objects.exclude(digest=digest).delete()


def _change(organisation: Organisation, values: dict[str, str], *, request: HttpRequest) -> None:
    changes: dict[str, list[Any]] = {
        name: [getattr(organisation, name), value]
        for name, value in values.items()
        if getattr(organisation, name) != value
    }
    if not changes:
        return
    with transaction.atomic():
        Organisation.objects.filter(pk=organisation.pk).update(**values)
        audit.record("organisation.changed", request=request, target=organisation, changes=changes)
    vars(organisation).update(values)

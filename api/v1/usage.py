"""What was used and what is left, of whoever asks: the same figures as on the page "My usage". Reads only.

Where the organisation shows shares, no amount of a limit leaves; where it does not show money, no cost does.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import clock
from accounts.models import Organisation, UsageShown
from api import answers, examples
from api.credentials import principal_of
from api.operations import Operation
from api.resource import Body, Resource
from usage import explaining, limit_words, moments, spending
from usage.explaining import Reason
from usage.spending import Used

MOST_DAYS = 366


class Span(Body):
    """`?days=`: so many days, today the last of them, by the organisation's clock."""

    days = serializers.IntegerField(min_value=1, max_value=MOST_DAYS, default=30)


class Usage(Resource):
    """GET → what the owner of the credential used, by day and model, with the sum. A repeat changes nothing."""

    scopes: ClassVar = {"GET": "usage"}
    operations: ClassVar = {
        "GET": Operation(_("What was used"), {200: answers.Used}, query=Span, shown={200: examples.USED})
    }

    def get(self, request: Request) -> Response:
        asked = Span(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        organisation, now = Organisation.get(), clock.now()
        tz = moments.zone(organisation)
        days = spending.days_back(asked.validated_data["days"], now=now, tz=tz)
        used = spending.of_person(principal_of(request).uuid, days=days, tz=tz, currency=organisation.currency)
        with_money = organisation.usage_shown == UsageShown.MONEY
        sums = spending.together(used)
        total: dict[str, Any] = {
            "requests": sums.requests,
            "tokens": sums.tokens,
            "requests_without_price": sums.unknown,
        }
        return Response({
            "from": days[0],
            "to": days[-1],
            "time_zone": tz.key,
            "currency": organisation.currency if with_money else None,
            "items": [_day(row, with_money=with_money) for row in used],
            "total": total | ({"cost_micro": sums.cost_micro} if with_money else {}),
        })  # fmt: skip


def _day(row: Used, *, with_money: bool) -> dict[str, Any]:
    made: dict[str, Any] = {
        "day": row.day,
        "model": row.model,
        "requests": row.requests,
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "requests_without_price": row.unknown,
    }
    return made | ({"cost_micro": row.cost_micro} if with_money else {})


class Quotas(Resource):
    """GET → the limits that apply to this credential now, those that others stand in for, and how they stand. A repeat changes nothing."""

    scopes: ClassVar = {"GET": "usage"}
    operations: ClassVar = {"GET": Operation(_("What is left"), {200: answers.Limits}, shown={200: examples.LIMITS})}

    def get(self, request: Request) -> Response:
        principal, organisation = principal_of(request), Organisation.get()
        key = None if principal.key is None else principal.key.uuid
        standing, every = explaining.reasons(person=principal.uuid, key=key, now=clock.now())
        shares = organisation.usage_shown == UsageShown.SHARE
        return Response({
            "time_zone": standing.time_zone,
            "currency": standing.currency,
            "team": standing.team_name or None,
            "items": [_limit(reason, shares=shares) for reason in every],
        })  # fmt: skip


def _limit(reason: Reason, *, shares: bool) -> dict[str, Any]:
    """Money in micro-units of the organisation's currency; `why` as in usage.explaining."""
    limit = reason.limit
    made: dict[str, Any] = {
        "id": str(limit.quota),
        "applies": reason.applies,
        "why": reason.why,
        "scope": limit.scope,
        "of": limit.subject_name or None,
        "unit": limit.unit,
        "period": limit.period,
        "models": sorted(model.slug for model in reason.models) if limit.models else None,
        "at_limit": limit.at_limit,
        "used_percent": limit_words.percent(limit),
        "held_percent": limit_words.percent(limit, of=limit.used + limit.held) - limit_words.percent(limit),
        "resets_at": limit.resets_at,
    }
    if shares and limit.resets_at is not None:
        return made
    return made | {"limit": limit.cap, "used": limit.used, "held": limit.held, "left": limit.left}

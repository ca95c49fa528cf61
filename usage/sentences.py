"""A limit as a sentence: "Each member of Support may use 50 questions a day, then it blocks". For pages of the administration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from django.utils.translation import gettext as _

from providers.models import LanguageModel
from usage import limit_words
from usage.limit_models import AtLimit, Quota, Scope, Unit


def names_of(quotas: Iterable[Quota]) -> dict[UUID, str]:
    """The names of the models that these limits are about. One query, where there are any."""
    wanted = {UUID(name) for quota in quotas for name in quota.of_models}
    wanted |= {quota.switch_to for quota in quotas if quota.switch_to}
    return dict(LanguageModel.objects.filter(uuid__in=wanted).values_list("uuid", "name")) if wanted else {}


def whom(scope: str, name: str) -> str:
    """Of whom it says something."""
    return {
        Scope.ORGANISATION: _("Everybody together"),
        Scope.EACH: _("Each person"),
        Scope.TEAM: _("The team %(name)s together"),
        Scope.MEMBER: _("Each member of %(name)s"),
        Scope.PERSON: "%(name)s",
        Scope.KEY: _("The API key %(name)s"),
    }[Scope(scope)] % {"name": name or "?"}


def amount(quota: Quota, *, currency: str) -> str:
    """“50 questions a day”, “3 answers at once”."""
    said = limit_words.amount(quota.amount, unit=quota.unit, currency=currency)
    if quota.unit in (Unit.INPUT, Unit.OUTPUT, Unit.PROMPT, Unit.ANSWER):
        said = f"{limit_words.number(quota.amount)} {quota.get_unit_display()}"
    return limit_words.a_period(said, period=quota.period)


def of(quota: Quota, *, names: Mapping[UUID, str], currency: str) -> str:
    """The whole sentence."""
    values = {
        "whom": whom(quota.scope, quota.subject_name),
        "amount": amount(quota, currency=currency),
        "models": ", ".join(names.get(UUID(name), "?") for name in quota.of_models),
    }
    said = _("%(whom)s may use %(amount)s of %(models)s") if quota.of_models else _("%(whom)s may use %(amount)s")
    return f"{said % values}{then(quota, names=names)}"


def then(quota: Quota, *, names: Mapping[UUID, str]) -> str:
    """What happens at its end."""
    if quota.at_limit == AtLimit.SWITCH and quota.switch_to:
        return _(", then “%(model)s” answers.") % {"model": names.get(quota.switch_to, "?")}
    return _(", then it only warns.") if quota.at_limit == AtLimit.WARN else _(", then it blocks.")

"""Limits as a file: written, and read in two steps like prices. A line about a limit that there is changes it; none removes one."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import csv_file
from accounts.models import Organisation, Team, User
from accounts.refusals import NotPossible
from providers import money
from providers.models import LanguageModel
from usage import limit_drafts, overview, rules, sentences
from usage.limit_drafts import Draft
from usage.limit_forms import amount_text
from usage.limit_models import NOBODY, TIMELESS, AtLimit, Period, Quota, Scope, Unit
from usage.price_files import Line, Wrong, judged, table
from usage.rules import MOST

HEAD = ["for", "name", "what", "amount", "per", "models", "then", "other model"]
HEADINGS = {
    "for": {"for", "scope", "对象", "范围"},
    "name": {"name", "whom", "名称", "姓名", "邮箱"},
    "what": {"what", "unit", "计量", "单位"},
    "amount": {"amount", "limit", "数量", "额度"},
    "per": {"per", "period", "周期"},
    "models": {"models", "model", "模型"},
    "then": {"then", "at limit", "达到上限", "之后"},
    "other model": {"other model", "备用模型"},
}


def export(organisation: Organisation) -> bytes:
    """Every limit, but those of API keys, which have a page of their own."""
    quotas = [quota for quota in overview.active() if quota.scope != Scope.KEY]
    slugs = dict(LanguageModel.objects.values_list("uuid", "slug"))
    emails = dict(User.objects.filter(uuid__in=[q.subject for q in quotas]).values_list("uuid", "email"))
    lines = []
    for quota in quotas:
        name = emails.get(quota.subject, quota.subject_name) if quota.scope == Scope.PERSON else quota.subject_name
        models = " ".join(slugs.get(UUID(model), "?") for model in quota.of_models)
        other = slugs.get(quota.switch_to, "?") if quota.switch_to else ""
        lines.append([quota.scope, name, quota.unit, amount_text(quota), quota.period, models, quota.at_limit, other])
    return (csv_file.MARK + csv_file.line(HEAD) + "".join(csv_file.line(cells) for cells in lines)).encode()


def plan(content: bytes, organisation: Organisation) -> list[Line]:
    """What each line would do. Writes nothing. Raises accounts.csv_file.Unreadable."""
    lines = table(content, headings=HEADINGS, needs=("for", "what", "amount"))
    teams = {name.casefold(): uuid for uuid, name in Team.objects.values_list("uuid", "name")}
    people = {
        email.casefold(): uuid for uuid, email in User.objects.filter(is_active=True).values_list("uuid", "email")
    }
    models = {slug: uuid for uuid, slug in LanguageModel.objects.values_list("uuid", "slug")}
    known = {
        _key(quota.scope, quota.subject, quota.unit, quota.period, quota.models_key): quota
        for quota in overview.active()
    }
    seen = set[object]()

    def judge(number: int, cells: dict[str, str]) -> Line:
        draft = _draft(cells, teams=teams, people=people, models=models)
        try:
            limit_drafts.check(draft)
        except NotPossible as refused:
            raise Wrong(refused.message) from None
        key = _key(draft.scope, draft.subject, draft.unit, draft.period, limit_drafts.models_key(draft.models))
        if key in seen:
            raise Wrong(_("Another line is about the same limit."))
        seen.add(key)
        return _line(number, cells, draft, known.get(key), organisation=organisation)

    return judged(lines, judge, name=lambda cells: " · ".join(filter(None, (cells["for"], cells["name"]))))


def _line(number: int, cells: dict[str, str], draft: Draft, there: Quota | None, *, organisation: Organisation) -> Line:
    what = " · ".join(filter(None, (cells["for"], cells["name"], cells["what"], cells["per"])))[:120]
    if there is not None and (there.amount, there.at_limit, there.switch_to) == (
        draft.amount,
        draft.at_limit,
        draft.switch_to,
    ):
        return Line(number, what, "same")
    shown = Quota(scope=draft.scope, unit=draft.unit, period=draft.period, amount=draft.amount)
    words = sentences.amount(shown, currency=organisation.currency)
    if there is None:
        return Line(number, what, "new", words, lambda request: limit_drafts.make(draft, request=request))
    words = f"{sentences.amount(there, currency=organisation.currency)} → {words}"
    return Line(number, what, "new", words, _changing(there, draft))


def _changing(there: Quota, draft: Draft) -> Callable[[HttpRequest], object]:
    def deed(request: HttpRequest) -> object:
        return rules.change(
            there, amount=draft.amount, at_limit=draft.at_limit, switch_to=draft.switch_to, request=request
        )

    return deed


def _draft(cells: dict[str, str], *, teams: dict[str, UUID], people: dict[str, UUID], models: dict[str, UUID]) -> Draft:
    scope, unit = cells["for"].lower(), cells["what"].lower()
    subject = NOBODY
    if scope in (Scope.TEAM, Scope.MEMBER, Scope.PERSON):
        found = (people if scope == Scope.PERSON else teams).get(cells["name"].casefold())
        if found is None:
            raise Wrong(_("There is nobody of that name."))
        subject = found
    elif scope not in (Scope.ORGANISATION, Scope.EACH):
        raise Wrong(_("“%s” is none of: organisation, team, member, person, each.") % scope[:40])
    if unit not in Unit.values:
        raise Wrong(_("“%s” is none of: %s.") % (unit[:40], ", ".join(Unit.values)))
    named = [_model(slug, models) for slug in cells["models"].split()]
    return Draft(
        scope=scope,
        subject=subject,
        unit=unit,
        period=Period.NONE if unit in TIMELESS else (cells["per"].lower() or Period.MONTH),
        amount=_amount(cells["amount"], unit=unit),
        models=tuple(named),
        at_limit=cells["then"].lower() or AtLimit.BLOCK,
        switch_to=_model(cells["other model"], models) if cells["other model"] else None,
    )


def _model(slug: str, models: dict[str, UUID]) -> UUID:
    if slug not in models:
        raise Wrong(_("There is no model “%s”.") % slug[:40])
    return models[slug]


def _amount(text: str, *, unit: str) -> int:
    try:
        amount = money.to_micro(text) if unit == Unit.COST else int(text)
    except ValueError:
        amount = -1
    if not 0 <= amount <= MOST or not text.isascii() or "_" in text:
        raise Wrong(_("“%s” is no amount.") % text[:40])
    return amount


def _key(scope: str, subject: UUID, unit: str, period: str, models_key: str) -> tuple[object, ...]:
    return scope, subject, unit, period, models_key

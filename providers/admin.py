"""Providers, models, routes and prices in the administration. Keys go in and never come out; prices are never edited."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from providers import breaker, calls, environment, keys
from providers.endpoints import endpoint_for
from providers.failures import Failure, Kind
from providers.forms import ProviderForm
from providers.models import LanguageModel, ModelRoute, Price, Provider


@admin.register(Provider)
class ProviderAdmin(admin.ModelAdmin[Provider]):
    form = ProviderForm
    list_display = ("name", "source", "address", "key_shown", "enabled", "circuit")
    readonly_fields = ("source", "key_shown", "next_key_shown", "circuit")
    list_filter = ("enabled", "source")
    search_fields = ("name", "base_url")
    actions = ("test", "switch_key", "fetch_models")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        return super().get_queryset(request).select_related("state")

    def get_fields(self, request: HttpRequest, obj: Provider | None = None) -> Any:
        if obj is None or obj.source == Provider.Source.DATABASE:
            shown = ["key_shown", "next_key_shown", "circuit"] if obj else []
            return ["name", "enabled", "base_url", "new_key", "proxy", "max_concurrency", "dialect", *shown]
        return ["name", "source", "enabled", "address", "key_shown", "max_concurrency", "dialect", "circuit"]

    def get_readonly_fields(self, request: HttpRequest, obj: Provider | None = None) -> list[str]:
        return [*self.readonly_fields, "address"]

    def get_form(self, request: HttpRequest, obj: Provider | None = None, change: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002  # Django's signature
        if obj is not None and obj.source != Provider.Source.DATABASE:
            kwargs["form"] = forms.ModelForm  # its address and key are not ours to change
        return super().get_form(request, obj, change=change, **kwargs)

    @admin.display(description=_("address"))
    def address(self, provider: Provider) -> str:
        if provider.source == Provider.Source.ENVIRONMENT:
            return gettext("%(url)s, from the environment") % {"url": endpoint_for(provider).base_url}
        return settings.SIMULATOR_URL if provider.source == Provider.Source.SIMULATOR else provider.base_url

    @admin.display(description=_("key"))
    def key_shown(self, provider: Provider) -> str:
        if provider.source == Provider.Source.ENVIRONMENT:
            return gettext("%(key)s, from the environment") % {"key": _dots(keys.hint(settings.OPENAI_API_KEY))}
        return _dots(provider.key_hint) if provider.key else "-"

    @admin.display(description=_("next key"))
    def next_key_shown(self, provider: Provider) -> str:
        return _dots(provider.next_key_hint) if provider.next_key else "-"

    @admin.display(description=_("state"))
    def circuit(self, provider: Provider) -> str:
        state = getattr(provider, "state", None)
        if state is None or not state.reason:
            return gettext("working")
        return f"{state.get_circuit_display()} ({state.reason})"

    @admin.action(description=_("Test: ask a few words"), permissions=["change"])
    def test(self, request: HttpRequest, queryset: QuerySet[Provider]) -> None:
        """Asks each of at most three; what was found out about its dialect is kept."""
        for provider in queryset[:3]:
            route = (
                provider.routes.filter(model__kind=LanguageModel.Kind.CHAT).order_by("-model__enabled", "pk").first()
            )
            if route is None:
                self.message_user(
                    request, gettext("%s has no chat model yet: fetch its models.") % provider, messages.WARNING
                )
                continue
            self._test(request, provider=provider, model=route.upstream_name)

    def _test(self, request: HttpRequest, *, provider: Provider, model: str) -> None:
        with_next = bool(provider.next_key)
        try:
            result = calls.probe(endpoint_for(provider, next_key=with_next), model=model)
            if result.failure is not None or result.dialect is None:
                raise result.failure or Failure(Kind.INTERNAL)
        except Failure as failure:
            text = gettext("%(name)s did not answer: %(failure)s") % {"name": provider, "failure": failure}
            self.message_user(request, text, messages.ERROR)
            return
        provider.dialect = result.dialect.to_json()
        provider.save(update_fields=["dialect"])
        if not with_next:
            breaker.reset(provider.pk)
        facts = {
            "name": provider,
            "seconds": f"{result.seconds:.1f}",
            "key": gettext("with the next key") if with_next else gettext("with its key"),
            "field": result.dialect.max_tokens_field,
            "usage": gettext("counts tokens") if result.saw_usage else gettext("does not count tokens"),
        }
        text = gettext("%(name)s answered in %(seconds)s s %(key)s; it %(usage)s; limit: %(field)s.") % facts
        self.message_user(request, text, messages.SUCCESS)
        if not result.honours_limit:
            text = gettext("%s does not keep to the longest answer that is asked for.") % provider
            self.message_user(request, text, messages.WARNING)

    @admin.action(description=_("Switch to the next key"), permissions=["change"])
    def switch_key(self, request: HttpRequest, queryset: QuerySet[Provider]) -> None:
        for provider in queryset:
            if keys.switch(provider):
                breaker.reset(provider.pk)
                self.log_change(request, provider, "switched to the next key")
                self.message_user(request, gettext("%s now uses the next key.") % provider, messages.SUCCESS)
            else:
                self.message_user(request, gettext("%s has no next key.") % provider, messages.WARNING)

    @admin.action(description=_("Fetch models"), permissions=["change"])
    def fetch_models(self, request: HttpRequest, queryset: QuerySet[Provider]) -> None:
        for provider in queryset[:3]:
            only = settings.OPENAI_MODELS if provider.source == Provider.Source.ENVIRONMENT else ()
            lines = environment.fetch_models(provider, only=only)
            self.message_user(request, "; ".join(lines) or gettext("%s: nothing new") % provider)


class RouteInline(admin.TabularInline[ModelRoute, LanguageModel]):
    model = ModelRoute
    extra = 0


@admin.register(LanguageModel)
class LanguageModelAdmin(admin.ModelAdmin[LanguageModel]):
    list_display = ("name", "slug", "kind", "enabled", "position", "context_window", "max_output_tokens")
    list_editable = ("enabled", "position")
    list_filter = ("enabled", "kind", "providers")
    search_fields = ("name", "slug")
    inlines = (RouteInline,)


@admin.register(Price)
class PriceAdmin(admin.ModelAdmin[Price]):
    """To look at only: prices are entered on their own page, and the past stays as it was."""

    list_display = ("model", "provider", "effective_from", "currency", "input_micro", "output_micro")
    list_filter = ("provider", "currency")
    list_select_related = ("model", "provider")
    search_fields = ("model__slug",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Price | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Price | None = None) -> bool:
        return False


def _dots(hint: str) -> str:
    return f"…{hint}"

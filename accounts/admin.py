"""People, teams and the organisation in Django's plain administration. Nothing here bypasses the password rules.

Switching somebody off or on, and who may open the administration, is done on a person's own page (/setup/people/) and shown
here only: there the last administrator stays, and everything that must end with an account ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from allauth.account import admin as allauth_admin
from allauth.account.models import EmailAddress
from allauth.mfa import admin as factor_admin
from allauth.mfa.models import Authenticator
from allauth.socialaccount import admin as social_admin
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm
from django.contrib.auth.models import Group
from django.db.models import Field, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts import legal_holds, notices
from accounts.confirmation import confirmed
from accounts.forms import languages, time_zones
from accounts.models import Membership, Organisation, Team, User

if TYPE_CHECKING:  # generic for the type checker only
    PasswordForm: TypeAlias = AdminPasswordChangeForm[User]
    NewUserForm: TypeAlias = AdminUserCreationForm[User]
    People: TypeAlias = UserAdmin[User]
else:
    PasswordForm, NewUserForm, People = AdminPasswordChangeForm, AdminUserCreationForm, UserAdmin

admin.site.site_header = admin.site.site_title = _("Administration")
admin.site.index_title = _("Administration")
admin.site.unregister(Group)
# A second address would be a second way in: people have the one on their row.
assert allauth_admin, "imported so that its registration is there to be taken back"
admin.site.unregister(EmailAddress)
# Whoever may write an identity may sign in as anybody: connections are made by their owner (/me/company/).
assert social_admin, "imported so that its registration is there to be taken back"
admin.site.unregister((SocialAccount, SocialApp, SocialToken))
# The same goes for a passkey or an app's secret: each is made by its owner; a lost one is taken away on the person's page.
assert factor_admin, "imported so that its registration is there to be taken back"
admin.site.unregister(Authenticator)

CUTS = {"email", "password_expired"}
"""Changing one of these ends the person's sessions."""
ELSEWHERE = ("is_active", "is_staff", "is_superuser")
"""Changed on the person's own page only (accounts.people)."""
GRANTS = ("user_permissions",)
"""Whoever may set these may do everything: superusers only."""


class Choosing(admin.ModelAdmin[Any]):
    """Language and time zone are chosen, not typed."""

    def formfield_for_dbfield(self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        offered = {"language": languages, "time_zone": time_zones}.get(db_field.name)
        if offered is None:
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        choices = offered(_("not chosen"))
        return forms.ChoiceField(
            label=db_field.verbose_name, help_text=db_field.help_text, required=False, choices=choices
        )


class MembershipInline(admin.TabularInline[Membership, User]):
    model = Membership
    extra = 0
    autocomplete_fields = ("team",)


class PasswordByAdministrator(PasswordForm):
    """A password that somebody else typed is a one-time password."""

    def save(self, commit: bool = True) -> User:  # noqa: FBT001, FBT002  # Django's signature
        super().save(commit)
        self.user.password_expired = self.user.has_usable_password()
        self.user.save(update_fields=["password_expired"])
        self.user.sign_out_everywhere()
        return self.user


class NewPerson(NewUserForm):
    """E-mail, name and a first password, which must be changed at the first sign-in."""

    class Meta:
        model = User
        fields = ("email", "name")

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].strip().lower()
        return email

    def save(self, commit: bool = True) -> User:  # noqa: FBT001, FBT002  # Django's signature
        self.instance.password_expired = True
        user: User = super().save(commit)
        return user


@admin.register(User)
class PersonAdmin(Choosing, People):
    add_form = NewPerson
    change_password_form = PasswordByAdministrator
    list_display = ("email", "name", "is_active", "is_staff", "date_joined")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("email", "name")
    ordering = ("email",)
    filter_horizontal = ("user_permissions",)
    readonly_fields = ("uuid", "date_joined", "last_login", *ELSEWHERE)
    inlines = (MembershipInline,)
    actions = ("sign_out",)
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        (_("Language and time"), {"fields": ("language", "time_zone")}),
        (
            _("Rights"),
            {
                "fields": ("password_expired", "user_permissions", *ELSEWHERE),
                "description": _("Switching off and on, staff and administrators: on the person's page under People."),
            },
        ),
        (_("Dates"), {"fields": ("date_joined", "last_login", "uuid")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "name", "password1", "password2")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        own = list(super().get_readonly_fields(request, obj))
        return own if request.user.is_superuser else [*own, *GRANTS]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return self._in_reach(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """With an account everything goes that it asked: only one that is switched off and that no legal hold covers, one at a time."""
        gone = obj is not None and not (obj.is_active or obj.is_superuser or obj.is_staff or legal_holds.is_held(obj))
        return gone and super().has_delete_permission(request, obj)

    def _in_reach(self, request: HttpRequest, obj: User | None) -> bool:
        """Whoever could give an administrator another password or address could sign in as one: superusers only."""
        return request.user.is_superuser or obj is None or not (obj.is_staff or obj.is_superuser)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """An open computer is not enough to give somebody another address or other rights."""
        return self._confirmed(request, super().changeform_view)(request, *args, **kwargs)

    def user_change_password(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._confirmed(request, super().user_change_password)(request, *args, **kwargs)

    def _confirmed(self, request: HttpRequest, view: Any) -> Any:
        may = self.has_view_or_change_permission(request) or self.has_add_permission(request)
        return confirmed(view) if may else view

    def save_model(self, request: HttpRequest, obj: User, form: forms.ModelForm[User], change: bool) -> None:  # noqa: FBT001  # Django's signature
        obj.email = obj.email.strip().lower()
        super().save_model(request, obj, form, change)
        if change and CUTS & set(form.changed_data):
            obj.sign_out_everywhere()
        if change and "email" in form.changed_data:
            notices.tell_moved(obj, old=str(form.initial["email"]))

    @admin.action(description=_("Sign out everywhere"), permissions=["change"])
    def sign_out(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in (each for each in queryset if self._in_reach(request, each)):
            user.sign_out_everywhere()
        messages.success(request, _("Signed out everywhere."))


@admin.register(Team)
class TeamAdmin(admin.ModelAdmin[Team]):
    list_display = ("name", "cost_centre", "created_at")
    search_fields = ("name", "cost_centre")


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin[Membership]):
    list_display = ("user", "team", "role", "is_primary")
    list_filter = ("role", "team")
    list_select_related = ("user", "team")
    search_fields = ("user__email", "user__name", "team__name")
    autocomplete_fields = ("user", "team")


@admin.register(Organisation)
class OrganisationAdmin(Choosing):
    """One row: the list leads straight to it; it can neither be added nor deleted.

    Who may come in, and how, is decided on pages of their own, which ask for more than the right to change the name.
    """

    readonly_fields = ("open_domains", "second_factor", "sso_only", "sso_days")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Organisation | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        only = Organisation.get()
        return HttpResponseRedirect(reverse("admin:accounts_organisation_change", args=[only.pk]))

"""Addresses under /setup/ that concern the organisation and its people."""

from __future__ import annotations

from django.urls import URLPattern, path

from accounts import (
    audit_views,
    setup_access,
    setup_invitations,
    setup_mail,
    setup_people,
    setup_programs,
    setup_sign_in,
    setup_teams,
    setup_views,
)

app_name = "setup_accounts"
urlpatterns: list[URLPattern] = [
    path("audit/", audit_views.overview, name="audit"),
    path("audit/export/", audit_views.export, name="audit_export"),
    path("sign-in/", setup_sign_in.rules, name="sign_in"),
    path("mail/", setup_mail.overview, name="mail"),
    path("mail/test/", setup_mail.test, name="mail_test"),
    path("mail/<uuid:number>/again/", setup_mail.resend, name="mail_resend"),
    path("mail/<uuid:number>/discard/", setup_mail.discard, name="mail_discard"),
    path("organisation/", setup_views.organisation, name="organisation"),
    path("people/", setup_people.people_list, name="people"),
    path("people/new/", setup_views.new_person, name="new_person"),
    path("people/invitations/", setup_invitations.invitation_list, name="invitations"),
    path("people/invitations/file/", setup_invitations.upload, name="invitations_file"),
    path("people/invitations/domains/", setup_invitations.domains, name="invitations_domains"),
    path("people/invitations/<uuid:uuid>/", setup_invitations.again, name="invitation"),
    path("people/<uuid:uuid>/", setup_people.person, name="person"),
    path("people/<uuid:number>/link/", setup_access.make_link, name="person_link"),
    path("people/<uuid:number>/second-factor/", setup_access.reset_factor, name="person_factor"),
    path("people/<uuid:number>/opening-right/", setup_access.opening_right, name="person_opening_right"),
    path("people/<uuid:uuid>/rename/", setup_people.rename, name="person_rename"),
    path("people/<uuid:uuid>/rights/", setup_people.set_rights, name="person_rights"),
    path("people/<uuid:uuid>/teams/", setup_people.join, name="person_join"),
    path("people/<uuid:uuid>/teams/<uuid:team>/", setup_people.membership, name="person_membership"),
    path("people/<uuid:uuid>/sign-out/", setup_people.sign_out, name="person_sign_out"),
    path("people/<uuid:uuid>/deactivate/", setup_people.deactivate, name="person_deactivate"),
    path("people/<uuid:uuid>/reactivate/", setup_people.reactivate, name="person_reactivate"),
    path("people/<uuid:uuid>/approve/", setup_people.approve, name="person_approve"),
    path("programs/", setup_programs.program_list, name="programs"),
    path("programs/<uuid:uuid>/", setup_programs.program, name="program"),
    path("programs/<uuid:uuid>/change/", setup_programs.change, name="program_change"),
    path("programs/<uuid:uuid>/power/", setup_programs.power, name="program_power"),
    path("teams/", setup_teams.team_list, name="teams"),
    path("teams/<uuid:uuid>/", setup_teams.team, name="team"),
    path("teams/<uuid:uuid>/change/", setup_teams.change, name="team_change"),
    path("teams/<uuid:uuid>/delete/", setup_teams.delete, name="team_delete"),
    path("teams/<uuid:uuid>/members/", setup_teams.add, name="team_add"),
    path("teams/<uuid:uuid>/members/<uuid:person>/", setup_teams.member, name="team_member"),
]

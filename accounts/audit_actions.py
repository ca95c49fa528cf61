"""Every deed that the audit trail knows, with the sentence that tells it. One line each; records nothing itself.

`%(actor)s` and `%(target)s` are names; what changed stands beside the sentence. The word before the dot groups the list.
An action is never renamed or taken away: events that hold it stay for good.
"""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

ACTIONS: dict[str, str | Promise] = {
    # --- the door ---
    "sign_in.succeeded": _("%(actor)s signed in."),
    "sign_in.failed": _("Somebody failed to sign in as %(target)s."),
    "sign_in.unknown": _("Somebody failed to sign in with a name that nobody has."),
    "sign_in.locked": _("Too many tries to sign in: the address has to wait."),
    "sign_in.flood": _("So many sign-ins fail that not each is written down."),
    "sign_in.ended": _("%(actor)s signed out."),
    "sign_in.cut": _("%(actor)s ended a sign-in of %(target)s."),
    "factor.reset": _("%(actor)s took the second factor of %(target)s away."),
    "rescue.made": _("A link with which %(target)s can sign in once was made on the server."),
    "rescue.used": _("%(target)s signed in with a link made on the server."),
    # --- people ---
    "person.added": _("%(actor)s added %(target)s."),
    "person.changed": _("%(actor)s changed %(target)s."),
    "person.deleted": _("%(actor)s deleted %(target)s."),
    "person.activated": _("%(actor)s switched %(target)s on again."),
    "person.deactivated": _("%(actor)s switched %(target)s off."),
    "person.rights_changed": _("%(actor)s changed what %(target)s may do."),
    "person.signed_out": _("%(actor)s signed %(target)s out everywhere."),
    "email.changed": _("%(target)s changed the own e-mail address."),
    "password.changed": _("%(actor)s chose a new password."),
    "password.set": _("%(actor)s set a new password for %(target)s."),
    "password.reset": _("%(target)s chose a new password through a link."),
    "password.link_made": _("%(actor)s made a link with which %(target)s can choose a new password."),
    "factor.added": _("%(actor)s added a second factor."),
    "factor.removed": _("%(actor)s removed a second factor."),
    "factor.renewed": _("%(actor)s made new recovery codes."),
    "factor.failed": _("The password of %(target)s was right, the second factor was not."),
    # --- teams ---
    "team.added": _("%(actor)s added the team %(target)s."),
    "team.changed": _("%(actor)s changed the team %(target)s."),
    "team.deleted": _("%(actor)s deleted the team %(target)s."),
    # --- how people come in, programs, teams of a person ---
    "person.team_changed": _("%(actor)s changed a team of %(target)s."),
    "person.rules_read": _("%(actor)s agreed to the house rules."),
    "invitation.made": _("%(actor)s invited %(target)s."),
    "invitation.resent": _("%(actor)s sent %(target)s a new invitation."),
    "invitation.revoked": _("%(actor)s withdrew the invitation of %(target)s."),
    "invitation.accepted": _("%(actor)s accepted an invitation."),
    "registration.asked": _("%(target)s registered and waits for approval."),
    "registration.approved": _("%(actor)s let %(target)s in."),
    "registration.declined": _("%(actor)s declined the registration of %(target)s."),
    "service.made": _("%(actor)s made %(target)s, an account for programs."),
    "service.owner_changed": _("%(actor)s changed who answers for %(target)s."),
    # --- programs ---
    "token.issued": _("%(actor)s signed a program in."),
    "token.revoked": _("%(actor)s signed a program out."),
    "token.reused": _("A used refresh token of %(target)s came again: that sign-in was ended."),
    "key.made": _("%(actor)s made the API key %(target)s."),
    "key.rolled": _("%(actor)s gave the API key %(target)s a new secret."),
    "key.revoked": _("%(actor)s revoked the API key %(target)s."),
    # --- letters ---
    "mail.tested": _("%(actor)s had a test letter sent."),
    "mail.resent": _("%(actor)s had a letter sent again that had failed."),
    "mail.discarded": _("%(actor)s discarded a letter that had failed."),
    # --- the company's sign-in ---
    "sso.connected": _("%(actor)s connected a company account."),
    "sso.disconnected": _("%(actor)s disconnected a company account."),
    "sso.person_made": _("%(actor)s came in through the company for the first time: the account was made."),
    "sso.teams_followed": _("The company's groups changed the teams of %(target)s."),
    "sso.refused": _("A sign-in through the company was refused."),
    "sso.signed_out": _("The company signed %(target)s out."),
    "sso.connection_made": _("%(actor)s added the company sign-in %(target)s."),
    "sso.connection_changed": _("%(actor)s changed the company sign-in %(target)s."),
    "sso.secret_changed": _("%(actor)s entered a secret for the company sign-in %(target)s."),
    "sso.groups_changed": _("%(actor)s changed which groups of %(target)s are which teams."),
    "sso.staff_followed": _("The company's groups changed the rights of %(target)s."),
    "sso.staff_changed": _("%(actor)s changed which group of %(target)s is staff."),
    "sso.connection_removed": _("%(actor)s removed the company sign-in %(target)s."),
    "sso.only_on": _("%(actor)s closed the door for passwords: only the company's sign-in is left."),
    "sso.only_off": _("%(actor)s let passwords in again."),
    # --- the organisation and what answers ---
    "organisation.changed": _("%(actor)s changed the organisation."),
    "organisation.maintenance_on": _("%(actor)s announced maintenance: nothing new can be sent."),
    "organisation.maintenance_off": _("%(actor)s ended the maintenance."),
    "announcement.made": _("%(actor)s made an announcement."),
    "announcement.changed": _("%(actor)s changed an announcement."),
    "announcement.removed": _("%(actor)s took an announcement away."),
    "provider.added": _("%(actor)s connected %(target)s."),
    "provider.changed": _("%(actor)s changed the provider %(target)s."),
    "provider.deleted": _("%(actor)s deleted the provider %(target)s."),
    "provider.key_changed": _("%(actor)s entered a key for %(target)s."),
    "model.added": _("%(actor)s added the model %(target)s."),
    "model.changed": _("%(actor)s changed the model %(target)s."),
    "model.deleted": _("%(actor)s deleted the model %(target)s."),
    "price.entered": _("%(actor)s entered a price for %(target)s."),
    "price.removed": _("%(actor)s took a price of %(target)s back that had not begun."),
    "rate.entered": _("%(actor)s entered an exchange rate."),
    "rate.removed": _("%(actor)s took an exchange rate back that had not begun."),
    # --- limits ---
    "limit.added": _("%(actor)s made a limit."),
    "limit.changed": _("%(actor)s changed a limit."),
    "limit.removed": _("%(actor)s removed a limit."),
    "limit.raised": _("%(actor)s raised a limit for a while."),
    "limit.asked": _("%(actor)s asked for more than a limit allows."),
    "limit.refused": _("%(actor)s declined a request for more."),
    "calls.exported": _("%(actor)s exported the log of calls."),
    "ledger.corrected": _("%(actor)s corrected what a call took."),
    "alerts.changed": _("%(actor)s changed who is told of alerts."),
    # --- the administration's plain pages ---
    "row.added": _("%(actor)s added %(target)s in the administration."),
    "row.changed": _("%(actor)s changed %(target)s in the administration."),
    "row.deleted": _("%(actor)s deleted %(target)s in the administration."),
    # --- the trail itself ---
    "audit.exported": _("%(actor)s exported the audit trail."),
    "audit.forgot": _("%(actor)s erased a person's name from the audit trail."),
    "audit.verified": _("The audit trail was checked: it is whole."),
    "audit.broken": _("The audit trail was checked: it is broken."),
    "audit.accepted": _("%(actor)s accepted the audit trail as it stands, on the server."),
}

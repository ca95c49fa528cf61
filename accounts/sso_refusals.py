"""Why somebody does not come in through the company, in words for her: what happened, and what to do now. Renders nothing."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

ASK = _("Ask whoever runs this chat for an invitation.")
AGAIN = _("Nothing was changed. Try once more.")
CONNECT = _(
    "If it is yours: sign in the way you usually do, then connect the company sign-in under “My settings”. If you can't,"
    " ask whoever runs this chat."
)
TELL = _("Your account is as it was. Try again later, or tell whoever runs this chat.")


@dataclass(frozen=True, slots=True)
class Words:
    """`what` happened, what to `do` now, and the HTTP status."""

    what: str | Promise
    do: str | Promise
    status: int = 403


WORDS: dict[str, Words] = {
    "unknown": Words(
        _("Nobody here is known under this company account."),
        _(
            "If you have an account here: sign in the way you usually do, then connect the company sign-in under"
            " “My settings”. If you have none, ask whoever runs this chat for an invitation."
        ),
    ),
    "taken": Words(_("There is an account with the address %(email)s already."), CONNECT, 409),
    "no_email": Words(_("Your company did not tell your e-mail address, so no account could be made."), ASK),
    "unverified": Words(
        _("Your company did not confirm that this e-mail address is yours, so no account could be made."), ASK
    ),
    "domain": Words(_("This sign-in makes no accounts for addresses like %(email)s."), ASK),
    "outsider": Words(_("Your account there is not a member of the company."), _("Ask whoever runs this chat.")),
    "inactive": Words(_("Your account here is switched off."), _("Ask whoever runs this chat.")),
    "waits": Words(
        _("Your account waits for approval."), _("You can sign in as soon as an administrator has let you in.")
    ),
    "invitation_over": Words(
        _("This invitation has been answered, replaced or withdrawn, or it has expired."),
        _("If you have an account by now, sign in. If not, ask for a new invitation."),
        410,
    ),
    "other": Words(
        _("This company account belongs to another account here."),
        _("Sign out at your company and sign in there as yourself, then connect again."),
        409,
    ),
    "second": Words(
        _("You are connected with another account of this company already."),
        _("Disconnect that one first, under “My settings”."),
        409,
    ),
    "again": Words(_("Somebody did the same thing at the same moment."), AGAIN, 409),
    "cancelled": Words(_("The sign-in was cancelled at your company."), AGAIN, 400),
    "stale": Words(
        _("This sign-in was not started in this browser, or it took longer than ten minutes."),
        _("Start it again from the sign-in page."),
        400,
    ),
    "changed": Words(
        _("Somebody else is signed in here now than when this was started."), _("Sign in, then connect again."), 409
    ),
    "answer": Words(_("Your company's answer could not be believed, so nobody was signed in."), TELL, 400),
    "unreachable": Words(_("Your company's sign-in server does not answer."), TELL, 503),
    "issuer": Words(_("Your company's sign-in server refused."), TELL, 400),
}


class Refusal(Exception):
    """Nobody comes in. `detail` is for the log and the audit trail; it never holds a token or a code."""

    def __init__(self, code: str, *, email: str = "", detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code, self.email, self.detail = code, email, detail

    @property
    def words(self) -> Words:
        """What to say, with the address in it where one belongs there."""
        found = WORDS[self.code]
        if not self.email:
            return found
        return Words(str(found.what) % {"email": self.email}, found.do, found.status)

"""What a person sees around second factors, links and a new address: rows for docs/messages.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.message_list import Message


def of_second_factors() -> Iterator[Message]:
    """The second step, and being asked again."""
    from tests.message_list import ANYBODY, NOTHING, plain

    once = "What comes next changes how somebody gets into this account. That is why you are asked again."
    yield plain("before something delicate", "Is it you?", once, kept=NOTHING, buttons=("Go on",))
    yield plain("the organisation demands one", "Set up a second factor first.", kept=NOTHING)
    gone = "No passkey was used. Try again, or type your password."
    yield plain("no passkey at the door", gone, kept=NOTHING, buttons=("Sign in",), who=ANYBODY)
    closed = "Passwords are not used here: sign in through your company."
    yield plain("forgotten, while passwords are off", closed, kept=NOTHING, buttons=("Back to signing in",))


def of_links() -> Iterator[Message]:
    """Links that work once, and another address."""
    from tests.message_list import ANYBODY, NOTHING, plain

    old, back = "the old password", ("Back to signing in",)
    over, why = "This link no longer works", "It has been used, or it is too old."
    yield plain("link over", over, why, "Ask %(contact)s for a new one.", kept=old, buttons=back, who=ANYBODY)
    ask = "Ask your administrator for a new one."
    yield plain("link over, no contact", over, why, ask, kept=old, buttons=back, who=ANYBODY)
    choose = ("Choose a new password", "For %(email)s. Every device will be signed out.")
    yield plain("a link by an administrator", *choose, kept="conversations", buttons=("Change the password",))
    rescue = "This link was made on the server. It signs in %(email)s and works once."
    then = "A second factor that was set up is removed, every other device is signed out, and you choose a new password next."
    yield plain("a link from the server", "Sign in once", rescue, then, kept="conversations", buttons=("Sign in",))
    address = "You sign in as %(email)s. A link goes to the new address; until it is confirmed nothing changes."
    yield plain("another address", address, kept="the old address", buttons=("Send the link",))
    asked = "A link is on its way to %(email)s. It works for a day; until you press it nothing changes."
    yield plain("asked for", "Look into your mail", asked, kept="the old address")
    enough = (
        "%(email)s has had enough letters of this kind for an hour. Look into its spam folder, or try again later. "
        "Nothing was changed."
    )
    yield plain("too many letters", "Not another letter now", enough, kept="the old address")
    new = "From now on %(old)s signs in as %(new)s. Every device will be signed out."
    stop = "If you did not ask for this, close the page: nothing changes."
    yield plain("to be confirmed", new, stop, kept="the old address until then", buttons=("Confirm the address",))
    done = ("The address has been changed", "Sign in as %(email)s from now on. The old address has been told.")
    yield plain("confirmed", *done, kept="everything else", buttons=("Sign in",))
    taken = "The new address belongs to another account here, or yours has changed meanwhile. You sign in as before."
    yield plain("not free", "The address was not changed", taken, kept="the old address", buttons=back)
    no_mail = "Mail is not set up here, so a new address cannot be confirmed. Ask %(contact)s to change it."
    yield plain("no mail for it", no_mail, kept="the old address")
    nobody = "Mail is not set up here, so a new address cannot be confirmed. Ask your administrator to change it."
    yield plain("no mail for it, no contact", nobody, kept="the old address")
    company = "You sign in through your company. Your address is the one it names."
    yield plain("through the company", company, kept=NOTHING)

"""What stands in docs/messages.md about coming in, leaving and teams: when, the words, what is kept, for whom. Data only."""

from __future__ import annotations

NOTHING = "nothing is changed"
PERSON, ADMIN, ANYBODY = "the person", "an administrator", "whoever comes"

Row = tuple[str, tuple[str, ...], str, tuple[str, ...], str]

ROWS: tuple[Row, ...] = (
    (
        "the house rules are new",
        ("Read the house rules first. Reload the page if they do not stand above the box; your text is kept.",),
        "the text stays in the box; nothing is sent or counted",
        ("I have read them and agree",),
        PERSON,
    ),
    (
        "an invitation's link is over",
        (
            "This link does not work",
            "It has been used, replaced by a newer one, withdrawn, or it is too old. If you have an account by now, sign in.",
            "If not, ask whoever invited you for a new one.",
        ),
        NOTHING,
        ("To signing in",),
        ANYBODY,
    ),
    (
        "an invitation, and somebody is signed in",
        ("Somebody is signed in here", "Open the link in another browser, or sign out and open it again."),
        "the link still works",
        ("Sign out", "Back to the chat"),
        ANYBODY,
    ),
    (
        "an invitation, and there is an account",
        ("There is an account with this address already. Sign in with it.",),
        "the account as it is",
        ("Sign in",),
        ANYBODY,
    ),
    (
        "registered, with mail",
        (
            "Look into your mail",
            "If this address may register, a letter is on its way. Follow its link within three days; then an administrator lets you in.",
        ),
        "what was entered, for three days",
        ("To signing in",),
        ANYBODY,
    ),
    (
        "registered, without mail",
        (
            "An administrator decides now",
            "If this address may register, it waits for approval. "
            "Sign in with your password later: you are told whether you have been let in.",
        ),
        "what was entered",
        ("To signing in",),
        ANYBODY,
    ),
    (
        "too many registrations",
        ("Too many registrations come from here. Try again in an hour.",),
        "what stands in the form",
        (),
        ANYBODY,
    ),
    (
        "a registration's link is over",
        (
            "This link does not work",
            "It has been used, or it is too old. If you have confirmed your address already, "
            "an administrator decides. If not, register again.",
        ),
        NOTHING,
        ("To signing in", "Register"),
        ANYBODY,
    ),
    (
        "sign-in before approval",
        ("Your account waits for approval", "An administrator lets you in."),
        "the account",
        ("To signing in",),
        PERSON,
    ),
    (
        "an invitation was answered meanwhile",
        ("This invitation has been answered, replaced or withdrawn meanwhile.",),
        NOTHING,
        (),
        ADMIN,
    ),
    ("the own account", ("Nobody does this to the own account. Ask another administrator.",), NOTHING, (), ADMIN),
    (
        "staff and an administrator's account",
        ("Only administrators change accounts of administrators and staff.",),
        NOTHING,
        (),
        ADMIN,
    ),
    (
        "the last administrator",
        ("This is the last administrator. Make another one first.",),
        NOTHING,
        (),
        ADMIN,
    ),
    (
        "switched off",
        ("Switched off. Every sign-in, key and running answer of this account has ended.",),
        "conversations, usage and the audit trail",
        (),
        ADMIN,
    ),
    (
        "switched on again",
        ("Switched on. Keys and sign-ins of before stay ended; new ones can be made.",),
        "conversations and teams",
        (),
        ADMIN,
    ),
    ("an heir who is none", ("Choose an active colleague who takes it over.",), NOTHING, (), ADMIN),
    (
        "a file that is no text",
        ("The file is no text. Save it as CSV (UTF-8) and choose it again. Nothing was done.",),
        NOTHING,
        ("Invite all",),
        ADMIN,
    ),
    (
        "a workbook instead of a file of lines",
        ("This is a workbook. Save it as CSV first, then choose that file. Nothing was done.",),
        NOTHING,
        ("Invite all",),
        ADMIN,
    ),
    ("a team's name is taken", ("There is a team with this name already.",), NOTHING, (), ADMIN),
)

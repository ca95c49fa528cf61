"""What stands in a letter: subject, text and HTML from templates/mail/, in the reader's language. Sends and stores nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils.translation import override

from accounts.models import Organisation, User


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter, whole; with one file of text (CSV) where `file_name` says how it is called."""

    subject: str
    text: str
    html: str
    file_name: str = ""
    file: str = ""


def language_for(reader: User | None, *, otherwise: str = "") -> str:
    """The reader's language, else `otherwise`, else the organisation's, else the installation's."""
    known = dict(settings.LANGUAGES)
    wanted = (reader.language if reader else "", otherwise, Organisation.get().language)
    return next((code for code in wanted if code in known), settings.LANGUAGE_CODE)


def compose(kind: str, *, language: str, context: Mapping[str, Any]) -> Letter:
    """The letter that templates/mail/<kind>.{subject.txt,txt,html} make of `context`; `organisation` is always there."""
    with override(language):
        given = {"organisation": Organisation.get(), "language": language} | dict(context)
        subject = " ".join(render_to_string(f"mail/{kind}.subject.txt", given).split())[:200]
        text = render_to_string(f"mail/{kind}.txt", given).strip() + "\n"
        html = render_to_string(f"mail/{kind}.html", given | {"subject": subject})
    return Letter(subject, text, html)


def post(letter: Letter, *, to: str, identity: str) -> None:
    """Hands the letter to the mail server; raises what the server or the network raises (EMAIL_TIMEOUT at most)."""
    sender = settings.DEFAULT_FROM_EMAIL
    host = sender.rpartition("@")[2].strip(" >") or "localhost"
    # The same identity for every try: a mailbox that gets it twice may show it once.
    headers = {"Message-ID": f"<{identity}@{host}>", "Auto-Submitted": "auto-generated"}
    message = EmailMultiAlternatives(letter.subject, letter.text, sender, [to], headers=headers)
    message.attach_alternative(letter.html, "text/html")
    if letter.file_name:
        message.attach(letter.file_name, letter.file, "text/csv")
    message.send()

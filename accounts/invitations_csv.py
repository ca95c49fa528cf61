"""A file with one guest a line: read whatever a spreadsheet writes, then invite all in one transaction with a report per line.

Nothing is left half-done: an answer that never came means that nobody was invited, and the same file may be sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import csv_file, invitations
from accounts.csv_file import Unreadable
from accounts.forms import time_zones
from accounts.models import Membership, Team, User
from accounts.refusals import NotPossible

MOST_BYTES = 256 * 1024
# Written down in one transaction, which on SQLite keeps other writers waiting: about 4 ms a line.
MOST_LINES = 100
LONGEST_NAME = User._meta.get_field("name").max_length or 0
COLUMNS = ("email", "name", "language", "time_zone", "team", "role")
HEADINGS = {
    "email": {
        "email",
        "e-mail",
        "mail",
        "address",
        "e-mail address",
        "email address",
        "邮箱",
        "电子邮箱",
        "邮件",
        "邮箱地址",
    },
    "name": {"name", "full name", "display name", "姓名", "名字", "名称"},
    "language": {"language", "lang", "语言"},
    "time_zone": {"time zone", "timezone", "time_zone", "zone", "时区"},
    "team": {"team", "department", "group", "团队", "部门", "小组"},
    "role": {"role", "角色", "职责"},
}
ROLES = {
    "member": "member",
    "成员": "member",
    "manager": "manager",
    "经理": "manager",
    "负责人": "manager",
    "主管": "manager",
}
LANGUAGES = {"english": "en", "英文": "en", "英语": "en", "zh": "zh-hans", "zh-cn": "zh-hans", "chinese": "zh-hans"}
LANGUAGES |= {"中文": "zh-hans", "简体中文": "zh-hans", "汉语": "zh-hans"}


@dataclass(frozen=True, slots=True)
class Line:
    """What came of a line of the file: `sent`, or `wrong` with the reason in words (`code` for programs)."""

    number: int
    email: str
    code: str
    sent: invitations.Sent | None = None
    wrong: str | Promise = ""


def read(content: bytes) -> list[tuple[int, dict[str, str]]]:
    """The lines as (number in the file, values by column). Raises Unreadable."""
    rows = csv_file.read(content, most_bytes=MOST_BYTES)
    if not rows:
        raise Unreadable(_("The file has no line with an e-mail. Nobody was invited."))
    columns = _columns(rows[0][1])
    if columns is None:
        columns = {name: place for place, name in enumerate(COLUMNS)}
    else:
        del rows[0]
    if len(rows) > MOST_LINES:
        raise Unreadable(_("The file has too many lines: at most 100. Nobody was invited; split it."))
    return [(number, {name: _cell(cells, columns.get(name)) for name in COLUMNS}) for number, cells in rows]


def invite_all(
    lines: Sequence[tuple[int, dict[str, str]]], *, by: User, request: HttpRequest, days: int, may_choose_team: bool
) -> list[Line]:
    """Invites everybody who can be invited, in one transaction; a line that can't does not hold up the others."""
    teams = {team.name.casefold(): team for team in Team.objects.all()}
    zones = {str(name).casefold(): str(name) for name, _words in time_zones(_("None")) if name}
    drafts: list[tuple[int, str, invitations.Draft | NotPossible]] = []
    for number, values in lines:
        try:
            guest = _guest(values, teams=teams, zones=zones, may_choose_team=may_choose_team)
            drafts.append((number, guest.email, invitations.draft(guest, by=by, request=request, days=days)))
        except NotPossible as refused:
            drafts.append((number, values["email"].lower()[:254], refused))
    with transaction.atomic():
        return [_line(number, email, drawn, by=by, request=request) for number, email, drawn in drafts]


def _line(number: int, email: str, drawn: invitations.Draft | NotPossible, *, by: User, request: HttpRequest) -> Line:
    if isinstance(drawn, NotPossible):
        return Line(number, email, drawn.code, wrong=drawn.message)
    try:
        return Line(number, email, "made", sent=invitations.store(drawn, by=by, request=request))
    except NotPossible as refused:
        return Line(number, email, refused.code, wrong=refused.message)


def _columns(first: Sequence[str]) -> dict[str, int] | None:
    """Where each column stands if the first line is a heading; None if it is a guest already."""
    named = [cell.casefold().strip() for cell in first]
    found = {name: place for name, words in HEADINGS.items() for place, cell in enumerate(named) if cell in words}
    if "email" in found:
        return found
    if not any("@" in cell for cell in first):
        raise Unreadable(_("The first line names no column “email”. Nobody was invited."))
    return None


def _cell(cells: Sequence[str], place: int | None) -> str:
    return cells[place] if place is not None and place < len(cells) else ""


def _guest(
    values: dict[str, str], *, teams: dict[str, Team], zones: dict[str, str], may_choose_team: bool
) -> invitations.Guest:
    """The line as a guest. Raises NotPossible with what is wrong with it."""
    email = values["email"].lower()
    try:
        validate_email(email)
    except ValidationError:
        raise NotPossible("bad_email", _("This is no e-mail address.")) from None
    if len(email) > 254:
        raise NotPossible("bad_email", _("This is no e-mail address."))
    if len(values["name"]) > LONGEST_NAME:
        raise NotPossible("bad_name", _("The name is too long."))
    if (values["team"] or values["role"]) and not may_choose_team:
        raise NotPossible("no_team", _("You may not put people into teams."))
    team = teams.get(values["team"].casefold()) if values["team"] else None
    if values["team"] and team is None:
        raise NotPossible("no_team", _("There is no team “%s”.") % values["team"][:120])
    role = ROLES.get(values["role"].casefold(), "") if values["role"] else Membership.Role.MEMBER.value
    if not role:
        raise NotPossible("no_role", _("There is no role “%s”: member or manager.") % values["role"][:40])
    if role != Membership.Role.MEMBER and team is None:
        raise NotPossible("no_team", _("A manager needs a team."))
    return invitations.Guest(
        email, values["name"], _language(values["language"]), _zone(values["time_zone"], zones=zones), team, role
    )


def _language(given: str) -> str:
    known = dict(settings.LANGUAGES)
    code = LANGUAGES.get(given.casefold(), given.casefold().replace("_", "-"))
    if code and code not in known:
        raise NotPossible("no_language", _("There is no language “%s” here.") % given[:40])
    return code


def _zone(given: str, *, zones: dict[str, str]) -> str:
    if given and given.casefold() not in zones:
        raise NotPossible("no_time_zone", _("There is no time zone “%s”.") % given[:64])
    return zones[given.casefold()] if given else ""

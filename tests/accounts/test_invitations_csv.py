"""A file of guests: whatever spreadsheets write is read, each line is answered for, and nothing is left half-done."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, RequestFactory

from accounts import invitations, invitations_csv
from accounts.csv_file import Unreadable
from accounts.invitations_csv import read
from accounts.models import Invitation, Membership, Organisation, Team, User
from tests.accounts.crowd import actions, person, root, signed_in, staff

pytestmark = pytest.mark.django_db
FILE = "/setup/people/invitations/file/"
ROWS = "email,name,language,time zone,team,role\nli.na@example.com,李娜,zh-hans,Asia/Shanghai,销售,manager\n"


def emails(content: bytes) -> list[str]:
    return [values["email"] for _number, values in read(content)]


def upload(client: Client, content: bytes, name: str = "people.csv") -> Any:
    return client.post(FILE, {"file": SimpleUploadedFile(name, content), "days": "7"})


def lines(answer: Any) -> list[tuple[int, str, str]]:
    return [(line.number, line.email, line.code) for line in answer.context["report"]]


@pytest.mark.parametrize(
    "content",
    [
        ROWS.encode(),
        ROWS.encode("utf-8-sig"),
        ROWS.encode("gbk"),
        ROWS.encode("gb18030"),
        ROWS.replace(",", "\t").encode("utf-16"),
        ROWS.replace(",", ";").encode(),
        ROWS.replace("\n", "\r\n").encode(),
        ROWS.replace("email,name", "邮箱,姓名")
        .replace("language,time zone,team,role", "语言,时区,团队,角色")
        .encode("gbk"),
        b'"li.na@example.com","\xe6\x9d\x8e\xe5\xa8\x9c",zh-hans,Asia/Shanghai,"\xe9\x94\x80\xe5\x94\xae",manager',
        b"\n\n" + ROWS.encode() + b"\n,,,\n",
    ],
    ids=[
        "utf-8",
        "bom",
        "gbk",
        "gb18030",
        "utf-16",
        "semicolons",
        "crlf",
        "chinese headings",
        "no heading",
        "empty lines",
    ],
)
def test_what_spreadsheets_write_is_read(content: bytes) -> None:
    ((_number, values),) = read(content)
    wanted = ("li.na@example.com", "李娜", "zh-hans", "Asia/Shanghai", "销售", "manager")
    assert tuple(values[name] for name in invitations_csv.COLUMNS) == wanted


def test_columns_may_come_in_any_order_and_others_are_left_out() -> None:
    ((_number, values),) = read(b"Salary,Name,E-Mail\n9000,Ada,ada@example.com\n")
    assert (values["email"], values["name"], values["team"]) == ("ada@example.com", "Ada", "")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no line with an e-mail"),
        (b"\n\n", "no line with an e-mail"),
        (b"name,team\nAda,Sales\n", "names no column"),
        (b"PK\x03\x04rest of a workbook", "a workbook"),
        (b"\xd0\xcf\x11\xe0old workbook", "a workbook"),
        (b"\x00\x01\x02\x03", "no text"),
        (b"\xff\xfe\x00", "no text"),
        (b'a@example.com,"Ada\nb@example.com,Bob\n', "quotation mark"),
        (b"a@example.com\n" * 101, "too many lines"),
        (b"a" * 262_145, "too large"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_as_a_whole(content: bytes, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        read(content)
    answer = upload(signed_in(root()), content) if content else None
    if answer is not None:
        assert answer.status_code == 400
        assert words in answer.content.decode()
    assert Invitation.objects.count() == 0


def test_each_line_is_answered_for() -> None:
    person("ada"), person("off", is_active=False)
    sales = Team.objects.create(name="Sales")
    text = "\n".join(
        [
            "email,name,language,time zone,team,role",
            "new@example.com,New,English,europe/berlin,sales,Manager",
            "ADA@example.com,Ada,,,,",
            "new@example.com,Twice,,,,",
            "nonsense,,,,,",
            "a@example.com,,Klingon,,,",
            "b@example.com,,,Mars/Base,,",
            "c@example.com,,,,Nowhere,",
            "d@example.com,,,,Sales,king",
            "off@example.com,,,,,",
            f"e@example.com,{'x' * 121},,,,",
            "f@example.com,,,,,manager",
            "last@example.com,,中文,,,成员",
        ]
    )
    answer = upload(signed_in(root()), text.encode())
    assert lines(answer) == [
        (2, "new@example.com", "made"),
        (3, "ada@example.com", "colleague"),
        (4, "new@example.com", "invited"),
        (5, "nonsense", "bad_email"),
        (6, "a@example.com", "no_language"),
        (7, "b@example.com", "no_time_zone"),
        (8, "c@example.com", "no_team"),
        (9, "d@example.com", "no_role"),
        (10, "off@example.com", "deactivated"),
        (11, "e@example.com", "bad_name"),
        (12, "f@example.com", "no_team"),
        (13, "last@example.com", "made"),
    ]
    assert "2 invited · 3 known already · 7 not done" in answer.content.decode()
    made = Invitation.objects.get(email="new@example.com")
    assert (made.language, made.time_zone, made.team, made.role) == (
        "en",
        "Europe/Berlin",
        sales,
        Membership.Role.MANAGER,
    )
    assert Invitation.objects.get(email="last@example.com").language == "zh-hans"
    assert actions() == ["invitation.made", "invitation.made"]


def test_every_link_of_the_report_opens_its_own_invitation() -> None:
    answer = upload(signed_in(root()), b"a@example.com\nb@example.com\n")
    for line in answer.context["report"]:
        assert line.sent.link in answer.content.decode()
        assert line.email in Client().get(line.sent.link.removeprefix("http://testserver")).content.decode()


def test_the_same_file_again_changes_nothing() -> None:
    boss = signed_in(root())
    upload(boss, b"a@example.com\nb@example.com\n")
    before = list(Invitation.objects.values())
    assert [code for _n, _email, code in lines(upload(boss, b"a@example.com\nb@example.com\n"))] == ["invited"] * 2
    assert list(Invitation.objects.values()) == before


def test_a_failure_in_the_middle_leaves_nobody_invited(monkeypatch: pytest.MonkeyPatch, rf: RequestFactory) -> None:
    boss = root()
    done: list[invitations.Sent] = []
    store = invitations.store

    def fail(drawn: invitations.Draft, **given: Any) -> invitations.Sent:
        if len(done) == 2:
            raise OSError("the machine died")
        done.append(store(drawn, **given))
        return done[-1]

    monkeypatch.setattr(invitations, "store", fail)
    found = read(b"a@example.com\nb@example.com\nc@example.com\n")
    with pytest.raises(OSError, match="died"):
        invitations_csv.invite_all(found, by=boss, request=rf.get("/"), days=7, may_choose_team=True)
    assert len(done) == 2
    assert Invitation.objects.count() == 0
    assert actions() == []


def test_who_may_not_change_teams_fills_none_by_a_file() -> None:
    Team.objects.create(name="Sales")
    answer = upload(signed_in(staff("helper", "add_user")), b"email,team\na@example.com,Sales\nb@example.com,\n")
    assert [code for _n, _email, code in lines(answer)] == ["no_team", "made"]


def test_what_a_file_says_is_no_markup_and_gives_no_rights() -> None:
    text = 'email,name,is_superuser\n"<script>@example.com",x,1\nok@example.com,<script>alert(1)</script>,1\n'
    boss = signed_in(root())
    answer = upload(boss, text.encode(), name="<script>.csv")
    assert "<script>alert" not in answer.content.decode() + boss.get("/setup/people/invitations/").content.decode()
    assert lines(answer)[0][2] == "bad_email"
    assert not User.objects.filter(is_superuser=True).exclude(name="Root").exists()


def test_domains_that_may_register_are_set_by_who_may_change_the_organisation() -> None:
    helper, boss = signed_in(staff("helper", "add_user")), signed_in(root())
    path = "/setup/people/invitations/domains/"
    assert helper.post(path, {"open_domains": "example.com"}).status_code == 403
    boss.post(path, {"open_domains": "example.com\n@example.org", "name": "Other"})
    organisation = Organisation.get()
    assert (organisation.open_domains.splitlines(), organisation.name) == (["example.com", "@example.org"], "Chat")
    assert actions() == ["organisation.changed"]

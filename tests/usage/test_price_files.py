"""Files of prices and rates: looked at first, all or nothing, whatever a spreadsheet makes of them; what cannot be read changes nothing."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.clock import now
from accounts.csv_file import Unreadable
from accounts.models import Organisation, User
from providers import prices
from providers.models import AMOUNTS, LanguageModel, ModelRoute, Price, Provider
from providers.prices import Draft
from tests.accounts.test_setup_views import signed_in
from usage import price_files
from usage.models import ExchangeRate

pytestmark = pytest.mark.django_db
FILE, RATES_FILE = "/setup/prices/file/", "/setup/prices/rates/file/"
HEAD = "model,provider,currency,from,input,output\n"
DAY = dt.timedelta(days=1)


@pytest.fixture
def admin() -> Client:
    root = User.objects.create_superuser("root@example.com", name="Root", language="en", time_zone="UTC")
    return signed_in(root)


@pytest.fixture
def route() -> ModelRoute:
    return made("gpt", "OpenAI")


def made(name: str, provider: str) -> ModelRoute:
    where, _new = Provider.objects.get_or_create(name=provider, defaults={"base_url": "http://127.0.0.1:9/v1"})
    model = LanguageModel.objects.create(slug=name, name=name, enabled=True)
    return ModelRoute.objects.create(model=model, provider=where, upstream_name=name)


def plan(text: str | bytes) -> list[tuple[str, str]]:
    content = text if isinstance(text, bytes) else text.encode()
    return [(line.outcome, str(line.words)) for line in price_files.plan_prices(content, Organisation.get())]


def outcomes(text: str | bytes) -> list[str]:
    return [outcome for outcome, _words in plan(text)]


def upload(client: Client, text: str, *, to: str = FILE) -> str:
    file = SimpleUploadedFile("prices.csv", text.encode(), "text/csv")
    return str(client.post(to, {"file": file}).content.decode())


def test_a_file_is_looked_at_first_and_then_taken(admin: Client, route: ModelRoute) -> None:
    text = HEAD + "gpt,OpenAI,USD,,2.5,10\n"
    shown = upload(admin, text)
    assert "1 new · 0 there already · 0 wrong" in shown
    assert not Price.objects.exists()
    answer = admin.post(FILE, {"text": text}, follow=True)
    assert "1 line was taken." in answer.content.decode()
    price = Price.objects.get()
    assert (price.input_micro, price.output_micro, price.origin) == (2_500_000, 10_000_000, "file")


def test_nothing_is_taken_while_a_line_is_wrong(admin: Client, route: ModelRoute) -> None:
    text = HEAD + "gpt,OpenAI,USD,,2.5,10\ngpt,Nobody,USD,,1,1\n"
    assert "Take 1 line" not in upload(admin, text)
    answer = admin.post(FILE, {"text": text})
    assert answer.status_code == 422
    assert "mend the lines that are wrong first" in answer.content.decode()
    assert not Price.objects.exists()


def test_what_is_exported_is_read_again_and_changes_nothing(admin: Client, route: ModelRoute) -> None:
    Organisation.objects.update(time_zone="America/New_York")
    hostile = made("=cmd()", "+SUM(1)")
    for each, micro in ((route, 1), (hostile, 2)):
        prices.enter(each, Draft("CNY", dict.fromkeys(AMOUNTS, micro)))
    begins = (now() + 3 * DAY).replace(second=0, microsecond=0)
    prices.enter(route, Draft("USD", {"input_micro": 75_000}, starts=begins))
    file = admin.get("/setup/prices/export/")
    assert file["Content-Type"].startswith("text/csv")
    assert outcomes(file.content) == ["same"] * 3
    lines = file.content.decode("utf-8-sig").splitlines()
    assert [line.partition(",")[0] for line in lines] == ["model", "'=cmd()", "gpt", "gpt"]
    later = lines[2].replace("0.075", "0.08")
    assert plan("\n".join([lines[0], later]))[0][0] == "new"


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ("gpt,Nobody,USD,,1,1", "no such model"),
        ("gpt,OpenAI,DOLLAR,,1,1", "three letters"),
        ("gpt,OpenAI,USD,soon,1,1", "no date"),
        ("gpt,OpenAI,USD,2026-02-30,1,1", "no date"),
        ("gpt,OpenAI,USD,2001-01-01,1,1", "The past stays"),
        ("gpt,OpenAI,USD,,-1,1", "no amount"),
        ("gpt,OpenAI,USD,,0.0000001,1", "no amount"),
        ('gpt,OpenAI,USD,,"1,000",1', "no amount"),
        ("gpt,OpenAI,USD,,99999999999,1", "no amount"),
        (",,,,,", ""),
    ],
)
def test_a_line_that_makes_no_sense_is_told(route: ModelRoute, cells: str, words: str) -> None:
    found = plan(HEAD + cells + "\n")
    if not words:
        assert found in ([], [("wrong", "There is no such model at this provider.")])
        return
    assert found[0][0] == "wrong"
    assert words in found[0][1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "must name the columns"),
        (b"a,b\n1,2\n", "must name the columns"),
        (b"PK\x03\x04rest", "a workbook"),
        (b"\x00\x01\x02", "no text"),
        (HEAD.encode() + b'gpt,"OpenAI\n', "quotation mark"),
        (HEAD.encode() + b"gpt,OpenAI,USD,,1,1\n" * 2_001, "too many lines"),
        (b"m" * 262_145, "too large"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_as_a_whole(
    admin: Client, route: ModelRoute, content: bytes, words: str
) -> None:
    with pytest.raises(Unreadable, match=words):
        price_files.plan_prices(content, Organisation.get())
    answer = admin.post(FILE, {"file": SimpleUploadedFile("x.csv", content or b"\n")})
    assert answer.status_code == 422
    assert not Price.objects.exists()
    assert admin.post(FILE, {}).status_code == 422


def test_other_spreadsheets_and_chinese_headings_are_understood(route: ModelRoute) -> None:
    chinese = "模型;服务商;币种;生效日期;输入;输出\nGPT;openai;cny;;2,5;10\n"
    for encoding in ("utf-8-sig", "gb18030", "utf-16"):
        assert plan(chinese.encode(encoding)) == [("new", "¥2.50 / ¥10.00")]
    assert outcomes(HEAD + f"gpt,OpenAI,USD,{now() + 40 * DAY:%Y/%m/%d},1,1\n") == ["new"]


def test_a_line_that_stands_twice_is_wrong(route: ModelRoute) -> None:
    line = "gpt,OpenAI,USD,,1,1\n"
    assert outcomes(HEAD + line + line) == ["new", "wrong"]
    prices.enter(route, Draft("USD", {"input_micro": 1_000_000, "output_micro": 1_000_000}))
    assert outcomes(HEAD + line + line) == ["same", "same"]


def test_more_than_two_hundred_new_lines_at_once_are_refused(admin: Client) -> None:
    routes = [made(f"m{n}", "P") for n in range(201)]
    text = HEAD + "".join(f"{route.model.slug},P,USD,,1,1\n" for route in routes)
    assert admin.post(FILE, {"text": text}).status_code == 422
    assert not Price.objects.exists()


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: (HEAD + text).encode("utf-8", "replace")))
def test_whatever_is_in_a_file_it_is_read_or_refused(route: ModelRoute, content: bytes) -> None:
    try:
        found = outcomes(content)
    except Unreadable:
        return
    assert set(found) <= {"new", "same", "wrong"}


def test_rates_come_from_a_file(admin: Client) -> None:
    begins = f"{now() + 5 * DAY:%Y-%m-%d}"
    text = f"currency,into,from,rate\nCNY,USD,,0.14\nCNY,USD,{begins},0.15\n"
    assert "2 new · 0 there already · 0 wrong" in upload(admin, text, to=RATES_FILE)
    admin.post(RATES_FILE, {"text": text})
    assert list(ExchangeRate.objects.values_list("rate_micro", flat=True)) == [150_000, 140_000]
    again = admin.get("/setup/prices/rates/export/").content
    assert [line.outcome for line in price_files.plan_rates(again, Organisation.get())] == ["same", "same"]
    wrong = "currency,into,rate\nCNY,EUR,1\nUSD,USD,1\nCNY,USD,0\nCNY,USD,x\n"
    found = price_files.plan_rates(wrong.encode(), Organisation.get())
    assert [line.outcome for line in found] == ["wrong"] * 4

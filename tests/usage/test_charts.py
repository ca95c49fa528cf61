"""Bars: what is drawn adds up, nothing lies outside, and many models become six series."""

from __future__ import annotations

import datetime as dt

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usage import charts
from usage.spending import Used

DAYS = [dt.date(2026, 1, day) for day in range(1, 8)]
ROWS = st.lists(
    st.builds(
        Used,
        day=st.sampled_from(DAYS),
        model=st.sampled_from([f"m{n}" for n in range(9)]),
        requests=st.just(1),
        input_tokens=st.integers(-5, 10**9),
        output_tokens=st.just(0),
        cost_micro=st.just(0),
        unknown=st.just(0),
    ),
    max_size=40,
    unique_by=lambda row: (row.day, row.model),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS)
def test_bars_add_up_and_stay_inside(rows: list[Used]) -> None:
    chart = charts.stacked(rows, days=DAYS, value=lambda row: row.tokens)
    drawn = sum(bar.value for bar in chart.bars)
    assert drawn == sum(max(0, row.tokens) for row in rows)
    assert len(chart.series) <= charts.MOST_SERIES
    for bar in chart.bars:
        assert 0 <= float(bar.y) <= 100
        assert float(bar.y) + float(bar.height) <= 100.01
        assert 0 <= float(bar.x) < chart.width
        assert 1 <= bar.series <= len(chart.series)
    per_day = [sum(bar.value for bar in chart.bars if bar.day == day) for day in DAYS]
    assert chart.top == max(per_day)


def test_an_empty_chart_has_no_bars() -> None:
    chart = charts.stacked([], days=DAYS, value=lambda row: row.tokens)
    assert (chart.bars, chart.series, chart.top, chart.width) == ((), (), 0, 7)


def test_the_biggest_models_have_names_and_the_others_are_one_series() -> None:
    rows = [Used(DAYS[0], f"m{n}", 1, n + 1, 0, 0, 0) for n in range(9)]
    chart = charts.stacked(rows, days=DAYS, value=lambda row: row.tokens)
    assert chart.series == ("m8", "m7", "m6", "m5", "m4", "")
    assert next(bar for bar in chart.bars if bar.model == "").value == 1 + 2 + 3 + 4

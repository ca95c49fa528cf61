"""How many calls there were of each kind since the first time anybody asked: counters that rise, kept in one row.

Each time only the calls since the last time are looked at. What ended within the last LAG may have neighbours that are not committed
yet, so it is counted the next time: no call is counted twice or left out, whoever asks, at once or by turns.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter

from django.db import transaction
from django.db.models import Count, Max, Min, QuerySet, Sum

from portal.models import Tally
from usage.models import Invocation

LAG = dt.timedelta(seconds=20)
MOST = 500_000
"""So many calls are looked at in one go; the rest comes the next time."""
Counts = dict[str, int]


def bring_up(*, now: dt.datetime) -> Counts:
    """The counters up to a moment ago, by `what|label|label`. The first time they begin at 0."""
    with transaction.atomic():
        row = Tally.objects.select_for_update().order_by("pk").first()
        if row is None:
            newest = Invocation.every.aggregate(n=Max("pk"))["n"] or 0
            Tally.objects.get_or_create(pk=1, defaults={"upto": newest})
            return {}
        rows = Invocation.every.filter(pk__gt=row.upto, pk__lte=row.upto + MOST)
        fresh = rows.filter(finished_at__gte=now - LAG).aggregate(n=Min("pk"))["n"]
        rows = rows if fresh is None else rows.filter(pk__lt=fresh)
        upto = rows.aggregate(n=Max("pk"))["n"]
        if upto is not None:
            row.counts = dict(Counter(row.counts) + _counted(rows))
            row.upto = upto
            row.save(update_fields=["counts", "upto"])
    counts: Counts = row.counts
    return counts


def _counted(rows: QuerySet[Invocation]) -> Counter[str]:
    found: Counter[str] = Counter()
    sums = rows.values("outcome", "source", "error_kind").annotate(
        n=Count("pk"), into=Sum("input_tokens"), out=Sum("output_tokens"), cached=Sum("cached_tokens"),
        reasoning=Sum("reasoning_tokens"),
    )  # fmt: skip
    for each in sums:
        kind, error, n = each["outcome"], each["error_kind"], each["n"]
        if kind == "refused":
            found[f"refusals|{error}"] += n
            continue
        found[f"calls|{kind}|{each['source']}"] += n
        if error:
            found[f"errors|{error}"] += n
        found["tokens|input"] += each["into"]
        found["tokens|output"] += each["out"]
        found["tokens|cached"] += each["cached"]
        found["tokens|reasoning"] += each["reasoning"]
    return found

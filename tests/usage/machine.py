"""Any order of questions, workers, ends, changes of limits, zones and clocks, against a plain ledger in memory: the real functions
on a real database. The invariants I1 to I12 are those of docs/limits.md. Asserts through `test_ledger_machine`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from accounts import events
from accounts.models import Organisation, User
from accounts.prepared import fetch
from chat import claims, endings, messages, recovery, waiting
from chat.models import Conversation, Delta, Generation
from providers.models import Price
from tests.chat import scene
from tests.chat.scene import Hands, State
from tests.usage import making
from tests.usage.plain_ledger import CLOCK, START, Call
from usage import estimates, proof, quotas
from usage.limit_models import Quota, QuotaGrant
from usage.limits import as_moment, as_uuid
from usage.models import Invocation, LedgerEntry, Reservation, ReservationLine

EDGES = [dt.timedelta(minutes=m) for m in (1, 29, 31, 60)] + [dt.timedelta(hours=h) for h in (23, 24, 25)]
ZONES = ["Europe/Berlin", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe"]
HUGE = 10**12
COUNTERS = """
SELECT q.scope, q.unit, p.subject, p.starts_at, p.ends_at, p.used, p.held, p.cap
FROM usage_quotaperiod p JOIN usage_quota q ON q.id = p.quota_id
"""
HELD = "SELECT request_id FROM usage_reservation WHERE state = 'held'"
ACTIVE = "SELECT uuid FROM chat_generation WHERE state IN ('queued', 'running', 'streaming')"
ENTRIES = "SELECT id, request_id, kind, estimated, input_tokens, output_tokens, at FROM usage_ledgerentry"
ENDS = ["told", "none", "zero", "huge", "negative"]


@dataclass
class Belief:
    """A worker's: it holds this. Nobody tells it when that is over."""

    hands: Hands
    generation: Generation
    written: str = ""
    attempts: list[int] = field(default_factory=list)


class Ledger(RuleBasedStateMachine):
    """Three people, two of them in a team; limits of every scope; workers that come, go and wake late."""

    people: list[User]
    quotas: list[Quota]

    def __init__(self) -> None:
        super().__init__()
        self.point = transaction.atomic()
        self.point.__enter__()
        CLOCK.time = START
        self.calls: dict[UUID, Call] = {}
        self.beliefs: list[Belief] = []
        self.entries: dict[int, tuple[Any, ...]] = {}
        self.step = 0

    def teardown(self) -> None:
        try:
            if not connection.needs_rollback:  # a step has failed in the database: that is the finding
                assert list(proof.drifts()) == []
        finally:
            transaction.set_rollback(True)
            self.point.__exit__(None, None, None)

    @initialize(amounts=st.tuples(*[st.integers(1, 6)] * 2), tokens=st.integers(400, 4_000))
    def limits(self, amounts: tuple[int, int], tokens: int) -> None:
        """Their window, unit and reach differ, so that each refuses at times."""
        caps = [*amounts, tokens, tokens, tokens * 10]
        for quota, cap in zip(self.quotas, caps, strict=False):
            Quota.objects.filter(pk=quota.pk).update(amount=cap)
        for which in (0, 1, 2):
            self.ask(which, old=False, words=8)
        self.beliefs += [Belief(hands, g) for hands in (Hands(), Hands()) for g in hands.take(places=1)]

    # --- what people do -----------------------------------------------------------------------------------------------

    @rule(which=st.integers(0, 2), old=st.booleans(), words=st.integers(1, 60), then=st.booleans())
    def send(self, which: int, old: bool, words: int, then: bool) -> None:
        self.ask(which, old=old, words=words)
        if then:
            self.claim(places=1)

    def ask(self, which: int, *, old: bool, words: int) -> None:
        user = self.people[which]
        mine = Conversation.objects.filter(user=user).select_related("leaf", "model").order_by("-pk")
        home = mine.first() if old else None
        if home is not None and home.leaf is None:
            home = None
        try:
            sent = messages.send(user, text="word " * words, client_id=scene.new_id(), conversation=home)
        except messages.Refused as refused:
            assert refused.code in {"busy", "limit_reached", "moved_on", "no_model"}
            assert refused.code != "moved_on" or not User.objects.get(pk=user.pk).is_active
            if refused.code == "limit_reached":
                assert refused.extra["used"] + refused.extra["held"] + refused.extra["needs"] > refused.extra["limit"]
            return
        if sent.generation.state == State.QUEUED:
            self.admitted(sent.generation, which=which)

    def admitted(self, generation: Generation, *, which: int) -> None:
        """I4: at admission what is used and held is within every limit as it stands."""
        hold = Reservation.objects.get(request_id=generation.uuid)
        self.calls[generation.uuid] = Call(which, hold.created_at, hold.input_tokens, hold.output_tokens)
        assert hold.created_at == hold.created_at.astimezone(dt.UTC)
        lines = ReservationLine.objects.filter(reservation=hold).select_related("period__quota")
        assert len(lines) == hold.lines == (6 if which < 2 else 5)
        for line in lines:
            period, quota = line.period, line.period.quota
            grants = QuotaGrant.objects.filter(quota=quota, subject=period.subject, until__gt=hold.created_at)
            assert period.used + period.held <= quota.amount + sum(grants.values_list("amount", flat=True))
            assert period.starts_at <= hold.created_at < period.ends_at

    @rule(which=st.integers(0, 6))
    def stop(self, which: int) -> None:
        """One answer; or all of somebody who is cut off (and let in again at once: the cut is what counts here)."""
        if which < 6:
            self.cancel(which)
            return
        before = set(Generation.objects.filter(state__in=Generation.ACTIVE).values_list("uuid", flat=True))
        events.cut(self.people[0])
        self.swept(before)

    def cancel(self, which: int) -> None:
        rows = list(Generation.objects.select_related("user").order_by("-pk")[:6])
        if rows:
            row = rows[which % len(rows)]
            messages.cancel(row.user, generation=row)
            self.swept({row.uuid})

    # --- what workers do ----------------------------------------------------------------------------------------------

    @rule(places=st.integers(1, 3))
    def bell(self, places: int) -> None:
        self.claim(places=places)

    def claim(self, *, places: int) -> None:
        """A second bell for the same question finds nothing to take."""
        hands = Hands()
        self.beliefs += [Belief(hands, g) for g in hands.take(places=places)]

    def rightful(self, belief: Belief) -> bool:
        row = Generation.objects.get(pk=belief.generation.pk)
        same = (row.attempt, row.lease_owner) == (belief.generation.attempt, belief.hands.owner)
        return same and row.lease_expires_at is not None and row.lease_expires_at > CLOCK.time

    @precondition(lambda self: self.beliefs)
    @rule(which=st.integers(0, 20), text=st.sampled_from(["x" * 40, "two words ", "中文"]))
    def stream(self, which: int, text: str) -> None:
        belief = self.beliefs[which % len(self.beliefs)]
        if self.rightful(belief):
            seq = Delta.objects.filter(generation=belief.generation).count() + 1
            Delta.objects.create(generation=belief.generation, seq=seq, text=text)
            Generation.objects.filter(pk=belief.generation.pk).update(state=State.STREAMING, dispatched=True)
            belief.written += text

    @rule(
        which=st.integers(0, 20),
        prompt=st.integers(1, 60),
        then=st.sampled_from(["dies", "broken", "refused", "drain"]),
    )
    def go_out(self, which: int, prompt: int, then: str) -> None:
        """A call goes out and nothing comes of it: its worker dies (the reaper counts that, in time), or gives it back."""
        belief = self.beliefs[which % len(self.beliefs)] if self.beliefs else None
        if belief is None or not self.rightful(belief) or belief.written:
            return
        generation = belief.generation
        generation.request = {**generation.request, "sent": {"tokens": prompt}}
        mine = Generation.objects.filter(pk=generation.pk, state=State.RUNNING)
        if not mine.update(dispatched=True, request=generation.request) or then == "dies":
            return
        billed, owner, later = then != "refused", belief.hands.owner, dt.timedelta(0)
        if then == "drain":
            back = claims.hand_back(generation, owner=owner, billed=billed)
        else:
            back = claims.try_later(generation, owner=owner, kind="cut_off", delay=later, billed=billed)
        Generation.objects.filter(pk=generation.pk, state=State.QUEUED).update(next_attempt_at=None)
        if back and billed:
            self.a_try_is_lost(generation, prompt)

    def a_try_is_lost(self, generation: Generation, prompt: int) -> None:
        call = self.calls[generation.uuid]
        call.tries[generation.attempt] = prompt
        entry = LedgerEntry.objects.filter(
            request_id=generation.uuid, attempt=generation.attempt, kind="attempt"
        ).first()
        assert entry is not None
        lines = ReservationLine.objects.filter(reservation__request_id=generation.uuid).select_related("period__quota")
        full = [
            ln for ln in lines if ln.period.used + ln.period.held > ln.period.cap and call.lost(ln.period.quota.unit)
        ]
        assert entry.overrun == bool(full)
        if not entry.overrun:
            call.fitted.add(generation.attempt)

    @rule(which=st.integers(0, 20), how=st.sampled_from([*ENDS, "charged", "free"]), zombie=st.sampled_from([0, 0, 1]))
    def end(self, which: int, how: str, zombie: int) -> None:
        """By whoever believes to hold it, at times one who does not any more."""
        own = [belief for belief in self.beliefs if self.rightful(belief)]
        if not own and not zombie:
            self.claim(places=1)
            own = [belief for belief in self.beliefs if self.rightful(belief)]
        choice = self.beliefs if zombie else own
        if not choice:
            return
        belief = choice[which % len(choice)]
        if how in ENDS:
            self.finish(belief, usage=how)
        else:
            self.fail(belief, charged=how == "charged")

    def finish(self, belief: Belief, *, usage: str) -> None:
        rightful = self.rightful(belief)
        call = self.calls[belief.generation.uuid]
        told = {"told": (call.input // 2, 17), "zero": (0, 0), "huge": (HUGE, HUGE), "negative": (-9, -9)}
        guess = (call.input // 2, estimates.tokens(belief.written))
        tokens = told.get(usage, guess)
        ending = scene.ending(belief.generation, text=belief.written or "y")
        ending.tokens = endings.Tokens(*tokens, estimated=usage == "none")
        done = belief.generation.pk in endings.finish([ending], owner=belief.hands.owner)
        assert done == rightful
        if done:
            cut = (min(max(tokens[0], 0), 4 * call.input), min(max(tokens[1], 0), call.output))
            self.ended(belief.generation.uuid, used=cut, estimated=usage == "none")

    def fail(self, belief: Belief, *, charged: bool) -> None:
        rightful = self.rightful(belief)
        call = self.calls[belief.generation.uuid]
        ending = scene.ending(belief.generation, state=State.FAILED, text="", kind="server_error")
        ending.charged, ending.tokens = charged, endings.Tokens(call.input // 3, 0, estimated=True)
        done = belief.generation.pk in endings.finish([ending], owner=belief.hands.owner)
        assert done == rightful
        if done:
            self.ended(belief.generation.uuid, used=(call.input // 3, 0), estimated=True, released=not charged)

    def ended(
        self, uuid: UUID, *, used: tuple[int, int] = (0, 0), estimated: bool = False, released: bool = False
    ) -> None:
        call = self.calls.get(uuid)
        if call is None or call.state != "held":
            return
        call.state = "released" if released else "settled"
        if not released:
            call.used, call.requests, call.estimated = used, 1, estimated

    # --- what happens -------------------------------------------------------------------------------------------------

    def swept(self, before: set[UUID]) -> None:
        """What was ended by somebody who is not its worker: charged what it had written, if it went out at all."""
        for row in Generation.objects.filter(uuid__in=before, finished_at__isnull=False):
            written = next((b.written for b in self.beliefs if b.generation.pk == row.pk and b.written), "")
            used = (row.request.get("sent", {}).get("tokens", 0), estimates.tokens(written))
            self.ended(row.uuid, used=used, estimated=True, released=not row.dispatched)

    @rule(by=st.sampled_from([dt.timedelta(seconds=30)] * 4 + EDGES))
    def the_clock_goes_on(self, by: dt.timedelta) -> None:
        """Every worker that holds something has died meanwhile; what comes of it is read from the rows that ended by it."""
        active = list(Generation.objects.filter(state__in=Generation.ACTIVE))
        before, out = {row.uuid for row in active}, [row for row in active if row.dispatched]
        CLOCK.time += by
        recovery.reap(now=CLOCK.now())
        for row in Generation.objects.filter(pk__in=[row.pk for row in out], state=State.QUEUED):
            self.a_try_is_lost(row, row.request["sent"]["tokens"])
        recovery.overdue(now=CLOCK.now())
        self.swept(before)

    @rule()
    def let_in(self) -> None:
        held = set(Reservation.objects.filter(state="held").values_list("request_id", flat=True))
        waiting.admit(now=CLOCK.now())
        new = Reservation.objects.filter(state="held").exclude(request_id__in=held).values_list("request_id", flat=True)
        for generation in Generation.objects.filter(uuid__in=new).select_related("user"):
            which = next(n for n, user in enumerate(self.people) if user.pk == generation.user_id)
            hold = Reservation.objects.get(request_id=generation.uuid)
            self.calls[generation.uuid] = Call(which, hold.created_at, hold.input_tokens, hold.output_tokens)

    @rule(what=st.sampled_from(["limit", "raise", "zone"]), which=st.integers(0, 4), amount=st.integers(0, 6))
    def administer(self, what: str, which: int, amount: int) -> None:
        quota, now = self.quotas[which], CLOCK.now()
        if what == "limit":
            times = {"requests": 1, "tokens": 700, "output": 600, "cost": 7_000}[quota.unit]
            Quota.objects.filter(pk=quota.pk).update(amount=amount * times)
        elif what == "raise":
            until = now + dt.timedelta(hours=5 * amount + 1)
            QuotaGrant.objects.create(quota=self.quotas[0], amount=1 + which, starts_at=now, until=until)
        else:
            Organisation.objects.update(time_zone=ZONES[amount % len(ZONES)])

    @rule(times=st.integers(1, 3), back=st.integers(-40, 40))
    def book_again(self, times: int, back: int) -> None:
        self.replay(times)
        self.refund(back)

    def replay(self, times: int) -> None:
        """I9: settling or releasing again what is closed changes nothing."""
        closed = [uuid for uuid, call in self.calls.items() if call.state != "held"][-3:]
        for _ in range(times):
            again = list(Invocation.objects.filter(request_id__in=closed))
            assert quotas.settle(again, now=CLOCK.now()) == quotas.release(closed, now=CLOCK.now()) == set()
            lost = [(uuid, attempt) for uuid, call in self.calls.items() for attempt in call.tries][-3:]
            for uuid, attempt in lost:
                assert not quotas.count_lost(Invocation(request_id=uuid, attempts=attempt), now=CLOCK.now())

    def refund(self, back: int) -> None:
        settled = [(uuid, call) for uuid, call in self.calls.items() if call.state == "settled"]
        if not settled or settled[0][1].used[1] + back < 0:
            return
        uuid, call = settled[0]
        with transaction.atomic():
            quotas.correct(uuid, tokens=(0, back), cost_micro=2 * back, reason="test", by=None, now=CLOCK.now())
        call.used = (call.used[0], call.used[1] + back)
        call.corrected += 1

    # --- what is promised ---------------------------------------------------------------------------------------------

    @invariant()
    def ledger_counters_and_holds_agree(self) -> None:
        """I1, I2, I12 and more, by the product's own proof (at every second step, and at the end)."""
        self.step += 1
        if self.step % 2:
            assert list(proof.drifts()) == []

    @invariant()
    def counters_are_what_the_plain_ledger_says(self) -> None:
        """I1, I2, I3, I8, I11: by whose calls they are and when they were accepted, not by lines."""
        for scope, unit, subject, starts, ends, *now in fetch(COUNTERS):
            used, held, cap = now
            window = as_moment(starts), as_moment(ends)
            mine = [call for call in self.calls.values() if self.counts(call, scope, as_uuid(subject), window)]
            lost = sum(call.lost(unit) for call in mine)
            assert (unit, used) == (unit, lost + sum(c.amount(unit) for c in mine if c.state == "settled"))
            assert (unit, held) == (unit, sum(c.most(unit) for c in mine if c.state == "held"))
            # I5: beyond its limit only by what calls took more than was held for them, and by corrections
            over = sum(max(0, c.amount(unit) - c.most(unit)) for c in mine)
            over += sum(call.lost(unit, but=call.fitted) for call in mine)
            assert used + held <= cap + over + 80 * sum(call.corrected for call in mine)

    def counts(self, call: Call, scope: str, subject: UUID, window: tuple[dt.datetime, dt.datetime]) -> bool:
        if not window[0] <= call.reserved_at < window[1]:
            return False
        if scope == "team":
            return call.person < 2
        return scope == "organisation" or self.people[call.person].uuid == subject

    @invariant()
    def a_hold_is_held_while_its_answer_is_active_and_no_longer(self) -> None:
        """I6."""
        held = {as_uuid(row[0]) for row in fetch(HELD)}
        assert held == {as_uuid(row[0]) for row in fetch(ACTIVE)}
        assert held == {uuid for uuid, call in self.calls.items() if call.state == "held"}

    @invariant()
    def each_call_has_one_entry_that_never_changes_and_what_was_guessed_says_so(self) -> None:
        """I7, I10, I11."""
        rows = {row[0]: row for row in fetch(ENTRIES)}
        assert {pk: rows.get(pk) for pk in self.entries} == self.entries
        self.entries = rows
        found = sorted((as_uuid(row[1]), bool(row[3])) for row in rows.values() if row[2] == "settle")
        assert found == sorted((u, call.estimated) for u, call in self.calls.items() if call.state == "settled")
        lost = sorted((as_uuid(row[1]), bool(row[3]), *row[4:6]) for row in rows.values() if row[2] == "attempt")
        assert lost == sorted((u, True, sent, 0) for u, call in self.calls.items() for sent in call.tries.values())


def prepared() -> type[Ledger]:
    """The machine with its people, once for all runs: each run takes everything else back."""
    Organisation.get()
    Organisation.objects.update(time_zone=ZONES[0], currency="USD")
    model = scene.model()
    model.answer_tokens = 200
    model.save()
    begin = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    Price.objects.create(
        model=model, provider=model.providers.get(), effective_from=begin, input_micro=1_000_000, output_micro=2_000_000
    )
    people = [scene.person(name) for name in ("a", "b", "c")]
    team = making.team("Sales", *people[:2])
    limits = [
        making.limit(1, "requests", "day", scope="organisation"),
        making.limit(1, "requests", "hour"),
        making.limit(1, "tokens", "day", scope="team", subject=team),
        making.limit(1, "output", "week"),
        making.limit(1, "cost", "month", scope="organisation"),
        making.limit(2, "at_once", "none"),
    ]
    return type("Prepared", (Ledger,), {"people": people, "quotas": limits})

"""One process of bench.hammer: sends as fast as it can, stops some of its answers, counts what it is answered. One line of JSON."""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter

import django


def main() -> int:
    seed, number, sends, unguarded = map(int, sys.argv[1:])
    django.setup()

    from django.db import Error

    from accounts.models import User
    from chat import messages
    from chat.doors import PAGE, Door
    from chat.models import Generation
    from usage.models import Source

    if unguarded:
        read_then_write()
    rng = random.Random(f"{seed}/{number}")
    user = User.objects.get(email=f"hammer{number}@example.com")
    # Half of them are programs, which are refused where pages wait.
    door = Door(Source.API) if number % 2 else PAGE
    own: list[Generation] = []
    counts: Counter[str] = Counter()
    print("ready", flush=True)
    sys.stdin.readline()
    for turn in range(sends):
        name = f"{seed}-{number}-{turn}"
        # Some think for a while: a worker that is killed then has shown nothing, and its question is asked again.
        slow = rng.choice([0, 0, 0, 3000])
        text = f"[[sim seed={name} words={rng.randint(3, 40)} gap={rng.choice([1, 5, 20])} ttft={slow}]]"
        counts["sends"] += 1
        try:
            sent = messages.send(user, text=text, client_id=f"hammer-{name}", door=door)
        except messages.Refused as refused:
            counts[refused.code] += 1
        except Error as error:
            counts["errors"] += 1
            sys.stderr.write(f"{error!r}\n")
        else:
            counts[sent.generation.state] += 1
            own.append(sent.generation)
        if own and rng.random() < 0.1:
            messages.cancel(user, generation=own.pop(rng.randrange(len(own))))
            counts["stops"] += 1
    print(json.dumps(counts))
    return 0


def read_then_write() -> None:
    """As others do it: what was read before the transaction decides, and the counter is written afterwards."""
    from accounts.prepared import execute
    from usage import counters

    def take(takings: list[counters.Taking]) -> bool:
        for taking in takings:
            if taking.limit.used + taking.limit.held + taking.amount > taking.limit.cap:
                return False
        for taking in takings:
            execute("UPDATE usage_quotaperiod SET held = held + %s WHERE id = %s", taking.amount, taking.period)
        time.sleep(0.002)
        return True

    counters.take = take


if __name__ == "__main__":
    sys.exit(main())

"""Is this process up, and can the installation work: for supervisors and load balancers. Words only: no version, no address, no figure."""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from accounts import clock
from portal import vitals

_migrated = False


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """200 while this process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """503 with a word while nothing works (`database`, `migrating`); else 200: `ready`, or `degraded: ` and what is missing.

    Degraded is 200 on purpose: pages, history and sends work, and no other web process would do better.
    """
    try:
        word = _down()
        missing = [] if word else _missing()
    except DatabaseError:
        word, missing = "database", []
    if word:
        return HttpResponse(f"{word}\n", status=503, content_type="text/plain")
    text = f"degraded: {', '.join(missing)}\n" if missing else "ready\n"
    return HttpResponse(text, content_type="text/plain")


def _down() -> str:
    """Why no page can be served; "" when they can."""
    global _migrated
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    if not _migrated:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return "migrating"
        _migrated = True
    return ""


def _missing() -> list[str]:
    found = vitals.look(now=clock.now())
    lacks = {
        "broker": not vitals.broker.there(),
        "workers": not found.workers,
        "providers": bool(found.broken),
    }
    return [word for word, missing in lacks.items() if missing]

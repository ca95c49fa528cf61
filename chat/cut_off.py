"""What happens to the answers of somebody who is cut off: all stop, whoever is writing them. Runs inside the caller's transaction."""

from __future__ import annotations

from accounts.models import User
from chat import messages
from chat.models import ACTIVE, Generation


def stop_answers(user: User) -> None:
    """Ends what is queued, and tells the workers to stop what is running; they look within a second."""
    for generation in Generation.objects.filter(user=user, state__in=ACTIVE).order_by("pk"):
        messages.cancel(user, generation=generation)

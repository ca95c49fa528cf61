"""What other rooms do when a person is cut off or gets other rights: functions that run in the transaction of the deed.

Rooms register theirs in AppConfig.ready. Nothing here decides anything; what a function raises takes the whole deed back.
"""

from __future__ import annotations

from collections.abc import Callable

from accounts.models import User

Listener = Callable[[User], None]

_on_cut: list[Listener] = []
_on_rights_changed: list[Listener] = []


def on_cut(listener: Listener) -> Listener:
    """`listener(user)` runs when the person is deactivated, before it counts; registering twice is once."""
    if listener not in _on_cut:
        _on_cut.append(listener)
    return listener


def on_rights_changed(listener: Listener) -> Listener:
    """`listener(user)` runs when rights or teams of the person change, before it counts; registering twice is once."""
    if listener not in _on_rights_changed:
        _on_rights_changed.append(listener)
    return listener


def cut(user: User) -> None:
    """Calls everybody who wanted to know that this person is cut off."""
    for listener in tuple(_on_cut):
        listener(user)


def rights_changed(user: User) -> None:
    """Calls everybody who wanted to know that this person may do more or less, or belongs to other teams."""
    for listener in tuple(_on_rights_changed):
        listener(user)

"""Sends mail from one background thread: no request ever waits for the mail server. Keeps nothing across a restart."""

from __future__ import annotations

import logging
import queue
import threading

from django.core.mail import EmailMessage

logger = logging.getLogger("accounts.mail")

_waiting: queue.Queue[EmailMessage] = queue.Queue(maxsize=200)
_starting = threading.Lock()
_thread: threading.Thread | None = None


def send(message: EmailMessage) -> None:
    """Queues the message; when 200 wait already it is dropped and said so in the log."""
    global _thread
    with _starting:
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_work, name="mail", daemon=True)
            _thread.start()
    try:
        _waiting.put_nowait(message)
    except queue.Full:
        logger.exception("mail dropped: the mail server does not keep up")


def flush() -> None:
    """Returns when everything queued so far has been sent or has failed (for tests and for a graceful end)."""
    _waiting.join()


def _work() -> None:
    while True:
        message = _waiting.get()
        try:
            message.send()
        except Exception:  # whatever a mail server does, the thread lives on
            logger.exception("mail could not be sent")
        finally:
            _waiting.task_done()

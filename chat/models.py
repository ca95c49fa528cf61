"""The conversation: messages as a tree, the generations that write the answers, and their live text.

A Generation's row is the job: no broker, file or process memory knows anything that is not here.
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from providers.models import LanguageModel, Provider
from usage.models import Source

ACTIVE = ("waiting", "queued", "running", "streaming")
HELD = ("running", "streaming")


class Conversation(models.Model):
    """A person's conversation. `leaf` is the message it stands at; `version` rises with each change, so that a stale tab is noticed.

    `finished_at` is when its last answer ended, `seen_at` when the person last looked; with `deleted_at` it rests in the bin.
    """

    class TitleState(models.TextChoices):
        NONE = "none", _("no answer yet")
        PENDING = "pending", _("to be made")
        MADE = "made", _("made")
        MANUAL = "manual", _("given by the person")
        GIVEN_UP = "given_up", _("given up")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="conversations")
    title = models.CharField(_("title"), max_length=200, blank=True)
    title_state = models.CharField(max_length=16, choices=TitleState.choices, default=TitleState.NONE)
    title_tries = models.PositiveSmallIntegerField(default=0)
    title_due_at = models.DateTimeField(null=True)
    model = models.ForeignKey(LanguageModel, models.SET_NULL, null=True, related_name="+")
    # How its model was asked last: the key of one of the model's modes (providers.modes).
    mode = models.CharField(max_length=32, blank=True, default="")
    leaf = models.ForeignKey("Message", models.SET_NULL, null=True, related_name="+")
    version = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(null=True, editable=False)
    seen_at = models.DateTimeField(null=True, editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)
    # A temporary one goes then. One that is `going` is being removed piece by piece and belongs to nobody any more.
    expires_at = models.DateTimeField(null=True, editable=False)
    going = models.BooleanField(default=False, editable=False)

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        indexes = (
            models.Index(fields=["user", "-updated_at", "-id"], condition=Q(deleted_at=None), name="conversation_list"),
            models.Index(
                fields=["user", "-deleted_at", "-id"], condition=Q(deleted_at__isnull=False), name="conversation_bin"
            ),
            models.Index(fields=["deleted_at"], condition=Q(deleted_at__isnull=False), name="conversation_purge"),
            models.Index(fields=["title_due_at"], condition=Q(title_state="pending"), name="conversation_title_due"),
            models.Index(fields=["expires_at"], condition=Q(expires_at__isnull=False), name="conversation_expires"),
            models.Index(fields=["id"], condition=Q(going=True), name="conversation_going"),
        )

    def __str__(self) -> str:
        return self.title or str(self.uuid)

    @property
    def unseen(self) -> bool:
        """Whether an answer has ended since the person last looked."""
        return self.finished_at is not None and (self.seen_at is None or self.seen_at < self.finished_at)


class Message(models.Model):
    """One question or answer. `parent` makes the tree; its `depth` (root 0) lets a path be read in windows.

    `text` is the whole text. `parts` is empty for a message of text only, else the ordered list of
    {"type": "text"|"image"|"file", …}. `html` is the list of rendered blocks (chat.rendering), valid when
    `html_version` equals rendering.HTML_VERSION.
    """

    class Role(models.TextChoices):
        USER = "user", _("question")
        ASSISTANT = "assistant", _("answer")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="messages")
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="children")
    depth = models.PositiveIntegerField(default=0)
    # Estimated tokens of all that stands before it on its path; empty where nobody has added them up.
    before_tokens = models.PositiveIntegerField(null=True, editable=False)
    role = models.CharField(max_length=16, choices=Role.choices)
    text = models.TextField(blank=True)
    parts = models.JSONField(default=list, blank=True)
    reasoning = models.TextField(blank=True)
    html = models.JSONField(default=list, blank=True)
    html_version = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        indexes = (models.Index(fields=["conversation", "depth"], name="message_path"),)

    def __str__(self) -> str:
        return f"{self.role} {self.uuid}"


class Generation(models.Model):
    """One job of writing (or continuing) an answer. Its `uuid` is the request id of the whole call.

    Counters: `attempt` is the fence (raised by every claim), `crashes` counts leases lost (the second is poison where it was `in_hand`),
    `tries` counts tries at the provider (the retry table); `passed` names those that failed it before a first word (their numbers, in
    order, with commas): the next one is asked. `revision` rises with each visible change of state;
    with the number of the last delta it makes the poll's `seq`. `request` says what was asked and sent:
    {"model", "mode", "most", "sent": {...}}.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting for allowance")
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("thinking")
        STREAMING = "streaming", _("answering")
        DONE = "done", _("finished")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("stopped")
        INTERRUPTED = "interrupted", _("not finished")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="generations")
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="generations")
    message = models.ForeignKey(Message, models.CASCADE, related_name="generations")
    model = models.ForeignKey(LanguageModel, models.SET_NULL, null=True, related_name="+")
    provider = models.ForeignKey(Provider, models.SET_NULL, null=True, related_name="+")
    source = models.CharField(max_length=16, choices=Source.choices, default=Source.PAGE)
    team = models.UUIDField(null=True)
    key = models.UUIDField(null=True)
    client_id = models.CharField(max_length=64, null=True)
    request_hash = models.CharField(max_length=64, blank=True)
    lane = models.PositiveSmallIntegerField(default=0)
    start_offset = models.PositiveIntegerField(default=0)
    request = models.JSONField(default=dict)

    state = models.CharField(max_length=16, choices=State.choices, default=State.QUEUED)
    revision = models.PositiveIntegerField(default=1)
    attempt = models.PositiveIntegerField(default=0)
    crashes = models.PositiveSmallIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(default=0)
    passed = models.CharField(max_length=200, blank=True, default="", editable=False)
    next_attempt_at = models.DateTimeField(null=True)
    lease_owner = models.UUIDField(null=True)
    lease_expires_at = models.DateTimeField(null=True)
    dispatched = models.BooleanField(default=False)
    # Of one that has lost a worker: is a step under way that could end another? (chat.suspects)
    in_hand = models.BooleanField(default=False)
    deadline_at = models.DateTimeField()
    cancel_requested_at = models.DateTimeField(null=True)

    error_kind = models.CharField(max_length=32, blank=True)
    finish_reason = models.CharField(max_length=32, blank=True)
    input_tokens = models.BigIntegerField(null=True)
    cached_tokens = models.BigIntegerField(null=True)
    output_tokens = models.BigIntegerField(null=True)
    reasoning_tokens = models.BigIntegerField(null=True)
    usage_estimated = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True)
    first_token_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("generation")
        verbose_name_plural = _("generations")
        constraints = (
            models.UniqueConstraint(
                fields=["conversation", "lane"], condition=Q(state__in=ACTIVE), name="generation_one_active"
            ),
            models.UniqueConstraint(fields=["user", "client_id"], name="generation_client_id_once"),
            models.CheckConstraint(
                condition=~Q(state__in=HELD) | Q(lease_expires_at__isnull=False, lease_owner__isnull=False),
                name="generation_held_has_lease",
            ),
            models.CheckConstraint(condition=~Q(state="done") | ~Q(finish_reason=""), name="generation_done_says_why"),
            models.CheckConstraint(
                condition=Q(state__in=ACTIVE) | Q(finished_at__isnull=False), name="generation_ended_has_time"
            ),
        )
        indexes = (
            # Not partial: SQLite can't prove that "queued" is one of several active states, and would read the whole table.
            models.Index(fields=["state", "user"], name="generation_active"),
            models.Index(fields=["message", "-id"], name="generation_of_message"),
        )

    ACTIVE: ClassVar[tuple[str, ...]] = ACTIVE
    HELD: ClassVar[tuple[str, ...]] = HELD

    def __str__(self) -> str:
        return f"{self.uuid} {self.state}"

    @property
    def active(self) -> bool:
        return self.state in ACTIVE


class Delta(models.Model):
    """A piece of live text, written in order by the one attempt that holds the lease; gone when the answer has ended."""

    class Kind(models.IntegerChoices):
        TEXT = 0, _("text")
        REASONING = 1, _("reasoning")

    generation = models.ForeignKey(Generation, models.CASCADE, related_name="deltas")
    seq = models.PositiveIntegerField()
    kind = models.PositiveSmallIntegerField(choices=Kind.choices, default=Kind.TEXT)
    text = models.TextField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["generation", "seq"], name="delta_in_order"),)

    def __str__(self) -> str:
        return f"{self.generation_id}:{self.seq}"


class WorkerHeartbeat(models.Model):
    """A worker process that answers: how the page and the desk know that somebody is there."""

    uuid = models.UUIDField(primary_key=True, default=uuid.uuid4)
    host = models.CharField(max_length=200, blank=True)
    pid = models.PositiveIntegerField(default=0)
    places = models.PositiveIntegerField(default=0)
    running = models.PositiveIntegerField(default=0)
    stopping = models.BooleanField(default=False)
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"

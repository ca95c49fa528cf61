"""The shapes of what is answered, as the OpenAPI document tells them. The data itself is made elsewhere (api.shapes, the views).

No answer is passed through these: tests compare every answer with them instead, which costs no request anything.
"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.serializers import (
    BooleanField,
    CharField,
    ChoiceField,
    DateField,
    DateTimeField,
    DictField,
    IntegerField,
    ListField,
    UUIDField,
)

from accounts.api_keys import State as KeyState
from chat.models import Generation as Row
from usage.limit_models import AtLimit, Period, Scope, Unit

Shape = serializers.Serializer[Any]


class Problem(Shape):
    """Problem details (RFC 9457). `code` is for programs and stays; `detail` is for people, in their language."""

    type = CharField()
    title = CharField()
    status = IntegerField(min_value=400, max_value=599)
    code = CharField()
    detail = CharField()
    request_id = CharField(allow_blank=True)

    def get_fields(self) -> dict[str, Any]:
        """`errors` means something else to a serializer."""
        return super().get_fields() | {"errors": DictField(child=ListField(child=CharField()), required=False)}


class Tokens(Shape):
    """A pair of tokens; `expires_in` in seconds, of the access token."""

    access = CharField()
    refresh = CharField()
    token_type = ChoiceField(choices=["Bearer"])
    expires_in = IntegerField(min_value=1)


class KeyNamed(Shape):
    """A key by its name and first characters."""

    id = UUIDField()
    name = CharField()
    prefix = CharField()


class Credential(Shape):
    """What was shown, and what it may do. `models`: null for every model that its owner may ask."""

    kind = ChoiceField(choices=["key", "token", "session"])
    scopes = ListField(child=CharField())
    models = ListField(child=CharField(), allow_null=True)
    key = KeyNamed(allow_null=True)


class Oneself(Shape):
    """Whose credential it is."""

    id = UUIDField()
    email = CharField(allow_blank=True)
    is_service = BooleanField()
    name = CharField(allow_blank=True)
    language = CharField(allow_blank=True)
    time_zone = CharField(allow_blank=True)
    theme = CharField()
    default_model = CharField(allow_blank=True)
    credential = Credential()


class Tokened(Shape):
    """The tokens of a call; `estimated` where the provider has not told them."""

    input_tokens = IntegerField(min_value=0)
    output_tokens = IntegerField(min_value=0, allow_null=True)
    estimated = BooleanField()


class Generation(Shape):
    """One writing of an answer. `ended`: nothing follows any more."""

    id = UUIDField()
    state = ChoiceField(choices=Row.State.choices)
    ended = BooleanField()
    model = CharField(allow_null=True)
    finish_reason = CharField(allow_null=True)
    error = CharField(allow_null=True)
    usage = Tokened(allow_null=True)
    created_at = DateTimeField()
    finished_at = DateTimeField(allow_null=True)


class Answer(Generation):
    """An answer as it stands: `text` from the character `after` on; `next_after` is what to send next."""

    conversation = UUIDField()
    message = UUIDField()
    question = UUIDField(required=False)
    text = CharField(allow_blank=True)
    next_after = IntegerField(min_value=0)
    note = CharField(allow_null=True)


class Conversation(Shape):
    """One conversation. `version` rises with every message; `leaf` is its newest one; a temporary one goes at `expires_at`."""

    id = UUIDField()
    title = CharField(allow_blank=True)
    model = CharField(allow_null=True)
    mode = CharField(allow_null=True)
    version = IntegerField(min_value=0)
    leaf = UUIDField(allow_null=True)
    unseen = BooleanField()
    created_at = DateTimeField()
    updated_at = DateTimeField()
    deleted_at = DateTimeField(allow_null=True)
    expires_at = DateTimeField(allow_null=True)


class Conversations(Shape):
    """A page of conversations; `next_cursor` is null at its end."""

    items = Conversation(many=True)
    next_cursor = CharField(allow_null=True)


class Message(Shape):
    """A question or an answer; an answer has its newest generation."""

    id = UUIDField()
    role = ChoiceField(choices=["user", "assistant"])
    text = CharField(allow_blank=True)
    created_at = DateTimeField()
    generation = Generation(allow_null=True, required=False)

    def get_fields(self) -> dict[str, Any]:
        """`parent` means something else to a serializer."""
        return super().get_fields() | {"parent": UUIDField(allow_null=True)}


class Messages(Shape):
    """Part of a path, oldest first."""

    items = Message(many=True)
    has_older = BooleanField()


class Tree(Shape):
    """Every message of a conversation, parents before children; `next_cursor` is null at its end."""

    items = Message(many=True)
    next_cursor = CharField(allow_null=True)


class Mode(Shape):
    """One of a model's ways to be asked."""

    key = CharField()
    name = CharField()


class Model(Shape):
    """A model that may be asked; sizes in tokens."""

    id = CharField()
    name = CharField()
    description = CharField(allow_blank=True)
    context_length = IntegerField(min_value=1)
    max_output_tokens = IntegerField(min_value=1, allow_null=True)
    usual_output_tokens = IntegerField(min_value=1, allow_null=True)
    modes = Mode(many=True)


class Models(Shape):
    """Models, the own default first."""

    items = Model(many=True)


class Day(Shape):
    """What one model was used on one day; money in micro-units, only where the organisation shows it."""

    day = DateField()
    model = CharField()
    requests = IntegerField()
    input_tokens = IntegerField()
    output_tokens = IntegerField()
    requests_without_price = IntegerField()
    cost_micro = IntegerField(required=False)


class Sum(Shape):
    """All days together."""

    requests = IntegerField()
    tokens = IntegerField()
    requests_without_price = IntegerField()
    cost_micro = IntegerField(required=False)


class Used(Shape):
    """What was used, by day and model."""

    to = DateField()
    time_zone = CharField()
    currency = CharField(allow_null=True)
    items = Day(many=True)
    total = Sum()

    def get_fields(self) -> dict[str, Any]:
        """`from` is a word of Python's."""
        return {"from": DateField(), **super().get_fields()}


class Limit(Shape):
    """A limit as it stands. Without `limit`, `used`, `held` and `left` where the organisation shows shares only."""

    id = UUIDField()
    applies = BooleanField()
    why = CharField()
    scope = ChoiceField(choices=Scope.choices)
    of = CharField(allow_null=True)
    unit = ChoiceField(choices=Unit.choices)
    period = ChoiceField(choices=Period.choices)
    models = ListField(child=CharField(), allow_null=True)
    at_limit = ChoiceField(choices=AtLimit.choices)
    used_percent = IntegerField()
    held_percent = IntegerField()
    resets_at = DateTimeField(allow_null=True)
    limit = IntegerField(required=False)
    used = IntegerField(required=False)
    held = IntegerField(required=False)
    left = IntegerField(required=False)


class Limits(Shape):
    """The limits of this very credential."""

    time_zone = CharField()
    currency = CharField()
    team = CharField(allow_null=True)
    items = Limit(many=True)


class Owner(Shape):
    """Whose key it is."""

    id = UUIDField()
    email = CharField(allow_blank=True)
    name = CharField(allow_blank=True)
    is_service = BooleanField()


class Key(Shape):
    """A key, without its secret."""

    id = UUIDField()
    name = CharField()
    prefix = CharField()
    state = ChoiceField(choices=KeyState.choices)
    scopes = ListField(child=CharField())
    models = ListField(child=CharField())
    allowed_ips = ListField(child=CharField())
    created_at = DateTimeField()
    expires_at = DateTimeField(allow_null=True)
    last_used_at = DateTimeField(allow_null=True)
    revoked_at = DateTimeField(allow_null=True)
    replaced_by = UUIDField(allow_null=True)
    owner = Owner()


class MadeKey(Key):
    """A new key with its secret, which is shown this once."""

    key = CharField()


class Keys(Shape):
    """A page of keys."""

    items = Key(many=True)
    count = IntegerField(min_value=0)
    page = IntegerField(min_value=1)
    pages = IntegerField(min_value=1)

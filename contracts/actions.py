"""What happens once after an event's last try: another event, a message, a callback.

`when` says after which ends an action fires. SUCCESS counts as success; FAILURE,
TIMEOUT, LOST and PARTIAL count as failure. A cancelled execution fires `always` alone:
whoever cancels wants neither the next step nor an alarm. `on_condition` fires when the
script has set its condition to exactly true, and the execution was not cancelled.
"""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, field_validator, model_validator

from contracts import limits
from contracts.base import WireModel
from contracts.http import CONTROL, Headers, SecretName
from contracts.wire_text import WireText

if TYPE_CHECKING:
    from contracts.events import EventSpec

SCHEME_PATTERN = r"^[A-Za-z][A-Za-z0-9+.-]*://"


class When(StrEnum):
    """After which ends an action fires."""

    ALWAYS = "always"
    ON_SUCCESS = "on_success"
    ON_FAILURE = "on_failure"
    ON_CONDITION = "on_condition"


class ActionKind(StrEnum):
    """What an action does."""

    EVENT = "event"
    MESSAGE = "message"
    CALLBACK = "callback"


class MessageFormat(StrEnum):
    """What the body of a message is written in."""

    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"


class EventAction(WireModel):
    """Start another event, on its own: it lives on whatever becomes of this one.

    Its input is this execution's output, its trigger is `action`.
    """

    kind: Literal["event"] = "event"
    when: When = When.ALWAYS
    event: "EventSpec | None" = None
    event_id: str | None = None
    """Only for a clear refusal: a worker has no store to look an event up in."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.event is None and self.event_id is not None:
            raise ValueError(
                "eventId alone is not enough: the worker keeps no events. Whoever "
                "starts the execution puts the event itself here, as `event`"
            )
        if self.event is None:
            raise ValueError("event: required, but missing")
        if self.event_id is not None and self.event_id != self.event.id:
            raise ValueError("eventId: differs from the id in `event`")
        return self

    @property
    def spec(self) -> "EventSpec":
        """The event to start."""
        assert self.event is not None
        return self.event


class MessageTarget(WireModel):
    """Where a message goes: an Apprise URL, or the secret that holds one.

    Most such URLs hold a token or a password. What is given as `url` is stored by
    Temporal as it is, so those belong into a secret.
    """

    url: (
        Annotated[
            WireText,
            StringConstraints(
                max_length=limits.MAX_TARGET_URL_CHARS, pattern=SCHEME_PATTERN
            ),
        ]
        | None
    ) = None
    secret: SecretName | None = None

    @model_validator(mode="after")
    def _url_or_secret(self) -> Self:
        if (self.url is None) == (self.secret is None):
            raise ValueError("give either `url` or `secret`, and not both")
        if self.url is not None and CONTROL.search(self.url):
            raise ValueError("a URL cannot hold line breaks or control codes")
        return self

    @property
    def label(self) -> str:
        """How errors name the target, without anything that may be a credential."""
        if self.secret is not None:
            return f"secret {self.secret}"
        return f"{str(self.url).partition(':')[0].lower()}://…"


class MessageAction(WireModel):
    """Send a message through Apprise. Subject and body are Jinja2 templates."""

    kind: Literal["message"] = "message"
    when: When = When.ALWAYS
    targets: list[MessageTarget] = Field(
        min_length=1, max_length=limits.MAX_MESSAGE_TARGETS
    )
    subject: WireText = Field("", max_length=limits.MAX_SUBJECT_TEMPLATE_CHARS)
    """Unset: name and status of the event."""
    body: WireText = Field(min_length=1, max_length=limits.MAX_BODY_TEMPLATE_CHARS)
    format: MessageFormat = MessageFormat.TEXT
    """In `html`, values are escaped unless the template says `| safe`."""
    retries: int = Field(
        limits.DEFAULT_ACTION_RETRIES, ge=0, le=limits.MAX_ACTION_RETRIES
    )
    """Extra tries for targets that did not take it; the others get it once."""


class CallbackAction(WireModel):
    """POST the result, signed, to a URL."""

    kind: Literal["callback"] = "callback"
    when: When = When.ALWAYS
    url: Annotated[
        WireText, StringConstraints(min_length=1, max_length=limits.MAX_URL_CHARS)
    ]
    secret: SecretName
    """Name of the secret whose value is the HMAC key."""
    headers: Headers = []
    retries: int = Field(
        limits.DEFAULT_ACTION_RETRIES, ge=0, le=limits.MAX_ACTION_RETRIES
    )
    """Extra tries on network errors, 429 and 5xx; any other refusal is final."""
    timeout_seconds: float = Field(
        limits.DEFAULT_CALLBACK_SECONDS, gt=0, le=limits.MAX_CALLBACK_SECONDS
    )
    """Limit of each try."""

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if CONTROL.search(url) or "\t" in url or " " in url:
            raise ValueError("a URL cannot hold spaces or control codes")
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise ValueError("expected a URL such as https://host/path") from None
        if parts.scheme not in ("http", "https") or not host:
            raise ValueError("expected a URL that begins with http:// or https://")
        if "@" in parts.netloc:
            raise ValueError("credentials do not belong in a URL: use `headers`")
        return url

    @field_validator("headers")
    @classmethod
    def _not_ours(cls, headers: list[Any]) -> list[Any]:
        for header in headers:
            if header.name.lower().startswith("x-cronium-"):
                raise ValueError(f"{header.name} is set by the executor: leave it out")
        return headers


Action = Annotated[
    EventAction | MessageAction | CallbackAction, Field(discriminator="kind")
]


def depth_and_count(actions: list[Action]) -> tuple[int, int]:
    """Return how deep actions are nested in each other, and how many there are."""
    deepest, count = 0, len(actions)
    for action in actions:
        if isinstance(action, EventAction):
            depth, more = depth_and_count(action.spec.actions)
            deepest, count = max(deepest, depth), count + more
    return (deepest + 1, count) if actions else (0, 0)

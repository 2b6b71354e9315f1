"""`Cronium`: everything that a script can ask of the executor."""

from __future__ import annotations

import os
import time

from cronium._channel import OUTAGE_SECONDS, UNIX, Channel, message_of
from cronium._errors import CroniumAPIError, CroniumError, CroniumTimeoutError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Mapping

VERSION = "3.0.0"
LEVELS = ("debug", "info", "warning", "error")
SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
NO_CHANNEL = (
    "{what} needs the executor's channel, and there is none: {why}; "
    "input() and event() work without."
)
NOT_SET = "CRONIUM_SOCKET is not set, which scripts that the executor starts have"
UNSET: Any = object()


class Cronium:
    """The executor, as seen by the script that it runs.

    Every method has a second name in camelCase (`getVariable` for `get_variable`).

    Raises:
        CroniumError: The environment lacks what the executor sets.
    """

    def __init__(self) -> None:
        env = os.environ
        self.token = env.get("CRONIUM_EXECUTION_TOKEN", "")
        self.execution_id = env.get("CRONIUM_EXECUTION_ID", "")
        self._directory = env.get("CRONIUM_RUN_DIR", "")
        path = env.get("CRONIUM_SOCKET", "")
        self.api_url = UNIX + path if path else env.get("CRONIUM_RUNTIME_API", "")
        if (self.api_url or not self._directory) and not (
            self.token and self.execution_id
        ):
            raise CroniumError(
                "CRONIUM_EXECUTION_TOKEN and CRONIUM_EXECUTION_ID must be set: run "
                "this script as an event, the executor sets them."
            )
        self.headers = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        self.max_retries = 3
        self.retry_delay = 0.05
        self.timeout = 30.0
        self._channel = (
            Channel(self.api_url, self.headers, _outage(env)) if self.api_url else None
        )
        self._debug = _tracer() if env.get("CRONIUM_DEBUG") else None

    @property
    def ssl_context(self) -> Any:
        """The TLS settings for an https address; None for the usual ones."""
        return self._channel and self._channel.ssl_context

    @ssl_context.setter
    def ssl_context(self, context: Any) -> None:
        if self._channel is not None:
            self._channel.ssl_context = context

    def input(self) -> Any:
        """Return the event's input, or None."""
        return self._read("input", "input.json")

    def output(self, data: Any) -> None:
        """Set the event's output, any JSON value; the last call wins."""
        self._own("POST", "output", {"data": data}, "output(data)")

    def event(self) -> dict[str, Any]:
        """Return what is known of the event: id, name, type, attempt, server, …"""
        found: dict[str, Any] = self._read("context", "event.json") or {}
        return found

    def get_variable(self, key: str) -> Any:
        """Return a variable's value, or None when it is not set."""
        return self._variable(key).get("value")

    def set_variable(
        self, key: str, value: Any, *, expected: Any = UNSET, if_absent: bool = False
    ) -> None:
        """Set a variable to any JSON value.

        Args:
            key: Its name.
            value: Its new value.
            expected: Set it only while this is its value; a CroniumAPIError with
                status 409 says that it was not.
            if_absent: Set it only while it is not set, as above.
        """
        body: dict[str, Any] = {"value": value}
        if expected is not UNSET:
            body["expected"] = expected
        if if_absent:
            body["ifAbsent"] = True
        self._own("PUT", _variable_path(key), body, f"set_variable({key!r}, value)")

    def variable_exists(self, key: str) -> bool:
        """Return whether a variable is set; one that is set to None is."""
        return "value" in self._variable(key)

    def delete_variable(self, key: str) -> bool:
        """Unset a variable; return whether it was set."""
        return bool(self._own("DELETE", _variable_path(key))["deleted"])

    def list_variables(self, prefix: str = "") -> dict[str, Any]:
        """Return the variables whose names begin with the prefix."""
        query = f"?prefix={quote(prefix)}" if prefix else ""
        found: dict[str, Any] = self._own("GET", f"variables{query}")["variables"]
        return found

    def increment_variable(self, key: str, by: float = 1) -> float:
        """Add to a number as one step, and return the sum; unset counts as 0."""
        path = _variable_path(key) + "/increment"
        total: float = self._own("POST", path, {"by": by}, "increment_variable(by)")[
            "value"
        ]
        return total

    def append_variable(self, key: str, value: Any, separator: str = "") -> Any:
        """Append to a text, or an element to a list; return the whole."""
        body = {"value": value, "separator": separator}
        path = _variable_path(key) + "/append"
        return self._own("POST", path, body, "append_variable(value)")["value"]

    def set_condition(self, condition: bool) -> None:
        """Say whether the follow-up actions "on condition" shall run."""
        self._own("POST", "condition", {"condition": bool(condition)})

    def get_condition(self) -> bool | None:
        """Return the condition that this execution has set, or None."""
        found: bool | None = (self._own("GET", "condition") or {}).get("condition")
        return found

    def log(
        self, level: str, message: Any = UNSET, fields: dict[str, Any] | None = None
    ) -> None:
        """Write a log line with a level: debug, info, warning or error.

        A call with one argument logs it with the level info.
        """
        if message is UNSET:
            level, message = "info", level
        named = {"warn": "warning"}.get(str(level).lower(), str(level).lower())
        if named not in LEVELS:
            raise CroniumError(f"log(level): {level!r} is none of {', '.join(LEVELS)}.")
        body = {"level": named, "message": str(message), "fields": fields or {}}
        self._own("POST", "logs", body, "log(fields)")

    def progress(self, fraction: float, text: str = "") -> None:
        """Say how much is done, from 0 to 1, and in words what is being done."""
        if not 0 <= fraction <= 1:
            raise CroniumError(f"progress(fraction): {fraction} is not within 0 and 1.")
        self._own("POST", "progress", {"fraction": fraction, "text": text})

    def sleep(self, seconds: float) -> None:
        """Wait that many seconds."""
        time.sleep(seconds)

    def execute_tool_action(
        self, tool: str, action: str, config: dict[str, Any]
    ) -> Any:
        """Run an action of a tool, for example ("slack", "send_message", {…})."""
        body = {"tool": tool, "action": action, "config": config}
        what = "execute_tool_action(config)"
        return self._request("POST", "/tool-actions/execute", body, what)

    def send_email(
        self, to: str | list[str], subject: str, body: str, **more: Any
    ) -> Any:
        """Send an email; cc, bcc, attachments and the like are further keywords."""
        addresses = [to] if isinstance(to, str) else list(to)
        config = {"to": addresses, "subject": subject, "body": body, **more}
        return self.execute_tool_action("email", "send_message", config)

    def send_slack_message(self, channel: str, text: str, **more: Any) -> Any:
        """Send a Slack message; attachments and blocks are further keywords."""
        config = {"channel": channel, "text": text, **more}
        return self.execute_tool_action("slack", "send_message", config)

    def send_discord_message(self, channel_id: str, content: str, **more: Any) -> Any:
        """Send a Discord message; embeds is a further keyword."""
        config = {"channelId": channel_id, "content": content, **more}
        return self.execute_tool_action("discord", "send_message", config)

    def setVariable(self, key: str, value: Any, **more: Any) -> bool:
        """Set a variable as `set_variable` does; return True."""
        self.set_variable(key, value, **more)
        return True

    def setCondition(self, condition: bool) -> bool:
        """Set the condition as `set_condition` does; return it."""
        self.set_condition(condition)
        return bool(condition)

    def _variable(self, key: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._own("GET", _variable_path(key)) or {}
        except CroniumAPIError as error:
            if error.status_code != 404:
                raise
            return {}
        return found

    def _read(self, name: str, file: str) -> Any:
        if self._channel is not None:
            try:
                # Nothing is won by a longer wait: the file says the same.
                return self._own("GET", name, outage=OUTAGE_SECONDS)
            except CroniumAPIError:
                raise
            except CroniumTimeoutError:
                raise
            except CroniumError:
                if not self._directory:
                    raise
        return _document(os.path.join(self._directory, file))

    def _own(
        self,
        method: str,
        name: str,
        body: Any = None,
        what: str = "",
        outage: float | None = None,
    ) -> Any:
        path = f"/executions/{quote(self.execution_id)}/{name}"
        return self._request(method, path, body, what, outage)

    def _request(
        self,
        method: str,
        path: str,
        body: Any,
        what: str,
        outage: float | None = None,
    ) -> Any:
        import json

        if self._channel is None:
            why = os.environ.get("CRONIUM_NO_CHANNEL") or NOT_SET
            raise CroniumError(
                NO_CHANNEL.format(what=what or path.split("/")[-1], why=why)
            )
        if self._debug:
            self._debug("%s %s", method, path)
        status, reply = self._channel.call(
            method,
            path,
            None if body is None else _encoded(body, what),
            timeout=self.timeout,
            tries=self.max_retries,
            pause=self.retry_delay,
            outage=outage,
        )
        if status >= 400:
            raise CroniumAPIError(status, message_of(status, reply))
        try:
            said = json.loads(reply.decode())
            if said.get("success") is False:
                raise CroniumError(message_of(status, reply))
            return said.get("data")
        except (ValueError, AttributeError):
            raise CroniumError(
                f"The answer to {method} {path} is not the executor's: "
                f"{message_of(status, reply)}"
            ) from None


def _outage(env: Mapping[str, str]) -> float:
    try:
        found = float(env.get("CRONIUM_OUTAGE_SECONDS", ""))
    except ValueError:
        return OUTAGE_SECONDS
    return found if found > 0 else OUTAGE_SECONDS


def quote(text: str) -> str:
    """Percent-encode a text as one segment of a path."""
    return "".join(chr(b) if b in SAFE else f"%{b:02X}" for b in text.encode())


def _variable_path(key: str) -> str:
    if not isinstance(key, str) or not key:
        raise CroniumError(f"The name of a variable must be a text; it is {key!r}.")
    return "variables/" + quote(key)


def _encoded(body: Any, what: str) -> bytes:
    import json

    try:
        text = json.dumps(body, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise CroniumError(
            f"{what}: {error}. Give text, numbers, True, False, None, lists or dicts."
        ) from None
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return json.dumps(body, allow_nan=False).encode()


def _document(path: str) -> Any:
    import json

    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CroniumError(f"{path} cannot be read: {error}") from None


def _tracer() -> Callable[..., None]:
    import logging

    logger = logging.getLogger("cronium")
    if not logger.handlers:
        logger.addHandler(logging.StreamHandler())
    logger.setLevel(logging.DEBUG)
    return logger.debug


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


CALLS = tuple(
    name
    for name, value in vars(Cronium).items()
    if name[0] != "_" and not isinstance(value, property)
)
for _name in CALLS:
    if not hasattr(Cronium, _camel(_name)):
        setattr(Cronium, _camel(_name), getattr(Cronium, _name))
NAMES = tuple(dict.fromkeys([*CALLS, *map(_camel, CALLS)]))
"""Every public method, in both spellings."""

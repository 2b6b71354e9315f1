"""What each call does. All of them belong to the run whose socket they came on."""

from collections.abc import Awaitable, Callable
from typing import Any

from contracts.errors import CroniumError
from contracts.limits import KIB
from contracts.variables import check_key, value_text
from engines.channel.channel import Channel
from engines.channel.messages import Request, checked, encode
from engines.channel.refusals import (
    CallRefusedError,
    bad_request,
    refusal_of,
    too_large,
)
from engines.channel.routes import TOOL_ACTION, Route
from engines.channel.run import LogLevel
from engines.channel.state import Progress
from engines.channel.variables import UNSET, VariableStore

NULL = b"null"
MAX_PROGRESS_CHARS = 1_000
MAX_TOOL_NAME_CHARS = 200
MAX_ONCE_CHARS = 100
# Of a tool's answer that is kept for a helper that asks again.
MAX_ANSWER_BYTES = 16 * KIB
LEVELS = {level.value: level for level in LogLevel} | {
    "warn": LogLevel.WARNING,
    "trace": LogLevel.DEBUG,
    "critical": LogLevel.ERROR,
    "fatal": LogLevel.ERROR,
}


class Call:
    """One call that may be done: authorised, its body read.

    Args:
        channel: Whose socket it came on.
        variables: The store of variables.
        route: What is called.
        request: Its head.
        body: Its body, an object; empty where there is none.
    """

    def __init__(
        self,
        channel: Channel,
        variables: VariableStore,
        route: Route,
        request: Request,
        body: dict[str, Any],
    ) -> None:
        self._channel = channel
        self._run = channel.run
        self._variables = variables
        self._route = route
        self._request = request
        self._body = body

    async def do(self) -> bytes:
        """Do it; return the data of the answer as JSON.

        Raises:
            CallRefusedError: It is not done.
        """
        try:
            return await _CALLS[self._route.name](self)
        except CroniumError as error:
            raise refusal_of(error) from error

    async def read_input(self) -> bytes:
        """Return the event's input."""
        return self._run.input

    async def read_context(self) -> bytes:
        """Return what the script may know of its event."""
        return encode(dict(self._run.context))

    async def set_output(self) -> bytes:
        """Keep the output; the last one counts."""
        text = checked("data", self._field("data"))
        size, limit = len(text.encode()), self._run.limits.output
        if size > limit:
            raise too_large(
                f"data: {size} bytes of JSON, an output may have {limit}: store large "
                "results elsewhere and give their address as output"
            )
        await self._channel.change(output=text)
        return NULL

    async def set_condition(self) -> bytes:
        """Keep the condition; the last one counts."""
        condition = self._field("condition")
        if not isinstance(condition, bool):
            raise bad_request("condition: expected true or false")
        await self._channel.change(condition=condition)
        return NULL

    async def read_condition(self) -> bytes:
        """Return the condition, null when it was not set."""
        return encode({"condition": self._channel.state.condition})

    async def set_progress(self) -> bytes:
        """Keep how far the script is, and tell it on."""
        fraction = self._body.get("fraction")
        if fraction is not None:
            if isinstance(fraction, bool) or not isinstance(fraction, int | float):
                raise bad_request("fraction: expected a number from 0 to 1")
            if not 0 <= fraction <= 1:
                raise bad_request("fraction: expected a number from 0 to 1")
        text = self._text("text", MAX_PROGRESS_CHARS, optional=True)
        progress = Progress(None if fraction is None else float(fraction), text)
        await self._channel.change(progress=progress)
        if self._run.on_progress is not None:
            self._run.on_progress(progress)
        return NULL

    async def log(self) -> bytes:
        """Hand on a structured log line."""
        level = LEVELS.get(str(self._body.get("level") or "info").lower())
        if level is None:
            known = ", ".join(level.value for level in LogLevel)
            raise bad_request(f"level: expected one of {known}")
        message = self._field("message")
        if not isinstance(message, str):
            raise bad_request("message: expected a string")
        limits = self._run.limits
        if len(checked("message", message).encode()) - 2 > limits.log_message:
            raise too_large(f"message: more than {limits.log_message} bytes")
        fields = self._body.get("fields") or {}
        if not isinstance(fields, dict):
            raise bad_request("fields: expected an object")
        if len(checked("fields", fields).encode()) > limits.log_fields:
            raise too_large(f"fields: more than {limits.log_fields} bytes of JSON")
        if self._run.on_log is not None:
            self._run.on_log(level, message, fields)
        return NULL

    async def act(self) -> bytes:
        """Do a tool action and return its result; with one key once."""
        once = self._once()
        known = self._channel.state.acted.get(once)
        if once and known is not None:
            return known.encode()
        tool = self._text("tool", MAX_TOOL_NAME_CHARS)
        action = self._text("action", MAX_TOOL_NAME_CHARS)
        config = self._body.get("config", self._body.get("params"))
        if config is None:
            config = {}
        if not isinstance(config, dict):
            raise bad_request("config: expected an object")
        if self._run.tool_action is None:
            raise CallRefusedError(
                404, "not_found", "tool actions are not available for this run"
            )
        answer = encode(await self._run.tool_action(tool, action, config))
        if once and len(answer) <= MAX_ANSWER_BYTES:
            await self._channel.remember(once, answer.decode())
        return answer

    async def get_variable(self) -> bytes:
        """Return a variable."""
        value = await self._variables.get(self._run.user, self._route.key)
        return self._variable(value)

    async def set_variable(self) -> bytes:
        """Set a variable, on a condition if there is one."""
        check_key(self._route.key)
        value = self._field("value")
        value_text(value)
        expected = self._body.get("expected", UNSET)
        if expected is not UNSET:
            checked("expected", expected)
        if_absent = self._body.get("ifAbsent", False)
        if not isinstance(if_absent, bool):
            raise bad_request("ifAbsent: expected true or false")
        stored = await self._variables.set(
            self._run.user,
            self._route.key,
            value,
            expected=expected,
            if_absent=if_absent,
            once=self._once(),
        )
        return self._variable(stored)

    async def delete_variable(self) -> bytes:
        """Delete a variable."""
        user, key = self._run.user, self._route.key
        deleted = await self._variables.delete(user, key, once=self._once())
        return encode({"deleted": deleted})

    async def list_variables(self) -> bytes:
        """Return the variables whose keys begin with a prefix."""
        prefix, limit = self._request.query("prefix"), self._run.limits.listing
        found = await self._variables.list(self._run.user, prefix, limit)
        return encode({"variables": found})

    async def increment_variable(self) -> bytes:
        """Add to a number."""
        check_key(self._route.key)
        by = self._body.get("by", 1)
        if isinstance(by, bool) or not isinstance(by, int | float):
            raise bad_request("by: expected a number")
        checked("by", by)
        user, key = self._run.user, self._route.key
        return self._variable(
            await self._variables.increment(user, key, by, once=self._once())
        )

    async def append_to_variable(self) -> bytes:
        """Append to a string or a list."""
        check_key(self._route.key)
        value = self._field("value")
        value_text(value)
        separator = self._text("separator", MAX_PROGRESS_CHARS, optional=True)
        user, key = self._run.user, self._route.key
        return self._variable(
            await self._variables.append(user, key, value, separator, once=self._once())
        )

    def _variable(self, value: Any) -> bytes:
        return encode({"key": self._route.key, "value": value})

    def _field(self, name: str) -> Any:
        if name not in self._body:
            raise bad_request(f"{name}: required, but missing")
        return self._body[name]

    def _text(self, name: str, most: int, *, optional: bool = False) -> str:
        value = self._body.get(name)
        if optional and value is None:
            return ""
        if not isinstance(value, str) or len(value) > most:
            raise bad_request(f"{name}: expected a string of at most {most} characters")
        # Refused here if it is one that cannot be written down.
        checked(name, value)
        return value

    def _once(self) -> str:
        once = self._request.header(b"idempotency-key")
        if len(once) > MAX_ONCE_CHARS or not once.isascii() or " " in once:
            raise bad_request(
                f"Idempotency-Key: expected at most {MAX_ONCE_CHARS} ASCII characters "
                "without spaces"
            )
        return once


_CALLS: dict[str, Callable[[Call], Awaitable[bytes]]] = {
    "GET input": Call.read_input,
    "GET context": Call.read_context,
    "POST output": Call.set_output,
    "POST condition": Call.set_condition,
    "GET condition": Call.read_condition,
    "POST progress": Call.set_progress,
    "POST logs": Call.log,
    "GET variables": Call.list_variables,
    "GET variable": Call.get_variable,
    "PUT variable": Call.set_variable,
    "DELETE variable": Call.delete_variable,
    "POST variable/increment": Call.increment_variable,
    "POST variable/append": Call.append_to_variable,
    TOOL_ACTION: Call.act,
}

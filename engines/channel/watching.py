"""Whom the channels tell of the calls that scripts make."""

UNKNOWN_CALL = "unknown"


class CallWatch:
    """Told of each call. This one heeds nothing of it."""

    def answered(self, call: str, status: int, seconds: float) -> None:
        """A call was answered.

        Args:
            call: Its name, such as `GET input`; `unknown` when it is none of ours.
            status: HTTP status of the answer.
            seconds: From its head to its answer, which may not have been read yet.
        """

"""One log line's way out: split, redact, number, spool, relay.

Knows nothing of Temporal, Docker or SSH: bytes come in, acknowledged records go out.
"""

from logstream.redact import RedactingStream, Redactor
from logstream.relay import Relay
from logstream.runlog import RunLog
from logstream.spool import Spool, SpoolDirectory

__all__ = ["RedactingStream", "Redactor", "Relay", "RunLog", "Spool", "SpoolDirectory"]

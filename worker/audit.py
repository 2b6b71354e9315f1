"""Where the audit log goes: a file, the standard output, or nowhere."""

import logging
import os
import sys
from io import TextIOWrapper
from logging.handlers import WatchedFileHandler

from contracts.audit import logger
from contracts.errors import CroniumError

OFF, STDOUT = "off", "stdout"
MODE = 0o600


class AuditUnavailable(CroniumError):
    """The audit log cannot be written."""

    hint = "Make its directory writable for this process, or change CRONIUM_AUDIT_LOG."


class AuditFile(WatchedFileHandler):
    """Appends to a file that others may move away; only its owner may read it."""

    def _open(self) -> TextIOWrapper:
        file = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, MODE)
        return open(file, "a", encoding="utf-8")


def write_audit(target: str) -> None:
    """Send the lines of this process to a target, and to no other.

    Args:
        target: Path of a file, `stdout` or `off`.

    Raises:
        AuditUnavailable: The file cannot be opened.
    """
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    if target == OFF:
        logger.setLevel(logging.CRITICAL + 1)
        return
    logger.addHandler(_handler(target))
    logger.setLevel(logging.INFO)


def _handler(target: str) -> logging.Handler:
    if target == STDOUT:
        return logging.StreamHandler(sys.stdout)
    try:
        return AuditFile(target)
    except OSError as error:
        raise AuditUnavailable(
            f"the audit log {target} cannot be opened: {error.strerror}"
        ) from None

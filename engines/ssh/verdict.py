"""From a script's end on a server to a typed error that a person understands."""

from contracts.errors import ErrorInfo, SandboxInterrupted, ScriptError
from contracts.events import EventSpec
from contracts.limits import MIB
from engines.endings import SIGNAL_BASE, failed, killed
from engines.places import SandboxExit
from engines.scripts import MISSING_CODE

MISSING_MARK = "cronium: not on this server: "


def judge(
    event: EventSpec, end: SandboxExit, last_lines: list[str], output_bytes: int
) -> ErrorInfo:
    """Say why a script that exited with a code other than 0 did not succeed."""
    words = "\n".join(last_lines)
    if end.flooded:
        return ErrorInfo(
            type=ScriptError.OUTPUT_LIMIT,
            message="The script was stopped because it wrote more than "
            f"{output_bytes // MIB} MB of output.",
            hint="Write less, or into a file of its own.",
        )
    if end.interrupted:
        return SandboxInterrupted(
            "The process that keeps the script on the server was killed; how the "
            "script ended is not known.",
            hint="Look at the server: memory may have run out. Then run it again.",
        ).info
    if end.code == MISSING_CODE and MISSING_MARK in words:
        name = words.split(MISSING_MARK, 1)[1].split("\n", 1)[0].strip()
        return ErrorInfo(
            type=ScriptError.INTERPRETER_MISSING,
            message=f"{name} is not on the server, or not on its PATH.",
            hint=f"Install {name}, or set PATH in the event's environment.",
        )
    return killed(end.code) if end.code > SIGNAL_BASE else failed(end.code)

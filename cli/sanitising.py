"""Make a script's line safe to show on somebody's terminal.

Colours (SGR) pass. What could move the cursor, set the title, write to the clipboard,
or make the terminal answer is shown as what it is instead of being obeyed.
"""

import re

_SGR = r"\x1b\[[0-9;:]*m"
_CONTROL = re.compile(
    rf"(?P<sgr>{_SGR})"
    # OSC, DCS, PM, APC and SOS with their text, to their end or that of the line.
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|\x1b[ -/]*[0-~]?"
    # All other controls but the tab; U+2028 ff. and bidi controls reorder a line.
    r"|[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
_RESET = "\x1b[0m"


def neutralise(text: str, *, colours: bool = True) -> str:
    """Return text that changes nothing on a terminal but colours.

    Args:
        text: One line, without its newline.
        colours: Whether SGR sequences pass; they are ended at the end of the line.
    """
    # A progress bar rewrites its line: what a person would see last is kept.
    text = text.rstrip("\r").rpartition("\r")[2]
    shown = _CONTROL.sub(lambda match: _replaced(match, colours), text)
    return shown + _RESET if "\x1b" in shown else shown


def _replaced(match: re.Match[str], colours: bool) -> str:
    if match["sgr"] is not None:
        return match[0] if colours else ""
    control = match[0]
    if len(control) > 1 or control == "\x1b":
        return ""
    # U+2400 ff. are pictures of the control characters.
    code = ord(control)
    return chr(0x2400 + code) if code < 0x20 else "\N{REPLACEMENT CHARACTER}"

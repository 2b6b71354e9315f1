"""Tool actions: an event that sends through a tool of the operator.

The operator's tools have their addresses in secrets; what the event itself gives is the
message. Tools that do more than send have no counterpart.
"""

import json
from typing import Any

from migration.credentials import is_credential, names_credential
from migration.notes import Subject
from migration.rows import Row

SENDING = {
    "email": ("send-email", "send_email", "send-message", "send_message"),
    "slack": ("slack-send-message", "send-message", "send_message"),
    "discord": ("discord-send-message", "send-message", "send_message"),
    "teams": ("teams-send-message", "send-message", "send_message"),
}


def script_of_tool(row: Row, subject: Subject) -> str | None:
    """Return a script that does what the tool action did, or None."""
    config = row.parsed("toolActionConfig")
    if not isinstance(config, dict):
        row.wrong("toolActionConfig", "expected {toolType, actionId, parameters}")
        return None
    tool = str(config.get("toolType", "")).lower()
    parameters = config.get("parameters")
    if config.get("actionId") not in SENDING.get(tool, ()):
        subject.left_out("a tool action that no tool here can do: only messages are")
        return None
    kept = _without_credentials(parameters if isinstance(parameters, dict) else {})
    subject.do(
        f"the operator sets up the tool {tool} (`CRONIUM_NOTIFY_…`): credentials of "
        "the app's tools are not in the export"
    )
    if "{{" in json.dumps(kept):
        subject.do("its parameters have templates, which the script must fill in")
    subject.changed("a tool action is a script that calls the same tool")
    text = json.dumps(kept, indent=2, ensure_ascii=False, sort_keys=True)
    return (
        "import json\n\n"
        f"CONFIG = json.loads({_literal(text)})\n"
        f'cronium.execute_tool_action("{tool}", "send_message", CONFIG)\n'
    )


def _literal(text: str) -> str:
    if '"""' in text or "\\" in text:
        return repr(text)
    return f'"""\n{text}\n"""'


def _without_credentials(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {
            key: _without_credentials(item, key)
            for key, item in value.items()
            if not (isinstance(item, str) and names_credential(key))
        }
    if isinstance(value, list):
        return [_without_credentials(item, name) for item in value]
    if isinstance(value, str) and is_credential(value):
        return ""
    return value

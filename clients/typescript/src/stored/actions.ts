/** From a stored conditional action to what follows an event. */

import type { EventAction, MessageAction, When } from "../generated/types.js";
import { eventOf } from "./event.js";
import { type Mapping, wordOf } from "./mapping.js";
import type { Id, StoredAction, StoredActionDetails, StoredActionRow } from "./rows.js";
import { templateOf } from "./templates.js";

const WHEN: Record<string, When> = {
  ALWAYS: "always",
  ON_SUCCESS: "on_success",
  ON_FAILURE: "on_failure",
  ON_CONDITION: "on_condition",
};

interface Plain extends StoredActionDetails {
  kind: string;
  when: When;
}

/** Returns the action, or nothing when the row stands for none. */
export function actionOf(
  stored: StoredAction | StoredActionRow,
  path: string,
  mapping: Mapping,
  above: Id[],
): EventAction | MessageAction | undefined {
  const action = plainOf(stored, path, mapping);
  if (action.kind === "NONE") return undefined;
  if (action.kind === "SCRIPT") return eventAction(action, path, mapping, above);
  if (action.kind === "SEND_MESSAGE") return messageAction(action, path, mapping);
  return mapping.refuse(`${path}.type`, "expected SCRIPT, SEND_MESSAGE or NONE");
}

/** Both forms as one: the table's says by the column that is set when it fires. */
function plainOf(stored: StoredAction | StoredActionRow, path: string, mapping: Mapping): Plain {
  if ("action" in stored) {
    const when = WHEN[stored.type];
    if (!when) mapping.refuse(`${path}.type`, `expected one of ${Object.keys(WHEN).join(", ")}`);
    return { ...stored.details, kind: stored.action, when };
  }
  const { type: kind, successEventId, failEventId, conditionEventId, ...details } = stored;
  const when: When =
    successEventId != null
      ? "on_success"
      : failEventId != null
        ? "on_failure"
        : conditionEventId != null
          ? "on_condition"
          : "always";
  return { ...details, kind, when };
}

function eventAction(action: Plain, path: string, mapping: Mapping, above: Id[]): EventAction {
  const id = action.targetEventId;
  if (id == null) return mapping.refuse(`${path}.targetEventId`, "required, but missing");
  if (above.some((earlier) => String(earlier) === String(id)))
    mapping.refuse(`${path}.targetEventId`, `leads back to event ${id}: a circle never ends`);
  const row = mapping.options.events?.(id);
  if (!row) return mapping.refuse(`${path}.targetEventId`, `there is no event ${id}`);
  return { kind: "event", when: action.when, event: eventOf(row, mapping, above) };
}

function messageAction(action: Plain, path: string, mapping: Mapping): MessageAction {
  const { toolId, emailAddresses, emailSubject, message, when } = action;
  if (toolId == null) return mapping.refuse(`${path}.toolId`, "required, but missing");
  const secret = mapping.options.toolSecret?.(toolId) ?? `TOOL_${wordOf(toolId)}`;
  mapping.note(path, `the secret ${secret} must hold the Apprise URL of the tool ${toolId}`);
  if (emailAddresses)
    mapping.note(`${path}.emailAddresses`, `put the recipients or the channel into ${secret}`);
  return {
    kind: "message",
    when,
    targets: [{ secret }],
    ...(emailSubject
      ? { subject: templateOf(emailSubject, `${path}.emailSubject`, mapping) }
      : {}),
    body: templateOf(message || "{{cronium.event.name}}", `${path}.message`, mapping),
  };
}

// Made by `npm run generate` from contracts.json: do not edit.

export const ATTRIBUTE_EVENT = "CroniumEventId";
export const ATTRIBUTE_STATUS = "CroniumStatus";
export const ATTRIBUTE_USER = "CroniumUserId";
export const EVENT_WORKFLOW = "EventWorkflow";
export const GRAPH_WORKFLOW = "GraphWorkflow";
export const ID_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._-]*$";
export const LOCAL_TARGET = "local";
export const PAYLOAD_ERROR_TYPE = "PayloadValidationError";
export const TASK_QUEUE = "cronium";
export const MAX_JSON_DEPTH = 100;
export const MAX_REQUEST_BYTES = 1966080;
export const MAX_TIMEOUT_SECONDS = 86400;
export const TOKEN_AUDIENCE = "cronium-gateway";

/** Rows of the app's database, as its tables and its job payloads have them. */

export type TimeUnit = "SECONDS" | "MINUTES" | "HOURS" | "DAYS";
export type Id = number | string;

/** A value that jsonb columns hold as it is, and older rows as a text of JSON. */
export type Jsonish<T> = T | string | null;

export interface StoredPair {
  key: string;
  value: string;
}

/** A row of `events`, with those of the tables that belong to it. */
export interface StoredEvent {
  id: Id;
  userId?: string | null;
  name: string;
  type: "NODEJS" | "PYTHON" | "BASH" | "HTTP_REQUEST" | "TOOL_ACTION";
  content?: string | null;
  httpMethod?: string | null;
  httpUrl?: string | null;
  httpHeaders?: Jsonish<StoredPair[] | Record<string, string>>;
  httpBody?: string | null;
  toolActionConfig?: Jsonish<StoredToolAction>;
  runLocation?: "LOCAL" | "REMOTE" | null;
  serverId?: Id | null;
  selectedServerIds?: Id[] | null;
  envVars?: StoredPair[] | null;
  timeoutValue?: number | null;
  timeoutUnit?: TimeUnit | null;
  retries?: number | null;
  tags?: string[] | null;
  conditionalActions?: (StoredAction | StoredActionRow)[] | null;
}

export interface StoredToolAction {
  toolType: string;
  actionId?: string;
  toolId?: Id;
  parameters?: unknown;
  /** As job payloads call the parameters. */
  config?: unknown;
}

/** A conditional action as the app's API has it. */
export interface StoredAction {
  type: "ALWAYS" | "ON_SUCCESS" | "ON_FAILURE" | "ON_CONDITION";
  action: "SCRIPT" | "SEND_MESSAGE" | "NONE";
  details?: StoredActionDetails;
}

export interface StoredActionDetails {
  emailAddresses?: string | null;
  emailSubject?: string | null;
  targetEventId?: Id | null;
  toolId?: Id | null;
  message?: string | null;
}

/** A conditional action as its table has it: the column that is set says when it fires. */
export interface StoredActionRow extends StoredActionDetails {
  type: "SCRIPT" | "SEND_MESSAGE" | "NONE";
  successEventId?: Id | null;
  failEventId?: Id | null;
  alwaysEventId?: Id | null;
  conditionEventId?: Id | null;
}

/** A row of `servers`. */
export interface StoredServer {
  id: Id;
  name: string;
  address: string;
  port?: number | null;
  username?: string | null;
  /** Encrypted; here it matters only whether there is one. */
  sshKey?: string | null;
  password?: string | null;
}

/** A row of `workflows`, with its nodes and edges. */
export interface StoredWorkflow {
  id: Id;
  name: string;
  description?: string | null;
  tags?: string[] | null;
  overrideEventServers?: boolean | null;
  overrideServerIds?: Id[] | null;
  nodes: { id: Id; eventId: Id }[];
  edges?: { sourceNodeId: Id; targetNodeId: Id; connectionType?: string | null }[] | null;
}

/** A row of `jobs`. */
export interface StoredJob {
  id: string;
  eventId: Id;
  userId?: string | null;
  /** LOW is 0, CRITICAL is 3. */
  priority?: number | null;
  payload: Jsonish<StoredPayload>;
  metadata?: Jsonish<{ eventName?: string; triggeredBy?: string }>;
}

/** What the app stores with a job. */
export interface StoredPayload {
  input?: unknown;
  script?: { type: "NODEJS" | "PYTHON" | "BASH"; content: string };
  httpRequest?: {
    method?: string;
    url: string;
    headers?: StoredPair[] | Record<string, string>;
    body?: string | null;
  };
  toolAction?: StoredToolAction;
  environment?: Record<string, string>;
  target?: { containerImage?: string; serverId?: Id };
  timeout?: { value: number; unit: TimeUnit };
  retries?: number | null;
}

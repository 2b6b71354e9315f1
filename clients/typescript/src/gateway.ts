/** The gateway's REST API: what ran, how it ended, what it wrote. */

import { GatewayUnavailable, SettingInvalid, errorOf } from "./errors.js";
import type {
  ErrorAnswer,
  ExecutionDetail,
  ExecutionPage,
  LogPage,
  Status,
} from "./generated/types.js";
import { mintToken, type Token } from "./tokens.js";

/** Where the gateway is. */
export interface GatewayOptions {
  /** Where this process reaches it: `http://127.0.0.1:8780`. */
  url: string;
  /** Where browsers reach it; unset: `url`. */
  publicUrl?: string;
  /** Signs tokens; without it neither logs nor lists can be read. */
  secret?: string;
}

/** Which executions to list. */
export interface ListOptions {
  /** At most so many, 1 to 500. */
  limit?: number;
  /** `nextBefore` of the page before. */
  before?: number;
  status?: Status;
  user?: string;
}

/** What a page needs to follow one log. */
export interface LogAccess extends Token {
  executionId: string;
  /** Base address of the gateway, as a browser reaches it. */
  url: string;
}

const CALL_SECONDS = 15;
const RENEW_BEFORE_MS = 60_000;

/** Reads from one gateway with a service token that it makes itself. */
export class Gateway {
  readonly #options: GatewayOptions;
  #service: Token | undefined;

  constructor(options: GatewayOptions) {
    this.#options = options;
  }

  /** Base address as this process reaches it. */
  get url(): string {
    return this.#options.url.replace(/\/+$/, "");
  }

  /** Base address as browsers reach it. */
  get publicUrl(): string {
    return (this.#options.publicUrl ?? this.#options.url).replace(/\/+$/, "");
  }

  /** Lists executions, newest first. */
  list(options: ListOptions = {}): Promise<ExecutionPage> {
    return this.#get("/api/executions", { ...options });
  }

  /** One execution, with its result once it is over. */
  execution(executionId: string): Promise<ExecutionDetail> {
    return this.#get(`/api/executions/${encodeURIComponent(executionId)}`);
  }

  /** Stored lines from `fromSeq` on. */
  lines(executionId: string, options: { fromSeq?: number; limit?: number } = {}): Promise<LogPage> {
    return this.#get(`/api/executions/${encodeURIComponent(executionId)}/logs`, options);
  }

  /** Makes what a browser needs to follow one log, and nothing else. */
  logAccess(executionId: string, lifetimeSeconds = 900): LogAccess {
    const token = mintToken(this.secret, "execution", executionId, lifetimeSeconds);
    return { ...token, executionId, url: this.publicUrl };
  }

  /** The secret that signs tokens. */
  get secret(): string {
    if (this.#options.secret) return this.#options.secret;
    throw new SettingInvalid("the gateway's secret is not known here", {
      hint: "Set CRONIUM_GATEWAY_SECRET_FILE to a copy of the gateway's gateway.secret.",
    });
  }

  async #get<T>(path: string, query: object = {}): Promise<T> {
    const url = new URL(this.url + path);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value));
    let response: Response;
    let body: unknown;
    try {
      response = await fetch(url, {
        headers: { Authorization: `Bearer ${this.#token()}` },
        signal: AbortSignal.timeout(CALL_SECONDS * 1000),
      });
      body = await response.json();
    } catch (error) {
      if (error instanceof SettingInvalid) throw error;
      throw new GatewayUnavailable(`no answer from the gateway at ${this.url}`, { cause: error });
    }
    if (response.ok) return body as T;
    throw refusal(response.status, body);
  }

  #token(): string {
    const renewAt = (this.#service?.expiresAt.getTime() ?? 0) - RENEW_BEFORE_MS;
    if (!this.#service || Date.now() > renewAt)
      this.#service = mintToken(this.secret, "service", "cronium-client", 600);
    return this.#service.token;
  }
}

function refusal(status: number, body: unknown): Error {
  const error = (body as Partial<ErrorAnswer> | null)?.error;
  if (!error) return new GatewayUnavailable(`the gateway answered with status ${status}`);
  return errorOf(error.type, error.message, { hint: error.hint });
}

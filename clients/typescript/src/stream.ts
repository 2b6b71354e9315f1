/**
 * Follows the log of one execution over the gateway's WebSocket, across cut-offs, lost
 * connections and restarts: every line once, in order. Knows nothing of Temporal or
 * Node.js, so that pages can use it.
 */

import { ExecutionNotFound, TokenRefused } from "./errors.js";
import type { LogLine, Status, ViewerEnd } from "./generated/types.js";
import { Socket, type SocketClosed, type WebSocketLike } from "./socket.js";

/** Where a log is and how to read it. */
export interface LogStreamOptions {
  /** Base address of the gateway. */
  url: string;
  executionId: string;
  /** A token, or a function that gets a fresh one each time a connection is made. */
  token: string | (() => string | Promise<string>);
  /** First line wanted, from 1; one above the last line that was seen. */
  fromSeq?: number;
  /** Ends the stream without an error. */
  signal?: AbortSignal;
  /** Told when the execution's status changes. */
  onStatus?: (status: Status) => void;
  /** Told when the connection is there (true) and when it is lost (false). */
  onConnection?: (connected: boolean) => void;
  /** Constructor to use; unset: the global one. */
  WebSocket?: WebSocketLike;
  /**
   * A connection that is silent for so long is made anew, in seconds. Nobody tells a
   * browser that a network is gone.
   */
  idleSeconds?: number;
  /** So many lines may wait for a reader; then the connection rests until they are read. */
  maxBuffered?: number;
}

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5_000;
const REFUSED = 4401;
const UNKNOWN = 4404;
const SUBPROTOCOL = "cronium.logs.v1";

/** The log of one execution: `for await (const line of stream)`. */
export class LogStream implements AsyncIterable<LogLine> {
  /** The next line to come; give it as `fromSeq` to go on later. */
  nextSeq: number;
  /** The newest status that the gateway has said. */
  status: Status | undefined;
  /** Set once the execution is over and every line was given. */
  end: ViewerEnd | undefined;
  readonly #options: LogStreamOptions;

  constructor(options: LogStreamOptions) {
    this.#options = options;
    this.nextSeq = options.fromSeq ?? 1;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<LogLine, void> {
    for await (const lines of this.batches()) yield* lines;
  }

  /**
   * The lines as they come, some at a time, until the execution is over.
   *
   * @throws {TokenRefused} the gateway does not take the token, not even a fresh one.
   * @throws {ExecutionNotFound} there is no such execution, or it is another user's.
   */
  async *batches(): AsyncGenerator<LogLine[], void> {
    let wait = FIRST_WAIT_MS;
    let refusals = 0;
    while (!this.end && !this.#aborted) {
      const before = this.nextSeq;
      const closed = yield* this.#connection();
      if (this.end || this.#aborted) return;
      refusals = closed.code === REFUSED ? refusals + 1 : 0;
      this.#raiseIfFinal(closed, refusals);
      // A token that has run out and a reader that was slow are nobody's trouble.
      if (closed.rested || refusals) continue;
      wait = this.nextSeq > before ? FIRST_WAIT_MS : wait;
      // Jitter: viewers must not come back in the same instant.
      await pause(wait * (0.5 + Math.random()), this.#options.signal);
      wait = Math.min(2 * wait, LONGEST_WAIT_MS);
    }
  }

  get #aborted(): boolean {
    return this.#options.signal?.aborted ?? false;
  }

  async *#connection(): AsyncGenerator<LogLine[], SocketClosed> {
    const socket = await this.#open();
    try {
      for (;;) {
        const message = await socket.next();
        if ("code" in message) return message;
        if (message.type === "lines") {
          // A line that was seen before a reconnect is not given twice.
          const fresh = message.lines.filter((line) => line.seq >= this.nextSeq);
          const last = fresh.at(-1);
          if (!last) continue;
          this.nextSeq = last.seq + 1;
          yield fresh;
        } else if (message.type === "status") this.#say(message.status);
        else if (message.type === "cutoff")
          return { code: 1000, reason: message.reason, rested: true };
        else if (message.type === "end") {
          this.#say(message.status);
          this.end = message;
          return { code: 1000, reason: "", rested: false };
        }
      }
    } finally {
      this.#options.onConnection?.(false);
      socket.close();
    }
  }

  async #open(): Promise<Socket> {
    const { url, executionId, token, signal, idleSeconds, maxBuffered } = this.#options;
    const secret = typeof token === "string" ? token : await token();
    const base = url.replace(/^http/, "ws").replace(/\/+$/, "");
    const address = `${base}/executions/${encodeURIComponent(executionId)}/logs`;
    return new Socket(`${address}?fromSeq=${this.nextSeq}`, {
      protocols: [SUBPROTOCOL, `bearer.${secret}`],
      WebSocket: this.#options.WebSocket,
      onOpen: () => this.#options.onConnection?.(true),
      signal,
      idleMs: (idleSeconds ?? 60) * 1000,
      maxBuffered: maxBuffered ?? 20_000,
    });
  }

  #say(status: Status): void {
    if (status === this.status) return;
    this.status = status;
    this.#options.onStatus?.(status);
  }

  #raiseIfFinal(closed: SocketClosed, refusals: number): void {
    if (closed.code === UNKNOWN) throw new ExecutionNotFound(closed.reason);
    const mayRenew = typeof this.#options.token === "function" && refusals < 2;
    if (closed.code === REFUSED && !mayRenew) throw new TokenRefused(closed.reason);
    if (closed.fault) throw closed.fault;
  }
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
  });
}


/** One connection to the gateway as a queue of messages that ends with its close. */

import { SettingInvalid } from "./errors.js";
import type { ViewerCutOff, ViewerEnd, ViewerLines, ViewerStatus } from "./generated/types.js";

export type ViewerMessage = ViewerLines | ViewerStatus | ViewerEnd | ViewerCutOff;

/** How a connection ended. */
export interface SocketClosed {
  code: number;
  reason: string;
  /** It was ended so that its reader could catch up: nothing is wrong. */
  rested: boolean;
  /** What makes it useless to try again. */
  fault?: Error;
}

/** The part of the standard WebSocket that is used here. */
export interface WebSocketLike {
  new (url: string, protocols: string[]): {
    addEventListener(type: string, listener: (event: any) => void): void;
    close(code?: number): void;
  };
}

export interface SocketOptions {
  protocols: string[];
  WebSocket?: WebSocketLike | undefined;
  onOpen: () => void;
  signal?: AbortSignal | undefined;
  idleMs: number;
  maxBuffered: number;
}

const GONE: SocketClosed = { code: 1006, reason: "", rested: false };

/** Reads one WebSocket; `next` gives what has come, and in the end why it ended. */
export class Socket {
  readonly #options: SocketOptions;
  readonly #socket: InstanceType<WebSocketLike>;
  readonly #messages: ViewerMessage[] = [];
  #buffered = 0;
  #closed: SocketClosed | undefined;
  #wake: (() => void) | undefined;
  #idle: ReturnType<typeof setTimeout> | undefined;
  readonly #onAbort = () => this.#finish(GONE);

  constructor(url: string, options: SocketOptions) {
    this.#options = options;
    const Kind = options.WebSocket ?? (globalThis.WebSocket as WebSocketLike | undefined);
    if (!Kind) throw new SettingInvalid("there is no WebSocket here: give one as an option");
    this.#socket = new Kind(url, options.protocols);
    this.#socket.addEventListener("open", () => this.#closed ?? options.onOpen());
    this.#socket.addEventListener("message", (event) => this.#take(event.data));
    // An error is always followed by a close, except before a connection is there.
    this.#socket.addEventListener("error", () => this.#finish(GONE));
    this.#socket.addEventListener("close", ({ code, reason }) =>
      this.#finish({ code, reason: String(reason ?? ""), rested: false }),
    );
    options.signal?.addEventListener("abort", this.#onAbort);
    this.#watch();
    if (options.signal?.aborted) this.#onAbort();
  }

  /** The next message, or, when all were given, how the connection ended. */
  async next(): Promise<ViewerMessage | SocketClosed> {
    for (;;) {
      const message = this.#messages.shift();
      if (message) {
        this.#buffered -= weightOf(message);
        return message;
      }
      if (this.#closed) return this.#closed;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Lets the connection go; nothing more comes. */
  close(): void {
    this.#finish(GONE);
  }

  #take(data: unknown): void {
    if (this.#closed) return;
    this.#watch();
    let message: ViewerMessage;
    try {
      message = JSON.parse(String(data)) as ViewerMessage;
    } catch {
      this.#finish(GONE);
      return;
    }
    this.#messages.push(message);
    this.#buffered += weightOf(message);
    // A browser cannot stop a sender. What is not read now is fetched again later.
    if (this.#buffered > this.#options.maxBuffered)
      this.#finish({ code: 1000, reason: "", rested: true });
    this.#wake?.();
  }

  #finish(closed: SocketClosed): void {
    if (this.#closed) return;
    this.#closed = closed;
    clearTimeout(this.#idle);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#socket.close();
    this.#wake?.();
  }

  #watch(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#finish(GONE), this.#options.idleMs);
  }
}

function weightOf(message: ViewerMessage): number {
  return message.type === "lines" ? message.lines.length : 0;
}

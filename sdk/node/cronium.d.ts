/** Types of `require('cronium')` and of the global `cronium`. */

declare class Cronium {
  /** Throws a CroniumError when the environment lacks what the executor sets. */
  constructor();
  readonly apiUrl: string;
  readonly token: string;
  readonly executionId: string;
  /** Requests in total while the executor answers with status 500. */
  maxRetries: number;
  /** Milliseconds before the second request; doubled after each. */
  retryDelay: number;
  /** Milliseconds for one request. */
  timeout: number;

  /** The event's input, or null. */
  input<T = Cronium.Json>(): Cronium.Result<T>;
  /** Set the event's output; the last call wins. */
  output(data: unknown): Promise<void>;
  /** What is known of the event. */
  event(): Cronium.Result<Cronium.EventContext>;
  /** A variable's value, or null when it is not set. */
  getVariable<T = Cronium.Json>(key: string): Cronium.Result<T>;
  /** Set a variable; a CroniumAPIError with statusCode 409 says that a condition failed. */
  setVariable(key: string, value: unknown, only?: Cronium.SetOnly): Promise<void>;
  variableExists(key: string): Promise<boolean>;
  /** Unset a variable; gives whether it was set. */
  deleteVariable(key: string): Promise<boolean>;
  listVariables(prefix?: string): Cronium.Result<Record<string, Cronium.Json>>;
  /** Add to a number as one step; gives the sum. Unset counts as 0. */
  incrementVariable(key: string, by?: number): Promise<number>;
  /** Append to a text, or an element to a list; gives the whole. */
  appendVariable<T = Cronium.Json>(key: string, value: unknown, separator?: string): Cronium.Result<T>;
  setCondition(condition: boolean): Promise<void>;
  getCondition(): Promise<boolean | null>;
  log(message: string): Promise<void>;
  log(level: Cronium.Level, message: string, fields?: Record<string, unknown>): Promise<void>;
  /** Say how much is done, from 0 to 1, and in words what is being done. */
  progress(fraction: number, text?: string): Promise<void>;
  sleep(seconds: number): Promise<void>;
  executeToolAction<T = Cronium.Json>(tool: string, action: string, config: object): Cronium.Result<T>;
  sendEmail<T = Cronium.Json>(message: Cronium.Email): Cronium.Result<T>;
  sendSlackMessage<T = Cronium.Json>(message: Cronium.SlackMessage): Cronium.Result<T>;
  sendDiscordMessage<T = Cronium.Json>(message: Cronium.DiscordMessage): Cronium.Result<T>;
}

declare namespace Cronium {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  type Json = any;
  type Level = 'debug' | 'info' | 'warning' | 'error';
  /** A promise; objects and arrays may be used without awaiting as well. */
  type Result<T> = Promise<T> & (T extends object ? T : unknown);
  interface SetOnly {
    /** Only while this is the value. */
    expected?: unknown;
    /** Only while it is not set. */
    ifAbsent?: boolean;
  }
  interface EventContext {
    id: string;
    name: string;
    type: string;
    userId: string | null;
    executionId: string;
    eventId: string;
    eventName: string;
    eventType: string;
    trigger: string;
    attempt: number;
    maxAttempts: number;
    startTime: string;
    tags: string[];
    runLocation: string;
    successCount: number;
    failureCount: number;
    server: Record<string, Json> | null;
    metadata: Record<string, Json>;
    [more: string]: Json;
  }
  interface Email {
    to: string | string[];
    subject: string;
    body: string;
    [more: string]: unknown;
  }
  interface SlackMessage {
    channel: string;
    text: string;
    [more: string]: unknown;
  }
  interface DiscordMessage {
    channelId: string;
    content: string;
    [more: string]: unknown;
  }

  /** The shared instance. */
  const cronium: Cronium;
  const input: Cronium['input'];
  const output: Cronium['output'];
  const event: Cronium['event'];
  const getVariable: Cronium['getVariable'];
  const setVariable: Cronium['setVariable'];
  const variableExists: Cronium['variableExists'];
  const deleteVariable: Cronium['deleteVariable'];
  const listVariables: Cronium['listVariables'];
  const incrementVariable: Cronium['incrementVariable'];
  const appendVariable: Cronium['appendVariable'];
  const setCondition: Cronium['setCondition'];
  const getCondition: Cronium['getCondition'];
  const log: Cronium['log'];
  const progress: Cronium['progress'];
  const sleep: Cronium['sleep'];
  const executeToolAction: Cronium['executeToolAction'];
  const sendEmail: Cronium['sendEmail'];
  const sendSlackMessage: Cronium['sendSlackMessage'];
  const sendDiscordMessage: Cronium['sendDiscordMessage'];

  class CroniumError extends Error {}
  class CroniumAPIError extends CroniumError {
    constructor(statusCode: number, message: string);
    readonly statusCode: number;
  }
  class CroniumTimeoutError extends CroniumError {}

  /** The global `cronium`: the same calls with plain values; errors are thrown. */
  interface Global {
    input<T = Json>(): T;
    output(data: unknown): void;
    event(): EventContext;
    getVariable<T = Json>(key: string): T;
    setVariable(key: string, value: unknown, only?: SetOnly): true;
    variableExists(key: string): boolean;
    deleteVariable(key: string): boolean;
    listVariables(prefix?: string): Record<string, Json>;
    incrementVariable(key: string, by?: number): number;
    appendVariable<T = Json>(key: string, value: unknown, separator?: string): T;
    setCondition(condition: boolean): boolean;
    getCondition(): boolean | null;
    log(message: string): void;
    log(level: Level, message: string, fields?: Record<string, unknown>): void;
    progress(fraction: number, text?: string): void;
    /** Block the whole program; the imported function does not. */
    sleep(seconds: number): void;
    executeToolAction<T = Json>(tool: string, action: string, config: object): T;
    sendEmail<T = Json>(message: Email): T;
    sendSlackMessage<T = Json>(message: SlackMessage): T;
    sendDiscordMessage<T = Json>(message: DiscordMessage): T;
    CroniumError: typeof CroniumError;
    CroniumAPIError: typeof CroniumAPIError;
    CroniumTimeoutError: typeof CroniumTimeoutError;
  }
}

declare global {
  // eslint-disable-next-line no-var
  var cronium: Cronium.Global;
}

export = Cronium;

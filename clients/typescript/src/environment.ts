/**
 * Options from the environment: the names that the executor and Temporal's own tools use,
 * and the record of a local stack that `cronium dev` keeps.
 */

import { existsSync, readFileSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import { loadClientConnectConfig } from "@temporalio/envconfig";
import type { CroniumOptions } from "./client.js";
import type { TemporalOptions } from "./connection.js";
import { SettingInvalid } from "./errors.js";
import type { GatewayOptions } from "./gateway.js";
import { KeyRing } from "./keys.js";

type Environment = Record<string, string | undefined>;

/** What `cronium dev` writes of itself. */
interface StackRecord {
  temporal: string;
  gateway: string;
}

/**
 * Options from these variables:
 *
 * - Temporal: `CRONIUM_TEMPORAL_ADDRESS` and `_NAMESPACE`, else the standard `TEMPORAL_…`
 *   variables and profile, else the local stack of `cronium dev`;
 * - gateway: `CRONIUM_GATEWAY_URL`, `CRONIUM_GATEWAY_PUBLIC_URL`, and its key in
 *   `CRONIUM_GATEWAY_SECRET` or the file `CRONIUM_GATEWAY_SECRET_FILE`;
 * - encryption: the file of keys in `CRONIUM_ENCRYPTION_KEYS_FILE`, or its content in
 *   `CRONIUM_ENCRYPTION_KEYS` where there are no files;
 * - `CRONIUM_TEMPORAL_TASK_QUEUE` and `CRONIUM_STATE_DIR`.
 *
 * @throws {SettingInvalid} a file that is named cannot be read.
 * @throws {KeyFileInvalid} the keys are not as they should be.
 */
export function optionsFromEnvironment(env: Environment = process.env): CroniumOptions {
  const state = env.CRONIUM_STATE_DIR || defaultStateDir(env);
  const profile = temporalProfile(env);
  const local = profile.address ? undefined : localStack(state);
  const encryption = keysIn(env);
  return {
    ...(encryption ? { encryption } : {}),
    temporal: { ...profile, ...(local ? { address: local.temporal } : {}) },
    gateway: gatewayOf(env, state, local),
    ...(env.CRONIUM_TEMPORAL_TASK_QUEUE ? { taskQueue: env.CRONIUM_TEMPORAL_TASK_QUEUE } : {}),
  };
}

/** Returns where a local stack is, or nothing when none has been started there. */
export function localStack(stateDir: string): StackRecord | undefined {
  try {
    return JSON.parse(readFileSync(join(stateDir, "dev.json"), "utf8")) as StackRecord;
  } catch {
    return undefined;
  }
}

function temporalProfile(env: Environment): TemporalOptions {
  const loaded = loadClientConnectConfig({ overrideEnvVars: definedIn(env) });
  const { address, apiKey, tls, metadata } = loaded.connectionOptions as TemporalOptions;
  const namespace = env.CRONIUM_TEMPORAL_NAMESPACE || loaded.namespace;
  const options: TemporalOptions = { apiKey, tls, metadata, namespace };
  options.address = env.CRONIUM_TEMPORAL_ADDRESS || address;
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function gatewayOf(env: Environment, state: string, local?: StackRecord): GatewayOptions {
  const url = local?.gateway ?? env.CRONIUM_GATEWAY_URL ?? "http://127.0.0.1:8780";
  const secret = env.CRONIUM_GATEWAY_SECRET || secretIn(env.CRONIUM_GATEWAY_SECRET_FILE, state);
  return {
    url,
    ...(env.CRONIUM_GATEWAY_PUBLIC_URL ? { publicUrl: env.CRONIUM_GATEWAY_PUBLIC_URL } : {}),
    ...(secret ? { secret } : {}),
  };
}

function keysIn(env: Environment): KeyRing | undefined {
  if (env.CRONIUM_ENCRYPTION_KEYS) return KeyRing.from(env.CRONIUM_ENCRYPTION_KEYS);
  const file = env.CRONIUM_ENCRYPTION_KEYS_FILE;
  return file ? KeyRing.fromFile(file) : undefined;
}

function secretIn(named: string | undefined, state: string): string | undefined {
  const file = named || join(state, "gateway.secret");
  if (!named && !existsSync(file)) return undefined;
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new SettingInvalid("the file with the gateway's secret cannot be read", {
      hint: "Correct CRONIUM_GATEWAY_SECRET_FILE, or give this process the right to read it.",
      cause: error,
    });
  }
}

function definedIn(env: Environment): Record<string, string> {
  const entries = Object.entries(env).filter((entry): entry is [string, string] => !!entry[1]);
  return Object.fromEntries(entries);
}

/** As the `cronium` command has it. */
function defaultStateDir(env: Environment): string {
  if (userInfo().uid === 0) return "/var/lib/cronium";
  return join(env.HOME || homedir(), ".local", "state", "cronium");
}

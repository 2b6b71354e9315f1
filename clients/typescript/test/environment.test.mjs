// Options from the environment: our names first, then Temporal's, then the local stack.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { SettingInvalid, optionsFromEnvironment } from "@cronium/client";

const state = mkdtempSync(join(tmpdir(), "cronium-env-"));
after(() => rmSync(state, { recursive: true }));
const stack = { temporal: "127.0.0.1:1234", gateway: "http://127.0.0.1:5678" };
writeFileSync(join(state, "dev.json"), JSON.stringify({ pid: 1, ...stack }));
writeFileSync(join(state, "gateway.secret"), "s".repeat(64) + "\n");
// No profile of whoever runs the tests may be found.
const base = { TEMPORAL_CONFIG_FILE: join(state, "none.toml"), CRONIUM_STATE_DIR: state };

test("a local stack is found by its record", () => {
  const options = optionsFromEnvironment(base);
  assert.equal(options.temporal.address, stack.temporal);
  assert.deepEqual(options.gateway, { url: stack.gateway, secret: "s".repeat(64) });
});

test("the standard Temporal variables win over a local stack", () => {
  const options = optionsFromEnvironment({
    ...base,
    TEMPORAL_ADDRESS: "temporal.example.com:7233",
    TEMPORAL_NAMESPACE: "prod",
    TEMPORAL_API_KEY: "key",
    CRONIUM_GATEWAY_URL: "https://logs.example.com",
    CRONIUM_GATEWAY_PUBLIC_URL: "https://public.example.com",
    CRONIUM_GATEWAY_SECRET: "t".repeat(64),
  });
  assert.equal(options.temporal.address, "temporal.example.com:7233");
  assert.equal(options.temporal.namespace, "prod");
  assert.equal(options.temporal.apiKey, "key");
  assert.deepEqual(options.gateway, {
    url: "https://logs.example.com",
    publicUrl: "https://public.example.com",
    secret: "t".repeat(64),
  });
});

test("our own names win over all", () => {
  const options = optionsFromEnvironment({
    ...base,
    TEMPORAL_ADDRESS: "a:1",
    CRONIUM_TEMPORAL_ADDRESS: "b:2",
    CRONIUM_TEMPORAL_NAMESPACE: "ours",
    CRONIUM_TEMPORAL_TASK_QUEUE: "queue",
  });
  assert.equal(options.temporal.address, "b:2");
  assert.equal(options.temporal.namespace, "ours");
  assert.equal(options.taskQueue, "queue");
});

test("a key file that is named but cannot be read is said", () => {
  const wrong = { ...base, CRONIUM_GATEWAY_SECRET_FILE: join(state, "no-such-file") };
  assert.throws(() => optionsFromEnvironment(wrong), SettingInvalid);
});

test("without a stack and without a key there are the usual addresses", () => {
  const options = optionsFromEnvironment({ ...base, CRONIUM_STATE_DIR: join(state, "none") });
  assert.equal(options.temporal.address, undefined);
  assert.deepEqual(options.gateway, { url: "http://127.0.0.1:8780" });
});

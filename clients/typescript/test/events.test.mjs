// Events against a real worker, Temporal server and gateway.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  CeilingExceeded,
  Cronium,
  ExecutionNotFound,
  PayloadValidationError,
  SecretUnavailable,
  TemporalUnavailable,
  fromStoredJob,
  getCronium,
  newExecutionId,
} from "@cronium/client";
import { bash, linesOf, newClient, written } from "./ground.mjs";

let cronium;
before(() => {
  cronium = newClient();
});
after(() => cronium.close());

test("an event runs: its lines, its output, its result", async () => {
  const event = bash("echo one; echo two >&2; cronium_output \"$(cronium_input)\"");
  const run = await cronium.runEvent(event, { input: { region: "nörd", n: [1, 2.5] } });
  const lines = await linesOf(run.logs());
  assert.deepEqual(written(lines).sort(), ["one", "two"]);
  assert.deepEqual(lines.map(({ seq }) => seq), lines.map((_, index) => index + 1));
  const result = await run.result();
  assert.equal(result.status, "SUCCESS");
  assert.equal(result.exitCode, 0);
  assert.deepEqual(result.output, { region: "nörd", n: [1, 2.5] });
  assert.equal(result.executionId, run.executionId);
  assert.equal(result.targets.length, 1);
});

test("a script that fails has a result, not an exception", async () => {
  const run = await cronium.runEvent(bash("exit 3", { retries: 1, backoff: { initialSeconds: 0 } }));
  const { status, exitCode, attempts, error } = await run.result();
  assert.deepEqual({ status, exitCode, attempts }, { status: "FAILURE", exitCode: 3, attempts: 2 });
  assert.equal(error.type, "ScriptFailed");
});

test("the same execution id is started once, at once and later", async () => {
  const executionId = newExecutionId();
  const event = bash("echo $RANDOM$RANDOM$RANDOM > /tmp/x; cronium_output \"\\\"$(cat /tmp/x)\\\"\"");
  const starts = Array.from({ length: 5 }, () => cronium.runEvent(event, { executionId }));
  const results = await Promise.all((await Promise.all(starts)).map((run) => run.result()));
  const again = await cronium.runEvent(event, { executionId });
  const outputs = new Set([...results, await again.result()].map(({ output }) => output));
  assert.equal(outputs.size, 1);
  assert.equal((await linesOf(again.logs())).filter(({ attempt }) => attempt > 1).length, 0);
});

test("what does not fit is refused before anything is started", async () => {
  const event = bash("true", { retries: 11, env: [{ name: "A", value: "1" }, { name: "2", value: "s3cret" }] });
  await assert.rejects(cronium.runEvent(event), (error) => {
    assert.ok(error instanceof PayloadValidationError);
    assert.deepEqual(error.problems.map(({ path }) => path), ["event.env[1].name", "event.retries"]);
    assert.ok(!error.message.includes("s3cret"));
    return true;
  });
  await assert.rejects(cronium.runEvent(bash("true"), { input: "x".repeat(2_000_000) }), {
    type: "PayloadValidationError",
  });
});

test("what only the executor can judge is refused with the field's path", async () => {
  const run = await cronium.runEvent(bash(null));
  await assert.rejects(run.result(), (error) => {
    assert.ok(error instanceof PayloadValidationError, error.stack);
    assert.match(error.message, /script/);
    assert.equal(error.path, "event");
    return true;
  });
  assert.equal((await run.status()).status, "FAILURE");
});

test("refusals of the operator come as the class of their type", async () => {
  const large = await cronium.runEvent(bash("true", { resources: { memoryMb: 60_000 } }));
  await assert.rejects(large.result(), (error) => {
    assert.ok(error instanceof CeilingExceeded);
    assert.match(error.message, /memoryMb/);
    assert.match(error.hint, /ceiling/);
    return true;
  });
  const secret = { env: [{ name: "TOKEN", secret: "NO_SUCH_SECRET" }] };
  const missing = await cronium.runEvent(bash("true", secret));
  // That is the worker's word about a run that it took: a result.
  const { status, error } = await missing.result();
  assert.deepEqual([status, error.type], ["FAILURE", SecretUnavailable.name]);
});

test("a run can be watched and cancelled from another process", async () => {
  const started = await cronium.runEvent(bash("echo up; sleep 600"));
  const other = newClient();
  const run = await other.execution(started.executionId);
  assert.equal(run.workflowId, started.workflowId);
  for await (const { text } of run.logs()) if (text === "up") break;
  const running = await run.status();
  assert.equal(running.status, "RUNNING");
  assert.equal(running.endedAt, undefined);
  assert.equal(running.targets[0].status, "RUNNING");
  await other.cancel(started.executionId);
  const result = await started.result();
  assert.deepEqual([result.status, result.exitCode], ["CANCELLED", -2]);
  const over = await other.status({ eventId: "ts", executionId: started.executionId });
  assert.equal(over.status, "CANCELLED");
  assert.ok(over.endedAt >= over.startedAt);
  // Once more changes nothing.
  await other.cancel(started.workflowId);
  assert.equal((await other.result(started.workflowId)).status, "CANCELLED");
  await other.close();
});

test("waiting for a result can be given up; the run goes on", async () => {
  const run = await cronium.runEvent(bash("sleep 3; cronium_output 7"));
  await assert.rejects(run.result({ signal: AbortSignal.timeout(200) }), { name: "TimeoutError" });
  assert.equal((await run.result()).output, 7);
});

test("an unknown execution is said to be unknown", async () => {
  await assert.rejects(cronium.status("no-such-execution"), ExecutionNotFound);
  await assert.rejects(cronium.status("event:ts:no-such-execution"), ExecutionNotFound);
  await assert.rejects(cronium.cancel({ eventId: "ts", executionId: "no" }), ExecutionNotFound);
  await assert.rejects(cronium.gateway.execution("no-such-execution"), ExecutionNotFound);
});

test("the gateway lists executions, and keeps them apart by user", async () => {
  const run = await cronium.runEvent(bash("echo listed"), { user: "ada" });
  await run.result();
  await linesOf(run.logs());
  const { executions } = await cronium.list({ user: "ada", limit: 5 });
  assert.equal(executions[0].executionId, run.executionId);
  assert.equal(executions[0].trigger, "api");
  assert.equal((await cronium.gateway.execution(run.executionId)).result.status, "SUCCESS");
  const page = await cronium.gateway.lines(run.executionId);
  assert.deepEqual(written(page.lines), ["listed"]);
});

test("a Temporal server that is not there is said in time", async () => {
  const away = new Cronium({ temporal: { address: "127.0.0.1:9", callSeconds: 0.5 } });
  await assert.rejects(away.runEvent(bash("true")), TemporalUnavailable);
  await away.close();
});

test("a module that is loaded again finds the same client", async () => {
  const first = getCronium();
  const again = await import("../dist/esm/singleton.js?reloaded");
  assert.notEqual(again.getCronium, getCronium);
  assert.equal(again.getCronium(), first);
  await first.close();
});

test("a stored job runs as it is", async () => {
  const tool = {
    id: `job_${newExecutionId()}`,
    eventId: 31,
    payload: {
      toolAction: { toolType: "nosuch", config: { text: 'a "quoted" \\ word' } },
      timeout: { value: 1, unit: "MINUTES" },
    },
    metadata: { eventName: "tool" },
  };
  const run = await cronium.start(fromStoredJob(tool).request);
  const lines = await linesOf(run.logs());
  // The script was valid and made its call: the operator has no such tool.
  assert.equal((await run.result()).status, "FAILURE");
  assert.match(written(lines).join("\n"), /nosuch/);
  const job = {
    ...tool,
    id: `job_${newExecutionId()}`,
    payload: {
      input: { region: "south" },
      script: { type: "BASH", content: "cronium_output \"$(cronium_input)\"; echo $TIER" },
      environment: { TIER: "green" },
      timeout: { value: 1, unit: "MINUTES" },
    },
  };
  const { request } = fromStoredJob(job, { env: (_key, value) => ({ value }) });
  const second = await cronium.start(request);
  assert.deepEqual(written(await linesOf(second.logs())), ["green"]);
  const result = await second.result();
  assert.deepEqual([result.executionId, result.output], [job.id, { region: "south" }]);
});

test("CommonJS programs can use it", async () => {
  const program = `
    const { Cronium, optionsFromEnvironment } = require("@cronium/client");
    (async () => {
      const cronium = new Cronium(optionsFromEnvironment());
      const run = await cronium.runEvent(${JSON.stringify(bash("echo from cjs"))});
      for await (const { text, stream } of run.logs()) if (stream === "stdout") console.log(text);
      console.log((await run.result()).status);
      await cronium.close();
    })();`;
  const cwd = fileURLToPath(new URL("..", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ["-e", program], { cwd });
  assert.equal(stdout, "from cjs\nSUCCESS\n");
});

// Logs across cut connections, slow readers and tokens that run out.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { LogStream, TokenRefused, mintToken } from "@cronium/client";
import { WebSocket } from "ws";
import { bash, linesOf, newClient, proxy, written } from "./ground.mjs";

const COUNT = "for i in $(seq 1 40); do echo line $i; sleep 0.05; done";
const EXPECTED = Array.from({ length: 40 }, (_, index) => `line ${index + 1}`);
let cronium;
before(() => {
  cronium = newClient();
});
after(() => cronium.close());

const contiguous = (lines, from = 1) =>
  assert.deepEqual(lines.map(({ seq }) => seq), lines.map((_, index) => index + from));

test("a reader goes on where it stopped", async () => {
  const run = await cronium.runEvent(bash(COUNT));
  const first = [];
  const stream = run.logs();
  for await (const line of stream) if (first.push(line) === 10) break;
  const from = first.at(-1).seq + 1;
  const rest = await linesOf(run.logs({ fromSeq: from }));
  contiguous([...first, ...rest]);
  assert.deepEqual(written([...first, ...rest]), EXPECTED);
});

test("cut connections lose and repeat nothing", async () => {
  const run = await cronium.runEvent(bash(COUNT));
  const between = await proxy(cronium.gateway.url);
  const states = [];
  const stream = new LogStream({
    url: between.url,
    executionId: run.executionId,
    token: cronium.logAccess(run.executionId).token,
    WebSocket,
    onConnection: (connected) => states.push(connected),
  });
  const lines = [];
  for await (const line of stream) {
    lines.push(line);
    if (lines.length % 10 === 5) between.cut();
  }
  contiguous(lines);
  assert.deepEqual(written(lines), EXPECTED);
  assert.ok(between.connections >= 3, `${between.connections} connections`);
  assert.deepEqual(states.slice(0, 3), [true, false, true]);
  assert.equal(stream.end.complete, true);
  assert.equal(stream.status, "SUCCESS");
  await between.close();
});

test("a slow reader gets all lines without keeping all of them", async () => {
  const run = await cronium.runEvent(bash("seq 1 20000"));
  await run.result();
  const between = await proxy(cronium.gateway.url);
  const stream = new LogStream({
    url: between.url,
    executionId: run.executionId,
    token: cronium.logAccess(run.executionId).token,
    WebSocket,
    maxBuffered: 500,
  });
  const lines = [];
  for await (const batch of stream.batches()) {
    lines.push(...batch);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  contiguous(lines);
  assert.deepEqual(written(lines), Array.from({ length: 20000 }, (_, index) => `${index + 1}`));
  assert.ok(between.connections > 1);
  await between.close();
});

test("a silent connection is made anew", async () => {
  const run = await cronium.runEvent(bash("echo first; sleep 4; echo last"));
  let connections = 0;
  const onConnection = (connected) => (connections += connected ? 1 : 0);
  const lines = await linesOf(run.logs({ idleSeconds: 0.5, onConnection }));
  assert.deepEqual(written(lines), ["first", "last"]);
  assert.ok(connections > 1, `${connections} connections`);
});

test("statuses are told once each, in order", async () => {
  const statuses = [];
  const run = await cronium.runEvent(bash("sleep 1"));
  await linesOf(run.logs({ onStatus: (status) => statuses.push(status) }));
  assert.equal(statuses.at(-1), "SUCCESS");
  assert.deepEqual([...new Set(statuses)], statuses);
});

test("a token that has run out is replaced, a wrong one is refused", async () => {
  const run = await cronium.runEvent(bash("echo read me"));
  await run.result();
  const { secret, url } = cronium.gateway;
  const expired = mintToken(secret, "execution", run.executionId, -10).token;
  const fresh = mintToken(secret, "execution", run.executionId, 60).token;
  const common = { url, executionId: run.executionId, WebSocket };
  const tokens = [expired, fresh];
  const lines = await linesOf(new LogStream({ ...common, token: () => tokens.shift() }));
  assert.deepEqual(written(lines), ["read me"]);
  assert.deepEqual(tokens, []);
  await assert.rejects(linesOf(new LogStream({ ...common, token: expired })), TokenRefused);
  let asked = 0;
  const never = () => (asked++, mintToken("x".repeat(64), "execution", "e", 60).token);
  await assert.rejects(linesOf(new LogStream({ ...common, token: never })), TokenRefused);
  assert.equal(asked, 2);
});

test("a signal ends a stream without an error", async () => {
  const run = await cronium.runEvent(bash("echo up; sleep 600"));
  const leaving = new AbortController();
  const seen = [];
  for await (const { text } of run.logs({ signal: leaving.signal })) {
    seen.push(text);
    if (text === "up") leaving.abort();
  }
  assert.ok(seen.includes("up"));
  assert.deepEqual(await linesOf(run.logs({ signal: leaving.signal })), []);
  await run.cancel();
  assert.equal((await run.result()).status, "CANCELLED");
});

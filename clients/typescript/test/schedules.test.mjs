// Schedules, on a real Temporal server, and as `cronium schedule` sees them.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { PayloadValidationError, ScheduleForeign, ScheduleNotFound, newExecutionId } from "@cronium/client";
import { bash, newClient } from "./ground.mjs";

let cronium;
before(() => {
  cronium = newClient();
});
after(() => cronium.close());

const event = bash("cronium_output 7");
const newId = () => `ts-${newExecutionId()}`;

async function until(look) {
  for (;;) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

test("a schedule is made, shown by the command, changed and deleted", async () => {
  const id = newId();
  await cronium.schedule({ id, event, everySeconds: 420, input: { a: 1 }, paused: true });
  const before = await cronium.schedules.status(id);
  assert.equal(before.paused, true);
  assert.deepEqual(before.nextRuns.map((at) => at.getTime() % 420_000), before.nextRuns.map(() => 0));
  const { stdout } = await promisify(execFile)("cronium", ["schedule", "show", id, "--json"]);
  // The command reads it as it was written.
  assert.match(stdout, /"everySeconds": 420\b/);
  await cronium.schedule({ id, event, everySeconds: 3600, startAt: "2030-01-01T00:00:30Z", paused: false });
  const changed = await cronium.schedules.status(id);
  assert.equal(changed.paused, false);
  assert.equal(changed.nextRuns[0].toISOString(), "2030-01-01T00:00:30.000Z");
  await cronium.schedules.pause(id, "for the night");
  assert.equal((await cronium.schedules.status(id)).note, "for the night");
  await cronium.schedules.resume(id, "morning");
  assert.equal((await cronium.schedules.status(id)).paused, false);
  await cronium.schedules.delete(id);
  await assert.rejects(cronium.schedules.status(id), ScheduleNotFound);
});

test("its runs are executions like others", async () => {
  const id = newId();
  const user = `u-${id}`;
  await cronium.schedule({ id, event, everySeconds: 86_400, user });
  await cronium.schedules.trigger(id);
  const [run] = await until(async () => {
    const { executions } = await cronium.list({ user });
    return executions[0]?.status === "SUCCESS" && executions;
  });
  assert.equal(run.trigger, "schedule");
  assert.equal((await cronium.gateway.execution(run.executionId)).result.output, 7);
  await cronium.schedules.delete(id);
});

test("runs that are done stay counted when the schedule is changed", async () => {
  const id = newId();
  await cronium.schedule({ id, event, everySeconds: 86_400, maxRuns: 5 });
  assert.equal((await cronium.schedules.status(id)).runsLeft, 5);
  await cronium.schedule({ id, event, everySeconds: 43_200, maxRuns: 7 });
  assert.equal((await cronium.schedules.status(id)).runsLeft, 7);
  await cronium.schedules.delete(id);
});

test("cron in UTC", async () => {
  const id = newId();
  await cronium.schedule({ id, event, cron: ["30 6 * * 1-5"] });
  const { nextRuns } = await cronium.schedules.status(id);
  assert.ok(nextRuns.length);
  for (const at of nextRuns) {
    assert.equal(at.toISOString().slice(11), "06:30:00.000Z");
    assert.ok([1, 2, 3, 4, 5].includes(at.getUTCDay()));
  }
  await cronium.schedules.delete(id);
});

test("cron in a zone whose clocks change is what the command makes of it", async () => {
  const zone = { timezone: "Europe/Berlin", startAt: "2027-03-26T12:00:00Z" };
  for (const cron of [["30 6 * * *"], ["0 8-18/2 * * 1-5", "15 23 * * *"], ["0 12 29 2 *"]]) {
    const id = newId();
    await cronium.schedule({ id, event, cron, ...zone });
    const { nextRuns } = await cronium.schedules.status(id);
    const command = ["schedule", "next", id, "--json", "--count", String(nextRuns.length)];
    const { stdout } = await promisify(execFile)("cronium", command);
    const expected = JSON.parse(stdout).map(({ at }) => new Date(at).toISOString());
    assert.deepEqual(nextRuns.map((at) => at.toISOString()), expected);
    await cronium.schedules.delete(id);
  }
});

test("what does not fit is refused with its field", async () => {
  const good = { id: newId(), event, everySeconds: 60 };
  const path = (expected) => (error) =>
    error instanceof PayloadValidationError && error.path === expected;
  for (const [expected, change] of [
    ["everySeconds", { everySeconds: -1 }],
    ["", { everySeconds: undefined }],
    ["", { event: undefined }],
    ["overlap", { overlap: "maybe" }],
    ["event.retries", { event: { ...event, retries: 99 } }],
    ["cron[1]", { everySeconds: undefined, cron: ["0 6 * * *", "0 2 * * *"], timezone: "Europe/Berlin" }],
    ["cron[0]", { everySeconds: undefined, cron: ["0 */6 * * *"], timezone: "America/New_York" }],
    ["timezone", { everySeconds: undefined, cron: ["0 6 * * *"], timezone: "Europe/Nowhere" }],
    ["cron[0]", { everySeconds: undefined, cron: ["@daily"] }],
    ["startAt", { startAt: "tomorrow" }],
    ["priority", { priority: 1 }],
  ])
    await assert.rejects(cronium.schedule({ ...good, ...change }), path(expected), expected);
  await assert.rejects(cronium.schedules.status(good.id), ScheduleNotFound);
});

test("a schedule of somebody else's is left alone", async () => {
  const id = newId();
  const handle = await cronium.temporal.schedule.create({
    scheduleId: id,
    spec: { intervals: [{ every: "1 day" }] },
    action: { type: "startWorkflow", workflowType: "Other", taskQueue: "other" },
  });
  await assert.rejects(cronium.schedule({ id, event, everySeconds: 60 }), ScheduleForeign);
  await assert.rejects(cronium.schedules.delete(id), ScheduleForeign);
  await handle.delete();
});

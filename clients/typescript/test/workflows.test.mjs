// Workflows against a real worker: their nodes, their lines, and people who steer them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ExecutionNotFound, OrderRefused, PayloadValidationError, RequestRefused, fromStoredWorkflow, newExecutionId } from "@cronium/client";
import { bash, linesOf, newClient, written } from "./ground.mjs";

let cronium;
before(() => {
  cronium = newClient();
});
after(() => cronium.close());

const step = (id, script, more = {}) => ({ id, event: { ...bash(script), id, name: id }, ...more });
const after_ = (...nodes) => nodes.map((node) => ({ node }));
const graph = (nodes, more = {}) => ({ id: "ts-graph", name: "From TypeScript", nodes, ...more });
const me = { by: "ada", why: "looks good" };

/** Looks again until something is so, or the test runs out of time. */
async function until(look) {
  for (;;) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const nodeOf = async (run, id) => (await run.status()).nodes.find(({ node }) => node === id);
const waiting = (run, id) => until(async () => (await nodeOf(run, id))?.status === "RUNNING");

test("a workflow runs its nodes in order and gives their outputs on", async () => {
  const run = await cronium.runWorkflow(
    graph([
      step("one", 'echo "from one"; cronium_output 1'),
      step("two", 'cronium_output "[$(cronium_input)]"', { after: after_("one") }),
    ]),
    { input: { n: 1 } },
  );
  const lines = await linesOf(run.logs());
  assert.deepEqual(written(lines), ["from one"]);
  assert.equal(lines.find(({ text }) => text === "from one").target, "one");
  const result = await run.result();
  assert.equal(result.status, "SUCCESS");
  assert.deepEqual(result.nodes.map(({ node, status }) => [node, status]), [
    ["one", "SUCCESS"],
    ["two", "SUCCESS"],
  ]);
  assert.deepEqual(result.output, [1]);
  const state = await cronium.status({ graphId: "ts-graph", executionId: run.executionId });
  assert.deepEqual([state.kind, state.status, state.nodes.length], ["workflow", "SUCCESS", 2]);
  const found = await cronium.execution(run.executionId);
  assert.equal(found.workflowId, run.workflowId);
});

test("the same execution id starts one workflow", async () => {
  const executionId = newExecutionId();
  const one = graph([step("one", "cronium_output $RANDOM$RANDOM")]);
  const runs = await Promise.all([1, 2, 3].map(() => cronium.runWorkflow(one, { executionId })));
  const outputs = await Promise.all(runs.map(async (run) => (await run.result()).output));
  assert.equal(new Set(outputs).size, 1);
});

test("somebody says yes, and what follows runs", async () => {
  const run = await cronium.runWorkflow(
    graph([{ id: "ask", kind: "approval", message: "Go on?" }, step("go", "true", { after: after_("ask") })]),
  );
  await waiting(run, "ask");
  assert.equal((await run.status()).status, "RUNNING");
  await assert.rejects(run.approve("go", me), (error) => {
    assert.ok(error instanceof OrderRefused, error.stack);
    assert.match(error.message, /go is no approval/);
    return true;
  });
  await assert.rejects(run.approve("ask", { by: "" }), PayloadValidationError);
  await cronium.approve(run.executionId, "ask", me);
  const { status, nodes } = await run.result();
  assert.equal(status, "SUCCESS");
  assert.deepEqual(
    nodes[0].decisions.map(({ verdict, by, why }) => [verdict, by, why]),
    [["approved", "ada", "looks good"]],
  );
});

test("somebody says no", async () => {
  const run = await cronium.runWorkflow(
    graph([{ id: "ask", kind: "approval", message: "Go on?" }, step("go", "true", { after: after_("ask") })]),
  );
  await waiting(run, "ask");
  await run.reject("ask", me);
  const { nodes } = await run.result();
  assert.equal(nodes[0].error.type, "Rejected");
  assert.equal(nodes[1].status, "SKIPPED");
});

test("a run is paused and resumed, a node is skipped", async () => {
  const run = await cronium.runWorkflow(
    graph([step("one", "sleep 2"), step("two", "sleep 600", { after: after_("one") })]),
  );
  await waiting(run, "one");
  await run.pause(me);
  await until(async () => (await nodeOf(run, "one")).status === "SUCCESS");
  assert.equal((await nodeOf(run, "two")).status, "PENDING");
  await run.resume(me);
  await waiting(run, "two");
  await run.skip("two", { ...me, passes: true });
  const { status, nodes } = await run.result();
  assert.equal(nodes[1].status, "SKIPPED");
  assert.equal(status, "SUCCESS");
});

test("a workflow can be cancelled", async () => {
  const run = await cronium.runWorkflow(graph([step("one", "sleep 600")]));
  await waiting(run, "one");
  await cronium.cancel(run.executionId);
  assert.equal((await run.result()).status, "CANCELLED");
});

test("what does not fit is refused, here or by the executor, with its path", async () => {
  const bad = graph([step("one", "true", { after: [{ node: "x", when: "sometimes" }] }), { id: "?", kind: "dance" }]);
  await assert.rejects(cronium.runWorkflow(bad), (error) => {
    assert.ok(error instanceof PayloadValidationError);
    assert.deepEqual(error.problems.map(({ path }) => path), [
      "workflow.nodes[0].after[0].when",
      "workflow.nodes[1]",
    ]);
    return true;
  });
  const circle = graph([
    step("one", "true", { after: after_("two") }),
    step("two", "true", { after: after_("one") }),
  ]);
  const run = await cronium.runWorkflow(circle);
  await assert.rejects(run.result(), (error) => {
    assert.ok(error instanceof PayloadValidationError, error.stack);
    assert.match(error.message, /one|two/);
    return true;
  });
  await assert.rejects(cronium.status({ graphId: "ts-graph", executionId: "no" }), ExecutionNotFound);
});

test("a stored workflow runs as it is", async () => {
  const rows = {
    1: { id: 1, name: "one", type: "BASH", content: "cronium_output 5", timeoutValue: 1, timeoutUnit: "MINUTES" },
    2: { id: 2, name: "two", type: "BASH", content: 'cronium_output "[$(cronium_input)]"', timeoutValue: 60, timeoutUnit: "SECONDS" },
  };
  const nodes = [{ id: 11, eventId: 1 }, { id: 12, eventId: 2 }];
  const edges = [{ sourceNodeId: 11, targetNodeId: 12, connectionType: "ON_SUCCESS" }];
  const row = { id: 17, name: "stored", nodes, edges };
  const { workflow } = fromStoredWorkflow(row, { events: (id) => rows[id] });
  const run = await cronium.runWorkflow(workflow);
  const { status, output } = await run.result();
  assert.deepEqual([status, output], ["SUCCESS", [5]]);
});

test("an event has no approvals", async () => {
  const run = await cronium.runEvent(bash("true"));
  await assert.rejects(cronium.approve(run.workflowId, "ask", me), RequestRefused);
  await run.result();
});

test("a run is run again from where it failed, or from a node that is named", async () => {
  const fails = graph([
    step("one", "cronium_output $RANDOM$RANDOM"),
    step("two", '[ "$(cronium_input)" = never ] && exit 0; exit 3', { after: after_("one") }),
  ]);
  const mends = graph([fails.nodes[0], step("two", 'cronium_output "[$(cronium_input)]"', { after: after_("one") })]);
  const run = await cronium.runWorkflow(fails, { input: { n: 1 } });
  const before = await run.result();
  assert.equal(before.status, "FAILURE");
  const executionId = newExecutionId();
  const runs = await Promise.all([1, 2].map(() => cronium.rerun(run.executionId, { workflow: mends, executionId })));
  assert.deepEqual(runs.map((again) => again.executionId), [executionId, executionId]);
  const mended = await runs[0].result();
  assert.equal(mended.status, "SUCCESS");
  assert.equal(mended.rerunOf, run.executionId);
  assert.equal(mended.nodes[0].reusedFrom, run.executionId);
  assert.deepEqual(mended.output, [before.nodes[0].output]);
  const fresh = await cronium.rerun(runs[0].workflowId, { from: ["one"] });
  const whole = await fresh.result();
  assert.equal(whole.nodes[0].reusedFrom ?? null, null);
  assert.notDeepEqual(whole.output, mended.output);
});

test("what cannot be run again is refused with the reason", async () => {
  const run = await cronium.runWorkflow(graph([{ id: "ask", kind: "approval", message: "Go on?" }]));
  await waiting(run, "ask");
  const says = (words) => (error) => {
    assert.ok(error instanceof RequestRefused, error.stack);
    assert.match(error.message, words);
    return true;
  };
  await assert.rejects(cronium.rerun(run.executionId), says(/not over yet/));
  await run.approve("ask", me);
  await run.result();
  await assert.rejects(cronium.rerun(run.executionId, { from: ["nowhere"] }), says(/no node has the id nowhere/));
  await assert.rejects(cronium.rerun(run.executionId, { from: ["?"] }), PayloadValidationError);
  const event = await cronium.runEvent(bash("true"));
  await event.result();
  await assert.rejects(cronium.rerun(event.workflowId), says(/only workflows/));
});

test("a node inside of another is told by its path", async () => {
  const inner = { id: "inner", name: "inner", nodes: [{ id: "ask", kind: "approval", message: "Go on?" }] };
  const run = await cronium.runWorkflow(graph([{ id: "sub", kind: "workflow", workflow: inner }]));
  await waiting(run, "sub");
  await until(() => run.approve("sub/ask", me).then(() => true, () => false));
  assert.equal((await run.result()).status, "SUCCESS");
  await assert.rejects(run.approve("sub/ask", me), ExecutionNotFound);
});

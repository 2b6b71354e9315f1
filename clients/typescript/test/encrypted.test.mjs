// A stack with a file of keys: what Temporal stores is not to be read, and all works.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Cronium, EncryptionKeyMissing, PayloadValidationError, optionsFromEnvironment } from "@cronium/client";
import { bash, linesOf, newClient, written } from "./ground.mjs";

const MARK = "planted-5ecret-word";
let cronium;
before(() => {
  cronium = newClient();
});
after(() => cronium.close());

/** Everything that Temporal keeps of a run, as text. */
async function historyOf(run) {
  const { client } = { client: cronium.temporal };
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution: { workflowId: run.workflowId },
  });
  const all = [];
  const visit = (value) => {
    if (value instanceof Uint8Array) all.push(Buffer.from(value).toString("latin1"));
    else if (typeof value === "string") all.push(value);
    else if (value && typeof value === "object") Object.values(value).forEach(visit);
  };
  visit(history);
  return all.join("\n");
}

test("a run works, and its history says nothing", async () => {
  const event = bash(`echo ${MARK}; cronium_output "$(cronium_input)"`, { name: `Of ${MARK}` });
  const run = await cronium.runEvent(event, { input: { word: MARK } });
  const result = await run.result();
  assert.deepEqual([result.status, result.output], ["SUCCESS", { word: MARK }]);
  assert.deepEqual(written(await linesOf(run.logs())), [MARK]);
  const history = await historyOf(run);
  assert.match(history, /binary\/encrypted/);
  assert.ok(!history.includes(MARK));
  assert.equal((await run.status()).targets[0].status, "SUCCESS");
});

test("a refusal comes through, with its fields", async () => {
  const run = await cronium.runEvent(bash(null));
  await assert.rejects(run.result(), (error) => {
    assert.ok(error instanceof PayloadValidationError, error.stack);
    assert.equal(error.path, "event");
    return true;
  });
});

test("without the key it is said which one is missing", async () => {
  const run = await cronium.runEvent(bash("cronium_output 1"));
  await run.result();
  const { encryption, ...plain } = optionsFromEnvironment();
  const blind = new Cronium(plain);
  await assert.rejects(blind.result(run.workflowId), (error) => {
    assert.ok(error instanceof EncryptionKeyMissing, error.stack);
    assert.ok(error.message.includes(encryption.active));
    return true;
  });
  await blind.close();
});

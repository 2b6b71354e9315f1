// Rows of the app's database become the contract: units, pairs, references to secrets.
import assert from "node:assert/strict";
import { test } from "node:test";
import { PayloadValidationError, fromStoredEvent, fromStoredJob, fromStoredWorkflow } from "@cronium/client";

const script = {
  id: 31,
  name: "nightly check",
  type: "PYTHON",
  content: "print('hi')",
  timeoutValue: 2,
  timeoutUnit: "MINUTES",
};
const server = { id: 4, name: "edge-a", address: "192.0.2.14", sshKey: "gAAAA", password: "gBBBB" };
const refused = (path) => (error) => {
  assert.ok(error instanceof PayloadValidationError, error.stack);
  assert.equal(error.path, path);
  assert.ok(!/gAAAA|gBBBB|sealed/.test(error.message));
  return true;
};

test("a script becomes an event, with its timeout in seconds", () => {
  const row = { ...script, retries: 2, tags: ["night"], runLocation: "LOCAL", serverId: 4 };
  const { event, notes } = fromStoredEvent(row);
  assert.deepEqual(event, {
    id: "31",
    name: "nightly check",
    type: "python",
    script: "print('hi')",
    env: [],
    timeoutSeconds: 120,
    retries: 2,
    tags: ["night"],
  });
  assert.deepEqual(notes, []);
});

test("every unit of time is known, and one that is missing is noted", () => {
  const seconds = (timeoutValue, timeoutUnit) =>
    fromStoredEvent({ ...script, timeoutValue, timeoutUnit });
  const found = ["SECONDS", "MINUTES", "HOURS", "DAYS"].map(
    (unit) => seconds(1, unit).event.timeoutSeconds,
  );
  assert.deepEqual(found, [1, 60, 3600, 86400]);
  const none = seconds(45, null);
  assert.equal(none.event.timeoutSeconds, 45);
  assert.deepEqual(none.notes.map(({ path }) => path), ["timeoutValue"]);
  assert.equal(seconds(null, null).event.timeoutSeconds, 30);
  assert.throws(() => seconds(1, "FORTNIGHTS"), refused("timeoutValue"));
  assert.throws(() => seconds(2, "DAYS"), refused("timeoutSeconds"));
  assert.throws(() => seconds(0, "DAYS"), refused("timeoutSeconds"));
});

test("encrypted variables become names of secrets", () => {
  const row = { ...script, envVars: [{ key: "API_TOKEN", value: "sealed" }] };
  assert.deepEqual(fromStoredEvent(row).event.env, [
    { name: "API_TOKEN", secret: "EVENT_31_API_TOKEN" },
  ]);
  const open = fromStoredEvent(row, { env: (key, stored) => ({ value: `${key} was ${stored}` }) });
  assert.deepEqual(open.event.env, [{ name: "API_TOKEN", value: "API_TOKEN was sealed" }]);
});

test("a request takes its headers from a list, a map or a text of JSON", () => {
  const row = {
    id: 7,
    name: "post",
    type: "HTTP_REQUEST",
    httpMethod: "post",
    httpUrl: "https://app.example.com/x",
    httpBody: '{"a": 1}',
    timeoutValue: 5,
    timeoutUnit: "SECONDS",
  };
  const list = [
    { key: "X-A", value: "1" },
    { key: "X-A", value: "2" },
    { key: " ", value: "" },
  ];
  const { event, notes } = fromStoredEvent({ ...row, httpHeaders: list });
  assert.deepEqual(event.http, {
    method: "POST",
    url: "https://app.example.com/x",
    headers: [
      { name: "X-A", value: "1" },
      { name: "X-A", value: "2" },
    ],
    body: { kind: "text", text: '{"a": 1}' },
  });
  assert.deepEqual(notes.map(({ path }) => path), ["httpHeaders"]);
  for (const httpHeaders of [{ "X-B": "3" }, '[{"key": "X-B", "value": "3"}]', '{"X-B": "3"}'])
    assert.deepEqual(fromStoredEvent({ ...row, httpHeaders }).event.http.headers, [
      { name: "X-B", value: "3" },
    ]);
  const get = fromStoredEvent({ ...row, httpMethod: "GET" });
  assert.equal(get.event.http.body, undefined);
  assert.deepEqual(get.notes.map(({ path }) => path), ["httpBody"]);
  assert.throws(() => fromStoredEvent({ ...row, httpHeaders: "{" }), refused("httpHeaders"));
  assert.throws(() => fromStoredEvent({ ...row, httpUrl: "" }), refused("httpUrl"));
  assert.throws(() => fromStoredEvent({ ...row, httpMethod: "BREW" }), refused("http.method"));
});

test("servers become targets without their credentials", () => {
  const row = { ...script, runLocation: "REMOTE", serverId: 9, selectedServerIds: [4] };
  const { event, notes } = fromStoredEvent(row, { servers: (id) => (id === 4 ? server : undefined) });
  assert.deepEqual(event.targets, [
    {
      id: "4",
      name: "edge-a",
      address: "192.0.2.14",
      port: 22,
      username: "root",
      credentials: { key: { secret: "SERVER_4_KEY" }, password: { secret: "SERVER_4_PASSWORD" } },
    },
  ]);
  assert.ok(!JSON.stringify(event).includes("gAAAA"));
  assert.deepEqual(notes.map(({ path }) => path), ["servers"]);
  assert.throws(() => fromStoredEvent(row), refused("serverId"));
  const bare = { ...server, sshKey: null, password: "" };
  assert.throws(() => fromStoredEvent(row, { servers: () => bare }), refused("servers"));
});

test("conditional actions follow, in the form of the API and of the table", () => {
  const events = (id) => (String(id) === "32" ? { ...script, id: 32, name: "next" } : undefined);
  const message = "{{cronium.event.name}} {{ cronium.event.status }} {{cronium.input.region}}";
  const forms = [
    [
      { type: "ON_SUCCESS", action: "SCRIPT", details: { targetEventId: 32 } },
      { type: "ON_FAILURE", action: "SEND_MESSAGE", details: { toolId: 5, message } },
      { type: "ALWAYS", action: "NONE" },
    ],
    [
      { type: "SCRIPT", successEventId: 31, targetEventId: 32 },
      { type: "SEND_MESSAGE", failEventId: 31, toolId: 5, message },
      { type: "NONE", alwaysEventId: 31 },
    ],
  ];
  for (const conditionalActions of forms) {
    const { event } = fromStoredEvent({ ...script, conditionalActions }, { events });
    const [next, said, ...none] = event.actions;
    assert.deepEqual([next.kind, next.when, next.event.name], ["event", "on_success", "next"]);
    assert.deepEqual(said, {
      kind: "message",
      when: "on_failure",
      targets: [{ secret: "TOOL_5" }],
      body: "{{ event.name }} {{ status }} {{ input.region }}",
    });
    assert.deepEqual(none, []);
  }
});

test("templates that cannot be translated are kept as text and noted", () => {
  const details = { toolId: 5, message: "{{#if x}}yes{{/if}} {{cronium.event.error}}" };
  const action = { type: "ALWAYS", action: "SEND_MESSAGE", details };
  const { event, notes } = fromStoredEvent({ ...script, conditionalActions: [action] });
  assert.equal(
    event.actions[0].body,
    "{% raw %}{{#if x}}{% endraw %}yes{% raw %}{{/if}}{% endraw %} {{ error.message }}",
  );
  const path = "conditionalActions[0].message";
  assert.equal(notes.filter((note) => note.path === path).length, 2);
});

test("actions in a circle are refused", () => {
  const follow = (id) => [{ type: "ALWAYS", action: "SCRIPT", details: { targetEventId: id } }];
  const rows = {
    1: { ...script, id: 1, conditionalActions: follow(2) },
    2: { ...script, id: 2, conditionalActions: follow(1) },
  };
  const events = (id) => rows[id];
  assert.throws(() => fromStoredEvent(rows[1], { events }), refused("conditionalActions[0].targetEventId"));
  const lost = { ...script, conditionalActions: follow(99) };
  assert.throws(() => fromStoredEvent(lost, { events }), refused("conditionalActions[0].targetEventId"));
});

test("a stored job becomes a request", () => {
  const payload = {
    executionLogId: 812,
    input: { region: "south" },
    script: { type: "BASH", content: "uptime" },
    environment: { TIER: "green" },
    target: { containerImage: "cronium/bash:latest" },
    timeout: { value: 90, unit: "SECONDS" },
    retries: 1,
  };
  const job = {
    id: "job_a1B2c3D4e5F6",
    eventId: 31,
    userId: "u-4",
    priority: 3,
    payload: JSON.stringify(payload),
    metadata: { eventName: "morning check", triggeredBy: "schedule", logId: 812 },
  };
  const { request, notes } = fromStoredJob(job);
  assert.deepEqual(request, {
    executionId: "job_a1B2c3D4e5F6",
    event: {
      id: "31",
      name: "morning check",
      type: "bash",
      script: "uptime",
      env: [{ name: "TIER", secret: "EVENT_31_TIER" }],
      timeoutSeconds: 90,
      retries: 1,
    },
    input: { region: "south" },
    trigger: "schedule",
    user: "u-4",
    priority: 1,
  });
  assert.deepEqual(notes.map(({ path }) => path), ["payload.target.containerImage"]);
  const remote = { ...payload, target: { serverId: 4 } };
  const found = fromStoredJob({ ...job, payload: remote }, { servers: () => server });
  assert.equal(found.request.event.targets[0].name, "edge-a");
  assert.throws(() => fromStoredJob({ ...job, payload: { timeout: payload.timeout } }), refused("payload"));
  assert.throws(() => fromStoredJob({ ...job, payload: "nonsense" }), refused("payload"));
});

test("a tool action becomes a script of one call, whatever its text", () => {
  const parameters = { text: 'quo"te \\ back\nline 🙂 \u2028 """' };
  const config = JSON.stringify({ toolType: "SLACK", actionId: "slack-send-message", parameters });
  const row = { ...script, type: "TOOL_ACTION", content: null, toolActionConfig: config };
  const { event } = fromStoredEvent(row);
  assert.equal(event.type, "python");
  const literal = /json\.loads\(([^]*?)\)\n/.exec(event.script)[1];
  assert.deepEqual(JSON.parse(JSON.parse(literal)), parameters);
  assert.match(event.script, /execute_tool_action\("slack", "slack-send-message", config\)/);
});

test("a stored workflow becomes a graph", () => {
  const rows = { 31: script, 32: { ...script, id: 32, name: "next" } };
  const options = { events: (id) => rows[id], servers: () => server };
  const row = {
    id: 17,
    name: "nightly",
    nodes: [
      { id: "n1", eventId: 31, position_x: 5 },
      { id: "n2", eventId: 32 },
      { id: "n3", eventId: 32 },
    ],
    edges: [
      { sourceNodeId: "n1", targetNodeId: "n2", connectionType: "ON_SUCCESS" },
      { sourceNodeId: "n1", targetNodeId: "n3", connectionType: "ON_FAILURE" },
      { sourceNodeId: "n2", targetNodeId: "n3" },
    ],
  };
  const { workflow } = fromStoredWorkflow(row, options);
  assert.deepEqual(Object.keys(workflow.events), ["31", "32"]);
  assert.deepEqual(workflow.nodes, [
    { id: "n1", event: "31", after: [] },
    { id: "n2", event: "32", after: [{ node: "n1", when: "on_success" }] },
    {
      id: "n3",
      event: "32",
      after: [
        { node: "n1", when: "on_failure" },
        { node: "n2", when: "always" },
      ],
    },
  ]);
  const moved = fromStoredWorkflow({ ...row, overrideEventServers: true, overrideServerIds: [4] }, options);
  assert.equal(moved.workflow.events[31].targets[0].name, "edge-a");
  const lost = { ...row, nodes: [...row.nodes, { id: "n4", eventId: 99 }] };
  assert.throws(() => fromStoredWorkflow(lost, options), refused("nodes[3].eventId"));
  const loose = { ...row, edges: [{ sourceNodeId: "n9", targetNodeId: "n1" }] };
  assert.throws(() => fromStoredWorkflow(loose, options), refused("edges[0].sourceNodeId"));
  const odd = { ...row, edges: [{ ...row.edges[0], connectionType: "MAYBE" }] };
  assert.throws(() => fromStoredWorkflow(odd, options), refused("edges"));
});

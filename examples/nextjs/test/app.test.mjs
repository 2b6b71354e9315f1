// The app in a real browser: `APP_URL=… CHROMIUM=… node --test test/app.test.mjs`, with a
// stack, two servers and a started app, as tests/typescript/test_nextjs.py brings them.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { chromium } from "playwright-core";

const { APP_URL, CHROMIUM = "/usr/bin/chromium", SCREENSHOTS } = process.env;
const PATIENCE_MS = 30_000;
let browser;
let page;
let faults;

before(async () => {
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    // Nothing but this machine may be asked for, whatever the browser thinks of.
    args: ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
  });
});
after(() => browser.close());
beforeEach(() => open());
afterEach(async () => {
  await page.context().close();
  assert.deepEqual(faults, []);
});

async function open(options = {}) {
  await page?.context().close();
  const context = await browser.newContext({
    viewport: { width: 1200, height: 820 },
    colorScheme: "light",
    reducedMotion: "reduce",
    ...options,
  });
  context.setDefaultTimeout(PATIENCE_MS);
  page = await context.newPage();
  faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("request", (request) => {
    const { hostname } = new URL(request.url());
    if (hostname !== "127.0.0.1") faults.push(`asked ${hostname}`);
  });
  await page.goto(APP_URL);
}

/** Fills the editor and starts the run. */
async function run(script, { name = "Browser", servers = [], language = "bash" } = {}) {
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Language").selectOption(language);
  await page.getByLabel("Script").fill(script);
  for (const server of servers) await page.getByLabel(server).check();
  await page.getByRole("button", { name: "Run" }).click();
  await page.waitForURL(/\/runs\//);
}

const status = (word) => page.locator(`.run > header .badge[data-status="${word}"]`).waitFor();
const everything = () => page.getByText(/lines, all of them/).waitFor();
const line = (text) => page.locator(".lines .text").getByText(text, { exact: true });

/** The shown lines that scripts wrote, and the numbers of all. */
async function shown() {
  const rows = await page.locator(".lines li[data-seq]").evaluateAll((items) =>
    items.map((item) => ({
      seq: Number(item.dataset.seq),
      stream: item.className,
      text: item.querySelector(".text").textContent,
    })),
  );
  const written = rows.filter(({ stream }) => stream !== "system");
  return { numbers: rows.map(({ seq }) => seq), texts: written.map(({ text }) => text) };
}

const upTo = (count) => Array.from({ length: count }, (_, index) => index + 1);

async function screenshot(name) {
  if (SCREENSHOTS) await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
}

test("lines appear while an event runs, in their colours, and then its result", async () => {
  await run(
    "echo waiting; sleep 2; printf '\\033[31mred\\033[0m and plain\\n'; sleep 2;" +
      " cronium_output '{\"answer\": 42}'",
  );
  await line("waiting").waitFor();
  await status("RUNNING");
  const red = line("red");
  await red.waitFor();
  assert.equal(await red.evaluate((item) => getComputedStyle(item).color), "rgb(179, 29, 40)");
  await status("SUCCESS");
  await everything();
  assert.match(await page.getByLabel("Result").innerText(), /"answer": 42/);
});

test("a reload in the middle loses nothing", async () => {
  await run("for i in $(seq 1 40); do echo line $i; sleep 0.1; done");
  await line("line 8").waitFor();
  await page.reload();
  await line("line 30").waitFor();
  await page.reload();
  await everything();
  const { numbers, texts } = await shown();
  assert.deepEqual(numbers, upTo(numbers.length));
  assert.deepEqual(texts, upTo(40).map((number) => `line ${number}`));
});

test("a run can be cancelled", async () => {
  await run("echo up; sleep 600");
  await line("up").waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await status("CANCELLED");
  await everything();
  assert.match(await page.getByLabel("Result").innerText(), /-2/);
  assert.ok(await page.getByRole("button", { name: "Cancel" }).isDisabled());
});

test("what does not fit is said by field, and nothing is started", async () => {
  await page.getByLabel("Retries").fill("99");
  await page.getByLabel("Input (JSON)").fill("{");
  await page.getByRole("button", { name: "Run" }).click();
  await page.getByRole("alert").getByText("retries: expected at most 10").waitFor();
  await page.getByLabel("Retries").fill("0");
  await page.getByRole("button", { name: "Run" }).click();
  await page.getByRole("alert").getByText("input: not valid JSON").waitFor();
  assert.equal(new URL(page.url()).pathname, "/");
});

test("a double click starts one run, which the history shows", async () => {
  const name = "Run by a double click";
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Script").fill("echo once");
  await page.getByRole("button", { name: "Run" }).dblclick();
  await page.waitForURL(/\/runs\//);
  await status("SUCCESS");
  const history = page.getByLabel("Run history");
  await history.getByText(name).waitFor();
  assert.equal(await history.getByText(name).count(), 1);
  await page.goto(APP_URL);
  await history.getByText(name).click();
  await page.waitForURL(/\/runs\//);
  await line("once").waitFor();
});

test("each server has a tab of its own, by day and by night", async () => {
  const script =
    "for i in 1 2 3 4 5 6; do printf '\\033[32mok\\033[0m   check %s of 6\\n' $i; done; hostname;" +
    " printf '\\033[33mwarn\\033[0m disk at 81 %%\\n' >&2";
  await run(script, { name: "Health of the web servers", servers: ["web-1", "web-2"] });
  await status("SUCCESS");
  await everything();
  assert.equal((await shown()).texts.length, 16);
  await page.getByRole("row", { name: /web-2 SUCCESS 0/ }).waitFor();
  const entry = page.getByLabel("Run history").getByRole("listitem").first();
  await entry.getByText("SUCCESS").waitFor();
  await screenshot("nextjs-servers");
  await page.getByRole("tab", { name: "web-1" }).click();
  const { texts } = await shown();
  assert.equal(texts.length, 8);

  const { pathname } = new URL(page.url());
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const day = await background();
  await open({ colorScheme: "dark" });
  await page.goto(APP_URL + pathname);
  await everything();
  assert.notEqual(await background(), day);
  await screenshot("nextjs-servers-dark");
});

test("a workflow's nodes take colours as they finish, and one asks first", async () => {
  await page.getByRole("link", { name: "Workflow" }).click();
  await page.getByRole("button", { name: "Run workflow" }).click();
  await page.waitForURL(/\/workflow\/.+/);
  const node = (id, word) => page.locator(`[data-node="${id}"][data-status="${word}"]`).waitFor();
  const colour = (id) =>
    page.locator(`[data-node="${id}"] rect`).evaluate((box) => getComputedStyle(box).stroke);
  await node("build", "RUNNING");
  await node("deploy", "PENDING");
  const before = await colour("deploy");
  await node("build", "SUCCESS");
  await node("release", "RUNNING");
  await line("212 passed").waitFor();
  await screenshot("nextjs-workflow");
  // What is known of a run does not live in the page.
  await page.reload();
  await node("unit", "SUCCESS");
  await page.getByRole("button", { name: "Approve" }).click();
  await node("tell", "SUCCESS");
  assert.notEqual(await colour("deploy"), before);
  assert.equal(await colour("deploy"), await colour("build"));
  await status("SUCCESS");
  await everything();
  await page.locator('[data-node="browser"]').click();
  await line("compiling").waitFor({ state: "hidden" });
  assert.deepEqual((await shown()).texts, ["38 passed"]);
  await page.getByLabel("Run history").getByText("Release").first().waitFor();
});

test("everything fits a phone", async () => {
  await open({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  await run(`echo ${"long ".repeat(60)}; echo ${"x".repeat(500)}; echo end`, { name: "On a phone" });
  await status("SUCCESS");
  await everything();
  for (const path of ["/", "/workflow", new URL(page.url()).pathname]) {
    await page.goto(APP_URL + path);
    await page.getByLabel("Run history").getByText("On a phone").waitFor();
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 390, `${path} is ${width} wide`);
  }
  await everything();
  await screenshot("nextjs-phone");
});

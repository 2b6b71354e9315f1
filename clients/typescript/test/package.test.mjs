// The package as npm would give it: both module systems, the browser's part, no native code.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as server from "@cronium/client";
import * as browser from "@cronium/client/browser";

const HOME = fileURLToPath(new URL("..", import.meta.url));
const require = createRequire(import.meta.url);

test("import and require give the same names", () => {
  const common = require("@cronium/client");
  assert.deepEqual(Object.keys(common).sort(), Object.keys(server).sort());
  const page = require("@cronium/client/browser");
  assert.deepEqual(Object.keys(page).sort(), Object.keys(browser).sort());
});

test("the browser's part needs neither Node.js nor Temporal", () => {
  const seen = new Set();
  const outside = new Set();
  const visit = (file) => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const [, name] of readFileSync(file, "utf8").matchAll(/\bfrom "([^"]+)"/g)) {
      if (name.startsWith(".")) visit(join(dirname(file), name));
      else outside.add(name);
    }
  };
  visit(join(HOME, "dist", "esm", "browser.js"));
  assert.deepEqual([...outside], ["zod"]);
});

test("no dependency brings native code", () => {
  const { packages } = JSON.parse(readFileSync(join(HOME, "package-lock.json"), "utf8"));
  const needed = Object.keys(packages).filter((path) => path && !packages[path].dev);
  assert.ok(needed.includes("node_modules/@temporalio/client"));
  for (const path of needed) {
    assert.ok(!packages[path].os && !packages[path].cpu, path);
    const files = readdirSync(join(HOME, path), { recursive: true }).map(String);
    assert.deepEqual(files.filter((file) => /\.node$|binding\.gyp$/.test(file)), [], path);
  }
});

test("every declared entry point has its declarations", () => {
  const { exports: entries } = JSON.parse(readFileSync(join(HOME, "package.json"), "utf8"));
  for (const entry of Object.values(entries).filter((entry) => entry.import))
    for (const kind of ["import", "require"])
      for (const file of Object.values(entry[kind])) assert.ok(readFileSync(join(HOME, file)));
});

// Errors are told apart by class, by their word, and across copies of the package.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import {
  CeilingExceeded,
  CroniumError,
  EngineError,
  PayloadValidationError,
  RequestRefused,
  SshAuthFailed,
  errorOf,
  isCroniumError,
} from "@cronium/client";

const require = createRequire(import.meta.url);

test("a word gives the class of the tree, with its hint", () => {
  const error = errorOf("CeilingExceeded", "memoryMb: 9 GB, at most 2 GB");
  assert.ok(error instanceof CeilingExceeded && error instanceof RequestRefused);
  assert.equal(error.message, "memoryMb: 9 GB, at most 2 GB");
  assert.match(error.hint, /ceiling/);
  assert.equal(error.retryable, false);
});

test("deeper branches are there too", () => {
  const error = errorOf("SshAuthFailed", "");
  assert.ok(error instanceof SshAuthFailed && error instanceof EngineError);
  assert.equal(error.message, "The server does not accept the credentials.");
});

test("a word of a later version is kept", () => {
  for (const word of ["FromTheFuture", "constructor", "toString", "__proto__"]) {
    const error = errorOf(word, "what it said", { retryable: true });
    assert.equal(error.constructor, CroniumError);
    assert.deepEqual(error.toJSON(), {
      type: word,
      message: "what it said",
      hint: "",
      retryable: true,
    });
  }
});

test("a refused request names its fields", () => {
  const problems = [
    { path: "event.env[3].name", message: "required, but missing" },
    { path: "", message: "too large" },
  ];
  const error = new PayloadValidationError(problems);
  assert.equal(error.message, "event.env[3].name: required, but missing; too large");
  assert.equal(error.path, "event.env[3].name");
  assert.deepEqual(JSON.parse(JSON.stringify(error)).problems, problems);
});

test("an error of the CommonJS copy is one of ours", () => {
  const other = new (require("@cronium/client").HostLost)("gone");
  assert.ok(!(other instanceof CroniumError));
  assert.ok(isCroniumError(other));
  for (const foreign of [new Error("x"), null, undefined, "text", {}])
    assert.ok(!isCroniumError(foreign));
});

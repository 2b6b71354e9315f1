// The same bytes as the executor's: its test vectors, read and made here.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { EncryptionCodec, KeyFileInvalid, KeyRing } from "@cronium/client";
import proto from "@temporalio/proto";
import { seal } from "../dist/esm/codec.js";

const FILE = new URL("../../../tests/vectors/codec.json", import.meta.url);
const { keyFile, vectors, refused } = JSON.parse(readFileSync(FILE, "utf8"));
const codec = new EncryptionCodec(KeyRing.from(keyFile));
const bytes = (text) => Buffer.from(text, "base64");

/** A payload from its JSON form. */
const payloadOf = ({ metadata = {}, data = "" }) => ({
  metadata: Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, bytes(value)])),
  data: bytes(data),
});

/** A payload as its JSON form, to compare by value. */
const jsonOf = ({ metadata, data }) => ({
  metadata: Object.fromEntries(
    Object.entries(metadata ?? {}).map(([key, value]) => [key, Buffer.from(value).toString("base64")]),
  ),
  data: Buffer.from(data ?? []).toString("base64"),
});

test("there are vectors of all kinds", () => {
  assert.ok(vectors.length >= 5);
  assert.deepEqual([...new Set(refused.map(({ error }) => error))].sort(), [
    "EncryptionKeyMissing",
    "PayloadDamaged",
  ]);
});

for (const { name, keyId, nonce, payload, serialized, encrypted } of vectors)
  test(`as the executor: ${name}`, async () => {
    const ring = KeyRing.from({ ...keyFile, active: keyId });
    const sealed = seal(bytes(serialized), ring.key(keyId), keyId, bytes(nonce));
    assert.equal(Buffer.from(sealed).toString("base64"), encrypted.data);
    const [plain] = await codec.decode([payloadOf(encrypted)]);
    assert.deepEqual(jsonOf(plain), jsonOf(payloadOf(payload)));
  });

for (const { name, encrypted, error: type, names } of refused)
  test(`refused as by the executor: ${name}`, async () => {
    await assert.rejects(codec.decode([payloadOf(encrypted)]), (error) => {
      assert.equal(error.type, type);
      if (names) assert.match(error.message, new RegExp(names));
      return true;
    });
  });

test("what goes out comes back, each time in other bytes", async () => {
  const plain = payloadOf({ metadata: { encoding: "anNvbi9wbGFpbg==" }, data: "eyJhIjoxfQ==" });
  const [one, two] = await codec.encode([plain, plain]);
  assert.notDeepEqual(one.data, two.data);
  assert.equal(Buffer.from(one.metadata["encryption-key-id"]).toString(), keyFile.active);
  const found = await codec.decode([one, two]);
  assert.deepEqual(found.map(jsonOf), [jsonOf(plain), jsonOf(plain)]);
  // Once is enough, and what is plain stays as it is.
  assert.equal((await codec.encode([one]))[0], one);
  assert.equal((await codec.decode([plain]))[0], plain);
  assert.ok(proto.temporal.api.common.v1.Payload.verify(one) === null);
});

test("a file of keys that is wrong is refused without a word of a key", () => {
  const [first] = keyFile.keys;
  const files = {
    "not JSON": `{"keys": "${first.key}"`,
    "keys: expected": { ...keyFile, keys: [] },
    "active: no key": { ...keyFile, active: "nobody" },
    "same id": { ...keyFile, keys: [first, first] },
    "keys[0].key": { ...keyFile, keys: [{ ...first, key: first.key.slice(4) }] },
    "keys[0].id": { ...keyFile, keys: [{ ...first, id: "a b" }] },
    "keys[0].secret": { ...keyFile, keys: [{ ...first, secret: first.key }] },
    version: { ...keyFile, version: 2 },
  };
  for (const [words, file] of Object.entries(files))
    assert.throws(
      () => KeyRing.from(file),
      (error) => {
        assert.ok(error instanceof KeyFileInvalid);
        assert.ok(error.message.includes(words), `${words}: ${error.message}`);
        assert.ok(!error.message.includes(first.key.slice(0, 20)));
        return true;
      },
    );
});

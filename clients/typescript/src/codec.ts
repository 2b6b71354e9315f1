/**
 * Encrypts what Temporal stores: AES-256-GCM with keys that have ids, the same bytes as
 * the executor's own. docs/encryption.md has the format.
 */

import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import {
  type DataConverter,
  type Payload,
  type PayloadCodec,
} from "@temporalio/common";
import proto from "@temporalio/proto";
import { EncryptionKeyMissing, PayloadDamaged } from "./errors.js";
import type { KeyRing } from "./keys.js";

const ENCODING = "binary/encrypted";
const CIPHER = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const AAD_PREFIX = "cronium-payload-v1:";

const Proto = proto.temporal.api.common.v1.Payload;

/**
 * Encrypts with the active key; decrypts with any key of the ring. Without a ring nothing
 * is encrypted, and of what is it can be said which key is missing.
 */
export class EncryptionCodec implements PayloadCodec {
  constructor(readonly ring?: KeyRing) {}

  async encode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map((payload) => this.#encoded(payload));
  }

  async decode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map((payload) => this.#decoded(payload));
  }

  #encoded(payload: Payload): Payload {
    if (wordOf(payload, "encoding") === ENCODING) return payload;
    if (!this.ring) return payload;
    const keyId = this.ring.active;
    const sealed = seal(Proto.encode(payload).finish(), this.ring.key(keyId)!, keyId);
    return {
      metadata: {
        encoding: Buffer.from(ENCODING),
        "encryption-key-id": Buffer.from(keyId),
      },
      data: sealed,
    };
  }

  #decoded(payload: Payload): Payload {
    // What was written before there was a key, or typed in the web UI, is as it is.
    if (wordOf(payload, "encoding") !== ENCODING) return payload;
    const keyId = wordOf(payload, "encryption-key-id");
    if (!keyId) throw new PayloadDamaged("an encrypted payload names no key");
    const key = this.ring?.key(keyId);
    if (!key)
      throw new EncryptionKeyMissing(`a payload is encrypted with the key ${keyId}, which is not here`);
    try {
      return plainOf(open(payload.data ?? new Uint8Array(), key, keyId));
    } catch {
      throw new PayloadDamaged(`a payload that names the key ${keyId} cannot be decrypted`);
    }
  }
}

/** A data converter whose payloads are encrypted when there are keys. */
export function converter(ring?: KeyRing): DataConverter {
  return { payloadCodecs: [new EncryptionCodec(ring)] };
}

/** Encrypts bytes; `nonce` is given by tests alone. */
export function seal(
  plain: Uint8Array,
  key: Uint8Array,
  keyId: string,
  nonce: Uint8Array = randomBytes(NONCE_BYTES),
): Uint8Array {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(AAD_PREFIX + keyId));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function open(data: Uint8Array, key: Uint8Array, keyId: string): Uint8Array {
  if (data.length < NONCE_BYTES + TAG_BYTES) throw new RangeError("too short");
  const decipher = createDecipheriv(CIPHER, key, data.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(Buffer.from(AAD_PREFIX + keyId));
  decipher.setAuthTag(data.subarray(data.length - TAG_BYTES));
  const body = data.subarray(NONCE_BYTES, data.length - TAG_BYTES);
  return Buffer.concat([decipher.update(body), decipher.final()]);
}

function plainOf(bytes: Uint8Array): Payload {
  const found = Proto.decode(bytes);
  return { metadata: found.metadata, data: found.data };
}

function wordOf(payload: Payload, name: string): string {
  return Buffer.from(payload.metadata?.[name] ?? []).toString("utf8");
}

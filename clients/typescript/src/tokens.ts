/** Short-lived tokens of the gateway: HS256 JSON Web Tokens, signed with its secret. */

import { createHmac } from "node:crypto";
import { TOKEN_AUDIENCE } from "./generated/names.js";

/**
 * What a token is good for: `service` for everything, `user` for one user's executions and
 * variables, `execution` for reading one execution.
 */
export type Scope = "service" | "user" | "execution";

/** A token, and until when it is good. */
export interface Token {
  token: string;
  expiresAt: Date;
}

/**
 * Makes a token. Never give a `service` token to a browser.
 *
 * @param secret the gateway's secret, as its file `gateway.secret` holds it.
 * @param subject name of the service, id of the user or of the execution.
 */
export function mintToken(
  secret: string,
  scope: Scope,
  subject: string,
  lifetimeSeconds = 900,
): Token {
  const issued = Math.floor(Date.now() / 1000);
  const expires = issued + Math.floor(lifetimeSeconds);
  const claims = { aud: TOKEN_AUDIENCE, sub: subject, scope, iat: issued, exp: expires };
  const body = [{ alg: "HS256", typ: "JWT" }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  const signature = createHmac("sha256", secret).update(body).digest("base64url");
  return { token: `${body}.${signature}`, expiresAt: new Date(expires * 1000) };
}

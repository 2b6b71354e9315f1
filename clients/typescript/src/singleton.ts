/** One client per process, also where modules are loaded again and again. */

import { Cronium, type CroniumOptions } from "./client.js";
import { optionsFromEnvironment } from "./environment.js";

const KEY = Symbol.for("cronium.client");

type Holder = typeof globalThis & { [KEY]?: Cronium };

/**
 * The client of this process. In development Next.js loads a changed module anew; the
 * client, and with it the connection, stays. Nothing is connected before the first call,
 * so a build touches no network.
 *
 * @param options used by the first call alone; unset: `optionsFromEnvironment`.
 */
export function getCronium(options?: () => CroniumOptions): Cronium {
  const holder = globalThis as Holder;
  holder[KEY] ??= new Cronium((options ?? optionsFromEnvironment)());
  return holder[KEY];
}

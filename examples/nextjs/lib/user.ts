/** Who asks. Put your own sign-in here: whatever this returns owns the runs it starts. */

import "server-only";

export async function currentUser(): Promise<string> {
  return "demo";
}

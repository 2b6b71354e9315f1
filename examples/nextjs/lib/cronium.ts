/** The executor. One client serves the whole process; it connects when it is first used. */

import "server-only";
import { getCronium } from "@cronium/client";

export const cronium = () => getCronium();

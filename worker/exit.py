"""The one way our processes end.

An interpreter that has used temporalio sometimes aborts while it is torn down: objects
of its native core are freed after the runtime that owns them. Ending without the
tear-down avoids that, and everything a tear-down is good for is done here first.
"""

import atexit
import gc
import os
import sys
import time
from typing import NoReturn

# Lets threads of the native core finish what the collection has just let go of.
SETTLE_SECONDS = 0.05


def leave(code: int) -> NoReturn:
    """End this process with an exit status, without tearing the interpreter down."""
    if "temporalio" in sys.modules:
        gc.collect()
        time.sleep(SETTLE_SECONDS)
    # Registered by libraries that must write something down, such as coverage.
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            # The reader has gone; nobody is left to tell.
            continue
    os._exit(code)

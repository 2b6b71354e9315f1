"""Prints a few lines with pauses, so that you can watch them arrive."""

import json
import platform
import sys
import time
from pathlib import Path

data = json.loads(Path("/run/cronium/input.json").read_text()) or {}

print(f"Hello, {data.get('name', 'world')}, from Python {platform.python_version()}")
for step in range(1, 4):
    time.sleep(0.4)
    print(f"step {step} of 3")
print("this line goes to stderr", file=sys.stderr)
print("done")

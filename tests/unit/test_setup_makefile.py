"""The Makefile lists every target once, and has those that people count on."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
COUNTED_ON = (
    "setup demo down test chaos soak lint fmt coverage bench docs images seccomp lock "
    "clean"
)


def test_no_target_is_defined_twice() -> None:
    assert len(TARGETS) == len(set(TARGETS))


def test_make_alone_lists_every_target() -> None:
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True)
    listed = re.findall(r"^  make (\S+) +\w", done.stdout, re.M)
    assert listed == TARGETS
    assert set(COUNTED_ON.split()) <= set(listed)


def test_a_target_that_is_no_file_is_declared_so() -> None:
    # `bench`, `docs` and `images` are folders: make would call them up to date.
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.M)
    assert phony is not None
    assert set(phony[1].split()) == set(TARGETS)

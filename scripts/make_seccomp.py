"""Turns the readable list of system calls into the seccomp profile that Docker takes.

`python scripts/make_seccomp.py` writes the profile; with `--check` it only says whether
the committed one is up to date.
"""

import json
import sys
import tomllib
from itertools import combinations, product
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "engines" / "docker"
SOURCE = FOLDER / "seccomp_groups.toml"
TARGET = FOLDER / "seccomp.json"
EPERM = 1
WORD = range(32)

Json = dict[str, Any]


def condition(arg: int, value: int, mask: int | None = None) -> Json:
    """One comparison of an argument, in the profile's words."""
    if mask is None:
        return {"index": arg, "op": "SCMP_CMP_EQ", "value": value}
    # In a masked comparison `value` is the mask and `valueTwo` what must be left.
    return {
        "index": arg,
        "op": "SCMP_CMP_MASKED_EQ",
        "value": mask,
        "valueTwo": value,
    }


def complement(excluded: list[int]) -> list[tuple[int, int]]:
    """Masks and values that together match every 32-bit word but the excluded ones."""
    shared = [b for b in WORD if len({v >> b & 1 for v in excluded}) == 1]
    pairs = [(1 << b, ~excluded[0] & 1 << b) for b in shared]
    return pairs + missing(excluded, [b for b in WORD if b not in shared])


def missing(excluded: list[int], bits: list[int]) -> list[tuple[int, int]]:
    """The smallest patterns over the differing bits that no excluded value fits."""
    found: list[tuple[int, int]] = []
    for size in range(1, len(bits) + 1):
        for chosen in combinations(bits, size):
            mask = sum(1 << b for b in chosen)
            for flags in product((0, 1), repeat=size):
                value = sum(f << b for f, b in zip(flags, chosen, strict=True))
                # A pattern that a wider one already covers adds nothing.
                covered = any(mask & m == m and value & m == v for m, v in found)
                if not covered and all(word & mask != value for word in excluded):
                    found.append((mask, value))
    return found


def allow(calls: list[str], conditions: list[Json] | None = None) -> Json:
    """An entry that lets calls through, if its conditions all hold."""
    entry: Json = {"names": sorted(calls), "action": "SCMP_ACT_ALLOW"}
    return entry | ({"args": conditions} if conditions else {})


def entries(source: Json) -> list[Json]:
    """All entries of the profile, in the order of the source."""
    made = [allow(group["calls"]) for group in source["groups"]]
    for rule in source["rules"]:
        for alternative in rule["when"]:
            made.append(allow(rule["calls"], [condition(**c) for c in alternative]))
    for but in source["excepts"]:
        for mask, value in complement(but["values"]):
            made.append(allow(but["calls"], [condition(but["arg"], value, mask)]))
    for answer in source["answers"]:
        made.append(
            {
                "names": sorted(answer["calls"]),
                "action": "SCMP_ACT_ERRNO",
                "errnoRet": answer["errno"],
            }
        )
    return made


def profile(source: Json) -> Json:
    """The whole profile: refuse with EPERM, but for the entries."""
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": EPERM,
        "archMap": [
            {"architecture": arch["name"], "subArchitectures": arch["also"]}
            for arch in source["architectures"]
        ],
        "syscalls": entries(source),
    }


def generate() -> str:
    """The profile's text, as it is committed."""
    source = tomllib.loads(SOURCE.read_text(encoding="utf-8"))
    return json.dumps(profile(source), indent=1) + "\n"


def main() -> int:
    """Write the profile, or compare it."""
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(generate(), encoding="utf-8")
    elif TARGET.read_text(encoding="utf-8") != generate():
        print(f"{TARGET.name} is stale; run: python scripts/make_seccomp.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

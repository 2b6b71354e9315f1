"""The seccomp profile is what its readable list says, and lets nothing dangerous in."""

import json
import re
import tomllib
from typing import Any

import pytest

from scripts import make_seccomp

PROFILE = json.loads(make_seccomp.TARGET.read_text(encoding="utf-8"))
ALLOWED = [e for e in PROFILE["syscalls"] if e["action"] == "SCMP_ACT_ALLOW"]
DANGEROUS = [
    "acct",
    "add_key",
    "bpf",
    "chroot",
    "clock_adjtime",
    "clock_settime",
    "clone3",
    "create_module",
    "delete_module",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "get_kernel_syms",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mbind",
    "mount",
    "mount_setattr",
    "move_mount",
    "move_pages",
    "name_to_handle_at",
    "nfsservctl",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pidfd_getfd",
    "pivot_root",
    "process_madvise",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "query_module",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "set_mempolicy",
    "setdomainname",
    "sethostname",
    "setns",
    "settimeofday",
    "socketcall",
    "stime",
    "swapoff",
    "swapon",
    "sysfs",
    "syslog",
    "umount",
    "umount2",
    "unshare",
    "uselib",
    "userfaultfd",
    "vhangup",
    "vm86",
    "vm86old",
]
FILTERED = {
    "clone": {0},
    "ioctl": {1},
    "mknod": {1},
    "mknodat": {2},
    "personality": {0},
    "socket": {0},
    "socketpair": {0},
}


def passes(call: str, *args: int) -> bool:
    """Whether the profile lets the call through with these arguments."""
    return any(
        call in entry["names"]
        and all(holds(c, args[c["index"]]) for c in entry.get("args", []))
        for entry in ALLOWED
    )


def holds(condition: dict[str, Any], argument: int) -> bool:
    if condition["op"] == "SCMP_CMP_MASKED_EQ":
        return argument & condition["value"] == condition["valueTwo"]
    assert condition["op"] == "SCMP_CMP_EQ"
    return argument == condition["value"]


def test_the_committed_profile_is_what_the_generator_makes() -> None:
    committed = make_seccomp.TARGET.read_text(encoding="utf-8")
    assert committed == make_seccomp.generate()


def test_what_is_not_named_is_refused_with_eperm() -> None:
    assert PROFILE["defaultAction"] == "SCMP_ACT_ERRNO"
    assert PROFILE["defaultErrnoRet"] == 1


def test_the_profile_uses_only_the_actions_allow_and_errno() -> None:
    rest = [e for e in PROFILE["syscalls"] if e not in ALLOWED]
    assert rest == [{"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]


@pytest.mark.parametrize("call", DANGEROUS)
def test_a_dangerous_call_is_nowhere_allowed(call: str) -> None:
    assert all(call not in entry["names"] for entry in ALLOWED)


@pytest.mark.parametrize("call", FILTERED)
def test_a_filtered_call_is_never_allowed_without_its_filter(call: str) -> None:
    mine = [entry for entry in ALLOWED if call in entry["names"]]
    assert mine
    for entry in mine:
        assert FILTERED[call] <= {c["index"] for c in entry["args"]}


def test_no_rule_has_two_conditions_on_one_argument() -> None:
    # runc would join them with "or", and the rule would then let everything through.
    for entry in ALLOWED:
        indexes = [c["index"] for c in entry.get("args", [])]
        assert len(indexes) == len(set(indexes)), entry


def test_no_call_is_listed_twice_in_the_groups() -> None:
    source = tomllib.loads(make_seccomp.SOURCE.read_text(encoding="utf-8"))
    calls = [call for group in source["groups"] for call in group["calls"]]
    assert len(calls) == len(set(calls))
    assert all(re.fullmatch("[a-z0-9_]+", call) for call in calls)


@pytest.mark.parametrize("bit", [17, 25, 26, 27, 28, 29, 30])
def test_clone_with_a_new_namespace_is_refused(bit: int) -> None:
    assert passes("clone", 0x01200011)
    assert not passes("clone", 0x01200011 | 1 << bit)


@pytest.mark.parametrize("number", [0x5412, 0x541C])
def test_terminal_injection_is_refused_in_every_disguise(number: int) -> None:
    # The kernel drops the upper half of the word: a set bit there must not help.
    for disguise in (number, number | 1 << 32, number | 0xFFFFFFFF << 32):
        assert not passes("ioctl", 0, disguise)


def test_every_neighbour_of_the_refused_ioctls_is_allowed() -> None:
    near = set(range(0x5400, 0x5500)) | {0x80045430, 0xC0045877, 0xFFFFFFFF}
    assert all(passes("ioctl", 0, n) for n in near - {0x5412, 0x541C})


@pytest.mark.parametrize(
    ("family", "kind", "allowed"),
    [
        (1, 5, True),
        (2, 1, True),
        (2, 2 | 0o2004000, True),
        (10, 1, True),
        (16, 3, True),
        (2, 3, False),
        (10, 3 | 0o2000000, False),
        (2, 10, False),
        (17, 3, False),
        (38, 5, False),
        (40, 1, False),
    ],
)
def test_sockets_are_local_or_plain_internet(
    family: int, kind: int, allowed: bool
) -> None:
    assert passes("socket", family, kind) is allowed


def test_a_fifo_can_be_made_and_a_device_cannot() -> None:
    assert passes("mknodat", 0, 0, 0o010644)
    assert passes("mknod", 0, 0o100600)
    assert not passes("mknodat", 0, 0, 0o060600)
    assert not passes("mknod", 0, 0o020600)

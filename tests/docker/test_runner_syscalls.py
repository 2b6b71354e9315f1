"""What the seccomp profile refuses, asked of the kernel from inside a sandbox.

Capabilities would refuse many of these as well; the arguments are chosen so that a call
which passes the filter fails with something else than EPERM wherever that is possible.
"""

import platform
from collections.abc import Awaitable, Callable

import pytest

from contracts.events import EventType
from tests.docker.conftest import RunScript

Asks = Callable[[str], Awaitable[list[str]]]
MACHINE = platform.machine()
# Name: number on x86_64, number on aarch64 (None: the call does not exist there).
NUMBERS: dict[str, tuple[int, int | None]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
OTHERS: dict[str, tuple[int, int]] = {
    "clone": (56, 220),
    "clone3": (435, 435),
    "getppid": (110, 173),
    "personality": (135, 92),
}
CALL = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
    ctypes.set_errno(0)
    words = [ctypes.c_ulong(a) for a in args + (0,) * (6 - len(args))]
    result = libc.syscall(ctypes.c_long(number), *words)
    return errno.errorcode[ctypes.get_errno()] if result == -1 else result
"""
ONLY_ON_X86 = pytest.mark.skipif(MACHINE != "x86_64", reason="the x86 ABIs")


def number(name: str) -> int | None:
    column = {"x86_64": 0, "aarch64": 1}[MACHINE]
    return (NUMBERS | OTHERS)[name][column]


@pytest.fixture
def asks(run_script: RunScript) -> Asks:
    """Run Python with `call(number, …)` in a sandbox and give back its words."""

    async def run(code: str) -> list[str]:
        ran = await run_script(CALL + code, event_type=EventType.PYTHON)
        assert ran.end.code == 0, ran
        return ran.stdout.split()

    return run


async def test_calls_that_reach_out_of_the_sandbox_are_refused(asks: Asks) -> None:
    here = {name: number(name) for name in NUMBERS if number(name) is not None}
    answers = await asks(f"for n in {list(here.values())}: print(call(n))\n")
    assert {n: a for n, a in zip(here, answers, strict=True) if a != "EPERM"} == {}


async def test_an_ordinary_call_passes_the_same_way(asks: Asks) -> None:
    # Without this, a broken `call` would make every refusal above look real.
    assert await asks(f"print(call({number('getppid')}) == os.getppid())") == ["True"]


async def test_clone3_is_answered_as_if_the_kernel_were_old(asks: Asks) -> None:
    assert await asks(f"print(call({number('clone3')}, 0, 0))") == ["ENOSYS"]


async def test_clone_makes_processes_but_no_namespaces(asks: Asks) -> None:
    answers = await asks(
        "def clone(flag):\n"
        f"    result = call({number('clone')}, flag | 17)\n"
        "    if result == 0:\n        os._exit(0)\n"
        "    print(result if isinstance(result, str) else 'made')\n"
        "clone(0)\n"
        "for bit in (17, 25, 26, 27, 28, 29, 30):\n    clone(1 << bit)\n"
    )
    assert answers == ["made", *["EPERM"] * 7]


async def test_only_four_families_of_sockets_can_be_made(asks: Asks) -> None:
    answers = await asks(
        "import socket\n"
        "for family in range(64):\n"
        "    for kind in (1, 2, 3, 5):\n"
        "        try:\n            socket.socket(family, kind).close()\n"
        "        except OSError as e:\n"
        "            if e.errno == errno.EPERM:\n                continue\n"
        "        print(f'{family}:{kind}')\n"
    )
    internet = ["2:1", "2:2", "10:1", "10:2"]
    assert {a for a in answers if a.split(":")[0] in ("2", "10")} == set(internet)
    assert {a.split(":")[0] for a in answers} == {"1", "2", "10", "16"}


async def test_nobody_types_into_a_terminal_for_somebody_else(asks: Asks) -> None:
    answers = await asks(
        "import fcntl, pty\n"
        "main, terminal = pty.openpty()\n"
        "def control(request):\n"
        "    try:\n        fcntl.ioctl(terminal, request, b'x')\n"
        "    except OSError as e:\n        return errno.errorcode[e.errno]\n"
        "    return 'ok'\n"
        "print(control(0x5412), control(0x541C), os.get_terminal_size(terminal)[0])\n"
    )
    assert answers == ["EPERM", "EPERM", "0"]


async def test_address_randomisation_cannot_be_switched_off(asks: Asks) -> None:
    personality = number("personality")
    answers = await asks(
        f"for p in (0xFFFFFFFF, 0, 0x40000, 8): print(call({personality}, p))"
    )
    assert answers == ["0", "0", "EPERM", "EPERM"]


@ONLY_ON_X86
async def test_the_32_bit_way_into_the_kernel_is_closed(asks: Asks) -> None:
    # mov eax, 64 (getppid of i386); int 0x80; ret — and the x32 bit of a number.
    answers = await asks(
        "import mmap\n"
        "def attempt(what):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n        os._exit(0 if what() == os.getppid() else 1)\n"
        "    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0)\n"
        "page = mmap.mmap(-1, 4096, prot=7)\n"
        "page.write(bytes.fromhex('b840000000cd80c3'))\n"
        "address = ctypes.addressof(ctypes.c_char.from_buffer(page))\n"
        "attempt(ctypes.CFUNCTYPE(ctypes.c_int)(address))\n"
        "attempt(lambda: call(0x40000000 | 110))\n"
        "attempt(lambda: call(110))\n"
    )
    assert answers == ["False", "False", "True"]

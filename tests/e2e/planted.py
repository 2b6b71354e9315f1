"""Where a secret may have been left, and how to recognise it there."""

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

CHUNK, OVERLAP = 1 << 22, 1 << 12
MIN_BASE64_CHARS = 12


def forms_of(secret: str) -> dict[str, bytes]:
    """Return the ways in which somebody may write a secret down: name → bytes."""
    data = secret.encode()
    forms = {
        "plain": data,
        "hex": data.hex().encode(),
        "HEX": data.hex().upper().encode(),
        "url": quote(secret, safe="").encode(),
        "form": quote_plus(secret).encode(),
        "json": json.dumps(secret)[1:-1].encode(),
        "utf-16": secret.encode("utf-16-le"),
    }
    for offset in range(3):
        # Inside of something longer, base64 looks different at each of three places.
        text = base64.b64encode(b"\0" * offset + data)
        skip = (offset * 8 + 5) // 6
        whole = text[skip : len(text) - 4]
        if len(whole) >= MIN_BASE64_CHARS:
            forms[f"base64+{offset}"] = whole
            forms[f"base64url+{offset}"] = whole.translate(
                bytes.maketrans(b"+/", b"-_")
            )
    return forms


class Search:
    """Looks for secrets and says where they are, never which.

    Args:
        secrets: Name → value.
    """

    def __init__(self, secrets: dict[str, str]) -> None:
        self._wanted = [
            (name, form, data)
            for name, value in secrets.items()
            for form, data in forms_of(value).items()
        ]
        self.found: list[str] = []
        self.looked_at: dict[str, int] = {}
        """Place → bytes that were there."""

    def bytes(self, place: str, data: bytes) -> None:
        """Look at bytes."""
        self.looked_at[place] = self.looked_at.get(place, 0) + len(data)
        self.found += [
            f"{place}: {name} as {form}"
            for name, form, wanted in self._wanted
            if wanted in data
        ]

    def tree(self, place: str, root: Path, *, without: tuple[Path, ...] = ()) -> None:
        """Look at every file below a directory, and at the names of the files."""
        for directory, folders, files in os.walk(root):
            here = Path(directory)
            folders[:] = [name for name in folders if here / name not in without]
            for file in (here / name for name in files):
                self.bytes(place, str(file).encode())
                if file not in without and file.is_file():
                    for part in _parts(file):
                        self.bytes(place, part)

    def processes(self) -> None:
        """Look at all command lines, and at the environments outside of sandboxes.

        A script has what it was given; nobody else on this machine may.
        """
        space = os.readlink("/proc/self/ns/pid")
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                self.bytes("command lines", (entry / "cmdline").read_bytes())
                if os.readlink(entry / "ns/pid") == space:
                    self.bytes("environments", (entry / "environ").read_bytes())
            except OSError:
                continue  # It has ended meanwhile.


def _parts(file: Path) -> Iterator[bytes]:
    """Yield a file in pieces that overlap, so that nothing hides at a border."""
    try:
        with file.open("rb") as stream:
            tail = b""
            while piece := stream.read(CHUNK):
                yield tail + piece
                tail = piece[-OVERLAP:]
    except OSError:
        return  # Removed meanwhile, or a socket.

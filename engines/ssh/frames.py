"""Takes a channel's bytes apart: answers of our program, a script's output, noise.

An answer is a line that begins with a mark which was chosen at random for this channel,
so nothing that a login shell or a script prints can pass for one. After the answer
`FOLLOW` all bytes up to the next mark are output; before it they are noise.
"""

from collections.abc import Callable

NOISE_BYTES = 2048
MAX_ANSWER_BYTES = 64 * 1024

OnWords = Callable[[list[str]], None]
OnOutput = Callable[[bytes, str], None]


class Frames:
    """One stream of one channel.

    Args:
        mark: What begins an answer.
        on_words: Called with each answer, its words without the mark.
        on_output: Called with each piece of output; the second argument names its
            stream when the answer before it did, else it is empty.
    """

    def __init__(self, mark: bytes, on_words: OnWords, on_output: OnOutput) -> None:
        self._mark = mark
        self._on_words = on_words
        self._on_output = on_output
        self._pending = b""
        self._following = False
        self._chunk = 0
        self._chunk_stream = ""
        self.noise = b""
        """The last bytes that were neither answer nor output."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        data = self._pending + data
        self._pending = b""
        while data:
            if self._chunk:
                piece, data = data[: self._chunk], data[self._chunk :]
                self._chunk -= len(piece)
                self._on_output(piece, self._chunk_stream)
                continue
            start = data.find(self._mark)
            if start < 0:
                keep = self._possible_start(data)
                self._give(data[: len(data) - keep])
                self._pending = data[len(data) - keep :]
                return
            end = data.find(b"\n", start)
            if end < 0 and len(data) - start < MAX_ANSWER_BYTES:
                self._give(data[:start])
                self._pending = data[start:]
                return
            if end < 0:
                # No answer of ours is so long: these are somebody's bytes after all.
                self._give(data)
                return
            self._give(data[:start])
            self._answer(data[start + len(self._mark) : end])
            data = data[end + 1 :]

    def _possible_start(self, data: bytes) -> int:
        """Return how many of the last bytes may be the beginning of a mark."""
        start = max(0, len(data) - len(self._mark) + 1)
        while (start := data.find(self._mark[:1], start)) >= 0:
            if self._mark.startswith(data[start:]):
                return len(data) - start
            start += 1
        return 0

    def _give(self, data: bytes) -> None:
        if not data:
            return
        if self._following:
            self._on_output(data, "")
        else:
            self.noise = (self.noise + data)[-NOISE_BYTES:]

    def _answer(self, line: bytes) -> None:
        words = line.decode("utf-8", "replace").split()
        if not words:
            return
        if words[0] == "CHUNK" and len(words) == 3:
            self._chunk_stream, self._chunk = words[1], int(words[2])
            return
        if words[0] in ("FOLLOW", "END"):
            self._following = words[0] == "FOLLOW"
        self._on_words(words)

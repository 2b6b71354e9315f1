"""Answers, output and noise of a channel are told apart however they are cut."""

import itertools

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from engines.ssh.frames import NOISE_BYTES, Frames

MARK = b"cronium-0123 "
# Pieces that look like a mark, or nearly.
PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b"cron", b"cronium-0123", b"c", b"\n", b"\0", b"cronium-0124 END"]
    ),
)


class Seen:
    def __init__(self) -> None:
        self.words: list[list[str]] = []
        self.output: list[tuple[bytes, str]] = []
        self.frames = Frames(MARK, self.words.append, self._take)

    def _take(self, data: bytes, stream: str) -> None:
        self.output.append((data, stream))

    def text(self, stream: str = "") -> bytes:
        return b"".join(data for data, name in self.output if name == stream)

    def feed(self, data: bytes, places: list[int]) -> None:
        edges = [0, *sorted(p % (len(data) + 1) for p in places), len(data)]
        for a, b in itertools.pairwise(edges):
            self.frames.feed(data[a:b])


CUTS = st.lists(st.integers(0, 2000), max_size=30)


@settings(max_examples=300, deadline=None)
@given(noise=PIECES, output=st.lists(PIECES, max_size=8), places=CUTS)
@example(noise=b"", output=[b"cronium-0123"], places=[1, 2, 3])
def test_output_is_whole_between_its_two_answers(
    noise: bytes, output: list[bytes], places: list[int]
) -> None:
    seen, body = Seen(), b"".join(output)
    assume(MARK not in body)  # a real mark is random
    data = noise + MARK + b"FOLLOW\n" + body + MARK + b"END exited 0\n" + noise
    seen.feed(data, places)
    assert seen.text() == body
    assert seen.words == [["FOLLOW"], ["END", "exited", "0"]]


@settings(max_examples=200, deadline=None)
@given(
    chunks=st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), PIECES)),
    places=CUTS,
)
def test_chunks_of_one_stream_go_where_they_say(
    chunks: list[tuple[str, bytes]], places: list[int]
) -> None:
    seen = Seen()
    data = MARK + b"FOLLOW\n"
    for stream, piece in chunks:
        data += MARK + f"CHUNK {stream} {len(piece)}\n".encode() + piece
    seen.feed(data + MARK + b"END\n", places)
    for stream in ("stdout", "stderr"):
        assert seen.text(stream) == b"".join(p for s, p in chunks if s == stream)
    assert seen.words[-1] == ["END"]


def test_noise_is_kept_for_messages_and_never_grows() -> None:
    seen = Seen()
    seen.frames.feed(b"x" * 10_000 + b"last words" + MARK + b"MADE /d\n")
    assert seen.words == [["MADE", "/d"]]
    assert seen.output == []
    assert seen.frames.noise.endswith(b"last words")
    assert len(seen.frames.noise) <= NOISE_BYTES


def test_a_mark_without_an_end_does_not_wait_for_ever() -> None:
    seen = Seen()
    seen.frames.feed(MARK + b"FOLLOW\n" + MARK)
    for _ in range(100):
        seen.frames.feed(b"y" * 1000)
    assert len(seen.frames._pending) < 100_000

"""Lines on a terminal and in a pipe; control sequences that must not be obeyed."""

import base64
import io
import os
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.lines import LinePrinter
from cli.sanitising import neutralise
from contracts.logs import LogLine, Stream


class Terminal(io.BytesIO):
    """An output that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def line(
    text: str,
    stream: Stream = Stream.STDOUT,
    raw: bytes | None = None,
    dropped: int = 0,
    data: dict[str, object] | None = None,
    target: str = "local",
) -> LogLine:
    return LogLine(
        seq=1,
        target=target,
        attempt=1,
        stream=stream,
        stream_seq=1,
        timestamp=datetime.now(UTC),
        text=text,
        raw=None if raw is None else base64.b64encode(raw).decode(),
        dropped=dropped,
        data=data,
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 漢 \t tab", "plain é 漢 \t tab"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m\x1b[0m"),
        ("\x1b[1;38;5;200mx", "\x1b[1;38;5;200mx\x1b[0m"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]52;c;aGk=\x1b\\x", "x"),
        ("\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9d0;title\x9cx", "x"),
        ("\x1bP+q\x1b\\x", "x"),
        ("\x1b[2J\x1b[H\x1b[10;10Hx\x1b[?1049h", "x"),
        ("\x1b[6n\x1b[>c\x1b[?25lx", "x"),
        ("\x9b2Jx", "x"),
        ("\x1bcx\x1b7\x1b8\x1b(0", "x"),
        ("a\x07b\x08c\x00", "a\u2407b\u2408c\u2400"),
        ("50%\r100%", "100%"),
        ("windows\r", "windows"),
        ("a\u202eb\u2066c", "a\ufffdb\ufffdc"),
        ("\x1b]0;never ends", ""),
        ("\x1b[", ""),
        ("\x1b", ""),
    ],
)
def test_a_terminal_gets_colours_and_nothing_else(text: str, shown: str) -> None:
    assert neutralise(text) == shown


def test_colours_are_left_out_where_they_do_not_belong() -> None:
    assert neutralise("\x1b[31mred\x1b[0m", colours=False) == "red"


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_whatever_a_script_prints_only_colours_reach_the_terminal(text: str) -> None:
    shown = neutralise("".join("\x1b[" if c == "é" else c for c in text))
    rest = shown.replace("\x1b[0m", "")
    while "\x1b" in rest:
        before, _, after = rest.partition("\x1b")
        head, final, tail = after.partition("m")
        assert head.startswith("[")
        assert final == "m"
        assert set(head[1:]) <= set("0123456789;:")
        rest = before + tail
    assert not any((ord(c) < 0x20 and c != "\t") or 0x7F <= ord(c) < 0xA0 for c in rest)


def test_into_a_pipe_go_the_exact_bytes() -> None:
    out, err = io.BytesIO(), io.BytesIO()
    LinePrinter(out, err).print(
        [
            line("\x1b[2Jclear \ufffd", raw=b"\x1b[2Jclear \xff\0"),
            line("é"),
            line("wrong", Stream.STDERR),
            line("try 1/1", Stream.SYSTEM),
            line("12 lines dropped", dropped=12),
        ]
    )
    assert out.getvalue() == b"\x1b[2Jclear \xff\0\n\xc3\xa9\n"
    assert err.getvalue() == b"wrong\ntry 1/1\n12 lines dropped\n"


def test_on_a_terminal_streams_differ_by_colour() -> None:
    out, err = Terminal(), Terminal()
    LinePrinter(out, err).print(
        [
            line("\x1b[2Jplain", raw=b"\x1b[2Jplain"),
            line("wrong", Stream.STDERR),
            line("try 1/1", Stream.SYSTEM),
        ]
    )
    assert out.getvalue() == b"plain\n"
    assert err.getvalue() == (
        "\x1b[31mwrong\x1b[0m\n\x1b[2m· try 1/1\x1b[0m\n".encode()
    )


def test_each_side_is_a_terminal_or_not_by_itself() -> None:
    out, err = io.BytesIO(), Terminal()
    LinePrinter(out, err).print([line("\x1b[2Jx"), line("y", Stream.STDERR)])
    assert out.getvalue() == b"\x1b[2Jx\n"
    assert err.getvalue() == b"\x1b[31my\x1b[0m\n"


def test_without_colours_a_terminal_is_still_protected() -> None:
    err = Terminal()
    printer = LinePrinter(io.BytesIO(), err, colours=False)
    printer.print([line("\x1b[2Jx", Stream.STDERR), line("note", Stream.SYSTEM)])
    assert err.getvalue() == "x\n· note\n".encode()


def test_a_reader_that_goes_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as out:
        printer = LinePrinter(out, io.BytesIO())
        assert not printer.reader_gone
        printer.print([line("x")])
        assert printer.reader_gone
        printer.print([line("y")])


def progress(fraction: float | None, text: str) -> LogLine:
    data: dict[str, object] = {"progress": {"fraction": fraction, "text": text}}
    return line(text, Stream.LOG, data=data)


def test_progress_stays_on_one_row_of_a_terminal() -> None:
    out, err = Terminal(), Terminal()
    printer = LinePrinter(out, err, colours=False)
    printer.print([line("a"), progress(0.25, "25% copying")])
    printer.print([progress(0.5, "50% copying")])
    printer.print([line("b")])
    printer.close()
    wipe = "\r\x1b[2K"
    assert err.getvalue().decode() == (
        f"{wipe}{'━' * 5}{'╌' * 15} 25% copying{wipe}{'━' * 10}{'╌' * 10} 50% copying"
        f"{wipe}"
    )
    assert out.getvalue() == b"a\nb\n"


def test_progress_in_a_pipe_is_a_line_like_any_other() -> None:
    out, err = io.BytesIO(), io.BytesIO()
    LinePrinter(out, err).print([progress(None, "half way"), line("a")])
    assert (out.getvalue(), err.getvalue()) == (b"a\n", b"half way\n")


def test_structured_lines_have_the_colour_of_their_level() -> None:
    err = Terminal()
    printer = LinePrinter(io.BytesIO(), err)
    for level in ("info", "warning", "error"):
        printer.print([line(f"{level} x", Stream.LOG, data={"level": level})])
    assert err.getvalue().decode().splitlines() == [
        "info x",
        "\x1b[33mwarning x\x1b[0m",
        "\x1b[31merror x\x1b[0m",
    ]


def test_lines_of_several_servers_carry_the_name() -> None:
    out = io.BytesIO()
    printer = LinePrinter(out, io.BytesIO(), names=["web-1", "db"])
    printer.print([line("a", target="db"), line("b", target="web-1")])
    assert out.getvalue() == b"db    | a\nweb-1 | b\n"


def test_lines_of_one_server_are_as_the_script_wrote_them() -> None:
    out = io.BytesIO()
    LinePrinter(out, io.BytesIO(), names=["db"]).print([line("a", target="db")])
    assert out.getvalue() == b"a\n"


def test_where_the_targets_are_not_known_only_servers_are_named() -> None:
    out = io.BytesIO()
    LinePrinter(out, io.BytesIO()).print([line("a"), line("b", target="db")])
    assert out.getvalue() == b"a\ndb | b\n"


def test_a_server_has_a_colour_of_its_own_on_a_terminal() -> None:
    out, err = Terminal(), Terminal()
    printer = LinePrinter(out, err, names=["web-1", "web-2"])
    printer.print([line("a", target="web-1"), line("b", target="web-2")])
    printer.print([line("c", Stream.STDERR, target="web-1")])
    first, second = out.getvalue().splitlines()
    colour = first[: first.index(b"m") + 1]
    assert first == colour + b"web-1 |\x1b[0m a"
    assert not second.startswith(colour)
    assert err.getvalue() == colour + b"web-1 |\x1b[0m \x1b[31mc\x1b[0m\n"


def test_a_name_of_a_server_cannot_take_a_terminal_over() -> None:
    out = Terminal()
    LinePrinter(out, Terminal(), colours=False).print([line("a", target="\x1b[2Jx")])
    assert out.getvalue() == b"x | a\n"


def test_progress_of_several_servers_is_lines_and_no_bar() -> None:
    err = Terminal()
    printer = LinePrinter(Terminal(), err, colours=False, names=["a", "b"])
    half = {"progress": {"fraction": 0.5, "text": "half"}}
    printer.print([line("50 % half", Stream.LOG, data=half, target="a")])
    assert err.getvalue() == b"a | 50 % half\n"

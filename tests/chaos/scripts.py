"""Scripts whose output is known to the last byte before they run."""

from dataclasses import dataclass

FIRST_LINE = "begin"


@dataclass(frozen=True)
class Numbered:
    """Writes numbered lines to both streams and exits with a code.

    Args:
        lines: Lines on each stream.
        pause: Seconds between two of them; 0 is as fast as bash can.
        code: Exit status.
        trap: Shell text before the loop, such as `trap '' TERM`.
    """

    lines: int = 40
    pause: float = 0.05
    code: int = 0
    trap: str = ""

    @property
    def text(self) -> str:
        """The script."""
        # A pipe that nothing comes out of: a pause costs no process.
        pause = f"read -rt {self.pause:f} -u $nap || " if self.pause else ""
        return (
            f"exec {{nap}}<> <(:)\n{self.trap}\necho {FIRST_LINE}\n"
            f"for ((i = 1; i <= {self.lines}; i++)); do\n"
            f'  echo "out $i of {self.lines}"; echo "err $i of {self.lines}" >&2\n'
            f"  {pause}:\ndone\nexit {self.code}\n"
        )

    @property
    def stdout(self) -> list[str]:
        """Every line of stdout, in order."""
        numbers = range(1, self.lines + 1)
        return [FIRST_LINE, *(f"out {i} of {self.lines}" for i in numbers)]

    @property
    def stderr(self) -> list[str]:
        """Every line of stderr, in order."""
        return [f"err {i} of {self.lines}" for i in range(1, self.lines + 1)]

    @property
    def seconds(self) -> float:
        """About how long it takes."""
        return self.lines * self.pause

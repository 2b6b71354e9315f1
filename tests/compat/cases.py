"""Every case of the suite.

To run one: have a channel with `input` and the variables `before`, run the `script` as
an event of its `language`, then compare stdout, and the fields of `after` with what the
channel holds. The script's exit code is 0 and its stderr is empty.
"""

from tests.compat import bash
from tests.compat.rendering import rendered
from tests.compat.steps import Case

CASES: list[Case] = [*rendered(), *bash.CASES]

"""Becoming another user of the server, before our program is sent.

Everything then happens as that user: the run's directory is theirs, and so are its
processes. sudo reads the password from the channel, never from a command line.
"""

import contextlib
import time

from contracts.server_errors import SshIdleTimeout, SshServerRefused
from contracts.servers import RunAs
from engines.scripts import quoted
from engines.ssh.shell import Shell, ShellEnded

LOOK_SECONDS = 0.1
# sudo's words in the C locale for a password that it does not take.
DENIED_WORDS = ("try again", "incorrect password", "no password was provided")


class PasswordDenied(Exception):
    """sudo asked again."""


async def become(
    shell: Shell, run_as: RunAs, password: str | None, seconds: float
) -> None:
    """Turn the channel's shell into one of another user.

    Args:
        shell: A channel that nothing was sent to.
        run_as: Who.
        password: For sudo; None: sudo must not ask.
        seconds: How long it may take.

    Raises:
        SshServerRefused: sudo says no; its own words are in the message.
        SshUnavailable: No answer came.
    """
    who, mark = quoted(run_as.user), shell.mark()
    raised = quoted(f"unset LC_ALL; echo {mark} RAISED; exec /bin/sh")
    # The password is sent only when sudo asks: else a shell would read it as a command.
    shell.write(
        f"if LC_ALL=C sudo -n -k -H -u {who} -- /bin/sh -c : 2>/dev/null; then "
        f"LC_ALL=C exec sudo -n -H -u {who} -- /bin/sh -c {raised}; "
        f"else echo {mark} PASSWORD; "
        f"LC_ALL=C exec sudo -S -k -p '' -H -u {who} -- /bin/sh -c {raised}; fi\n"
    )
    try:
        words = await shell.answer(seconds)
        if words[0] == "RAISED":
            return
        if password is None:
            raise _refused(run_as, "sudo asks for a password, and none is given")
        shell.write(password + "\n")
        await _until_raised(shell, seconds)
    except ShellEnded:
        raise _refused(run_as, shell.noise or "sudo ended without a word") from None
    except PasswordDenied:
        raise _refused(run_as, "sudo does not accept the password") from None


async def _until_raised(shell: Shell, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(SshIdleTimeout):
            await shell.answer(LOOK_SECONDS)
            return
        if any(words in shell.noise for words in DENIED_WORDS):
            raise PasswordDenied
    raise SshIdleTimeout(f"sudo did not answer within {seconds:g} s")


def _refused(run_as: RunAs, why: str) -> SshServerRefused:
    terminal = "tty" in why
    return SshServerRefused(
        f"the script cannot be run as {run_as.user}: {why}",
        hint="Set `pty: true` for this server."
        if terminal
        else "Check `runAs` and the server's sudoers.",
    )

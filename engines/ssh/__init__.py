"""Servers over SSH: scripts run detached on them, and are found again."""

from engines.ssh.check import Checked
from engines.ssh.config import SshConfig
from engines.ssh.engine import SshEngine
from engines.ssh.janitor import ServerJanitor
from engines.ssh.place import SshPlace
from engines.ssh.sandbox import SshSandbox
from engines.ssh.scan import HostKey, scan

__all__ = [
    "Checked",
    "HostKey",
    "ServerJanitor",
    "SshConfig",
    "SshEngine",
    "SshPlace",
    "SshSandbox",
    "scan",
]

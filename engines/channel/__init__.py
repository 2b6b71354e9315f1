"""The helper channel: what scripts ask of the worker, through one Unix socket per run.

`ChannelServer.open` makes the socket of one run. Who calls is known from the socket a
call arrives on; nothing that a script says can make it another run.
"""

from engines.channel.channel import Channel
from engines.channel.context import event_context
from engines.channel.gateway import GatewayVariables
from engines.channel.run import (
    ChannelLimits,
    ChannelRun,
    LogLevel,
    channel_environment,
    new_token,
)
from engines.channel.server import ChannelServer
from engines.channel.state import ChannelState, Progress
from engines.channel.variables import UNSET, VariableStore

__all__ = [
    "UNSET",
    "Channel",
    "ChannelLimits",
    "ChannelRun",
    "ChannelServer",
    "ChannelState",
    "GatewayVariables",
    "LogLevel",
    "Progress",
    "VariableStore",
    "channel_environment",
    "event_context",
    "new_token",
]

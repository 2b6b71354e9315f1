"""Messages, callbacks and tools put together from the settings."""

from typing import Any

from activities import ActionActivities
from engines.callback import CallbackSender
from engines.channel import GatewayVariables
from engines.http import GuardedTransport
from engines.notify import Notifier
from engines.posts import Poster
from engines.secrets import SecretStore
from engines.tools import ToolActions
from worker.compose import http_config, secret_sources, tool_config
from worker.settings import Settings

# What a template may read of a user's variables: characters of JSON.
VARIABLES_LIMIT = 256 << 10


def action_activities(
    settings: Settings, variables: GatewayVariables
) -> ActionActivities:
    """Return what a worker does for the actions of events.

    Args:
        settings: Everything an operator chose.
        variables: Where templates read the user's variables; closed by the caller.
    """

    async def read(user: str) -> dict[str, Any]:
        return await variables.list(user, "", VARIABLES_LIMIT)

    secrets = SecretStore(*secret_sources(settings))
    return ActionActivities(
        notifier=Notifier(secrets, http_config(settings).addresses),
        callbacks=CallbackSender(secrets, _poster(settings)),
        variables=read,
    )


def tool_actions(settings: Settings) -> ToolActions:
    """Return what scripts may do with the operator's tools."""
    secrets = SecretStore(*secret_sources(settings))
    return ToolActions(
        tool_config(settings), secrets, Notifier(secrets), _poster(settings)
    )


def _poster(settings: Settings) -> Poster:
    config = http_config(settings)
    return Poster(lambda: GuardedTransport(config))

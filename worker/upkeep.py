"""Work that is done again and again beside the runs."""

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from contracts.errors import CroniumError

logger = logging.getLogger(__name__)


async def logged(work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """Do a piece of upkeep; the next one comes whatever happens in this one."""
    try:
        await work()
    except CroniumError as error:
        logger.warning("%s", error)
    except Exception:
        logger.exception("upkeep met an unforeseen error")

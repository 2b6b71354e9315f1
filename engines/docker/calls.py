"""Calls to the Docker Engine in bounded threads, with our errors.

The SDK is synchronous; each call borrows a thread of one pool, so that a daemon that
hangs can hold at most that many threads and never the event loop.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from contracts.errors import EngineUnavailable, ImageMissing, SandboxFailed

Value = TypeVar("Value")


class Calls:
    """A connection pool to one daemon.

    Args:
        socket: Path of the daemon's Unix socket.
        threads: How many calls may be under way at once.
        timeout: Seconds that one call may take.
    """

    def __init__(self, socket: str, threads: int, timeout: float) -> None:
        self.socket = socket
        self.timeout = timeout
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="docker")
        self._client: docker.APIClient | None = None

    @property
    def client(self) -> docker.APIClient:
        """The SDK's low-level client, connected on first use."""
        if self._client is None:
            self._client = docker.APIClient(
                base_url=f"unix://{self.socket}",
                version="auto",
                timeout=int(self.timeout),
                max_pool_size=self._threads,
            )
        return self._client

    async def run(self, call: Callable[[docker.APIClient], Value]) -> Value:
        """Run one call in a thread.

        Raises:
            EngineUnavailable: The daemon does not answer, or not in time.
            ImageMissing: The image is not on this host.
            NotFound: The container or network does not exist.
            SandboxFailed: The daemon refused; its reason is in the message.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._guarded, call)

    def _guarded(self, call: Callable[[docker.APIClient], Value]) -> Value:
        try:
            return call(self.client)
        except ImageNotFound as error:
            raise ImageMissing(reason(error)) from error
        except NotFound as error:
            if "no such image" in reason(error).lower():
                raise ImageMissing(reason(error)) from error
            raise
        except APIError as error:
            raise SandboxFailed(f"Docker refused: {reason(error)}") from error
        except (requests.RequestException, DockerException, OSError) as error:
            raise EngineUnavailable(
                f"Docker does not answer on {self.socket}: {type(error).__name__}"
            ) from error

    def close(self) -> None:
        """Let go of the threads; calls under way end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()


def reason(error: APIError) -> str:
    """Return the daemon's own words of an error."""
    return str(error.explanation or error)


def status_of(error: BaseException | None) -> int | None:
    """Return the HTTP status behind one of our errors, or None."""
    response: Any = getattr(error, "response", None)
    return getattr(response, "status_code", None)

"""Images: is it there, may it be pulled, and does the pull end."""

import asyncio
import threading
from typing import Literal

import docker
from docker.errors import APIError, DockerException, ImageNotFound

from contracts.errors import ImageMissing, ImagePullFailed, ImagePullTimeout
from engines.docker.calls import Calls
from engines.docker.watching import EngineWatch

PullPolicy = Literal["missing", "always", "never"]


class Images:
    """Make sure that an image is on the host, as the operator's policy allows.

    Args:
        calls: Connection to the daemon.
        policy: `missing` pulls what is not there, `always` asks the registry each
            time, `never` uses only what is there.
        timeout: Seconds that one pull may take.
        watch: Told how long pulls took.
    """

    def __init__(
        self,
        calls: Calls,
        policy: PullPolicy,
        timeout: float,
        watch: EngineWatch | None = None,
    ) -> None:
        self._calls = calls
        self._policy = policy
        self._timeout = timeout
        self._watch = watch or EngineWatch()

    async def ensure(self, image: str) -> None:
        """Return when the image is on the host.

        Raises:
            ImageMissing: It is not there and may not be pulled, or does not exist.
            ImagePullFailed: The registry said no, or cannot be reached.
            ImagePullTimeout: The pull took longer than allowed.
        """
        if self._policy != "always" and await self._present(image):
            return
        if self._policy == "never":
            raise ImageMissing(
                f"the image {image} is not on this host and the pull policy is `never`"
            )
        with self._watch.timing("pull"):
            await self._pull(image)

    async def _present(self, image: str) -> bool:
        try:
            await self._calls.run(lambda client: client.inspect_image(image))
        except ImageMissing:
            return False
        return True

    async def _pull(self, image: str) -> None:
        stop = threading.Event()
        # A thread of its own: a registry that stalls must not hold one that others
        # need, and a cancelled pull ends at its next line of progress.
        pulling = asyncio.get_running_loop().create_future()
        thread = threading.Thread(
            target=self._pull_in_thread, args=(image, stop, pulling), daemon=True
        )
        thread.start()
        try:
            await asyncio.wait_for(asyncio.shield(pulling), self._timeout)
        except TimeoutError:
            raise ImagePullTimeout(
                f"the image {image} was not there after {self._timeout:.0f} s"
            ) from None
        finally:
            stop.set()
            pulling.add_done_callback(lambda future: future.exception())

    def _pull_in_thread(
        self, image: str, stop: threading.Event, pulling: asyncio.Future[None]
    ) -> None:
        error: Exception | None = None
        try:
            self._read_progress(image, stop)
        except ImageNotFound:
            error = ImageMissing(f"no registry has the image {image}")
        except APIError as refused:
            error = ImagePullFailed(f"cannot pull {image}: {refused.explanation}")
        except (DockerException, OSError) as broken:
            error = ImagePullFailed(f"cannot pull {image}: {type(broken).__name__}")
        except ImagePullFailed as failed:
            error = failed
        loop = pulling.get_loop()
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, pulling, error)

    def _read_progress(self, image: str, stop: threading.Event) -> None:
        client = docker.APIClient(
            base_url=f"unix://{self._calls.socket}",
            version="auto",
            timeout=int(self._timeout),
        )
        name, tag = _repository_and_tag(image)
        for step in client.pull(name, tag=tag, stream=True, decode=True):
            if stop.is_set():
                return
            if "error" in step:
                raise ImagePullFailed(f"cannot pull {image}: {step['error']}")


def _settle(pulling: asyncio.Future[None], error: Exception | None) -> None:
    if pulling.done():
        return
    if error is None:
        pulling.set_result(None)
    else:
        pulling.set_exception(error)


def _repository_and_tag(image: str) -> tuple[str, str | None]:
    if "@" in image:
        return image, None
    name, colon, tag = image.rpartition(":")
    if not colon or "/" in tag:
        return image, "latest"
    return name, tag

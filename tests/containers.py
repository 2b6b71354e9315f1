"""Which containers belong to an execution, whatever they were made for at first."""

from pathlib import Path
from typing import Any

import docker

from contracts import names
from engines.docker.rundir import RunDirectories
from engines.places import NAME_PREFIX


def containers_of(
    client: docker.APIClient, run_dir: Path, execution: str
) -> list[dict[str, Any]]:
    """Return the containers of an execution that exist now.

    One that was started in advance has its run's labels in the run's directory.
    """
    directories = RunDirectories(run_dir)

    def belongs(container: dict[str, Any]) -> bool:
        key = container["Names"][0].removeprefix(f"/{NAME_PREFIX}")
        labels = {**container["Labels"], **directories.labels(key)}
        return bool(labels.get(names.LABEL_EXECUTION) == execution)

    found = client.containers(all=True, filters={"label": names.LABEL_INSTANCE})
    return [container for container in found if belongs(container)]

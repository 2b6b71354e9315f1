"""Hardened containers: the driver of the Docker Engine."""

from engines.docker.engine import DockerConfig, DockerEngine, check_ceilings
from engines.docker.sandbox import Sandbox
from engines.places import SandboxExit, SandboxRunsAlready, SandboxSpec

__all__ = [
    "DockerConfig",
    "DockerEngine",
    "Sandbox",
    "SandboxExit",
    "SandboxRunsAlready",
    "SandboxSpec",
    "check_ceilings",
]

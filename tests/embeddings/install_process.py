"""`python -m tests.embeddings.install_process DIR [STAGE]`: an install that tells its stages.

It waits for a line on stdin before it begins and, with STAGE, stops for ever at that stage.
"""

import sys
from pathlib import Path

from mcp_memory.vectors.providers.minilm_install import install


def main(model_dir: Path, stop_at: str | None) -> None:
    def tell(stage: str, done: int, total: int) -> None:
        sys.stdout.write(f"{stage} {done} {total}\n")
        sys.stdout.flush()
        if stage == stop_at:
            sys.stdin.readline()

    sys.stdin.readline()
    install(model_dir, tell)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)

"""`python -m mcp_memory` is the command `mcp-memory`."""

from mcp_memory.interfaces.cli import main

if __name__ == "__main__":
    main(prog_name="mcp-memory")

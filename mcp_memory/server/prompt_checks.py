"""Prompts asked for wrongly: an error of invalid parameters that names what to do about it."""

from collections.abc import Mapping, Sequence
from typing import Any

from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import INVALID_PARAMS, GetPromptResult, InputRequiredResult, Prompt

from mcp_memory.errors import nearest


class CheckedPromptServer(MCPServer[object]):
    """The server; the SDK's own answer to such a mistake is an internal error."""

    async def get_prompt(
        self,
        name: str,
        arguments: dict[str, Any] | None = None,
        context: Context[object, Any] | None = None,
    ) -> GetPromptResult | InputRequiredResult:
        """The prompt's messages; `MCPError` when it cannot be made of these arguments."""
        if problem := problem_with(name, arguments or {}, await self.list_prompts()):
            raise MCPError(INVALID_PARAMS, problem)
        return await super().get_prompt(name, arguments, context)


def problem_with(name: str, given: Mapping[str, object], prompts: Sequence[Prompt]) -> str:
    """What is wrong with the prompt's name or its arguments; empty when nothing is."""
    by_name = {prompt.name: prompt for prompt in prompts}
    if (prompt := by_name.get(name)) is None:
        known = [*by_name]
        return (
            f"No prompt {name[:80]!r}.{nearest(name, known)} Known: {', '.join(known) or 'none'}."
        )
    arguments = {each.name: each for each in prompt.arguments or []}
    for unknown in given.keys() - arguments.keys():
        takes = f"takes {', '.join(arguments)}" if arguments else "takes no arguments"
        return f"{unknown[:80]}: is not an argument of the prompt {name}, which {takes}"
    for argument in arguments.values():
        if argument.required and not str(given.get(argument.name, "")).strip():
            return f"{argument.name}: is required by the prompt {name}: {argument.description}"
    return ""

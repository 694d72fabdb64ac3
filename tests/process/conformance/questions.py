"""Fixture tools that ask the client something: the older way, and by results that need input."""

import json
from typing import Any, cast

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
)

Ctx = Context[Any]
Schema = dict[str, Any]
Question = CreateMessageRequest | ListRootsRequest | ElicitRequest
Outcome = TextContent | InputRequiredResult


def _text(text: str) -> TextContent:
    return TextContent(type="text", text=text)


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _optional(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties}


def _said(text: str) -> SamplingMessage:
    return SamplingMessage(role="user", content=_text(text))


async def _elicited(ctx: Ctx, message: str, schema: Schema) -> ElicitResult:
    return await ctx.session.elicit_form(message, schema, related_request_id=ctx.request_id)


async def test_sampling(prompt: str, ctx: Ctx) -> TextContent:
    """Let the client's model answer."""
    result = await ctx.session.create_message(  # pyright: ignore[reportDeprecated]  # the suite asks
        [_said(prompt)], max_tokens=100, related_request_id=ctx.request_id
    )
    answer = result.content.text if isinstance(result.content, TextContent) else ""
    return _text(f"LLM response: {answer}")


async def test_elicitation(message: str, ctx: Ctx) -> TextContent:
    """Ask the user for a name and an address."""
    schema = _object(
        username={"type": "string", "description": "User's response"},
        email={"type": "string", "description": "User's email address"},
    )
    result = await _elicited(ctx, message, schema)
    return _text(f"User response: action={result.action}, content={json.dumps(result.content)}")


async def test_elicitation_sep1034_defaults(ctx: Ctx) -> TextContent:
    """Ask with a default of each kind."""
    states = ["active", "inactive", "pending"]
    schema = _optional(
        name={"type": "string", "default": "John Doe"},
        age={"type": "integer", "default": 30},
        score={"type": "number", "default": 95.5},
        status={"type": "string", "enum": states, "default": "active"},
        verified={"type": "boolean", "default": True},
    )
    result = await _elicited(ctx, "Please check these defaults", schema)
    return _completed(result)


async def test_elicitation_sep1330_enums(ctx: Ctx) -> TextContent:
    """Ask with a choice of each kind."""
    plain = ["option1", "option2", "option3"]
    first = [{"const": f"value{number}", "title": f"Option {number}"} for number in (1, 2, 3)]
    schema = _optional(
        untitledSingle={"type": "string", "enum": plain},
        titledSingle={"type": "string", "oneOf": first},
        legacyEnum={
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        untitledMulti={"type": "array", "items": {"type": "string", "enum": plain}},
        titledMulti={"type": "array", "items": {"anyOf": first}},
    )
    result = await _elicited(ctx, "Please choose", schema)
    return _completed(result)


def _completed(result: ElicitResult) -> TextContent:
    content = json.dumps(result.content)
    return _text(f"Elicitation completed: action={result.action}, content={content}")


def _form(message: str, **properties: Schema) -> ElicitRequest:
    params = ElicitRequestFormParams(message=message, requested_schema=_object(**properties))
    return ElicitRequest(params=params)


def _sample(prompt: str, max_tokens: int) -> CreateMessageRequest:
    params = CreateMessageRequestParams(messages=[_said(prompt)], max_tokens=max_tokens)
    return CreateMessageRequest(params=params)


NAME = _form("What is your name?", name={"type": "string"})
CAPITAL = _sample("What is the capital of France?", 100)
CONFIRM = _form("Please confirm", ok={"type": "boolean"})


def _ask(state: str | None = None, /, **questions: Question) -> InputRequiredResult:
    return InputRequiredResult(input_requests=questions, request_state=state)


def _field(ctx: Ctx, key: str, field: str) -> str | None:
    """What the client answered in a form, or None."""
    answer = (ctx.input_responses or {}).get(key)
    if not isinstance(answer, ElicitResult) or answer.action != "accept":
        return None
    value = (answer.content or {}).get(field)
    return None if value is None else str(value)


async def test_input_required_result_elicitation(ctx: Ctx) -> Outcome:
    """Ask for a name."""
    name = _field(ctx, "user_name", "name")
    return _ask(user_name=NAME) if name is None else _text(f"Hello, {name}!")


async def test_input_required_result_sampling(ctx: Ctx) -> Outcome:
    """Ask the client's model for a capital."""
    answer = (ctx.input_responses or {}).get("capital_question")
    if not isinstance(answer, CreateMessageResult):
        return _ask(capital_question=CAPITAL)
    content = answer.content
    return content if isinstance(content, TextContent) else _text("No text came.")


async def test_input_required_result_list_roots(ctx: Ctx) -> Outcome:
    """Ask for the client's roots."""
    answer = (ctx.input_responses or {}).get("client_roots")
    if not isinstance(answer, ListRootsResult):
        return _ask(client_roots=ListRootsRequest())
    return _text(", ".join(str(root.uri) for root in answer.roots))


async def test_input_required_result_request_state(ctx: Ctx) -> Outcome:
    """Ask, with a state that must come back."""
    if ctx.request_state != "confirming":
        return _ask("confirming", confirm=CONFIRM)
    return _text("state-ok")


async def test_input_required_result_multiple_inputs(ctx: Ctx) -> Outcome:
    """Ask three things at once."""
    questions: dict[str, Question] = {
        "user_name": NAME,
        "greeting": _sample("Generate a greeting", 50),
        "client_roots": ListRootsRequest(),
    }
    if questions.keys() - (ctx.input_responses or {}).keys():
        return _ask("asked", **questions)
    return _text(f"Three answers for {_field(ctx, 'user_name', 'name')}.")


async def test_input_required_result_multi_round(ctx: Ctx) -> Outcome:
    """Ask twice, one after the other."""
    name = _field(ctx, "step1", "name")
    if ctx.request_state is None or (name is None and ctx.request_state == "first"):
        question = _form("Step 1: What is your name?", name={"type": "string"})
        return _ask("first", step1=question)
    color = _field(ctx, "step2", "color")
    if color is None:
        question = _form("Step 2: What is your favorite color?", color={"type": "string"})
        return _ask(f"second {name}", step2=question)
    return _text(f"{ctx.request_state.removeprefix('second ')} likes {color}.")


async def test_input_required_result_tampered_state(ctx: Ctx) -> Outcome:
    """Ask with a sealed state; the SDK refuses one that was changed."""
    if ctx.request_state is None:
        return _ask("sealed", confirm=CONFIRM)
    return _text("The seal was whole.")


async def test_input_required_result_capabilities(ctx: Ctx) -> Outcome:
    """Ask only what the client can answer."""
    capabilities = ctx.client_capabilities
    questions: dict[str, Question] = {}
    if capabilities and capabilities.sampling is not None:
        questions["capital_question"] = CAPITAL
    if capabilities and capabilities.elicitation is not None:
        questions["user_name"] = NAME
    return _ask(None, **questions) if questions else _text("Nothing to ask.")


async def test_input_required_result_prompt(ctx: Ctx) -> Any:
    """A prompt that asks first."""
    context = _field(ctx, "user_context", "context")
    if context is None:
        question = _form("What context should the prompt use?", context={"type": "string"})
        return _ask(user_context=question)
    return f"Use this context: {context}"


OLDER = (
    test_sampling,
    test_elicitation,
    test_elicitation_sep1034_defaults,
    test_elicitation_sep1330_enums,
)
NEWER = (
    test_input_required_result_elicitation,
    test_input_required_result_sampling,
    test_input_required_result_list_roots,
    test_input_required_result_request_state,
    test_input_required_result_multiple_inputs,
    test_input_required_result_multi_round,
    test_input_required_result_tampered_state,
    test_input_required_result_capabilities,
)


def register_questions(server: MCPServer[object]) -> None:
    """Add the tools and the prompt that ask."""
    for tool in (*OLDER, *NEWER):
        server.add_tool(cast("Any", tool), structured_output=False)
    server.prompt()(test_input_required_result_prompt)

"""Documents as resources."""

import pytest
from mcp import Client, MCPError
from mcp_types import INVALID_PARAMS, TextResourceContents

from tests.fixtures.calls import ask


async def read(client: Client, uri: str) -> TextResourceContents:
    (content,) = (await client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    return content


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("MEMORY.md", "memory://main/documents/MEMORY.md"),
        ("memory/2026/note.md", "memory://main/documents/memory/2026/note.md"),
        ("ü x/100%.md", "memory://main/documents/%C3%BC%20x/100%25.md"),
    ],
)
async def test_a_document_is_read_by_its_path(alice: Client, path: str, uri: str) -> None:
    await ask(alice, "memory_write", path=path, content="# Note\n\nzebra\n")
    content = await read(alice, uri)
    assert (content.uri, content.mime_type) == (uri, "text/markdown")
    assert content.text.startswith("# Note\n\nzebra")


@pytest.mark.parametrize(
    "uri",
    [
        "memory://main/documents/none.md",
        "memory://nowhere/documents/MEMORY.md",
        "memory://No%20Name/documents/MEMORY.md",
        "memory://main/documents/../MEMORY.md",
        "memory://main/documents/a/%2e%2e/MEMORY.md",
        "memory://main/documents/%2FMEMORY.md",
        "memory://main/documents/a%00b",
        "memory://main/documents/",
        "memory://main/other",
    ],
)
async def test_what_is_not_there_is_not_found(alice: Client, uri: str) -> None:
    await ask(alice, "memory_write", path="MEMORY.md", content="zebra")
    with pytest.raises(MCPError) as caught:
        await read(alice, uri)
    assert caught.value.code == INVALID_PARAMS


async def test_anothers_private_document_is_not_found(alice: Client, bob: Client) -> None:
    await ask(alice, "memory_write", path="MEMORY.md", content="zebra")
    with pytest.raises(MCPError) as caught:
        await read(bob, "memory://main/documents/MEMORY.md")
    assert (caught.value.code, "zebra" in str(caught.value)) == (INVALID_PARAMS, False)


async def test_a_deleted_document_is_not_found(alice: Client) -> None:
    await ask(alice, "memory_write", path="MEMORY.md", content="zebra")
    await ask(alice, "memory_delete", path="MEMORY.md")
    with pytest.raises(MCPError):
        await read(alice, "memory://main/documents/MEMORY.md")

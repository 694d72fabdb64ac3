"""The passages of a message: what is short is one, found by the same as if it had been scanned."""

from datetime import date

from hypothesis import example, given
from hypothesis import strategies as st

from mcp_memory.memory.conversations.batch import passages_of
from mcp_memory.memory.conversations.models import Role
from mcp_memory.text.chunking import Chunk, chunk_markdown, chunk_text

DAY = date(2026, 3, 1)
roles: st.SearchStrategy[Role] = st.sampled_from(["user", "assistant", "system", "tool"])
# What may begin a heading, a list, a fence, a rule or front matter, and what ends a line.
texts = st.text(st.sampled_from("ab #-*=>`~1.\\ \t\n\r\x0b\u2028é家"), max_size=40)


@given(role=roles, text=texts)
@example(role="user", text="---")
@example(role="user", text="# Plan")
@example(role="tool", text="  - one line  ")
@example(role="assistant", text="word " * 300)
def test_a_message_has_the_passages_of_its_blocks(role: Role, text: str) -> None:
    passages = passages_of(role, text, DAY)
    assert [Chunk(p.text, p.heading, p.start_line, p.end_line) for p in passages] == (
        chunk_text(text) if role == "tool" else chunk_markdown(text)
    )
    assert [p.position for p in passages] == [*range(len(passages))]

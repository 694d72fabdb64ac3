"""Names of channels: PostgreSQL cuts what is longer than 63 bytes."""

import string

from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.memory.mail.wait import mail_channel

# A pattern of the same names takes ten times as long.
_LETTERS = string.ascii_letters + string.digits
AGENTS = st.builds(str.__add__, st.sampled_from(_LETTERS), st.text(_LETTERS + "_.:-", max_size=63))


def test_a_short_name_is_in_the_channel_as_it_is() -> None:
    assert mail_channel("bob") == "mcp_memory_msg_bob"
    assert mail_channel("b" * 48) == "mcp_memory_msg_" + "b" * 48


def test_long_names_that_begin_alike_have_channels_of_their_own() -> None:
    channels = {mail_channel("a" * 60 + end) for end in ("", "b", "c", "bc", "dddd")}

    assert len(channels) == 5
    assert max(len(channel.encode()) for channel in channels) <= 63


@given(one=AGENTS, other=AGENTS)
def test_no_two_agents_share_a_channel(one: str, other: str) -> None:
    assert (mail_channel(one) == mail_channel(other)) == (one == other)


def test_no_name_is_the_digest_of_another() -> None:
    digest = mail_channel("a" * 64).rpartition("#")[2]

    assert mail_channel(digest) != mail_channel("a" * 64)

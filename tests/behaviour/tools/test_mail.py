"""The tool `memory_message`, as an agent calls it."""

from collections.abc import Mapping
from typing import cast

import anyio
import pytest
from mcp import Client

from mcp_memory.app import App
from tests.fixtures.calls import Facts, ask, refusal, rows

TOOL = "memory_message"
WEIRD = '\'); DROP TABLE messages; -- :word "q" %s {x} 🕊 ' + "x" * 260


async def arrive(*clients: Client) -> None:
    """An agent is known after its first call, whichever tool it is of."""
    for client in clients:
        await ask(client, "memory_list")


async def send(client: Client, to: object, content: str, **arguments: object) -> str:
    """The id of a message that was sent."""
    sent = await ask(client, TOOL, action="send", to=to, content=content, **arguments)
    return str(sent["message_id"])


async def inbox(client: Client, **arguments: object) -> list[Facts]:
    return rows(await ask(client, TOOL, action="inbox", **arguments), "messages")


async def take(client: Client, **arguments: object) -> list[Facts]:
    """What a wait finds at once."""
    answer = await ask(client, TOOL, action="wait", timeout_seconds=0, **arguments)
    return rows(answer, "messages")


def contents(messages: list[Facts]) -> list[str]:
    return [str(message["content"]) for message in messages]


async def states(client: Client, message_id: str) -> Mapping[str, str]:
    answer = await ask(client, TOOL, action="status", message_id=message_id)
    return {str(each["agent"]): str(each["state"]) for each in rows(answer, "recipients")}


async def test_a_message_arrives_is_taken_and_acknowledged(alice: Client, bob: Client) -> None:
    await arrive(alice, bob)
    sent = await ask(
        alice, TOOL, action="send", to="bob", content="the tide turns at six", subject="tide"
    )
    number = str(sent["message_id"])

    assert sent == {"message_id": number, "thread_id": number, "recipients": ["bob"]}
    (found,) = await inbox(bob)
    assert found | {"sent_at": ""} == {
        "id": number,
        "from": "alice",
        "to": "bob",
        "subject": "tide",
        "content": "the tide turns at six",
        "type": "message",
        "channel": "",
        "priority": 5,
        "thread_id": number,
        "sent_at": "",
        "state": "queued",
    }
    assert await states(alice, number) == {"bob": "queued"}
    (taken,) = await take(bob)
    assert taken == found | {"state": "delivered"}
    assert await states(alice, number) == {"bob": "delivered"}
    done = await ask(bob, TOOL, action="ack", message_ids=[number], note="thank you")
    assert done == {"acknowledged": [number]}
    assert await inbox(bob) == []
    assert await states(alice, number) == {"bob": "acknowledged"}


async def test_looking_at_the_inbox_changes_nothing(alice: Client, bob: Client) -> None:
    await arrive(bob)
    number = await send(alice, "bob", "hello")

    assert [await inbox(bob) for _ in range(3)] == [await inbox(bob)] * 3
    assert await states(alice, number) == {"bob": "queued"}
    assert (await ask(bob, "memory_current_database"))["unread_messages"] == 1


async def test_what_one_took_no_other_wait_gets_while_the_lease_runs(
    alice: Client, bob: Client
) -> None:
    await arrive(bob)
    await send(alice, "bob", "only once")

    assert contents(await take(bob)) == ["only once"]
    assert await take(bob) == []
    assert contents(await inbox(bob)) == ["only once"]


async def test_a_wait_is_answered_when_mail_comes(alice: Client, bob: Client) -> None:
    await arrive(alice, bob)
    told = anyio.Event()

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        del progress, total, message
        told.set()

    found: list[Facts] = []

    async def wait() -> None:
        result = await bob.call_tool(
            TOOL, {"action": "wait", "timeout_seconds": 60}, progress_callback=tell
        )
        found.extend(rows(cast("Facts", result.structured_content), "messages"))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await told.wait()
            await send(alice, "bob", "wake up")

    assert contents(found) == ["wake up"]


async def test_priority_goes_first_and_order_holds_within_one(alice: Client, bob: Client) -> None:
    await arrive(bob)
    for content, priority in [("a", 1), ("b", 9), ("c", 1), ("d", 9), ("e", 5)]:
        await send(alice, "bob", content, priority=priority)

    assert contents(await inbox(bob)) == ["b", "d", "e", "a", "c"]
    assert contents(await take(bob, limit=3)) == ["b", "d", "e"]
    assert contents(await take(bob)) == ["a", "c"]


async def test_an_inbox_pages(alice: Client, bob: Client) -> None:
    await arrive(bob)
    for number in range(5):
        await send(alice, "bob", str(number), priority=number % 2)
    pages: list[list[str]] = []
    cursor = ""
    while True:
        page = await ask(bob, TOOL, action="inbox", limit=2, cursor=cursor)
        pages.append(contents(rows(page, "messages")))
        cursor = str(page.get("next_cursor", ""))
        if not cursor:
            break

    assert pages == [["1", "3"], ["0", "2"], ["4"]]


async def test_everybody_is_everybody_but_the_sender(
    alice: Client, bob: Client, carol: Client
) -> None:
    await arrive(alice, bob, carol)
    number = await send(alice, "*", "fire drill")

    assert contents(await take(bob)) == ["fire drill"]
    await ask(bob, TOOL, action="ack", message_ids=[number])
    (left,) = await inbox(carol)
    assert (left["content"], left["to"], left["state"]) == ("fire drill", "*", "queued")
    assert await inbox(alice) == []
    assert await states(alice, number) == {"bob": "acknowledged", "carol": "queued"}


async def test_an_unknown_recipient_is_named_with_the_nearest_known(
    alice: Client, bob: Client
) -> None:
    await arrive(bob)

    text = await refusal(alice, TOOL, action="send", to=["bob", "bobb"], content="hello")

    assert "'bobb'" in text
    assert "'bob'" in text
    assert await inbox(bob) == []


async def test_a_channel_reaches_those_who_hear_it(
    alice: Client, bob: Client, carol: Client
) -> None:
    await arrive(carol)
    await ask(bob, TOOL, action="subscribe", channel=WEIRD)
    await ask(alice, TOOL, action="subscribe", channel=WEIRD)

    sent = await ask(alice, TOOL, action="send", channel=WEIRD, content=WEIRD, subject=WEIRD)

    assert sent["recipients"] == ["bob"]
    (found,) = await inbox(bob, channel=WEIRD)
    assert (found["channel"], found["content"], found["subject"]) == (WEIRD, WEIRD, WEIRD)
    assert await inbox(bob, channel=WEIRD[:-1]) == []
    assert await inbox(carol) == []
    assert await ask(carol, TOOL, action="channels") == {
        "channels": [{"channel": WEIRD, "subscribers": 2, "subscribed": False}]
    }


async def test_one_hears_no_more_after_unsubscribing(alice: Client, bob: Client) -> None:
    await ask(bob, TOOL, action="subscribe", channel="deploys")
    gone = await ask(bob, TOOL, action="unsubscribe", channel="deploys")

    assert gone == {"channel": "deploys", "subscribed": False, "changed": True}
    assert "deploys" in await refusal(alice, TOOL, action="send", channel="deploys", content="x")


async def test_with_recipients_a_channel_is_a_label(alice: Client, bob: Client) -> None:
    await arrive(bob)
    await send(alice, "bob", "green", channel="deploys")
    await send(alice, "bob", "other")

    assert contents(await take(bob, channel="deploys")) == ["green"]


async def test_a_reply_goes_back_and_keeps_the_thread(alice: Client, bob: Client) -> None:
    await arrive(alice, bob)
    first = await send(alice, "bob", "which pier?")
    answer = await ask(bob, TOOL, action="send", reply_to=first, content="the north one")
    again = await ask(
        alice, TOOL, action="send", reply_to=answer["message_id"], content="on my way"
    )

    assert (answer["recipients"], answer["thread_id"]) == (["alice"], first)
    assert (again["recipients"], again["thread_id"]) == (["bob"], first)
    history = await ask(bob, TOOL, action="history", thread_id=first)
    assert contents(rows(history, "messages")) == ["on my way", "the north one", "which pier?"]
    assert [each["state"] for each in rows(history, "messages")] == ["queued"] * 3
    assert rows(history, "messages")[0]["reply_to"] == answer["message_id"]


async def test_history_and_status_tell_the_sender_the_same(
    alice: Client, bob: Client, carol: Client
) -> None:
    await arrive(alice, bob, carol)
    one = await send(alice, "bob", "to one")
    both = await send(alice, ["bob", "carol"], "to both")
    await ask(bob, TOOL, action="ack", message_ids=[one, both])

    async def states() -> list[object]:
        history = await ask(alice, TOOL, action="history")
        return [each["state"] for each in rows(history, "messages")]

    assert await states() == ["sent", "acknowledged"]
    await ask(carol, TOOL, action="ack", message_ids=[both])
    assert await states() == ["acknowledged", "acknowledged"]


async def test_history_is_of_one_agent_or_channel(
    alice: Client, bob: Client, carol: Client
) -> None:
    await arrive(alice, bob, carol)
    await send(alice, "bob", "to bob", channel="x")
    await send(bob, "alice", "from bob")
    await send(alice, "carol", "to carol", channel="x")

    async def history(**wanted: object) -> list[str]:
        return contents(rows(await ask(alice, TOOL, action="history", **wanted), "messages"))

    assert await history(with_agent="bob") == ["from bob", "to bob"]
    assert await history(channel="x") == ["to carol", "to bob"]
    page = await ask(alice, TOOL, action="history", limit=2)
    assert contents(rows(page, "messages")) == ["to carol", "from bob"]
    assert await history(cursor=page["next_cursor"]) == ["to bob"]


async def test_the_same_key_sends_once(alice: Client, bob: Client) -> None:
    await arrive(bob)
    first = await send(alice, "bob", "hello", idempotency_key="k")

    assert await send(alice, "bob", "hello", idempotency_key="k") == first
    assert contents(await inbox(bob)) == ["hello"]
    assert "idempotency_key" in await refusal(
        alice, TOOL, action="send", to="bob", content="other", idempotency_key="k"
    )


async def test_what_expired_is_handed_out_no_more(app: App, alice: Client, bob: Client) -> None:
    await arrive(bob)
    number = await send(alice, "bob", "lunch?", expires_in="0.000001")
    kept = await send(alice, "bob", "dinner?", expires_in="2 weeks")

    assert [each["id"] for each in await inbox(bob)] == [kept]
    assert contents(await take(bob)) == ["dinner?"]
    assert await states(alice, number) == {"bob": "expired"}
    every = await inbox(bob, unread_only=False)
    assert [each["state"] for each in every] == ["expired", "delivered"]
    assert (await ask(bob, "memory_current_database"))["unread_messages"] == 1


async def test_only_the_recipient_acknowledges_and_only_the_sender_asks(
    alice: Client, bob: Client, carol: Client
) -> None:
    await arrive(bob, carol)
    number = await send(alice, "bob", "between us")
    unknown = str(int(number) + 1000)

    for stranger in (alice, carol):
        text = await refusal(stranger, TOOL, action="ack", message_ids=[number])
        assert text == (await refusal(stranger, TOOL, action="ack", message_ids=[unknown])).replace(
            unknown, number
        )
    for stranger in (bob, carol):
        text = await refusal(stranger, TOOL, action="status", message_id=number)
        assert text == (await refusal(stranger, TOOL, action="status", message_id=unknown)).replace(
            unknown, number
        )
    text = await refusal(carol, TOOL, action="send", reply_to=number, content="x")
    assert "between us" not in text
    history = await ask(carol, TOOL, action="history", thread_id=number)
    assert rows(history, "messages") == []
    assert await states(alice, number) == {"bob": "queued"}


async def test_an_acknowledgement_of_several_is_all_or_nothing(alice: Client, bob: Client) -> None:
    await arrive(bob)
    number = await send(alice, "bob", "hello")

    await refusal(bob, TOOL, action="ack", message_ids=[number, "999999"])
    assert len(await inbox(bob)) == 1
    listless: list[Facts] = [{}, {"message_ids": []}, {"message_ids": None, "note": "read"}]
    for nothing in listless:
        text = await refusal(bob, TOOL, action="ack", **nothing)
        assert text == "message_ids: is required for ack"
    assert len(await inbox(bob)) == 1
    for _ in range(2):
        done = await ask(bob, TOOL, action="ack", message_ids=[number, number])
        assert done == {"acknowledged": [number]}


async def test_agents_are_known_from_their_first_call(alice: Client, bob: Client) -> None:
    await arrive(bob)

    answer = await ask(alice, TOOL, action="agents")

    assert [(each["agent"], each["listening"]) for each in rows(answer, "agents")] == [
        ("alice", False),
        ("bob", False),
    ]


async def test_mail_stays_where_it_is_whatever_the_default_is(alice: Client, bob: Client) -> None:
    await arrive(bob)
    await ask(bob, "memory_register_database", name="life")
    await ask(bob, "memory_set_default_database", name="life")
    await send(alice, "bob", "in main")

    assert contents(await inbox(bob)) == ["in main"]
    assert await inbox(bob, database="life") == []
    assert (await ask(bob, "memory_current_database"))["unread_messages"] == 1


async def test_who_acts_in_another_database_is_known_there(alice: Client, bob: Client) -> None:
    await ask(bob, "memory_register_database", name="life")
    assert "'bob'" in await refusal(
        alice, TOOL, action="send", to="bob", content="early", database="life"
    )
    assert await take(bob, database="life") == []
    await send(alice, "bob", "in life", database="life")

    assert contents(await inbox(bob, database="life")) == ["in life"]
    assert await inbox(bob) == []


async def test_what_belongs_to_another_action_is_refused_and_nothing_happens(
    alice: Client, bob: Client
) -> None:
    await arrive(bob)
    text = await refusal(alice, TOOL, action="inbox", to="bob", content="never sent")
    assert text == (
        "to: is an argument of send, not of inbox; content: is an argument of send, not of inbox"
    )
    assert await inbox(bob) == []


async def test_clients_that_send_every_parameter_may_use_every_action(
    alice: Client, bob: Client
) -> None:
    await arrive(bob)
    nothing: Facts = {
        "to": [], "content": "", "subject": "", "channel": "", "type": "message", "priority": 5,
        "reply_to": "", "expires_in": "", "idempotency_key": "", "unread_only": True,
        "from_agent": "", "limit": 0, "cursor": "", "timeout_seconds": 30, "message_ids": [],
        "note": "", "message_id": "", "thread_id": "", "with_agent": None, "database": None,
    }  # fmt: skip

    async def strictly(client: Client, action: str, **arguments: object) -> Facts:
        return await ask(client, TOOL, **nothing | {"action": action} | arguments)

    sent = await strictly(alice, "send", to="bob", content="x")
    number = str(sent["message_id"])
    assert len(rows(await strictly(bob, "inbox"), "messages")) == 1
    assert len(rows(await strictly(bob, "wait", timeout_seconds=0), "messages")) == 1
    assert await strictly(bob, "ack", message_ids=[number]) == {"acknowledged": [number]}
    assert len(rows(await strictly(alice, "status", message_id=number), "recipients")) == 1
    assert len(rows(await strictly(alice, "history"), "messages")) == 1
    assert (await strictly(bob, "subscribe", channel="deploys"))["changed"]
    assert len(rows(await strictly(bob, "channels"), "channels")) == 1
    assert (await strictly(bob, "unsubscribe", channel="deploys"))["changed"]
    assert len(rows(await strictly(bob, "agents"), "agents")) == 2


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"content": "x"}, "to"),
        ({"to": [], "content": "x"}, "to"),
        ({"to": "bob", "content": "  "}, "content"),
        ({"to": "bob", "content": "x" * 1_048_577}, "content"),
        ({"to": "bob", "content": "x", "subject": "y" * 1001}, "subject"),
        ({"to": "bob", "content": "x", "channel": "y" * 501}, "channel"),
        ({"to": "bob", "content": "x", "priority": 11}, "priority"),
        ({"to": "bob", "content": "x", "expires_in": "soon"}, "expires_in"),
        ({"to": "bob", "content": "x", "expires_in": "0"}, "expires_in"),
        ({"to": ["bob", "*"], "content": "x"}, "to"),
        ({"to": "no one", "content": "x"}, "to"),
        ({"to": "[1", "content": "x"}, "to"),
        ({"to": "bob", "content": "x", "type": " "}, "type"),
        ({"to": "bob", "content": "x", "idempotency_key": "k" * 201}, "idempotency_key"),
    ],
)
async def test_what_cannot_be_sent_is_refused_and_nothing_is(
    alice: Client, bob: Client, arguments: dict[str, object], name: str
) -> None:
    await arrive(bob)

    assert (await refusal(alice, TOOL, action="send", **arguments)).startswith(f"{name}: ")
    assert await inbox(bob) == []


async def test_a_list_may_come_as_json_text(alice: Client, bob: Client, carol: Client) -> None:
    await arrive(bob, carol)

    sent = await ask(alice, TOOL, action="send", to='["bob", "carol", "bob"]', content="x")

    assert sent["recipients"] == ["bob", "carol"]
    assert [each["to"] for each in await inbox(carol)] == ["bob, carol"]

"""What Prometheus is shown: how calls ended and how long they took, nothing of what they said."""

import re

from prometheus_client.parser import text_string_to_metric_families

from mcp_memory.app import App
from mcp_memory.memory.keys import NewKey
from tests.fixtures.calls import ask, refusal
from tests.fixtures.site import Site

SECRET = "marmalade"


def count_noun(text: str) -> dict[tuple[str, str], float]:
    """How many calls of each tool ended in each way."""
    (calls,) = [
        family
        for family in text_string_to_metric_families(text)
        if family.name == "mcp_memory_call_seconds"
    ]
    return {
        (sample.labels["tool"], sample.labels["outcome"]): sample.value
        for sample in calls.samples
        if sample.name.endswith("_count")
    }


async def test_calls_are_counted_by_tool_and_outcome_over_every_protocol(site: Site) -> None:
    async with site.client() as client, site.http() as http:
        await ask(client, "memory_write", path="diary.md", content=f"a {SECRET} secret")
        await ask(client, "memory_search", query=SECRET)
        await refusal(client, "memory_get", path=f"{SECRET}.md")
        assert (await http.get("/api/search", params={"query": SECRET})).status_code == 200
        assert (await http.get("/api/search")).status_code == 400
        answer = await http.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert count_noun(answer.text) == {
        ("memory_write", "ok"): 1,
        ("memory_search", "ok"): 2,
        ("memory_search", "refused"): 1,
        ("memory_get", "refused"): 1,
    }
    assert re.search(r"^mcp_memory_requests 1\.0$", answer.text, re.MULTILINE)
    assert "mcp_memory_build_info{" in answer.text
    assert SECRET not in answer.text


async def test_the_numbers_need_a_key_like_everything_else(app: App, site: Site) -> None:
    issued = await app.keys.create(NewKey("prometheus", scopes=("read",)))
    async with site.http() as nobody, site.http(issued.text) as prometheus:
        assert (await nobody.get("/metrics")).status_code == 401
        assert (await prometheus.get("/metrics")).status_code == 200
        assert (await prometheus.post("/metrics")).status_code == 405

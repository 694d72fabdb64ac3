"""Abstaining: with the real model, what is unrelated finds nothing and a paraphrase finds it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mcp_memory.app import App, open_app
from mcp_memory.memory.documents.models import WriteDocument
from mcp_memory.search.kinds import SearchRequest
from tests.fixtures.postgres import MakeConfig

FACTS = {
    "heating.md": "The boiler in the cellar is serviced every October by Lund & Sons.",
    "allergy.md": "Mira cannot eat shellfish; it makes her ill.",
    "parking.md": "Visitors leave their cars behind the bakery, the yard is for residents.",
    "release.md": "New versions go out on Wednesdays once two people have approved them.",
    "garden.md": "The apple trees by the wall were planted by our grandmother in 1961.",
    "router.md": "If the internet is down, unplug the grey box in the hallway for a minute.",
    "lessons.md": "Jonas has his cello lessons on Monday afternoons at half past three.",
    "savings.md": "We put four hundred euros aside each month for the new roof.",
}
PARAPHRASES = {
    "Which food must Mira avoid?": "allergy.md",
    "Where can guests park?": "parking.md",
    "When are software releases published?": "release.md",
    "How do I fix the wifi?": "router.md",
    "When does Jonas learn to play his instrument?": "lessons.md",
    "How much money are we saving for the roof?": "savings.md",
}
UNRELATED = (
    "Who won the football world cup in 1998?",
    "What is the boiling point of nitrogen?",
    "Explain the plot of Hamlet",
    "How tall is Mount Kilimanjaro?",
    "What is the capital of Mongolia?",
    "Which planets have rings?",
    "What are the symptoms of measles?",
    "Who painted the Sistine chapel?",
    "How do vaccines work?",
    "Translate good night into Portuguese",
)


@pytest.fixture
async def store(make_config: MakeConfig, minilm_dir: Path) -> AsyncIterator[App]:
    """A small store of facts with nothing in common."""
    config = make_config(embeddings={"provider": "minilm", "model_dir": str(minilm_dir)})
    async with open_app(config) as app:
        for path, fact in FACTS.items():
            await app.documents.write(app.session("alice"), WriteDocument(path, fact))
        yield app


async def first_found(app: App, query: str) -> str:
    results = (await app.search.passages(app.session("alice"), SearchRequest(query))).results
    return results[0].path if results else ""


async def test_unrelated_questions_find_nothing(store: App) -> None:
    found = [await first_found(store, question) for question in UNRELATED]
    assert found.count("") >= 8, found


async def test_paraphrases_find_what_they_mean_first(store: App) -> None:
    found = {question: await first_found(store, question) for question in PARAPHRASES}
    right = [question for question, path in PARAPHRASES.items() if found[question] == path]
    assert len(right) >= 5, found

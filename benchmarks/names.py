"""Which names of one thing are proposed for one another: by spelling, and by their vectors.

    python -m benchmarks.names        # needs the local model: mcp-memory embeddings install

Pairs of names of one thing (the second is known, the first is new), names of other things that are
known too, and names of new things, for which nothing should be proposed. Three proposals at most,
of one's own type, as memory_graph_store makes them.
"""

from collections.abc import Callable, Sequence

import anyio
import numpy as np
from rich.console import Console
from rich.table import Table

from mcp_memory.config.models import EmbeddingsConfig
from mcp_memory.memory.facts.model import likeness, typos_of, words_of
from mcp_memory.text.terms import normalize
from mcp_memory.vectors.providers.minilm import MiniLMEmbedder

Named = tuple[str, str]
Proposer = Callable[[str, str], Sequence[str]]

_PAIRS = {
    "abbreviations": (
        "org IBM=International Business Machines;org WHO=World Health Organization;"
        "place NYC=New York City;org UCL=University College London;org ECB=European Central Bank;"
        "org NYT=The New York Times;org BMW=Bayerische Motoren Werke;org UN=United Nations;"
        "place LHR=London Heathrow Airport;org HR=Human Resources;tool k8s=Kubernetes;"
        "tool Postgres=PostgreSQL;tool JS=JavaScript;tool VSCode=Visual Studio Code;"
        "tool GCP=Google Cloud Platform;org MIT=Massachusetts Institute of Technology"
    ),
    "nicknames": (
        "who Bob Miller=Robert Miller;who Bob=Robert;who Bill=William;who Liz=Elizabeth;"
        "who Dick=Richard;who Peggy=Margaret;who Sasha=Alexander;who Kate Novak=Katherine Novak;"
        "who Mike=Michael;who Tom Becker=Thomas Becker;who Jim=James;who Becky=Rebecca"
    ),
    "translations": (
        "place Munich=München;place Germany=Deutschland;place Vienna=Wien;place Florence=Firenze;"
        "place Lisbon=Lisboa;place Moscow=Москва;place Tokyo=東京;place The Hague=Den Haag;"
        "place Geneva=Genève;place Copenhagen=København;org Red Cross=Rotes Kreuz;"
        "org European Commission=Europäische Kommission"
    ),
    "slips": (
        "org Globex=Globx;who Katherine Novak=Kathrine Novak;who Jon Smyth=John Smith;"
        "org Acme Corporation=Acme Coporation;plan Lighthouse=Lighthosue;tool Grafana=Graphana;"
        "who Stephen Hughes=Steven Hughes;tool Kubernetes=Kubernets;who Anderson=Andersen;"
        "tool Elasticsearch=Elastic Search;who Schroeder=Schröder"
    ),
    "parts": (
        "who Ada=Ada Lovelace;who Lovelace=Ada Lovelace;org Acme=Acme Inc.;"
        "org Acme Corp=Acme Corporation;who Dr. Grace Hopper=Grace Hopper;"
        "who Hopper, Grace=Grace Hopper;plan lighthouse project=Project Lighthouse;"
        "org Globex Ltd=Globex;org Harbour Office=Office of the Harbour;"
        "place the boathouse=boathouse;org Deutsche Bank=Deutsche Bank AG"
    ),
}
_OTHERS = (
    "who Ada Jensen;who Grace Kelly;who Robert Becker;who William Hughes;who Thomas Novak;"
    "who Alexander Smith;who Maria Garcia;who Peter Anders;who Anna Schmidt;who Carlos Ruiz;"
    "who Lena Fischer;who Priya Patel;who Oliver Brown;who Emma Wilson;who Lucas Martin;"
    "org Initech;org Umbrella Corporation;org World Trade Organization;org European Union;"
    "org Bank of England;org University of Oxford;org New York Post;org Volkswagen;org Siemens;"
    "org Microsoft;org Apple;org Human Rights Watch;org Deutsche Telekom;org Acme Labs;"
    "org Globecast;org Harbour Police;place Berlin;place Bern;place Hamburg;place New York;"
    "place York;place London;place Paris;place Rome;place Madrid;place Austria;place Denmark;"
    "place Portugal;place Gatwick Airport;place boat shed;tool Docker;tool MySQL;tool SQLite;"
    "tool Java;tool Python;tool TypeScript;tool Prometheus;tool OpenSearch;tool Sublime Text;"
    "plan Project Kestrel;plan Project Falcon;plan Project Harbour;plan Website relaunch"
)
_NEW = (
    "who Nina Larsen;who David Cohen;who Laura Bianchi;who Hugo Muller;who Ella Novak;"
    "who Robert Fischer;who Ben;who Zoe;who Lisa;org Nokia;org Deutsche Bahn;org World Bank;"
    "org University of Cambridge;org Intel;org Acme Tools;org HSBC;org IMF;org NASA;place Milan;"
    "place Lyon;place Norway;place Bonn;place Tallinn;place New Orleans;tool MongoDB;tool Rust;"
    "tool Terraform;tool Jenkins;plan Project Heron;plan Invoice rework"
)
_LIKE, _MAX_CANDIDATES = 0.72, 3
_COSINES = (0.6, 0.7, 0.8)


def _named(names: str) -> list[Named]:
    return [(kind, name) for kind, name in (each.split(" ", 1) for each in names.split(";"))]


def _known() -> list[Named]:
    paired = [(kind, pair.split("=")[1]) for each in _PAIRS.values() for kind, pair in _named(each)]
    return list(dict.fromkeys([*paired, *_named(_OTHERS)]))


def by_spelling(kind: str, name: str) -> list[str]:
    """As the store proposes them: words, slips and initials in common, and like enough."""
    wanted = {*words_of(name), *typos_of(name)}
    scored = [
        (likeness(normalize(name), normalize(other)), other)
        for of_kind, other in _known()
        if of_kind == kind and normalize(other) != normalize(name) and wanted & {*words_of(other)}
    ]
    return [other for score, other in sorted(scored, reverse=True) if score >= _LIKE][
        :_MAX_CANDIDATES
    ]


async def vectors_of(names: Sequence[str]) -> dict[str, np.ndarray]:
    """MiniLM's vector of each name."""
    embedder = MiniLMEmbedder(EmbeddingsConfig().model_dir)
    try:
        found = await embedder.embed_documents(names)
    finally:
        await embedder.aclose()
    return dict(zip(names, found, strict=True))


def by_vector(vectors: dict[str, np.ndarray], least: float) -> Proposer:
    """The nearest of the type that reach this cosine."""

    def propose(kind: str, name: str) -> list[str]:
        scored = [
            (float(vectors[name] @ vectors[other]), other)
            for of_kind, other in _known()
            if of_kind == kind and normalize(other) != normalize(name)
        ]
        return [other for score, other in sorted(scored, reverse=True) if score >= least][
            :_MAX_CANDIDATES
        ]

    return propose


def row(propose: Proposer) -> list[str]:
    """Found of each kind of pair, found in all, wrong proposals, new things with a proposal."""
    cells: list[str] = []
    right = wrong = pairs = 0
    for each in _PAIRS.values():
        asked = [(kind, *pair.split("=")) for kind, pair in _named(each)]
        proposed = [propose(kind, name) for kind, name, _ in asked]
        found = sum(other in them for (_, _, other), them in zip(asked, proposed, strict=True))
        cells.append(f"{found}/{len(asked)}")
        right, pairs = right + found, pairs + len(asked)
        wrong += sum(map(len, proposed)) - found
    new = _named(_NEW)
    disturbed = sum(bool(propose(kind, name)) for kind, name in new)
    return [*cells, f"{right}/{pairs}", str(wrong), f"{disturbed}/{len(new)}"]


def main() -> None:
    """Print a line for each way to propose."""
    names = [
        name for each in _PAIRS.values() for _, pair in _named(each) for name in pair.split("=")
    ]
    others = [name for _, name in (*_named(_OTHERS), *_named(_NEW))]
    vectors = anyio.run(vectors_of, [*dict.fromkeys([*names, *others])])
    table = Table(title="Names that are proposed", title_justify="left")
    for heading in ("", *_PAIRS, "all", "wrong", "new, disturbed"):
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row("spelling", *row(by_spelling))
    for least in _COSINES:
        table.add_row(f"vectors, {least}", *row(by_vector(vectors, least)))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()

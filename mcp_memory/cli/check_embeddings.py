"""What `doctor` looks at in the embeddings: the configured model embeds one query."""

from mcp_memory.cli.findings import Finding, ok, warning
from mcp_memory.errors import EmbeddingError
from mcp_memory.spaces.embedders import Embedders

_INSTALL = "run `mcp-memory embeddings install` for a model that knows meaning (22 MB)"
_CORRECT = "see to that, or set embeddings.provider to another; search uses words alone until then"


async def check_embeddings(embedders: Embedders) -> Finding:
    """The model loads and gives a vector. Without one only the words are searched: a warning."""
    try:
        embedder = await embedders.own()
        await embedder.embed_query("doctor")
    except EmbeddingError as exc:
        return warning("embeddings", str(exc), _CORRECT)
    what = f"{embedder.provider}/{embedder.model}, {embedder.dimensions} dimensions"
    if embedders.settings.provider == "auto" and embedder.provider == "hashing":
        return warning("embeddings", f"{what}: it knows spelling, not meaning", _INSTALL)
    return ok("embeddings", what)

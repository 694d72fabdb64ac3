"""Prefixes by the model's name."""

import pytest

from mcp_memory.vectors.providers.base import Prefixes, prefixes_for


@pytest.mark.parametrize(
    ("model", "query", "document"),
    [
        ("nomic-embed-text:v1.5", "search_query: ", "search_document: "),
        ("intfloat/multilingual-e5-small", "query: ", "passage: "),
        ("BAAI/bge-base-en-v1.5", "Represent this sentence for searching relevant passages: ", ""),
        ("mxbai-embed-large", "Represent this sentence for searching relevant passages: ", ""),
        ("snowflake-arctic-embed2", "query: ", ""),
        ("bge-m3", "", ""),
        ("text-embedding-3-small", "", ""),
        ("some-e500-model", "", ""),
    ],
)
def test_known_models_have_their_prefixes_and_others_none(model: str, query: str, document: str):
    assert prefixes_for(model) == Prefixes(query, document)


def test_an_instruct_model_of_e5_is_not_taken_for_plain_e5():
    prefixes = prefixes_for("intfloat/multilingual-e5-large-instruct")

    assert prefixes.query.startswith("Instruct: ")
    assert prefixes.document == ""


def test_configured_prefixes_win_one_by_one():
    assert prefixes_for("nomic-embed-text", query="") == Prefixes("", "search_document: ")

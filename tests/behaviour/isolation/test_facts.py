"""What of one agent's memories another one sees, also where our own WHERE clauses are gone."""

from mcp_memory.app import App
from mcp_memory.memory.facts.model import Association, EntityReference, RelationReference
from tests.fixtures.facts import store, update
from tests.fixtures.tables import all_rows_of_every_table
from tests.fixtures.transactions import read_as


async def test_without_our_where_clauses_nothing_private_shows(app: App) -> None:
    secret = await store(
        app,
        "alice hides pomegranates",
        reasoning="pomegranates",
        source="tool:pomegranates",
        entities=(EntityReference("Pomegranate", "fruit", ("Pom",)),),
        relations=(RelationReference("Pomegranate", "grows_in", "Pomona"),),
    )
    notice = await store(
        app,
        "the pom market opens",
        shared=True,
        entities=(EntityReference("Pom", "fruit"),),
        associations=(Association(secret.id),),
    )
    await update(app, secret.id, content="alice ate the pomegranates", reason="pomegranates")
    database = await app.databases.reading(None, "bob")

    seen = await read_as(database, "bob", all_rows_of_every_table)
    assert "the pom market opens" in seen
    assert "omegranate" not in seen
    assert "Pomona" not in seen

    await app.forgetting.forget(app.session("alice"), notice.id)
    await app.word_counts.merge(database)  # counts follow what is forgotten, behind the writers
    assert "market" not in await read_as(database, "bob", all_rows_of_every_table)
    assert await read_as(database, "", all_rows_of_every_table) == ""

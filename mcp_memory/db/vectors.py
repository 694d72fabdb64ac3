"""Vectors as statement parameters: sent in binary, typed by the statement's own cast."""

from pgvector import Vector
from psycopg import AsyncConnection
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format
from psycopg.rows import TupleRow


class _VectorDumper(Dumper):
    """Leaves the type open, so that `%(query)s::vector` needs no look-up of the extension's oid."""

    format = Format.BINARY

    def dump(self, obj: Vector) -> Buffer:
        return obj.to_binary()


def register(conn: AsyncConnection[TupleRow]) -> None:
    """Let this connection take `Vector` parameters."""
    conn.adapters.register_dumper(Vector, _VectorDumper)


__all__ = ["Vector", "register"]

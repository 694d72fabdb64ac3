"""Renewal is tested with the offline hashing vectors, whatever is installed here."""

from tests.recall.conftest import config

__all__ = ["config"]

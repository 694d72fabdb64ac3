"""Tools for working on the project: what nobody needs who only runs it."""

"""The HTTP side: one Starlette app, and the door that everything passes."""

"""The HTTP side: one Starlette app, and the auth gate that everything passes."""

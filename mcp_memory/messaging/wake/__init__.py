"""Waking an agent whose client is not listening: routes, the outbox of bells, who rings and how."""

"""Waking an agent whose client is not listening: routes, the outbox of bells, who rings and how.

route: how one agent can be woken: OpenClaw's hooks, a webhook or a program.
bell: the entry of one delivery in the outbox.
doorbell: the outbox of one agent.
ring: one series of attempts for all that waits in a doorbell.
cue: what a woken agent is told.
"""

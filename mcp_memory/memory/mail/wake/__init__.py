"""Waking an agent whose client is not listening: routes, the outbox, who wakes and how.

route: how one agent can be woken: OpenClaw's hooks, a webhook or a program.
wake job: the row of one delivery in the outbox, due until the agent was woken for it.
wake attempt: for all jobs of an agent that are due; repeated under the same key until it works.
wake lease: what one process holds while it tries to wake an agent.
cue: the text for a woken agent.
"""

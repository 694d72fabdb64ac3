"""Events of an agent's client, answered in a process of their own: little is imported, and soon."""

"""Who there is: agents, when they were last seen, who listens, and who hears which channel."""

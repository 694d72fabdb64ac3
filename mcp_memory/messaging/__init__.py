"""Mail between agents: sent once, kept for each recipient, claimed, acknowledged."""

"""Mail between agents: sent, waited for, acknowledged."""

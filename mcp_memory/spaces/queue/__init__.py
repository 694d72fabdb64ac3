"""The durable queue of chunks to embed: leases, failures told apart, and filling at full speed."""

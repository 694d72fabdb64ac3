"""The bridge: mail as it arrives and every tool, one JSON object a line."""

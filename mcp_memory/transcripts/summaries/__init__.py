"""The tree of summaries above a session's messages, and what is put back after a compaction."""

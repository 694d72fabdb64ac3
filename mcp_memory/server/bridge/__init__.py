"""One agent's line to its memory: requests in, answers and events out, one JSON object a line."""

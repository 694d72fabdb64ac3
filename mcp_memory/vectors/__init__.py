"""Vector spaces, the queue that fills them, and the word counts beside them."""

"""Vector spaces: which models a database has, and the queue that fills them."""

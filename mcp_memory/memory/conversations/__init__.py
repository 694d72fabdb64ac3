"""Conversations word for word, and the tree of summaries above them."""

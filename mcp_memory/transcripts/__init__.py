"""Conversations word for word: appended, searched, summarised, resumed and imported."""

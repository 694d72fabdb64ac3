"""Which entities are one: joined and parted by a person, never by likeness."""

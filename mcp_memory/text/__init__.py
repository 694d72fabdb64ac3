"""Pure analysis of text: lexemes, chunks, token counts and excerpts."""

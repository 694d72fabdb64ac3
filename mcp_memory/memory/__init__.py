"""What agents keep: documents, conversations, facts and mail, and who may use it."""

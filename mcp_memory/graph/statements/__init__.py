"""What a version states besides its text: mentions, relations and links."""

"""What a version says besides its text: mentions, relations and links."""

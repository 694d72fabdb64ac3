"""Session files of other programs, read into conversations."""

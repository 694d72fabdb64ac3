"""How often each passage was of use: counted in memory, written off the path of any answer."""

"""How a command ends that failed: one line on stderr and exit code 1."""

import click


class Failure(click.ClickException):
    """Its message is for a person; newlines in it are folded away."""

    def show(self, file: object = None) -> None:
        """Print the line."""
        click.echo(f"mcp-memory: {' '.join(self.message.split())}", err=True)

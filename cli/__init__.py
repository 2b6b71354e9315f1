"""The `cronium` command."""

"""The server that stores logs and executions and shows them live."""

"""The composition root: settings, client, roles, health, metrics and signals."""

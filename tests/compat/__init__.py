"""The compatibility suite: scripts as data, and a channel in memory for them."""

"""The inside of graphs: which node runs when, what it gets, what it does."""

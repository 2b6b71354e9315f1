"""The Grafana dashboard, written as Python: `python -m scripts.dashboard`."""

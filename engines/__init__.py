"""Drivers of the places where scripts run. They know nothing of Temporal."""

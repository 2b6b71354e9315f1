"""Schedules on Temporal: when they run, how Temporal is told, and what it knows.

Needs a Temporal client and nothing of worker or command line, so that whatever offers
schedules to people (the command, a REST API) does it with the same code.
"""

from schedules.store import Known, Schedules
from schedules.times import moments, upcoming

__all__ = ["Known", "Schedules", "moments", "upcoming"]

"""HTTP requests of events: filled in, guarded, sent, and the answer kept."""

from engines.http.addresses import AddressPolicy
from engines.http.engine import HttpConfig, HttpEngine
from engines.http.exchange import HttpEnd
from engines.http.failures import cancelled
from engines.http.request import PreparedRequest
from engines.http.transport import GuardedTransport

__all__ = [
    "AddressPolicy",
    "GuardedTransport",
    "HttpConfig",
    "HttpEnd",
    "HttpEngine",
    "PreparedRequest",
    "cancelled",
]

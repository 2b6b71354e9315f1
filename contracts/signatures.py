"""How a body is signed between the executor and others: HMAC-SHA256, two forms.

    X-Cronium-Timestamp: 1700000000
    X-Cronium-Signature: v1=hex(hmac_sha256(key, timestamp + "." + body))

    X-Hub-Signature-256: sha256=hex(hmac_sha256(key, body))

The second form is GitHub's. It has no time in it, so that only a memory of what was
seen tells a repetition.
"""

import hashlib
import hmac

TIMESTAMP_HEADER = "X-Cronium-Timestamp"
SIGNATURE_HEADER = "X-Cronium-Signature"
GITHUB_HEADER = "X-Hub-Signature-256"


def signature(key: bytes, timestamp: str, body: bytes) -> str:
    """Return the value of `X-Cronium-Signature`.

    Args:
        key: The secret that both sides know.
        timestamp: Seconds since 1970 as they stand in `X-Cronium-Timestamp`.
        body: The exact bytes that are sent.
    """
    signed = timestamp.encode() + b"." + body
    return "v1=" + hmac.new(key, signed, hashlib.sha256).hexdigest()


def github_signature(key: bytes, body: bytes) -> str:
    """Return the value of `X-Hub-Signature-256`."""
    return "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()


def is_signed(given: str, expected: list[str]) -> bool:
    """Return whether one of the given signatures is one of the expected.

    Takes as long for a wrong one as for a right one.

    Args:
        given: A header's value: one signature, or some with commas between them.
        expected: What each valid key gives.
    """
    found = False
    for one in given.split(",")[:_MOST_GIVEN]:
        for right in expected:
            # Bytes: texts that are not ASCII would be an error instead of a no.
            same = hmac.compare_digest(one.strip().encode(), right.encode())
            found = found or same
    return found


# Two keys while a secret is changed, and room for senders that sign in more forms.
_MOST_GIVEN = 4

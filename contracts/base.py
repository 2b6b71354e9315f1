"""The model every word of the contract is built on.

camelCase on the wire, snake_case in Python; unknown fields are refused and a refused
value is never echoed, since it may be a secret. Imports pydantic and the standard
library only.
"""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class WireModel(BaseModel):
    """A frozen record that crosses a process border as JSON."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        # JSON has one number type and no NaN; what cannot be written is refused early.
        allow_inf_nan=False,
    )


class TolerantModel(WireModel):
    """A record that an older or newer process of ours may have written.

    Heartbeat details and spool records outlive a deployment, so a field that this
    version does not know is ignored instead of refused.
    """

    model_config = ConfigDict(extra="ignore")

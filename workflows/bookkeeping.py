"""The local activities at both ends of an execution: admission and record.

They answer in milliseconds; the times here only bound a broken disk.
"""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from contracts.logs import ExecutionRecord
    from contracts.runs import RECORD_EXECUTION, ActivityStub, Admission

ADMIT_TIMEOUT = timedelta(seconds=30)
ADMIT_PATIENCE = timedelta(seconds=60)
# A record that cannot be written for so long is given up: whoever waits for the result
# needs it more than the gateway needs its copy.
RECORD_PATIENCE = timedelta(seconds=30)


async def admit(stub: ActivityStub[Any, Admission], request: Any) -> Admission | None:
    """Ask the operator's settings; None when the run is cancelled already.

    Raises:
        FailureError: The request is refused; its type and path reach the client.
    """
    try:
        admission: Admission = await workflow.execute_local_activity(
            stub.name,
            request,
            result_type=stub.result,
            start_to_close_timeout=ADMIT_TIMEOUT,
            # A fault of ours must end the run with its message, not hold it.
            schedule_to_close_timeout=ADMIT_PATIENCE,
        )
        return admission
    except asyncio.CancelledError:
        return None
    except ActivityError as error:
        if is_cancelled_exception(error):
            return None
        # The cause is the refusal itself.
        raise (error.cause or error) from None


async def write_record(record: ExecutionRecord) -> None:
    """Hand the final state to the gateway's way; one that it takes not is logged."""
    try:
        await workflow.execute_local_activity(
            RECORD_EXECUTION.name,
            record,
            result_type=RECORD_EXECUTION.result,
            schedule_to_close_timeout=RECORD_PATIENCE,
        )
    except FailureError as error:
        # Of a local activity its own error comes, in no `ActivityError`.
        workflow.logger.error("the end is not recorded: %s", error)

"""The Temporal client: converter, connection and search attributes."""

import asyncio
import json
import logging
from dataclasses import replace
from typing import Any

import temporalio.api.common.v1
from pydantic import BaseModel, ValidationError
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.client import Client
from temporalio.common import HeaderCodecBehavior
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
    create_payload_validation_error,
)
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError

from contracts import names
from contracts.errors import CroniumError
from contracts.validation import problems_of
from worker.codec import EncryptionCodec, KeyRing
from worker.settings import Settings
from worker.tracing import interceptors

logger = logging.getLogger(__name__)

DEFAULT_ADDRESS = "localhost:7233"
CONNECT_SECONDS = 60.0
FIRST_WAIT, LONGEST_WAIT = 0.2, 5.0

KEYWORD = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
SEARCH_ATTRIBUTES = {
    names.ATTRIBUTE_EVENT: KEYWORD,
    names.ATTRIBUTE_USER: KEYWORD,
    names.ATTRIBUTE_TRIGGER: KEYWORD,
    names.ATTRIBUTE_STATUS: KEYWORD,
    names.ATTRIBUTE_HOST: KEYWORD,
    names.ATTRIBUTE_TAGS: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
    names.ATTRIBUTE_EXIT_CODE: IndexedValueType.INDEXED_VALUE_TYPE_INT,
}


class TemporalUnavailable(CroniumError):
    """The Temporal server does not answer."""

    retryable = True
    hint = "Start a local stack with `cronium dev`, or set TEMPORAL_ADDRESS."


class _StrictConverter(PydanticJSONPlainPayloadConverter):
    """Turn a payload that does not fit its type into a failure with field paths.

    Without this a malformed request would fail the workflow task over and over, and
    the run would hang for ever.
    """

    def from_payload(
        self,
        payload: temporalio.api.common.v1.Payload,
        type_hint: type | None = None,
    ) -> Any:
        """See base class."""
        try:
            return super().from_payload(payload, type_hint)
        except ValidationError as error:
            model = _model_of(type_hint)
            error = _placed(error, model, payload.data)
            raise create_payload_validation_error(
                [
                    problem.model_dump(by_alias=True)
                    for problem in problems_of(error, model)
                ]
            ) from None


def _placed(
    error: ValidationError, model: type[BaseModel], data: bytes
) -> ValidationError:
    """Return the error with field paths, if the JSON was what could not be read.

    Escapes of half a character stop pydantic's parser, which knows no fields. Python's
    own parser takes them, so that validation can say where they are.
    """
    unread = any(item["type"] == "json_invalid" for item in error.errors())
    if unread and model is not BaseModel:
        try:
            model.model_validate(json.loads(data))
        except ValidationError as better:
            return better
        except (ValueError, RecursionError):
            pass
    return error


class CroniumPayloadConverter(CompositePayloadConverter):
    """The SDK's converters with strict JSON."""

    def __init__(self) -> None:
        strict = _StrictConverter()
        defaults = DefaultPayloadConverter.default_encoding_payload_converters
        super().__init__(
            *(
                strict
                if isinstance(converter, JSONPlainPayloadConverter)
                else converter
                for converter in defaults
            )
        )


data_converter: DataConverter = replace(
    DataConverter.default, payload_converter_class=CroniumPayloadConverter
)


def encrypting_converter(ring: KeyRing) -> DataConverter:
    """Return the converter whose payloads are sealed with the ring's active key.

    Failures are sealed too, message and stack trace. Without keys nothing is, and what
    others have sealed is refused with the name of the key.
    """
    sealing = replace(data_converter, payload_codec=EncryptionCodec(ring))
    if not ring.encrypts:
        return sealing
    return replace(
        sealing, failure_converter_class=DefaultFailureConverterWithEncodedAttributes
    )


def ring_of(client: Client) -> KeyRing:
    """Return the keys of a client that `connect` made."""
    codec = client.data_converter.payload_codec
    assert isinstance(codec, EncryptionCodec), "the client is one of connect()"
    return codec.ring


async def connect(
    settings: Settings,
    address: str | None = None,
    namespace: str | None = None,
    *,
    patience: float = CONNECT_SECONDS,
    ring: KeyRing | None = None,
) -> Client:
    """Connect to Temporal, waiting for a server that is still starting.

    What the client sends is encrypted when the settings name a file of keys.

    Address, namespace, API key and TLS come from the arguments, else our settings,
    else the standard Temporal environment and profile, else localhost.

    Args:
        settings: Our settings.
        address: Host and port that win over everything.
        namespace: Namespace that wins over everything.
        patience: Seconds to keep trying.
        ring: The keys, when somebody else has read them already.

    Raises:
        TemporalUnavailable: Nothing answered in that time.
        KeyFileInvalid: The file of keys cannot be used.
        TracingUnavailable: Traces are asked for, and cannot be made.
    """
    keys = ring or KeyRing(settings.encryption.keys_file)
    tracing = interceptors(settings.tracing.endpoint)
    options: dict[str, Any] = dict(ClientConfig.load_client_connect_config())
    target = address or settings.temporal.address
    if target:
        options["target_host"] = target
    options.setdefault("target_host", DEFAULT_ADDRESS)
    chosen = namespace or settings.temporal.namespace
    if chosen:
        options["namespace"] = chosen
    deadline = asyncio.get_running_loop().time() + patience
    wait = FIRST_WAIT
    while True:
        try:
            return await Client.connect(
                data_converter=encrypting_converter(keys),
                header_codec_behavior=HeaderCodecBehavior.CODEC,
                interceptors=tracing,
                **options,
            )
        except (RuntimeError, RPCError) as error:
            if asyncio.get_running_loop().time() + wait > deadline:
                raise TemporalUnavailable(
                    f"Temporal does not answer at {options['target_host']}"
                ) from error
        await asyncio.sleep(wait)
        wait = min(wait * 2, LONGEST_WAIT)


async def register_search_attributes(client: Client) -> bool:
    """Make sure that the namespace knows our search attributes.

    Returns:
        Whether all of them may be written: where the account may not register them
        (Temporal Cloud), the operator does it once, and runs go without until then.
    """
    try:
        known = await _known_attributes(client)
        missing = {n: t for n, t in SEARCH_ATTRIBUTES.items() if n not in known}
        if missing:
            await client.operator_service.add_search_attributes(
                AddSearchAttributesRequest(
                    namespace=client.namespace, search_attributes=missing
                )
            )
            known = await _known_attributes(client)
    except RPCError as error:
        logger.warning("search attributes cannot be registered here: %s", error.message)
        return False
    return all(name in known for name in SEARCH_ATTRIBUTES)


async def _known_attributes(client: Client) -> set[str]:
    listed = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    return set(listed.custom_attributes)


def _model_of(type_hint: type | None) -> type[BaseModel]:
    if isinstance(type_hint, type) and issubclass(type_hint, BaseModel):
        return type_hint
    return BaseModel

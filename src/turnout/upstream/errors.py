"""Which errors of a model call may be tried on another model, told by name so that no SDK is imported.

Sources: the error lists of Bedrock's Converse and ConverseStream, botocore's exceptions, the exception classes of the
openai and anthropic SDKs and of Strands Agents, read 2026-11.
"""

from __future__ import annotations

_RETRYABLE_CODES = {
    "ThrottlingException",
    "ServiceUnavailableException",
    "InternalServerException",
    "ModelTimeoutException",
    "ModelNotReadyException",
    "ModelErrorException",
    "ModelStreamErrorException",
    "TooManyRequestsException",
    "ServiceQuotaExceededException",
    "RequestTimeout",
    "RequestTimeoutException",
}

_RETRYABLE_CLASSES = {
    # Strands
    "ModelThrottledException",
    # botocore
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "EndpointConnectionError",
    "ConnectionClosedError",
    "HTTPClientError",
    "ProxyConnectionError",
    # openai, anthropic
    "APIConnectionError",
    "APITimeoutError",
    "InternalServerError",
    "RateLimitError",
    "OverloadedError",
    "ServiceUnavailableError",
    # urllib3, http clients
    "ProtocolError",
    "ResponseStreamingError",
}

_NOT_BILLED = {
    # openai, anthropic: the API answered with an error
    "AuthenticationError",
    "BadRequestError",
    "ConflictError",
    "InternalServerError",
    "NotFoundError",
    "OverloadedError",
    "PermissionDeniedError",
    "RateLimitError",
    "RequestTooLargeError",
    "ServiceUnavailableError",
    "UnprocessableEntityError",
    # botocore, urllib3, httpx and Python: the request was not sent, or reached nobody
    "ConnectError",
    "ConnectTimeout",
    "ConnectTimeoutError",
    "ConnectionRefusedError",
    "EndpointConnectionError",
    "NoCredentialsError",
    "NoRegionError",
    "ParamValidationError",
    "PartialCredentialsError",
    "PoolTimeout",
    "ProxyConnectionError",
    "gaierror",
}

_RETRYABLE_STATUS = {408, 429, 500, 502, 503, 504, 529}


def error_name(error: BaseException) -> str:
    """A short name for an error: the provider's code where it has one, else the class. Never its message."""
    code = _code(error)
    return code[:1].upper() + code[1:] if code else type(error).__name__


def is_retryable(error: BaseException) -> bool:
    """Whether another model may be tried: throttling, time-outs, 5xx, broken connections; never a caller's error."""
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if error_name(error) in _RETRYABLE_CODES:
        return True
    if any(cls.__name__ in _RETRYABLE_CLASSES for cls in type(error).__mro__):
        return True
    return _code(error) == "" and getattr(error, "status_code", None) in _RETRYABLE_STATUS


def is_unbilled(name: str) -> bool:
    """Whether a call that ended in this error before anything came is surely not billed, told by `error_name`.

    So it is where the provider answered with an error (AWS' codes all end in ``Exception``), and where the request
    reached nobody. After a time-out, a broken connection or an error that is not known, the provider may have worked.
    ``ModelStreamErrorException`` comes only in a stream that has begun.
    """
    return name in _NOT_BILLED or (name.endswith("Exception") and name != "ModelStreamErrorException")


def _code(error: BaseException) -> str:
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return ""
    details = response.get("Error")
    return str(details.get("Code", "")) if isinstance(details, dict) else ""

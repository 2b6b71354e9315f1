"""One tree of errors; the `type` is the word that clients match on.

    CroniumError
    ├── RequestRefused            the request cannot be run as it is
    │   ├── CeilingExceeded       asks for more than the operator allows
    │   ├── InlineSecretRefused   has a credential in it, and nothing is encrypted
    │   ├── HttpRequestInvalid    no request can be made of URL, template or header
    │   ├── SecretUnavailable     a named secret does not exist on the worker
    │   ├── TemplateInvalid       a message's template cannot be rendered
    │   ├── TargetInvalid         no message can be sent to this address
    │   ├── ToolUnknown           no tool or no action of this name is set up
    │   └── ChainTooDeep          events have started each other too often in a row
    ├── EngineError               the place where scripts run has a problem
    │   ├── EngineUnavailable     the Docker daemon does not answer
    │   │   └── SshUnavailable    the SSH server cannot be reached now
    │   │       ├── SshConnectFailed   refused, no route, unknown name, or cut off
    │   │       ├── SshConnectTimeout  no TCP connection in time
    │   │       ├── SshBannerTimeout   connected, but no SSH handshake in time
    │   │       ├── SshAuthTimeout     the login was not answered in time
    │   │       ├── SshIdleTimeout     a live connection went silent
    │   │       ├── SshTotalTimeout    all steps together took too long
    │   │       └── SshBreakerOpen     it failed too often and is left alone a while
    │   │   ├── HostNotReady      this host takes no runs now, another may
    │   │   └── SecretsUnavailable  the source of secrets does not answer
    │   ├── EngineNotHardened     a limit is not enforced on this host
    │   ├── EgressUnavailable     the filtered network cannot be made
    │   ├── ImageMissing          the image is not there and may not be pulled
    │   ├── ImagePullFailed       the registry said no
    │   ├── ImagePullTimeout      the registry did not finish in time
    │   ├── SandboxFailed         the engine could not make or start the sandbox
    │   │   └── SshRefused        the SSH server answers, but cannot be used as it is
    │   │       ├── SshAuthFailed      it does not accept the credentials
    │   │       ├── SshHostKeyChanged  its key is not the one that is known
    │   │       ├── SshHostKeyUnknown  nobody has vouched for its key
    │   │       ├── SshProtocolError   no common algorithm, or no SSH at all
    │   │       └── SshServerRefused   full disk, no shell, no sudo, no directory …
    │   ├── SandboxInterrupted    the engine stopped, and the running script with it
    │   └── ScriptNotStarted      the worker died before the script began
    ├── VariableError             a variable cannot be read or written as asked
    │   ├── VariableRefused       its key or value breaks a rule
    │   ├── VariableNotFound      it is not set
    │   ├── VariableConflict      it is not what the caller expected
    │   │   ├── NotANumber        increment of something else
    │   │   └── NotAppendable     append to something else than a string or list
    │   └── VariablesUnavailable  the store of variables does not answer
    ├── DeliveryError             a message or a callback did not arrive
    │   ├── DeliveryFailed        it may arrive when it is sent again
    │   └── DeliveryRefused       the receiver does not want it
    ├── HostLost                  the machine that ran the script never came back
    ├── StaleAttempt              another worker has taken this run over
    ├── WorkerDraining            the worker is going down and hands its runs over
    └── LogStorageFull            no room for log lines on this host

`ScriptError` names what a script did, `HttpError` how an HTTP request failed; they are
data in a result, never an exception. Those of SSH are in `contracts.server_errors`,
those of encryption in `contracts.encryption_errors`.
"""

from enum import StrEnum
from typing import ClassVar

from contracts.base import WireModel
from contracts.limits import MAX_ERROR_MESSAGE_CHARS


class ScriptError(StrEnum):
    """Why a script that was started did not succeed."""

    EXIT_CODE = "ScriptFailed"
    SIGNAL = "ScriptKilled"
    OUT_OF_MEMORY = "OutOfMemory"
    PROCESS_LIMIT = "ProcessLimit"
    TMP_FULL = "TmpFull"
    TIMEOUT = "ScriptTimeout"
    CANCELLED = "Cancelled"
    INTERPRETER_MISSING = "InterpreterMissing"
    ENVIRONMENT_REFUSED = "EnvironmentRefused"
    OUTPUT_LIMIT = "OutputLimit"


class HttpError(StrEnum):
    """Why an HTTP request that was begun did not succeed."""

    NAME_UNKNOWN = "HttpNameUnknown"
    CONNECT_FAILED = "HttpConnectFailed"
    TLS_FAILED = "HttpTlsFailed"
    TIMEOUT = "HttpTimeout"
    STATUS = "HttpStatus"
    TOO_MANY_REDIRECTS = "HttpTooManyRedirects"
    REDIRECT_REFUSED = "HttpRedirectRefused"
    ADDRESS_REFUSED = "HttpAddressRefused"
    RESPONSE_BROKEN = "HttpResponseBroken"


class ErrorInfo(WireModel):
    """An error as users and clients see it."""

    type: str
    """A class name of the tree above, a `ScriptError` or an `HttpError` value."""
    message: str
    """What happened, in one or two sentences without secrets."""
    hint: str = ""
    """What to do about it; empty when there is nothing to do."""
    retryable: bool = False
    """Whether the same request may succeed when it is tried again unchanged."""

    @property
    def text(self) -> str:
        """Message and hint as one text."""
        # Messages of others, the daemon's among them, often end without a full stop.
        ended = self.message.endswith((".", "!", "?")) or not self.hint
        return f"{self.message}{'' if ended else '.'} {self.hint}".strip()


class CroniumError(Exception):
    """Root of all errors of the executor."""

    retryable: ClassVar[bool] = False
    hint: ClassVar[str] = ""

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        text = message or (self.__doc__ or type(self).__name__).splitlines()[0]
        super().__init__(text[:MAX_ERROR_MESSAGE_CHARS])
        self.user_hint = hint or self.hint

    @property
    def type(self) -> str:
        """The word that clients match on: the class name."""
        return self.__class__.__name__

    @property
    def info(self) -> ErrorInfo:
        """This error as data for a result."""
        return ErrorInfo(
            type=self.type,
            message=str(self),
            hint=self.user_hint,
            retryable=self.retryable,
        )


class RequestRefused(CroniumError):
    """The request cannot be run as it is."""


class CeilingExceeded(RequestRefused):
    """The request asks for more than the operator allows."""

    hint = "Lower the value in the event, or ask the operator to raise the ceiling."


class InlineSecretRefused(RequestRefused):
    """A credential stands in the request, and Temporal would store it as plain text."""

    hint = (
        "Name a secret instead (`{secret: NAME}`), or turn encryption on for whoever "
        "starts runs and for the workers (CRONIUM_ENCRYPTION_KEYS_FILE). A request "
        "that got as far as Temporal is stored there: change that credential."
    )


class HttpRequestInvalid(RequestRefused):
    """No request can be made of the event's URL, headers, body or templates."""

    hint = "Correct the field that is named, or the input its template reads."


class SecretUnavailable(RequestRefused):
    """A secret named in the request does not exist on the worker."""

    hint = "Create the secret where the worker looks for it, or correct its name."


class TemplateInvalid(RequestRefused):
    """A message's template cannot be rendered."""

    hint = "Correct the template, or give a missing name a `| default(…)`."


class TargetInvalid(RequestRefused):
    """No message can be sent to this address."""

    hint = "Write an Apprise URL such as slack://… or mailtos://…"


class ToolUnknown(RequestRefused):
    """No tool or no action of this name is set up on the worker."""

    hint = "Use one that is named, or have the operator set it up (`notify.…`)."


class ChainTooDeep(RequestRefused):
    """Events have started each other too often in a row."""

    hint = "Look for events that start each other in a circle."


class DeliveryError(CroniumError):
    """A message or a callback did not arrive."""


class DeliveryFailed(DeliveryError):
    """A message or a callback did not arrive; it may when it is sent again."""

    retryable = True

    def __init__(self, message: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds that the receiver asked to wait; None when it did not say."""


class DeliveryRefused(DeliveryError):
    """The receiver does not want the message or the callback."""

    hint = "Look at the receiver's log: sending it again would change nothing."


class EngineError(CroniumError):
    """The place where scripts run has a problem."""

    retryable = True


class EngineUnavailable(EngineError):
    """The Docker daemon does not answer."""

    hint = "Start Docker (`systemctl start docker`) and run `cronium doctor`."


class StartUnknown(EngineUnavailable):
    """The daemon went away while it was to start a script, and has not come back."""

    hint = (
        "Bring the Docker daemon of this host back: the run goes on, or is LOST when "
        "nothing of it is there. It is not started a second time."
    )


class HostNotReady(EngineUnavailable):
    """This host takes no runs now; another one may."""

    hint = "Ask the worker's /ready: it names the failing part."


class SecretsUnavailable(EngineUnavailable):
    """The source of secrets does not answer, or refuses the worker."""

    hint = "Look at the address, the service token and the log of `secrets.url`."


class EngineNotHardened(EngineError):
    """A limit is not enforced on this host, so nothing is run on it."""

    hint = "Run `cronium doctor` on the host: it names the limit that failed."


class EgressUnavailable(EngineError):
    """The network with blocked metadata addresses cannot be made on this host."""

    hint = "Run the worker as root with iptables, or use `network: none`."


class ImageMissing(EngineError):
    """The image is not on this host and may not be pulled."""

    retryable = False
    hint = "Build or load the image, or correct its name. `make images` builds ours."


class ImagePullFailed(EngineError):
    """The registry did not give the image."""

    hint = "Check the image name, the registry's address and the worker's login."


class ImagePullTimeout(EngineError):
    """The registry did not give the image in time."""

    hint = "Pull the image by hand once, or raise CRONIUM_DOCKER_PULL_TIMEOUT."


class SandboxFailed(EngineError):
    """The engine could not make or start the sandbox."""


class SandboxInterrupted(EngineError):
    """The engine stopped while the script ran, and the script with it."""

    hint = "Run the event again; `live-restore` lets scripts outlive a daemon restart."


class WorkerFault(EngineError):
    """The worker met an error that nobody foresaw."""

    hint = "Look at the worker's log, and report what it says."


class ScriptNotStarted(EngineError):
    """The worker died before the script began."""


class VariableError(CroniumError):
    """A variable cannot be read or written as asked."""


class VariableRefused(VariableError):
    """The key or the value of a variable breaks a rule."""


class VariableNotFound(VariableError):
    """The variable is not set."""

    hint = "Check the key, upper and lower case too; each user has variables apart."


class VariableConflict(VariableError):
    """The variable is not what the caller expected."""

    hint = "Read the variable again and decide anew."


class NotANumber(VariableConflict):
    """Only a number can be incremented."""

    hint = "Set the variable to a number, or delete it: counting then starts at 0."


class NotAppendable(VariableConflict):
    """Only a string or a list can be appended to."""

    hint = "Set the variable to a string or a list, or delete it."


class VariablesUnavailable(VariableError):
    """The store of variables does not answer."""

    retryable = True
    hint = "Try again in a moment; the gateway may be restarting."


class HostLost(CroniumError):
    """The machine that ran the script never came back, or came back without it."""

    hint = (
        "Look at the log, then run the event again. Events with `idempotent: true` "
        "are run again by themselves."
    )


class StaleAttempt(CroniumError):
    """Another worker has taken this run over."""


class WorkerDraining(CroniumError):
    """The worker is going down and hands its runs over."""

    retryable = True


class LogStorageFull(CroniumError):
    """There is no room for log lines on this host."""

    retryable = True
    hint = "Free disk space in the worker's state directory."

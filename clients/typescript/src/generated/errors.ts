// Made by `npm run generate` from contracts.json: do not edit.

import { CroniumError, type Defaults } from "../error.js";

/** A message or a callback did not arrive. */
export class DeliveryError extends CroniumError {
  static override readonly defaults: Defaults = {"type":"DeliveryError","says":"A message or a callback did not arrive.","hint":"","retryable":false};
}

/** A message or a callback did not arrive; it may when it is sent again. */
export class DeliveryFailed extends DeliveryError {
  static override readonly defaults: Defaults = {"type":"DeliveryFailed","says":"A message or a callback did not arrive; it may when it is sent again.","hint":"","retryable":true};
}

/** The receiver does not want the message or the callback. */
export class DeliveryRefused extends DeliveryError {
  static override readonly defaults: Defaults = {"type":"DeliveryRefused","says":"The receiver does not want the message or the callback.","hint":"Look at the receiver's log: sending it again would change nothing.","retryable":false};
}

/** A payload cannot be encrypted or decrypted. */
export class EncryptionError extends CroniumError {
  static override readonly defaults: Defaults = {"type":"EncryptionError","says":"A payload cannot be encrypted or decrypted.","hint":"","retryable":false};
}

/** A payload was encrypted with a key that this process does not have. */
export class EncryptionKeyMissing extends EncryptionError {
  static override readonly defaults: Defaults = {"type":"EncryptionKeyMissing","says":"A payload was encrypted with a key that this process does not have.","hint":"Add this key to the file that CRONIUM_ENCRYPTION_KEYS_FILE names, or put it back if it was removed; the file is read again by itself.","retryable":true};
}

/** The file of encryption keys cannot be used. */
export class KeyFileInvalid extends EncryptionError {
  static override readonly defaults: Defaults = {"type":"KeyFileInvalid","says":"The file of encryption keys cannot be used.","hint":"`cronium keys generate` makes one; docs/encryption.md shows its form.","retryable":false};
}

/** An encrypted payload was changed on its way, or is no payload of ours. */
export class PayloadDamaged extends EncryptionError {
  static override readonly defaults: Defaults = {"type":"PayloadDamaged","says":"An encrypted payload was changed on its way, or is no payload of ours.","hint":"Compare the key's check value (`cronium keys list`) on both sides: the same id must mean the same key. Otherwise the data was changed on its way.","retryable":false};
}

/** The place where scripts run has a problem. */
export class EngineError extends CroniumError {
  static override readonly defaults: Defaults = {"type":"EngineError","says":"The place where scripts run has a problem.","hint":"","retryable":true};
}

/** The network with blocked metadata addresses cannot be made on this host. */
export class EgressUnavailable extends EngineError {
  static override readonly defaults: Defaults = {"type":"EgressUnavailable","says":"The network with blocked metadata addresses cannot be made on this host.","hint":"Run the worker as root with iptables, or use `network: none`.","retryable":true};
}

/** A limit is not enforced on this host, so nothing is run on it. */
export class EngineNotHardened extends EngineError {
  static override readonly defaults: Defaults = {"type":"EngineNotHardened","says":"A limit is not enforced on this host, so nothing is run on it.","hint":"Run `cronium doctor` on the host: it names the limit that failed.","retryable":true};
}

/** The Docker daemon does not answer. */
export class EngineUnavailable extends EngineError {
  static override readonly defaults: Defaults = {"type":"EngineUnavailable","says":"The Docker daemon does not answer.","hint":"Start Docker (`systemctl start docker`) and run `cronium doctor`.","retryable":true};
}

/** This host takes no runs now; another one may. */
export class HostNotReady extends EngineUnavailable {
  static override readonly defaults: Defaults = {"type":"HostNotReady","says":"This host takes no runs now; another one may.","hint":"Ask the worker's /ready: it names the failing part.","retryable":true};
}

/** The source of secrets does not answer, or refuses the worker. */
export class SecretsUnavailable extends EngineUnavailable {
  static override readonly defaults: Defaults = {"type":"SecretsUnavailable","says":"The source of secrets does not answer, or refuses the worker.","hint":"Look at the address, the service token and the log of `secrets.url`.","retryable":true};
}

/** The SSH server cannot be reached now. */
export class SshUnavailable extends EngineUnavailable {
  static override readonly defaults: Defaults = {"type":"SshUnavailable","says":"The SSH server cannot be reached now.","hint":"Check that the server is up and that the worker may reach it.","retryable":true};
}

/** The server did not answer the login in time. */
export class SshAuthTimeout extends SshUnavailable {
  static override readonly defaults: Defaults = {"type":"SshAuthTimeout","says":"The server did not answer the login in time.","hint":"Look at the server's login modules; or raise deadlines.authSeconds.","retryable":true};
}

/** The server took the connection, but no SSH handshake came in time. */
export class SshBannerTimeout extends SshUnavailable {
  static override readonly defaults: Defaults = {"type":"SshBannerTimeout","says":"The server took the connection, but no SSH handshake came in time.","hint":"Check that sshd listens on this port; or raise deadlines.bannerSeconds.","retryable":true};
}

/** The server failed too often and is left alone for a while. */
export class SshBreakerOpen extends SshUnavailable {
  static override readonly defaults: Defaults = {"type":"SshBreakerOpen","says":"The server failed too often and is left alone for a while.","hint":"The last failure is in the message; the server is tried again by itself.","retryable":true};
}

/** The server refused the connection, has no route or name, or cut it off. */
export class SshConnectFailed extends SshUnavailable {
  static override readonly defaults: Defaults = {"type":"SshConnectFailed","says":"The server refused the connection, has no route or name, or cut it off.","hint":"Check address, port and firewall, and that sshd runs on the server.","retryable":true};
}

/** The server did not take the TCP connection in time. */
export class SshConnectTimeout extends SshUnavailable {
  static override readonly defaults: Defaults = {"type":"SshConnectTimeout","says":"The server did not take the TCP connection in time.","hint":"A firewall may drop the packets; or raise deadlines.connectSeconds.","retryable":true};
}

/** The server went silent on a live connection. */
export class SshIdleTimeout extends SshUnavailable {
  static override readonly defaults: Defaults = {"type":"SshIdleTimeout","says":"The server went silent on a live connection.","hint":"The server may be overloaded; or raise deadlines.idleSeconds.","retryable":true};
}

/** All steps of connecting took too long together. */
export class SshTotalTimeout extends SshUnavailable {
  static override readonly defaults: Defaults = {"type":"SshTotalTimeout","says":"All steps of connecting took too long together.","hint":"Too many connections may wait for this server; or raise totalSeconds.","retryable":true};
}

/** The daemon went away while it was to start a script, and has not come back. */
export class StartUnknown extends EngineUnavailable {
  static override readonly defaults: Defaults = {"type":"StartUnknown","says":"The daemon went away while it was to start a script, and has not come back.","hint":"Bring the Docker daemon of this host back: the run goes on, or is LOST when nothing of it is there. It is not started a second time.","retryable":true};
}

/** The image is not on this host and may not be pulled. */
export class ImageMissing extends EngineError {
  static override readonly defaults: Defaults = {"type":"ImageMissing","says":"The image is not on this host and may not be pulled.","hint":"Build or load the image, or correct its name. `make images` builds ours.","retryable":false};
}

/** The registry did not give the image. */
export class ImagePullFailed extends EngineError {
  static override readonly defaults: Defaults = {"type":"ImagePullFailed","says":"The registry did not give the image.","hint":"Check the image name, the registry's address and the worker's login.","retryable":true};
}

/** The registry did not give the image in time. */
export class ImagePullTimeout extends EngineError {
  static override readonly defaults: Defaults = {"type":"ImagePullTimeout","says":"The registry did not give the image in time.","hint":"Pull the image by hand once, or raise CRONIUM_DOCKER_PULL_TIMEOUT.","retryable":true};
}

/** The engine could not make or start the sandbox. */
export class SandboxFailed extends EngineError {
  static override readonly defaults: Defaults = {"type":"SandboxFailed","says":"The engine could not make or start the sandbox.","hint":"","retryable":true};
}

/** The SSH server answers, but cannot be used as it is. */
export class SshRefused extends SandboxFailed {
  static override readonly defaults: Defaults = {"type":"SshRefused","says":"The SSH server answers, but cannot be used as it is.","hint":"","retryable":false};
}

/** The server does not accept the credentials. */
export class SshAuthFailed extends SshRefused {
  static override readonly defaults: Defaults = {"type":"SshAuthFailed","says":"The server does not accept the credentials.","hint":"Check user name and credentials, and the server's own log.","retryable":false};
}

/** The server's key is not the one that is known: it may be somebody else. */
export class SshHostKeyChanged extends SshRefused {
  static override readonly defaults: Defaults = {"type":"SshHostKeyChanged","says":"The server's key is not the one that is known: it may be somebody else.","hint":"If the server was set up anew, compare the fingerprint on its console, then put the new key into `hostKeys` or known_hosts. Nothing was sent to it.","retryable":false};
}

/** Nobody has vouched for the server's key. */
export class SshHostKeyUnknown extends SshRefused {
  static override readonly defaults: Defaults = {"type":"SshHostKeyUnknown","says":"Nobody has vouched for the server's key.","hint":"Compare the fingerprint on the server's console, then put the key into `hostKeys` or known_hosts. Nothing was sent to it.","retryable":false};
}

/** There is no common algorithm with the server, or it does not speak SSH. */
export class SshProtocolError extends SshRefused {
  static override readonly defaults: Defaults = {"type":"SshProtocolError","says":"There is no common algorithm with the server, or it does not speak SSH.","hint":"Check the port; an old server may need its algorithm named in `algorithms`.","retryable":false};
}

/** The server cannot run scripts as it is set up. */
export class SshServerRefused extends SshRefused {
  static override readonly defaults: Defaults = {"type":"SshServerRefused","says":"The server cannot run scripts as it is set up.","hint":"","retryable":false};
}

/** The engine stopped while the script ran, and the script with it. */
export class SandboxInterrupted extends EngineError {
  static override readonly defaults: Defaults = {"type":"SandboxInterrupted","says":"The engine stopped while the script ran, and the script with it.","hint":"Run the event again; `live-restore` lets scripts outlive a daemon restart.","retryable":true};
}

/** The worker died before the script began. */
export class ScriptNotStarted extends EngineError {
  static override readonly defaults: Defaults = {"type":"ScriptNotStarted","says":"The worker died before the script began.","hint":"","retryable":true};
}

/** The worker met an error that nobody foresaw. */
export class WorkerFault extends EngineError {
  static override readonly defaults: Defaults = {"type":"WorkerFault","says":"The worker met an error that nobody foresaw.","hint":"Look at the worker's log, and report what it says.","retryable":true};
}

/** Something the gateway could not do. */
export class GatewayError extends CroniumError {
  static override readonly defaults: Defaults = {"type":"GatewayError","says":"Something the gateway could not do.","hint":"","retryable":false};
}

/** There is no such execution. */
export class ExecutionNotFound extends GatewayError {
  static override readonly defaults: Defaults = {"type":"ExecutionNotFound","says":"There is no such execution.","hint":"Check the execution id; executions of other users are not shown.","retryable":false};
}

/** A part of the gateway that is needed does not work. */
export class GatewayNotReady extends GatewayError {
  static override readonly defaults: Defaults = {"type":"GatewayNotReady","says":"A part of the gateway that is needed does not work.","hint":"See the gateway's own log; the part that failed is named in the message.","retryable":true};
}

/** Address and body do not fit each other. */
export class InvalidPath extends GatewayError {
  static override readonly defaults: Defaults = {"type":"InvalidPath","says":"Address and body do not fit each other.","hint":"Send the body to its own address.","retryable":false};
}

/** A web page of another origin opened the WebSocket. */
export class OriginRefused extends GatewayError {
  static override readonly defaults: Defaults = {"type":"OriginRefused","says":"A web page of another origin opened the WebSocket.","hint":"Add the page's origin to CRONIUM_GATEWAY_CORS_ORIGINS.","retryable":false};
}

/** There were too many requests. */
export class RateLimited extends GatewayError {
  static override readonly defaults: Defaults = {"type":"RateLimited","says":"There were too many requests.","hint":"Wait as long as the `Retry-After` header says.","retryable":true};
}

/** One ingest record cannot be stored as it is. */
export class RecordRefused extends GatewayError {
  static override readonly defaults: Defaults = {"type":"RecordRefused","says":"One ingest record cannot be stored as it is.","hint":"","retryable":false};
}

/** The database did not take the records. */
export class StorageFailed extends GatewayError {
  static override readonly defaults: Defaults = {"type":"StorageFailed","says":"The database did not take the records.","hint":"Check the database and its disk; senders keep their lines and try again.","retryable":true};
}

/** The request has no token, or one that is not good for this. */
export class TokenRefused extends GatewayError {
  static override readonly defaults: Defaults = {"type":"TokenRefused","says":"The request has no token, or one that is not good for this.","hint":"Send `Authorization: Bearer <token>` with a fresh token of the right scope.","retryable":false};
}

/** The machine that ran the script never came back, or came back without it. */
export class HostLost extends CroniumError {
  static override readonly defaults: Defaults = {"type":"HostLost","says":"The machine that ran the script never came back, or came back without it.","hint":"Look at the log, then run the event again. Events with `idempotent: true` are run again by themselves.","retryable":false};
}

/** There is no room for log lines on this host. */
export class LogStorageFull extends CroniumError {
  static override readonly defaults: Defaults = {"type":"LogStorageFull","says":"There is no room for log lines on this host.","hint":"Free disk space in the worker's state directory.","retryable":true};
}

/** The request cannot be run as it is. */
export class RequestRefused extends CroniumError {
  static override readonly defaults: Defaults = {"type":"RequestRefused","says":"The request cannot be run as it is.","hint":"","retryable":false};
}

/** The request asks for more than the operator allows. */
export class CeilingExceeded extends RequestRefused {
  static override readonly defaults: Defaults = {"type":"CeilingExceeded","says":"The request asks for more than the operator allows.","hint":"Lower the value in the event, or ask the operator to raise the ceiling.","retryable":false};
}

/** Events have started each other too often in a row. */
export class ChainTooDeep extends RequestRefused {
  static override readonly defaults: Defaults = {"type":"ChainTooDeep","says":"Events have started each other too often in a row.","hint":"Look for events that start each other in a circle.","retryable":false};
}

/** No request can be made of the event's URL, headers, body or templates. */
export class HttpRequestInvalid extends RequestRefused {
  static override readonly defaults: Defaults = {"type":"HttpRequestInvalid","says":"No request can be made of the event's URL, headers, body or templates.","hint":"Correct the field that is named, or the input its template reads.","retryable":false};
}

/** A credential stands in the request, and Temporal would store it as plain text. */
export class InlineSecretRefused extends RequestRefused {
  static override readonly defaults: Defaults = {"type":"InlineSecretRefused","says":"A credential stands in the request, and Temporal would store it as plain text.","hint":"Name a secret instead (`{secret: NAME}`), or turn encryption on for whoever starts runs and for the workers (CRONIUM_ENCRYPTION_KEYS_FILE). A request that got as far as Temporal is stored there: change that credential.","retryable":false};
}

/** A secret named in the request does not exist on the worker. */
export class SecretUnavailable extends RequestRefused {
  static override readonly defaults: Defaults = {"type":"SecretUnavailable","says":"A secret named in the request does not exist on the worker.","hint":"Create the secret where the worker looks for it, or correct its name.","retryable":false};
}

/** No message can be sent to this address. */
export class TargetInvalid extends RequestRefused {
  static override readonly defaults: Defaults = {"type":"TargetInvalid","says":"No message can be sent to this address.","hint":"Write an Apprise URL such as slack://… or mailtos://…","retryable":false};
}

/** A message's template cannot be rendered. */
export class TemplateInvalid extends RequestRefused {
  static override readonly defaults: Defaults = {"type":"TemplateInvalid","says":"A message's template cannot be rendered.","hint":"Correct the template, or give a missing name a `| default(…)`.","retryable":false};
}

/** No tool or no action of this name is set up on the worker. */
export class ToolUnknown extends RequestRefused {
  static override readonly defaults: Defaults = {"type":"ToolUnknown","says":"No tool or no action of this name is set up on the worker.","hint":"Use one that is named, or have the operator set it up (`notify.…`).","retryable":false};
}

/** A schedule cannot be used as asked. */
export class ScheduleError extends CroniumError {
  static override readonly defaults: Defaults = {"type":"ScheduleError","says":"A schedule cannot be used as asked.","hint":"","retryable":false};
}

/** The schedule belongs to another project, or was not made by Cronium. */
export class ScheduleForeign extends ScheduleError {
  static override readonly defaults: Defaults = {"type":"ScheduleForeign","says":"The schedule belongs to another project, or was not made by Cronium.","hint":"Choose another id, or delete that schedule first.","retryable":false};
}

/** There is no schedule of this id. */
export class ScheduleNotFound extends ScheduleError {
  static override readonly defaults: Defaults = {"type":"ScheduleNotFound","says":"There is no schedule of this id.","hint":"`cronium schedule list` shows all of them.","retryable":false};
}

/** Temporal does not take the schedule. */
export class ScheduleRefused extends ScheduleError {
  static override readonly defaults: Defaults = {"type":"ScheduleRefused","says":"Temporal does not take the schedule.","hint":"","retryable":false};
}

/** All runs that `maxRuns` allows are done. */
export class ScheduleSpent extends ScheduleError {
  static override readonly defaults: Defaults = {"type":"ScheduleSpent","says":"All runs that `maxRuns` allows are done.","hint":"`cronium schedule resume ID --runs N` gives it N more.","retryable":false};
}

/** Another worker has taken this run over. */
export class StaleAttempt extends CroniumError {
  static override readonly defaults: Defaults = {"type":"StaleAttempt","says":"Another worker has taken this run over.","hint":"","retryable":false};
}

/** A variable cannot be read or written as asked. */
export class VariableError extends CroniumError {
  static override readonly defaults: Defaults = {"type":"VariableError","says":"A variable cannot be read or written as asked.","hint":"","retryable":false};
}

/** The variable is not what the caller expected. */
export class VariableConflict extends VariableError {
  static override readonly defaults: Defaults = {"type":"VariableConflict","says":"The variable is not what the caller expected.","hint":"Read the variable again and decide anew.","retryable":false};
}

/** Only a number can be incremented. */
export class NotANumber extends VariableConflict {
  static override readonly defaults: Defaults = {"type":"NotANumber","says":"Only a number can be incremented.","hint":"Set the variable to a number, or delete it: counting then starts at 0.","retryable":false};
}

/** Only a string or a list can be appended to. */
export class NotAppendable extends VariableConflict {
  static override readonly defaults: Defaults = {"type":"NotAppendable","says":"Only a string or a list can be appended to.","hint":"Set the variable to a string or a list, or delete it.","retryable":false};
}

/** The variable is not set. */
export class VariableNotFound extends VariableError {
  static override readonly defaults: Defaults = {"type":"VariableNotFound","says":"The variable is not set.","hint":"Check the key, upper and lower case too; each user has variables apart.","retryable":false};
}

/** The key or the value of a variable breaks a rule. */
export class VariableRefused extends VariableError {
  static override readonly defaults: Defaults = {"type":"VariableRefused","says":"The key or the value of a variable breaks a rule.","hint":"","retryable":false};
}

/** The store of variables does not answer. */
export class VariablesUnavailable extends VariableError {
  static override readonly defaults: Defaults = {"type":"VariablesUnavailable","says":"The store of variables does not answer.","hint":"Try again in a moment; the gateway may be restarting.","retryable":true};
}

/** The worker is going down and hands its runs over. */
export class WorkerDraining extends CroniumError {
  static override readonly defaults: Defaults = {"type":"WorkerDraining","says":"The worker is going down and hands its runs over.","hint":"","retryable":true};
}

/** By the word that is on the wire. */
export const ERRORS = {
  DeliveryError,
  DeliveryFailed,
  DeliveryRefused,
  EncryptionError,
  EncryptionKeyMissing,
  KeyFileInvalid,
  PayloadDamaged,
  EngineError,
  EgressUnavailable,
  EngineNotHardened,
  EngineUnavailable,
  HostNotReady,
  SecretsUnavailable,
  SshUnavailable,
  SshAuthTimeout,
  SshBannerTimeout,
  SshBreakerOpen,
  SshConnectFailed,
  SshConnectTimeout,
  SshIdleTimeout,
  SshTotalTimeout,
  StartUnknown,
  ImageMissing,
  ImagePullFailed,
  ImagePullTimeout,
  SandboxFailed,
  SshRefused,
  SshAuthFailed,
  SshHostKeyChanged,
  SshHostKeyUnknown,
  SshProtocolError,
  SshServerRefused,
  SandboxInterrupted,
  ScriptNotStarted,
  WorkerFault,
  GatewayError,
  ExecutionNotFound,
  GatewayNotReady,
  InvalidPath,
  OriginRefused,
  RateLimited,
  RecordRefused,
  StorageFailed,
  TokenRefused,
  HostLost,
  LogStorageFull,
  RequestRefused,
  CeilingExceeded,
  ChainTooDeep,
  HttpRequestInvalid,
  InlineSecretRefused,
  SecretUnavailable,
  TargetInvalid,
  TemplateInvalid,
  ToolUnknown,
  ScheduleError,
  ScheduleForeign,
  ScheduleNotFound,
  ScheduleRefused,
  ScheduleSpent,
  StaleAttempt,
  VariableError,
  VariableConflict,
  NotANumber,
  NotAppendable,
  VariableNotFound,
  VariableRefused,
  VariablesUnavailable,
  WorkerDraining,
} as const;

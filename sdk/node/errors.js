/** What can go wrong between a script and the executor. */
'use strict';

/** The call could not be made, or not be finished; the text says what to do. */
class CroniumError extends Error {
  constructor(message) {
    super(message);
    this.name = 'CroniumError';
  }
}

/** The executor refused the call; `statusCode` is the HTTP status. */
class CroniumAPIError extends CroniumError {
  constructor(statusCode, message) {
    super(`API Error (${statusCode}): ${message}`);
    this.name = 'CroniumAPIError';
    this.statusCode = statusCode;
  }
}

/** The executor took the call and did not answer in time. */
class CroniumTimeoutError extends CroniumError {
  constructor(message) {
    super(message);
    this.name = 'CroniumTimeoutError';
  }
}

module.exports = { CroniumError, CroniumAPIError, CroniumTimeoutError };

/**
 * The way to the executor, for a caller that waits: requests are made by a second thread
 * (exchange.js), started by the first call, which never keeps the process alive.
 */
'use strict';

const { MessageChannel, Worker, receiveMessageOnPort } = require('worker_threads');
const path = require('path');
const { CroniumAPIError, CroniumError, CroniumTimeoutError } = require('./errors.js');

/** How long a worker may be away before calls fail, where nobody says how long, in ms. */
const OUTAGE = 30000;
const LONGEST_PAUSE = 1000;
const AWAY = [502, 503, 504];
/** Beyond a request's own timeout, in ms: then the thread itself is gone. */
const THREAD_GRACE = 5000;
const UNIX = 'unix:';

const clock = new Int32Array(new SharedArrayBuffer(4));

/** Block this thread for some milliseconds. */
function pauseFor(milliseconds) {
  Atomics.wait(clock, 0, 0, milliseconds);
}

/** Return what an error's answer says, whatever it is made of. */
function messageOf(status, text) {
  try {
    const said = JSON.parse(text);
    const message = said.message || said.error;
    if (message) return String(message);
  } catch (error) {
    // not ours: shown as it is
  }
  return text.trim().slice(0, 500) || `the executor answered with status ${status} and no text`;
}

function targetOf(address) {
  if (address.startsWith(UNIX)) {
    return { secure: false, prefix: '', options: { socketPath: address.slice(UNIX.length), host: 'cronium' } };
  }
  let url;
  try {
    url = new URL(address);
  } catch (error) {
    url = { protocol: '' };
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new CroniumError(
      `CRONIUM_RUNTIME_API is '${address}': expected an address that begins with http:// or https://.`
    );
  }
  const secure = url.protocol === 'https:';
  const options = { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port || (secure ? 443 : 80) };
  return { secure, prefix: url.pathname.replace(/\/+$/, ''), options };
}

/** Makes calls to one address: `unix:<path>`, or an http(s) URL. */
class Channel {
  constructor(address, outage) {
    this.address = address;
    this.target = targetOf(address);
    this.thread = null;
    this.outage = outage > 0 ? outage : OUTAGE;
  }

  /**
   * Return `{status, text}` of an answer with a status below 500.
   * `timeout` is for one request, `tries` for answers of 500, `pause` before the second
   * request, doubled after each, `outage` for an executor that is away, when that is less
   * than usual; times in ms.
   */
  call(method, route, headers, body, { timeout, tries, pause, outage = Infinity }) {
    const call = { method, path: this.target.prefix + route, headers, body, timeout };
    const begin = Date.now();
    const limit = Math.min(outage, this.outage);
    let errors = 0;
    for (;;) {
      const reply = this.exchange(call);
      if (reply.status < 500) return reply;
      if (reply.status && !AWAY.includes(reply.status)) errors += 1;
      if (errors >= tries || Date.now() + pause - begin > limit) throw this.problem(reply, timeout, limit);
      pauseFor(pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
  }

  exchange(call) {
    const { worker, port, flag } = this.thread || (this.thread = this.start());
    const seen = Atomics.load(flag, 0);
    port.postMessage(call);
    if (Atomics.wait(flag, 0, seen, call.timeout + THREAD_GRACE) === 'timed-out') {
      worker.terminate();
      this.thread = null;
      return { fault: 'timeout' };
    }
    return receiveMessageOnPort(port).message;
  }

  start() {
    const flag = new Int32Array(new SharedArrayBuffer(4));
    const { port1, port2 } = new MessageChannel();
    const worker = new Worker(path.join(__dirname, 'exchange.js'), {
      workerData: { target: this.target, port: port2, flag },
      transferList: [port2],
      // The script's own options (--require, --inspect …) are not for this thread.
      execArgv: [],
      env: {},
    });
    worker.unref();
    port1.unref();
    return { worker, port: port1, flag };
  }

  problem(reply, timeout, limit) {
    if (reply.status) return new CroniumAPIError(reply.status, messageOf(reply.status, reply.text));
    if (reply.fault === 'timeout') {
      return new CroniumTimeoutError(
        `The executor did not answer within ${timeout / 1000} s. Try again later, or look at the worker's log.`
      );
    }
    return new CroniumError(
      `The executor cannot be reached at ${this.address}: ${reply.reason}. ` +
        `It was tried for up to ${limit / 1000} s; is the worker running?`
    );
  }
}

module.exports = { Channel, OUTAGE, UNIX, messageOf, pauseFor };

/**
 * Everything that a script can ask of the executor, as calls that return plain values.
 * This is the global `cronium`; what `require('cronium')` gives is made from it.
 */
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const { Channel, OUTAGE, UNIX, messageOf, pauseFor } = require('./channel.js');
const { CroniumAPIError, CroniumError, CroniumTimeoutError } = require('./errors.js');

const NOT_SET = 'CRONIUM_SOCKET is not set, which scripts that the executor starts have';
const LEVELS = ['debug', 'info', 'warning', 'error'];

function document(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw new CroniumError(`${file} cannot be read: ${error.message}`);
  }
}

function encoded(body, what) {
  try {
    // undefined is not JSON; a missing value is null.
    return JSON.stringify(body, (key, value) => (value === undefined ? null : value));
  } catch (error) {
    throw new CroniumError(
      `${what}: ${error.message}. Give text, numbers, booleans, null, arrays or plain objects.`
    );
  }
}

function variablePath(key) {
  if (typeof key !== 'string' || key === '') {
    throw new CroniumError(`The name of a variable must be a text; it is ${String(key) || "''"}.`);
  }
  return `variables/${encodeURIComponent(key)}`;
}

class Client {
  constructor(env = process.env) {
    this.token = env.CRONIUM_EXECUTION_TOKEN || '';
    this.executionId = env.CRONIUM_EXECUTION_ID || '';
    this.apiUrl = env.CRONIUM_SOCKET ? UNIX + env.CRONIUM_SOCKET : env.CRONIUM_RUNTIME_API || '';
    this.maxRetries = 3;
    this.retryDelay = 50;
    this.timeout = 30000;
    const directory = env.CRONIUM_RUN_DIR || '';
    if ((this.apiUrl || !directory) && !(this.token && this.executionId)) {
      throw new CroniumError(
        'CRONIUM_EXECUTION_TOKEN and CRONIUM_EXECUTION_ID must be set: ' +
          'run this script as an event, the executor sets them.'
      );
    }
    Object.defineProperty(this, 'directory', { value: directory });
    Object.defineProperty(this, 'channel', { value: this.apiUrl ? new Channel(this.apiUrl, env.CRONIUM_OUTAGE_SECONDS * 1000) : null });
  }

  input() {
    return this.read('input', 'input.json');
  }

  output(data) {
    this.own('POST', 'output', { data }, 'output(data)');
  }

  event() {
    return this.read('context', 'event.json') || {};
  }

  getVariable(key) {
    const found = this.variable(key);
    return found === null || found.value === undefined ? null : found.value;
  }

  setVariable(key, value, { expected, ifAbsent } = {}) {
    const body = { value };
    if (expected !== undefined) body.expected = expected;
    if (ifAbsent) body.ifAbsent = true;
    this.own('PUT', variablePath(key), body, `setVariable('${key}', value)`);
    return true;
  }

  variableExists(key) {
    return this.variable(key) !== null;
  }

  deleteVariable(key) {
    return Boolean(this.own('DELETE', variablePath(key)).deleted);
  }

  listVariables(prefix = '') {
    return this.own('GET', `variables${prefix ? `?prefix=${encodeURIComponent(prefix)}` : ''}`).variables;
  }

  incrementVariable(key, by = 1) {
    return this.own('POST', `${variablePath(key)}/increment`, { by }).value;
  }

  appendVariable(key, value, separator = '') {
    return this.own('POST', `${variablePath(key)}/append`, { value, separator }, 'appendVariable(value)').value;
  }

  setCondition(condition) {
    this.own('POST', 'condition', { condition: Boolean(condition) });
    return Boolean(condition);
  }

  getCondition() {
    const found = this.own('GET', 'condition');
    return found && typeof found.condition === 'boolean' ? found.condition : null;
  }

  log(level, message, fields = {}) {
    if (arguments.length === 1) return this.log('info', level);
    const word = String(level).toLowerCase();
    const named = word === 'warn' ? 'warning' : word;
    if (!LEVELS.includes(named)) {
      throw new CroniumError(`log(level): '${level}' is none of ${LEVELS.join(', ')}.`);
    }
    this.own('POST', 'logs', { level: named, message: String(message), fields }, 'log(fields)');
  }

  progress(fraction, text = '') {
    if (!(fraction >= 0 && fraction <= 1)) {
      throw new CroniumError(`progress(fraction): ${fraction} is not within 0 and 1.`);
    }
    this.own('POST', 'progress', { fraction, text });
  }

  sleep(seconds) {
    pauseFor(seconds * 1000);
  }

  executeToolAction(tool, action, config) {
    const body = { tool, action, config };
    return this.request('POST', '/tool-actions/execute', body, 'executeToolAction(config)');
  }

  sendEmail({ to, ...more }) {
    return this.executeToolAction('email', 'send_message', { to: Array.isArray(to) ? to : [to], ...more });
  }

  sendSlackMessage(message) {
    return this.executeToolAction('slack', 'send_message', message);
  }

  sendDiscordMessage(message) {
    return this.executeToolAction('discord', 'send_message', message);
  }
}

/** What the calls are made of; no names that a script could see on `cronium`. */
const parts = {
  variable(key) {
    try {
      return this.own('GET', variablePath(key));
    } catch (error) {
      if (error.statusCode === 404) return null;
      throw error;
    }
  },

  read(name, file) {
    if (this.channel !== null) {
      try {
        // Nothing is won by a longer wait: the file says the same.
        return this.own('GET', name, undefined, undefined, OUTAGE);
      } catch (error) {
        if (error instanceof CroniumAPIError || error instanceof CroniumTimeoutError || !this.directory) throw error;
      }
    }
    return document(path.join(this.directory, file));
  },

  own(method, name, body, what, outage) {
    return this.request(method, `/executions/${encodeURIComponent(this.executionId)}/${name}`, body, what, outage);
  },

  request(method, route, body, what, outage) {
    if (this.channel === null) {
      throw new CroniumError(
        `${what || route.split('/').pop()} needs the executor's channel, and there is none: ` +
          `${process.env.CRONIUM_NO_CHANNEL || NOT_SET}; input() and event() work without.`
      );
    }
    const data = body === undefined ? undefined : encoded(body, what);
    const limits = { timeout: this.timeout, tries: this.maxRetries, pause: this.retryDelay, outage };
    const { status, text } = this.channel.call(method, route, this.headers(method, data), data, limits);
    if (status >= 400) throw new CroniumAPIError(status, messageOf(status, text));
    let said;
    try {
      said = JSON.parse(text);
    } catch (error) {
      said = null;
    }
    if (said === null || typeof said !== 'object') {
      throw new CroniumError(`The answer to ${method} ${route} is not the executor's: ${messageOf(status, text)}`);
    }
    if (said.success === false) throw new CroniumError(messageOf(status, text));
    return said.data === undefined ? null : said.data;
  },

  headers(method, data) {
    const headers = {
      Authorization: `Bearer ${this.token}`,
      'Content-Type': 'application/json',
      Accept: 'application/json',
    };
    // A request that is sent again because its answer was lost is done once.
    if (method !== 'GET') headers['Idempotency-Key'] = crypto.randomBytes(16).toString('hex');
    if (data !== undefined) headers['Content-Length'] = Buffer.byteLength(data);
    return headers;
  },
};

const CALLS = Object.getOwnPropertyNames(Client.prototype).filter((name) => name !== 'constructor');
for (const [name, value] of Object.entries(parts)) {
  Object.defineProperty(Client.prototype, name, { value });
}

module.exports = { Client, CALLS };

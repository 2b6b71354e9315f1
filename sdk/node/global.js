/** The global `cronium`: calls that return plain values, and the error classes. */
'use strict';

const { Client, CALLS } = require('./client.js');

let client = null;

// Plain functions, so that `const { input, output } = cronium` works.
const cronium = {};
for (const name of CALLS) {
  cronium[name] = (...given) => (client || (client = new Client()))[name](...given);
}

module.exports = Object.assign(cronium, require('./errors.js'));

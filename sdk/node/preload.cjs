/**
 * Loaded before the script (NODE_OPTIONS=--require): makes the global `cronium`, which
 * loads the rest at its first use. An own variable of that name simply hides it.
 */
'use strict';

function define(value) {
  Object.defineProperty(globalThis, 'cronium', { value, configurable: true, writable: true });
}

Object.defineProperty(globalThis, 'cronium', {
  configurable: true,
  get() {
    const cronium = require('./global.js');
    define(cronium);
    return cronium;
  },
  set: define,
});

// A script that runs as an ES module because of its `import` or top-level `await` may
// still use `require`, as it could before.
const main = process.argv[1] || '';
if (process.env.CRONIUM_RUN_DIR && main === `${process.env.CRONIUM_RUN_DIR}/script.mjs`) {
  globalThis.require = require('module').createRequire(main);
}

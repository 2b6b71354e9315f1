/**
 * `require('cronium')`: the class `Cronium`, with the calls, a shared instance and the
 * error classes attached.
 *
 *     const { input, output } = require('cronium');
 *     const { region } = await input();
 *     await output({ done: true });
 *
 * What these calls return is always good for `await`, `.then`, `.catch`, `.finally` and
 * `Promise.all`, and errors are rejections. In detail:
 *
 * - Text, numbers, booleans, null and calls without a result: a real Promise. In sums and
 *   template strings, and inside data that is passed on as JSON, it stands for its value;
 *   it is not equal (`===`) to it, and never falsy: await it first.
 * - Objects and arrays: the plain object itself, good for use at once
 *   (`input().region`), whose `then`, `catch` and `finally` are hidden: no loop over
 *   keys, no JSON and no comparison sees them. What awaiting gives is without them.
 *
 * The global `cronium`, which needs no require, returns plain values and throws errors:
 * `cronium.getVariable('N') === 0`. Awaiting those is fine as well; `.then` is not there,
 * since a plain number cannot have it. (Giving every number a `then` by way of its
 * prototype would change what `await 5` does in the whole program.)
 *
 * Either way the thread waits until the executor has answered, mostly less than 1 ms.
 */
'use strict';

const { Client, CALLS } = require('./client.js');
const errors = require('./errors.js');

function hidden(object, properties) {
  for (const name of Reflect.ownKeys(properties)) {
    const value = properties[name];
    Object.defineProperty(object, name, { value, configurable: true, writable: true });
  }
  return object;
}

function bare(object) {
  return Array.isArray(object) ? object.slice() : { ...object };
}

/** Make an object awaitable without a trace of it in its keys. */
function awaitable(object) {
  const promise = () => Promise.resolve(bare(object));
  return hidden(object, {
    then: (...handlers) => promise().then(...handlers),
    catch: (...handlers) => promise().catch(...handlers),
    finally: (...handlers) => promise().finally(...handlers),
  });
}

function settled(make) {
  let value;
  try {
    value = make();
  } catch (error) {
    return Promise.reject(error);
  }
  const ours = ['then', 'catch', 'finally'];
  if (typeof value === 'object' && value !== null && !ours.some((name) => name in value)) {
    return awaitable(value);
  }
  const own = () => value;
  return hidden(Promise.resolve(value), { toJSON: own, [Symbol.toPrimitive]: own });
}

class Cronium extends Client {}

for (const name of CALLS) {
  const call = Client.prototype[name];
  const method = function (...given) {
    // Calls that use others of ours get plain values from them.
    return settled(() => call.apply(this.plain, given));
  };
  Object.defineProperty(method, 'name', { value: name });
  hidden(Cronium.prototype, { [name]: method });
}
Object.defineProperty(Cronium.prototype, 'plain', {
  get() {
    // The same state, settings included, with the calls that return plain values.
    return Object.create(this, Object.getOwnPropertyDescriptors(Client.prototype));
  },
});
hidden(Cronium.prototype, {
  setVariable(...given) {
    return settled(() => void this.plain.setVariable(...given));
  },
  setCondition(condition) {
    return settled(() => void this.plain.setCondition(condition));
  },
  sleep(seconds) {
    return new Promise((wake) => setTimeout(wake, seconds * 1000));
  },
});

let shared = null;
Object.defineProperty(Cronium, 'cronium', {
  enumerable: true,
  get: () => shared || (shared = new Cronium()),
});
for (const name of CALLS) {
  Cronium[name] = (...given) => {
    try {
      return Cronium.cronium[name](...given);
    } catch (error) {
      return Promise.reject(error);
    }
  };
}
Object.assign(Cronium, errors);

module.exports = Cronium;

/**
 * The thread that speaks HTTP while the script's own thread waits for the answer.
 * It does one request at a time, as asked by channel.js, and decides nothing.
 */
'use strict';

const { workerData } = require('worker_threads');

const { target, port, flag } = workerData;
const http = require(target.secure ? 'https' : 'http');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function answer(reply) {
  port.postMessage(reply);
  Atomics.add(flag, 0, 1);
  Atomics.notify(flag, 0);
}

function send(call) {
  const options = { ...target.options, agent, method: call.method, path: call.path, headers: call.headers };
  let answered = false;
  const finish = (reply) => {
    if (answered) return;
    answered = true;
    clearTimeout(timer);
    answer(reply);
  };
  const request = http.request(options, (response) => {
    const parts = [];
    response.on('data', (part) => parts.push(part));
    response.on('end', () => finish({ status: response.statusCode, text: Buffer.concat(parts).toString() }));
    response.on('aborted', () => finish({ fault: 'connection', reason: 'the connection was closed inside an answer' }));
  });
  const timer = setTimeout(() => {
    finish({ fault: 'timeout' });
    request.destroy();
  }, call.timeout);
  request.on('error', (error) => {
    if (answered) return;
    if (request.reusedSocket && error.code !== 'ENOENT') {
      // It was closed while idle, which says nothing of the server.
      answered = true;
      clearTimeout(timer);
      send(call);
      return;
    }
    finish({ fault: 'connection', reason: error.message });
  });
  request.end(call.body);
}

port.on('message', send);

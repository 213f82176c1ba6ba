// What an idle stream costs the server in memory, by kind: HTTP_PROBE=… node stream_memory.mjs [STREAMS]
// A figure is the growth of the process's resident memory per stream, over what one connection without streams costs.
// Use a release build: a sanitizer's memory says nothing.
import fs from 'node:fs';
import http2 from 'node:http2';
import WebSocket from 'ws';

import { cert, key, Server, sleep } from './probe.mjs';

const count = Number(process.argv[2] ?? 10000);
const token = 'x'.repeat(700);
const body = JSON.stringify({ query: 'subscription($order: ID!) { orderEvents(orderId: $order) { cursor event { type order { stage } } } }',
  variables: { order: 'ORD-00000000000000000000000000' } });

const resident = (server) => Number(fs.readFileSync(`/proc/${server.child.pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1]) * 1024;

async function connectH2(server) {
  const session = http2.connect(server.url, { rejectUnauthorized: false });
  await new Promise((resolve) => session.on('connect', resolve));
  return session;
}

function openH2(session, method, more = {}) {
  const stream = session.request({ ':method': method, ':path': '/subscribe', accept: 'text/event-stream',
    authorization: `Bearer ${token}`, origin: 'https://shop.example', 'content-type': 'application/json', ...more },
  { endStream: method === 'GET' });
  if (method === 'POST') stream.end(body);
  stream.on('error', () => {});
  stream.resume();
  return new Promise((resolve) => stream.on('response', resolve));
}

async function measureH2(name, method, args, publish) {
  const server = await Server.start(...args);
  try {
    const sessions = [];
    for (let i = 0; i < count / 100; i++) sessions.push(await connectH2(server));
    await sleep(500);
    const before = resident(server);
    for (const session of sessions) await Promise.all(Array.from({ length: 100 }, () => openH2(session, method)));
    if (publish) for (let i = 0; i < 3; i++) { await fetchText(server, '/publish?bytes=300'); await sleep(500); }
    await sleep(1000);
    console.log(`${name}: ${Math.round((resident(server) - before) / count)} bytes`);
    sessions.forEach((session) => session.destroy());
    await sleep(500);
  } finally {
    server.child.kill('SIGKILL');
  }
}

async function fetchText(server, path) {
  const session = await connectH2(server);
  const stream = session.request({ ':path': path });
  stream.resume();
  await new Promise((resolve) => stream.on('close', resolve));
  session.destroy();
}

async function measureWs(name, args) {
  const server = await Server.start(...args);
  try {
    const before = resident(server), clients = [], few = Math.min(count, 2000);
    for (let i = 0; i < few; i++) {
      const ws = new WebSocket(`${server.url.replace(/^http/, 'ws')}/ws`, { rejectUnauthorized: false });
      ws.on('error', () => {});
      await new Promise((resolve) => ws.on('open', resolve));
      clients.push(ws);
    }
    await sleep(1000);
    console.log(`${name}: ${Math.round((resident(server) - before) / few)} bytes, the connection included`);
    clients.forEach((ws) => ws.terminate());
    await sleep(300);
  } finally {
    server.child.kill('SIGKILL');
  }
}

await measureH2('GET over HTTP/2', 'GET', []);
await measureH2('POST over HTTP/2', 'POST', []);
await measureH2('GET over HTTP/2, after three deliveries', 'GET', [], true);
await measureH2('POST over HTTP/2 and TLS', 'POST', ['--tls', cert, key]);
await measureWs('a WebSocket', []);
await measureWs('a WebSocket over TLS', ['--tls', cert, key]);
process.exit(0);

// WebSockets of the transport: the handshake, messages, the closing handshake, clients that misbehave or do not read.
// Needs HTTP_PROBE, curl, openssl and npm's ws; talks to loopback only. See probe.mjs.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import WebSocket from 'ws';

import { cert, curl, key, raw, readToEnd, sleep, withServer } from './probe.mjs';

const TLS = ['--tls', cert, key];

async function counts(server) {
  return JSON.parse((await curl(`${server.url}/ws-counts`)).body);
}

async function until(what, condition, ms = 8000) {
  const end = Date.now() + ms;
  let seen;
  while (Date.now() < end) {
    seen = await condition();
    if (seen === true) return;
    await sleep(50);
  }
  assert.fail(`${what}: ${JSON.stringify(seen)}`);
}

// A client that keeps what it received.
async function connect(server, protocols = ['probe'], options = {}) {
  const ws = new WebSocket(server.url.replace(/^http/, 'ws') + '/ws', protocols, { rejectUnauthorized: false, ...options });
  const client = { ws, texts: [], waiting: [], pings: 0, pongs: [] };
  client.closed = new Promise((resolve) => ws.on('close', (code, reason) => resolve({ code, reason: reason.toString() })));
  ws.on('message', (data, binary) => {
    assert.equal(binary, false);
    client.texts.push(data.toString());
    client.waiting.splice(0).forEach((resolve) => resolve());
  });
  ws.on('ping', () => { client.pings++; });
  ws.on('pong', (data) => client.pongs.push(data.toString()));
  ws.on('error', () => {});
  client.next = async () => {
    while (client.texts.length === 0) await new Promise((resolve) => client.waiting.push(resolve));
    return client.texts.shift();
  };
  await new Promise((resolve, reject) => { ws.on('open', resolve); ws.on('error', reject); });
  return client;
}

const handshake = (headers) => `GET /ws HTTP/1.1\r\nhost: x\r\n${Object.entries({
  upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', ...headers,
}).filter(([, value]) => value !== null).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;

// A masked frame of a client.
function frame(first, payload) {
  const body = Buffer.from(payload);
  const mask = Buffer.from([1, 2, 3, 4]);
  const head = body.length < 126 ? Buffer.from([first, 0x80 | body.length])
    : Buffer.concat([Buffer.from([first, 0x80 | 127, 0, 0, 0, 0]), Buffer.from([0, 0, 0, 0].map((_, i) => (body.length >> (8 * (3 - i))) & 255))]);
  return Buffer.concat([head, mask, body.map((byte, i) => byte ^ mask[i % 4])]);
}

// After a handshake by hand: what arrives until the end.
async function misbehave(server, bytes) {
  const socket = await raw(server);
  const end = readToEnd(socket, 8000);
  socket.write(handshake({}));
  socket.write(bytes);
  const answer = await end;
  assert.notEqual(answer, null, 'the connection does not end');
  return answer.subarray(answer.indexOf('\r\n\r\n') + 4 + 7); // behind the head and "hello"
}

for (const [name, args] of [['in clear text', []], ['over TLS', TLS]]) {
  test(`talks to a client, ${name}`, () => withServer(args, async (server) => {
    const client = await connect(server);
    assert.equal(client.ws.protocol, 'probe');
    assert.equal(await client.next(), 'hello');
    assert.equal(await server.metric('liteoms_http_websockets'), 1);
    for (const length of [0, 1, 125, 126, 65535, 65536, 1 << 20]) {
      const text = 'ä'.repeat(length >> 1) + (length & 1 ? '.' : '');
      client.ws.send(text);
      const echo = await client.next();
      assert.ok(echo === text, `${echo.length} of ${text.length}`);
    }
    client.ws.send('in ', { fin: false });
    client.ws.ping('between');
    client.ws.send('pieces', { fin: true });
    assert.equal(await client.next(), 'in pieces');
    await until('a pong', () => client.pongs.includes('between'));
    client.ws.send('ping');
    await until('a ping, answered', async () => client.pings === 1 && (await counts(server)).pongs === 1);
    // Many small messages at once.
    for (let i = 0; i < 5000; i++) client.ws.send(`number ${i}`);
    for (let i = 0; i < 5000; i++) assert.equal(await client.next(), `number ${i}`);
    client.ws.send('close 4409');
    assert.deepEqual(await client.closed, { code: 4409, reason: 'as asked' });
    await until('gone', async () => (await counts(server)).gone === 1);
    assert.equal(await server.metric('liteoms_http_websockets'), 0);
    await until('closed', async () => await server.metric('liteoms_http_connections') === 1);
  }));

  test(`ends with its client, ${name}`, () => withServer(args, async (server) => {
    const polite = await connect(server, []);
    assert.equal(polite.ws.protocol, '');
    polite.ws.close(1000, 'done');
    assert.deepEqual(await polite.closed, { code: 1000, reason: '' });
    const rude = await connect(server);
    rude.ws.terminate();
    const many = await Promise.all(Array.from({ length: 50 }, () => connect(server)));
    many.forEach((client) => client.ws.send('x'.repeat(100000)));
    many.forEach((client, i) => (i % 2 ? client.ws.close() : client.ws.terminate()));
    await Promise.all(many.map((client) => client.closed));
    await until('gone', async () => (await counts(server)).gone === 52);
    assert.equal(await server.metric('liteoms_http_websockets'), 0);
  }));

  test(`a client that does not read is let go of, ${name}`, () => withServer([...args, '--response-timeout', '1500'],
    async (server) => {
      const slow = await connect(server);
      await slow.next();
      slow.ws.pause();
      slow.ws.send('flood 100000'); // 100 MB, of which the handler lets 4 wait
      await sleep(300);
      const other = await connect(server); // nobody else waits for it
      await other.next();
      const began = performance.now();
      other.ws.send('quick');
      assert.equal(await other.next(), 'quick');
      assert.ok(performance.now() - began < 500);
      await until('gone', async () => (await counts(server)).gone === 1, 15000);
      slow.ws.terminate();
      const reader = await connect(server); // one that reads gets all of it
      await reader.next();
      reader.ws.send('flood 3000');
      for (let i = 0; i < 3000; i++) assert.equal((await reader.next()).length, 1000);
      const before = (await counts(server)).readies;
      reader.ws.send('unsent');
      assert.equal(await reader.next(), '0');
      await until('ready', async () => (await counts(server)).readies > before);
      reader.ws.terminate();
      other.ws.terminate();
    }));
}

test('the handshake', () => withServer([], async (server) => {
  const ask = async (headers, method = 'GET') => {
    const socket = await raw(server);
    socket.write(handshake({ connection: 'Upgrade, close', ...headers }).replace('GET', method));
    const text = (await readToEnd(socket, 1000)) ?? Buffer.from('');
    socket.destroy();
    return text.toString();
  };
  const socket = await raw(server);
  socket.write(handshake({ upgrade: 'WebSocket', 'sec-websocket-protocol': 'probe' }));
  const head = await new Promise((resolve) => socket.once('data', (data) => resolve(data.toString())));
  assert.match(head, /^HTTP\/1\.1 101 Switching Protocols\r\n/);
  assert.match(head, /^connection: upgrade\r$/im);
  assert.match(head, /^upgrade: websocket\r$/im);
  assert.match(head, /^sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r$/im); // RFC 6455 section 1.3
  assert.match(head, /^sec-websocket-protocol: probe\r$/im);
  assert.doesNotMatch(head, /content-length|transfer-encoding/i);
  socket.destroy();
  const version = await ask({ 'sec-websocket-version': '8' });
  assert.match(version, /^HTTP\/1\.1 426 Upgrade Required/);
  assert.match(version, /^sec-websocket-version: 13\r$/im);
  for (const headers of [{ 'sec-websocket-key': null }, { 'sec-websocket-key': 'short' }, { upgrade: null }, { upgrade: 'other' },
    { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ' }, { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-key: x' }])
    assert.match(await ask(headers), /^HTTP\/1\.1 400/, JSON.stringify(headers));
  assert.match(await ask({ 'content-length': '0' }, 'POST'), /^HTTP\/1\.1 400/);
  assert.equal((await curl('--http2-prior-knowledge', `${server.url}/ws`)).status, 400);
  await until('gone', async () => { const { opened, gone } = await counts(server); return opened === gone; });
}));

test('frames that break the protocol', () => withServer([], async (server) => {
  const code = (answer) => (answer[0] === 0x88 ? answer.readUInt16BE(2) : answer.toString('latin1'));
  assert.equal(code(await misbehave(server, Buffer.from('\x81\x05hello', 'latin1'))), 1002); // not masked
  assert.equal(code(await misbehave(server, frame(0x82, 'binary'))), 1003);
  assert.equal(code(await misbehave(server, frame(0x81, Buffer.from([0xc3, 0x28])))), 1007);
  // One that is too long is refused by its head, whatever follows.
  assert.equal(code(await misbehave(server, frame(0x81, Buffer.alloc((1 << 20) + 1, 'x')))), 1009);
  const parts = Buffer.concat([frame(0x01, Buffer.alloc(1 << 20, 'x')), frame(0x80, 'x')]);
  assert.equal(code(await misbehave(server, parts)), 1009);
  // A client's code comes back; what follows a close frame is nothing.
  const closed = await misbehave(server, Buffer.concat([frame(0x81, 'first'), frame(0x88, Buffer.from([0x0f, 0xa0])), frame(0x81, 'late')]));
  assert.equal(closed.toString('latin1'), '\x81\x05first\x88\x02\x0f\xa0');
  assert.equal((await counts(server)).messages, 1);
  // Pings that are not read: the last one is answered, and memory stays.
  const socket = await raw(server);
  socket.write(handshake({}));
  const pings = Buffer.concat(Array.from({ length: 20000 }, (_, i) => frame(0x89, `ping ${i}`)));
  socket.write(pings);
  let text = '';
  socket.on('data', (data) => { text += data.toString('latin1'); });
  await until('the last pong', () => text.endsWith('ping 19999'));
  socket.destroy();
  assert.match(server.log, /"event":"http.websocket_refused"/);
  await until('gone', async () => { const { opened, gone } = await counts(server); return opened === gone; });
}));

test('a client that answers no close frame is not waited for', () => withServer([], async (server) => {
  const socket = await raw(server);
  const end = readToEnd(socket, 8000);
  const began = Date.now();
  socket.write(handshake({}));
  socket.write(frame(0x81, 'close 4000'));
  const dripping = setInterval(() => socket.writable && socket.write(frame(0x81, 'still here')), 100);
  assert.notEqual(await end, null);
  clearInterval(dripping);
  assert.ok(Date.now() - began > 2000);
  await until('gone', async () => (await counts(server)).gone === 1);
}));

test('a flood of messages costs the others nothing', () => withServer([], async (server) => {
  const flooding = await raw(server);
  flooding.on('error', () => {});
  flooding.write(handshake({}));
  flooding.resume();
  const block = Buffer.concat(Array.from({ length: 500 }, () => frame(0x81, 'x'.repeat(100))));
  let ended = false;
  const pump = () => { while (!ended && flooding.write(block)); };
  flooding.on('drain', pump);
  pump();
  const other = await connect(server);
  await other.next();
  const times = [];
  for (let i = 0; i < 50; i++) {
    const began = performance.now();
    other.ws.send(`${i}`);
    assert.equal(await other.next(), `${i}`);
    times.push(performance.now() - began);
    await sleep(20);
  }
  times.sort((a, b) => a - b);
  assert.ok(times[25] < 300, `${times[25]} ms`);
  ended = true;
  flooding.destroy();
  other.ws.terminate();
  assert.doesNotMatch(server.log, /http.connection_ended/); // a busy client is no attacker
}));

test('a drain closes with 1001 what its protocol left open', () => withServer(['--shards', '2'], async (server) => {
  const clients = await Promise.all(Array.from({ length: 10 }, () => connect(server)));
  const deaf = await raw(server); // answers no close frame
  deaf.write(handshake({}));
  const end = readToEnd(deaf, 10000);
  await sleep(200);
  const began = Date.now();
  server.child.kill('SIGTERM');
  const closings = await Promise.all(clients.map((client) => client.closed));
  closings.forEach((closing) => assert.deepEqual(closing, { code: 1001, reason: 'the server stops' }));
  assert.ok((await end).toString('latin1').endsWith('\x03\xe9the server stops'));
  assert.equal(await server.exited, 0, server.log);
  const took = Date.now() - began;
  assert.ok(took > 2500 && took < 4500, `${took} ms`); // the probe drains for 3 s
}));

test('many WebSockets on shards', () => withServer(['--shards', '2', ...TLS], async (server) => {
  const clients = await Promise.all(Array.from({ length: 200 }, () => connect(server)));
  await Promise.all(clients.map(async (client, i) => {
    assert.equal(await client.next(), 'hello');
    client.ws.send(`${createHash('md5').update(`${i}`).digest('hex')}`);
    assert.equal(await client.next(), createHash('md5').update(`${i}`).digest('hex'));
  }));
  assert.equal(await server.metric('liteoms_http_websockets'), 200);
  await sleep(1000); // several samples: idle ones are let be
  assert.equal(await server.metric('liteoms_http_websockets'), 200);
  clients.forEach((client) => client.ws.terminate());
  await until('gone', async () => (await counts(server)).gone === 200);
}));

// The HTTP server as clients and attackers meet it. Needs HTTP_PROBE (the program), curl and openssl; talks to loopback
// only. Each test starts a server of its own with the limits that it tries, and stops it: it must exit with 0, which
// under a sanitizer also means that nothing leaked and nothing was used after it was gone.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import tls from 'node:tls';

import {
  cert, curl, DATA, END_HEADERS, END_STREAM, folder, frame, headerBlock, HEADERS, key, PING, post, preface, program, raw,
  readToEnd, request, RST_STREAM, run, Server, SETTINGS, sleep, WINDOW_UPDATE, withServer,
} from './probe.mjs';

test('speaks HTTP/1.1 and HTTP/2 in clear text', () => withServer([], async (server) => {
  for (const [option, version] of [['--http1.0', '1.1'], ['--http1.1', '1.1'], ['--http2-prior-knowledge', '2'],
    ['--http2', '2']]) {
    const answer = await curl(option, `${server.url}/echo`, '-d', 'hello');
    assert.deepEqual(answer, { body: 'hello', status: 200, version }, option);
  }
  const large = await curl('--http2', `${server.url}/large`);
  assert.equal(large.body.length, 24 << 20);
  // Many requests on one connection, bodies of many sizes.
  const session = http2.connect(server.url);
  const sizes = Array.from({ length: 200 }, (_, i) => i * 97);
  const answers = await Promise.all(sizes.map((size) => request(session, post('/echo'), 'z'.repeat(size))));
  answers.forEach((answer, i) => assert.equal(answer.body.length, sizes[i]));
  session.close();
  // Keep-alive and pipelining.
  const socket = await raw(server);
  socket.write('GET /const HTTP/1.1\r\nhost: x\r\n\r\nGET /const HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  const text = (await readToEnd(socket, 5000)).toString();
  assert.equal(text.split('HTTP/1.1 200 OK').length, 3);
  assert.match(text, /Content-Length: 600/);
  assert.doesNotMatch(text, /^server:/im);
}));

test('speaks both over TLS by ALPN, 1.2 at least', () => withServer(['--tls', cert, key, '--shards', '2'], async (server) => {
  assert.match(server.url, /^https:/);
  assert.deepEqual(await curl('--http2', `${server.url}/echo`, '-d', 'a'), { body: 'a', status: 200, version: '2' });
  assert.deepEqual(await curl('--http1.1', `${server.url}/echo`, '-d', 'b'), { body: 'b', status: 200, version: '1.1' });
  assert.deepEqual(await curl('--no-alpn', `${server.url}/echo`, '-d', 'c'), { body: 'c', status: 200, version: '1.1' });
  assert.equal((await curl('--tlsv1.2', '--tls-max', '1.2', `${server.url}/const`)).status, 200);
  await assert.rejects(run('openssl', ['s_client', '-connect', `127.0.0.1:${server.port}`, '-tls1_1', '-cipher',
    'ALL:@SECLEVEL=0'], { input: '' }));
  const socket = tls.connect({ port: server.port, rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] });
  await new Promise((resolve) => socket.on('secureConnect', resolve));
  assert.equal(socket.alpnProtocol, 'h2');
  socket.destroy();
  const session = http2.connect(server.url, { rejectUnauthorized: false });
  const answers = await Promise.all(Array.from({ length: 50 }, () => request(session, post('/echo'), 'q'.repeat(50000))));
  answers.forEach((answer) => assert.equal(answer.body.length, 50000));
  session.close();
  // Clear text where TLS is expected.
  const clear = await raw(server);
  clear.write('GET / HTTP/1.1\r\n\r\n');
  await readToEnd(clear, 5000);
  assert.equal((await curl(`${server.url}/healthz`)).body, 'ok\n');
}));

test('a broken record behind an answer that waits ends its connection only', () => withServer(['--tls', cert, key], async (server) => {
  const tcp = net.connect(server.port, '127.0.0.1');
  const socket = tls.connect({ socket: tcp, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  socket.on('error', () => {});
  tcp.on('error', () => {});
  await new Promise((resolve) => socket.on('secureConnect', resolve));
  // A large answer that is not read: a write waits. Then a ping, whose answer waits behind it, and the broken record:
  // when the write is done, the library has something to say that it can no longer encrypt.
  socket.write(Buffer.concat([preface.subarray(0, 24), frame(SETTINGS, 0, 0, Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff])),
    frame(WINDOW_UPDATE, 0, 0, Buffer.from([0x7f, 0, 0, 0])),
    frame(HEADERS, END_HEADERS | END_STREAM, 1, headerBlock(0x82, '/large'))]));
  socket.pause();
  tcp.pause();
  await sleep(500);
  socket.write(frame(PING, 0, 0, Buffer.alloc(8)));
  await sleep(100);
  fs.writeSync(tcp._handle.fd, Buffer.concat([Buffer.from([0x17, 3, 3, 0, 32]), Buffer.alloc(32, 0x55)]));
  await sleep(300);
  const closed = new Promise((resolve) => tcp.on('close', resolve));
  tcp.resume();
  socket.resume();
  await closed;
  assert.equal((await curl('--http2', `${server.url}/healthz`)).body, 'ok\n');
}));

test('answers unknown paths, wrong methods and preflights', () => withServer([], async (server) => {
  for (const option of ['--http1.1', '--http2-prior-knowledge']) {
    const missing = await curl(option, `${server.url}/nothing?x=1`);
    assert.equal(missing.status, 404);
    assert.equal(JSON.parse(missing.body).errors[0].extensions.code, 'NOT_FOUND');
    const wrong = await curl(option, '-i', '-X', 'DELETE', `${server.url}/echo`);
    assert.equal(wrong.status, 405);
    assert.match(wrong.body, /^allow: POST, PUT\r$/im);
    const head = await curl(option, '-I', `${server.url}/const`);
    assert.equal(head.status, 200);
    assert.match(head.body, /^content-length: 600\r$/im);
    const preflight = await curl(option, '-i', '-X', 'OPTIONS', '-H', 'Origin: https://shop.example', '-H',
      'Access-Control-Request-Method: POST', `${server.url}/echo`);
    assert.equal(preflight.status, 204);
    assert.match(preflight.body, /^access-control-allow-origin: https:\/\/shop.example\r$/im);
    assert.match(preflight.body, /^vary: Origin\r$/im);
    assert.doesNotMatch(preflight.body, /content-length|transfer-encoding/i);
    const strange = await curl(option, '-X', 'OPTIONS', '-H', 'Origin: https://evil.example', '-H',
      'Access-Control-Request-Method: POST', `${server.url}/echo`);
    assert.equal(strange.status, 403);
  }
  assert.match(server.log, /"event":"http.not_found"/);
}));

test('malformed requests get an answer and end', () => withServer([], async (server) => {
  for (const text of ['nonsense\r\n\r\n', 'GET / HTTP/1.1\r\nbad header\r\n\r\n', 'GET http://x/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
    'POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
    'POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n', `GET /${'a'.repeat(600000)} HTTP/1.1\r\n\r\n`]) {
    const socket = await raw(server);
    socket.write(text);
    const answer = await readToEnd(socket, 5000);
    assert.notEqual(answer, null, text.slice(0, 60));
    assert.match(answer.toString(), /^(HTTP\/1\.1 4|$)/, text.slice(0, 60));
  }
  const socket = await raw(server);
  socket.write(Buffer.concat([preface, frame(HEADERS, END_HEADERS | END_STREAM, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff]))]));
  assert.notEqual(await readToEnd(socket, 5000), null);
  assert.equal((await curl(`${server.url}/healthz`)).status, 200);
}));

test('a client that goes away before its answer harms nobody', () => withServer([], async (server) => {
  const session = http2.connect(server.url);
  for (let i = 0; i < 20; i++) {
    const stream = session.request(post('/slow?400'));
    stream.on('error', () => {});
    stream.end('body of a request that is given up');
    setTimeout(() => stream.close(http2.constants.NGHTTP2_CANCEL), 100);
  }
  const kept = await request(session, post('/slow?300'), 'kept');
  assert.equal(kept.body, 'waited kept');
  const gone = http2.connect(server.url);
  gone.on('error', () => {});
  gone.request(post('/slow?300')).on('error', () => {}).end('x');
  const socket = await raw(server);
  socket.write('POST /slow?300 HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc');
  await sleep(100);
  gone.destroy();
  socket.destroy();
  await sleep(600);
  assert.equal(await server.metric('liteoms_http_requests_abandoned_total'), 21); // HTTP/1 notices by its answer
  session.close();
}));

test('bodies over the limit', () => withServer(['--body', '2048'], async (server) => {
  const body = (size) => 'b'.repeat(size);
  for (const option of ['--http1.1', '--http2-prior-knowledge']) {
    assert.equal((await curl(option, `${server.url}/echo`, '-d', body(2048))).status, 200);
    const over = await curl(option, `${server.url}/echo`, '-d', body(2049));
    assert.equal(over.status, 413);
    assert.equal(JSON.parse(over.body).errors[0].extensions.code, 'BODY_TOO_LARGE');
    const chunked = await curl(option, '-H', 'Transfer-Encoding: chunked', `${server.url}/echo`, '-d', body(2049));
    assert.equal(chunked.status, 413);
  }
  const file = path.join(folder, 'large');
  fs.writeFileSync(file, body(1 << 20));
  const far = await curl('--http1.1', '-H', 'Expect: 100-continue', `${server.url}/echo`, '--data-binary', `@${file}`);
  assert.equal(far.status, 413);
  assert.equal(JSON.parse(far.body).errors[0].extensions.code, 'BODY_TOO_LARGE');
  const session = http2.connect(server.url);
  const reset = await request(session, post('/echo'), body(1 << 20));
  assert.equal(reset.status, 0);
  assert.notEqual(reset.code, 0);
  assert.equal((await request(session, post('/echo'), 'still there')).body, 'still there');
  session.close();
  assert.match(server.log, /"event":"http.body_too_large"/);
}));

test('too many unfinished bodies cost the connection', () => withServer([], async (server) => {
  const socket = await raw(server);
  const end = readToEnd(socket, 10000);
  socket.write(preface);
  const block = Buffer.alloc(16384, 0x61);
  for (let id = 1; id < 40; id += 2) {
    socket.write(frame(HEADERS, END_HEADERS, id, headerBlock(0x83, '/echo')));
    for (let i = 0; i < 32; i++) socket.write(frame(DATA, 0, id, block));
  }
  assert.notEqual(await end, null);
  assert.match(server.log, /"reason":"buffered"/);
  assert.equal((await curl(`${server.url}/healthz`)).status, 200);
}));

test('slow requests end, HTTP/1 and HTTP/2', () => withServer(['--request-timeout', '600'], async (server) => {
  const slow = [];
  for (const text of ['POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc', 'GET /echo HTTP/1.1\r\nhos', '']) {
    const socket = await raw(server);
    socket.write(text);
    slow.push(readToEnd(socket, 5000));
  }
  const socket = await raw(server);
  socket.write(Buffer.concat([preface, frame(HEADERS, END_HEADERS, 1, headerBlock(0x83, '/echo'))]));
  const dripping = setInterval(() => socket.writable && socket.write(frame(DATA, 0, 1, Buffer.from('a'))), 50);
  slow.push(readToEnd(socket, 5000));
  const ends = await Promise.all(slow);
  clearInterval(dripping);
  ends.forEach((end, i) => assert.notEqual(end, null, `connection ${i}`));
  assert.match(server.log, /"reason":"slow_request"/);
}));

test('a client that does not read its answer is cut off', () => withServer(['--response-timeout', '500'], async (server) => {
  const socket = await raw(server);
  socket.pause();
  socket.on('error', () => {});
  socket.write('GET /large HTTP/1.1\r\nhost: x\r\n\r\n');
  for (let i = 0; i < 40 && !server.log.includes('slow_response'); i++) await sleep(100);
  assert.match(server.log, /"reason":"slow_response"/);
  socket.destroy();
  // One that reads is not, however long it takes.
  assert.equal((await curl('--limit-rate', '40M', `${server.url}/large`)).body.length, 24 << 20);
}));

test('too many requests in flight: 503 with Retry-After', () => withServer(['--in-flight', '5'], async (server) => {
  const session = http2.connect(server.url);
  const answers = await Promise.all(Array.from({ length: 20 }, () => request(session, post('/slow?300'), 'x')));
  assert.equal(answers.filter((answer) => answer.status === 200).length, 5);
  const busy = answers.filter((answer) => answer.status === 503);
  assert.equal(busy.length, 15);
  assert.equal(busy[0].headers['retry-after'], '1');
  assert.equal(JSON.parse(busy[0].body).errors[0].extensions.code, 'BUSY');
  assert.equal((await request(session, post('/slow?1'), 'x')).status, 200);
  session.close();
}));

test('too many connections: the last ones are closed', () => withServer(['--connections', '4'], async (server) => {
  const sockets = [];
  for (let i = 0; i < 4; i++) sockets.push(await raw(server));
  await sleep(100);
  const fifth = await raw(server);
  assert.notEqual(await readToEnd(fifth, 5000), null);
  sockets[0].write('GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  assert.match((await readToEnd(sockets[0], 5000)).toString(), /200 OK/);
  sockets.forEach((socket) => socket.destroy());
}));

for (const [name, method, flags] of [['after dispatch', 0x82, END_HEADERS | END_STREAM], ['before dispatch', 0x83, END_HEADERS]]) {
  test(`rapid reset ${name} costs the connection`, () => withServer(['--shards', '1'], async (server) => {
    const bystander = http2.connect(server.url);
    const socket = await raw(server);
    const end = readToEnd(socket, 10000);
    let closed = false;
    end.then(() => { closed = true; });
    socket.write(preface);
    const block = headerBlock(method, '/slow?100');
    for (let id = 1; !closed && id < 400000;) {
      const frames = [];
      for (let i = 0; i < 50; i++, id += 2)
        frames.push(frame(HEADERS, flags, id, block), frame(RST_STREAM, 0, id, Buffer.from([0, 0, 0, 8])));
      socket.write(Buffer.concat(frames));
      await sleep(5);
    }
    assert.notEqual(await end, null);
    // Streams that no sample finds open count as noise.
    assert.match(server.log, /"reason":"(resets|noise)"/);
    assert.equal((await request(bystander, post('/echo'), 'fine')).body, 'fine');
    bystander.close();
    await sleep(300);
  }));
}

test('a flood of pings costs the connection', () => withServer([], async (server) => {
  const socket = await raw(server);
  const end = readToEnd(socket, 15000);
  let closed = false;
  end.then(() => { closed = true; });
  socket.write(preface);
  const pings = Buffer.concat(Array.from({ length: 4000 }, () => frame(PING, 0, 0, Buffer.alloc(8))));
  while (!closed) {
    socket.write(pings);
    await sleep(50);
  }
  assert.notEqual(await end, null);
  assert.match(server.log, /"reason":"noise"/);
}));

test('drains: says so, finishes what is in flight, closes what is idle', async () => {
  const server = await Server.start('--grace', '500');
  const session = http2.connect(server.url);
  let goaway = false;
  session.on('goaway', () => { goaway = true; });
  const inFlight = request(session, post('/slow?1500'), 'second');
  const first = curl('--http1.1', `${server.url}/slow?1500`, '-d', 'first');
  const idle = new http.Agent({ keepAlive: true });
  await new Promise((resolve) => http.get(`${server.url}/healthz`, { agent: idle }, (answer) => answer.resume().on('end', resolve)));
  const silent = readToEnd(await raw(server), 10000);
  await sleep(200);
  assert.equal((await curl(`${server.url}/readyz`)).status, 200);
  server.child.kill('SIGTERM');
  await sleep(150);
  const ready = await curl(`${server.url}/readyz`);
  assert.deepEqual([ready.status, ready.body], [503, 'draining\n']);
  await sleep(600);
  await assert.rejects(curl(`${server.url}/healthz`)); // nobody listens any more
  assert.notEqual(await silent, null);
  assert.equal((await inFlight).body, 'waited second');
  assert.equal((await first).body, 'waited first');
  assert.equal(await server.exited, 0, server.log);
  assert.ok(goaway);
});

test('a drain does not wait for ever', async () => {
  const server = await Server.start();
  const session = http2.connect(server.url);
  session.on('error', () => {});
  const stuck = request(session, post('/slow?4000'), 'x');
  await sleep(200);
  const began = Date.now();
  server.child.kill('SIGTERM');
  assert.equal((await stuck).status, 0);
  const took = Date.now() - began;
  assert.ok(took > 2500 && took < 3900, `${took} ms`); // the probe drains for 3 s
  await server.exited;
});

test('refuses to start with one clear line', async () => {
  const server = await Server.start();
  const second = await run(program, [`127.0.0.1:${server.port}`]).catch((error) => error);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /^cannot listen on 127\.0\.0\.1:\d+: another process uses the port\n$/);
  await server.stop();
  const wrong = path.join(folder, 'wrong.pem');
  fs.writeFileSync(wrong, 'not a key\n');
  for (const [args, line] of [[[cert, '/nowhere.pem'], /^cannot read the key '\/nowhere.pem': No such file/],
    [[cert, wrong], /^the key '.*wrong.pem' is not usable/], [[wrong, key], /^the certificate '.*' is not usable/]]) {
    const failed = await run(program, ['127.0.0.1:0', '--tls', ...args]).catch((error) => error);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, line);
    assert.equal(failed.stderr.trim().split('\n').length, 1);
  }
  const address = await run(program, ['nowhere']).catch((error) => error);
  assert.equal(address.code, 1);
  assert.match(address.stderr, /expected ADDRESS:PORT/);
});

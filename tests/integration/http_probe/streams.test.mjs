// Streaming answers as clients meet them: what arrives, in which order, how it ends, and that nobody waits for anybody.
// Needs HTTP_PROBE, curl and openssl; talks to loopback only. See probe.mjs.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { test } from 'node:test';
import { Agent } from 'undici';

import {
  cert, curl, END_HEADERS, END_STREAM, frame, headerBlock, HEADERS, key, post, preface, raw, readToEnd, request, RST_STREAM,
  run, SETTINGS, sleep, WINDOW_UPDATE, withServer,
} from './probe.mjs';

const TLS = ['--tls', cert, key];
const get = (where) => ({ ':method': 'GET', ':path': where });

async function counts(server) {
  return JSON.parse((await curl(`${server.url}/stream-counts`)).body);
}

// Waits until a condition holds; it says what it saw last when it never does.
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

// The bytes of /stream?count=…&bytes=…&chunks=…
const expected = (count, bytes, chunks) =>
  Array.from({ length: count }, (_, i) => String.fromCharCode(97 + (i % 26)).repeat(bytes * chunks)).join('');

// An open stream that keeps what it received.
function open(session, headers, body) {
  const stream = session.request(headers, { endStream: body === undefined });
  const seen = { stream, text: '', ended: false };
  stream.setEncoding('utf8');
  stream.on('data', (data) => { seen.text += data; });
  stream.on('end', () => { seen.ended = true; });
  stream.on('error', () => {});
  seen.headers = new Promise((resolve) => stream.on('response', resolve));
  seen.closed = new Promise((resolve) => stream.on('close', () => resolve(stream.rstCode)));
  if (body !== undefined) stream.end(body);
  return seen;
}

for (const [name, args] of [['in clear text', []], ['over TLS', TLS]]) {
  test(`every byte arrives in order and ends, ${name}`, () => withServer(args, async (server) => {
    const options = args.length ? ['--http2', '--http1.1'] : ['--http2-prior-knowledge', '--http1.1', '--http1.0'];
    for (const option of options) {
      for (const [count, bytes, chunks] of [[1, 1, 1], [26, 5, 3], [40, 997, 64], [3, 1 << 20, 2], [0, 1, 1]]) {
        const where = `${server.url}/stream?count=${count}&bytes=${bytes}&chunks=${chunks}`;
        for (const method of [[], ['-d', 'a body']]) {
          const answer = await curl(option, '-N', ...method, where);
          assert.equal(answer.status, 200);
          assert.ok(answer.body === expected(count, bytes, chunks), `${option} ${where}: ${answer.body.length} bytes`);
        }
      }
      const head = await curl(option, '-I', `${server.url}/stream?count=3`);
      assert.equal(head.status, 200);
      assert.match(head.body, /^content-type: text\/event-stream\r$/im);
      const cross = await curl(option, '-N', '-i', '-H', 'Origin: https://shop.example', `${server.url}/stream`);
      assert.match(cross.body, /^access-control-allow-origin: https:\/\/shop.example\r$/im);
      assert.match(cross.body, /^cache-control: no-store\r$/im);
    }
    // HTTP/1.1 goes on with the next request.
    const two = await run('curl', ['-sk', '--http1.1', '-v', `${server.url}/stream?count=3`, `${server.url}/const`]);
    assert.match(two.stderr, /Re-using existing connection/);
    assert.equal(two.stdout.length, 3 * 10 + 600);
    const { begun, ended, gone } = await counts(server);
    assert.equal(ended, begun);
    assert.equal(gone, 0);
    assert.equal(await server.metric('liteoms_http_streams'), 0);
    assert.equal(await server.metric('liteoms_http_requests_in_flight'), 0);
  }));

  test(`an aborted stream has no proper end, ${name}`, () => withServer(args, async (server) => {
    const where = `${server.url}/stream?count=2&bytes=5&abort=1`;
    for (const option of args.length ? ['--http2', '--http1.1'] : ['--http2-prior-knowledge', '--http1.1']) {
      const failed = await run('curl', ['-skN', option, where]).catch((error) => error);
      assert.ok('aaaaabbbbb'.startsWith(failed.stdout)); // a reset may overtake what was read with it
      assert.equal(failed.code, option === '--http1.1' ? 18 : 92, failed.stderr); // a partial file; a stream's error
    }
    const session = http2.connect(server.url, { rejectUnauthorized: false });
    const answer = await request(session, get('/stream?count=2&bytes=5&abort=1'));
    assert.ok('aaaaabbbbb'.startsWith(answer.body));
    assert.equal(answer.code, http2.constants.NGHTTP2_CANCEL);
    assert.equal((await request(session, get('/const'))).body.length, 600); // the connection lives
    session.close();
    assert.equal((await counts(server)).gone, 0);
  }));

  test(`the handler learns that its client has gone, ${name}`, () => withServer(args, async (server) => {
    const session = http2.connect(server.url, { rejectUnauthorized: false });
    session.on('error', () => {});
    const idle = open(session, get('/subscribe'));
    const busy = open(session, post('/stream?count=1000000&bytes=1000&chunks=4'), 'x');
    await Promise.all([idle.headers, busy.headers]);
    idle.stream.close(http2.constants.NGHTTP2_CANCEL);
    busy.stream.close(http2.constants.NGHTTP2_CANCEL);
    await until('resets', async () => (await counts(server)).gone === 2);
    const more = [open(session, get('/subscribe')), open(session, get('/stream?count=1000000&bytes=1000'))];
    await Promise.all(more.map((seen) => seen.headers));
    session.destroy();
    await until('a connection that went', async () => (await counts(server)).gone === 4);
    // HTTP/1.1: h2o reads nothing while it answers, so the server looks for itself.
    for (const where of ['/subscribe', '/stream?count=1000000&bytes=1000&every=20'])
      await run('curl', ['-skN', '--http1.1', '-m', '1', server.url + where]).catch(() => {});
    await until('HTTP/1.1', async () => (await counts(server)).gone === 6);
    assert.equal(await server.metric('liteoms_http_streams'), 0);
  }));
}

test('a stream with a closed window delays no other and is cut off', () => withServer(['--response-timeout', '1500'],
  async (server) => {
    const session = http2.connect(server.url);
    const stalled = session.request(get('/stream?count=1000&bytes=1000&chunks=64'));
    stalled.pause(); // nothing is read: its window closes after 64 KiB, the connection's stays open
    stalled.on('error', () => {});
    const closed = new Promise((resolve) => stalled.on('close', () => resolve(stalled.rstCode)));
    const others = Array.from({ length: 20 }, () => open(session, get('/subscribe')));
    await Promise.all(others.map((seen) => seen.headers));
    const times = [];
    for (let i = 0; i < 60; i++) {
      const began = performance.now();
      const length = others[0].text.length;
      await curl(`${server.url}/publish?bytes=100`);
      await until('a delivery', () => others.every((seen) => seen.text.length > length));
      times.push(performance.now() - began);
      await sleep(20);
    }
    times.sort((a, b) => a - b);
    assert.ok(times[30] < 500, `a delivery takes ${times[30]} ms`);
    await until('cut', async () => (await counts(server)).gone === 1);
    stalled.resume();
    assert.equal(await closed, http2.constants.NGHTTP2_CANCEL);
    assert.equal(await server.metric('liteoms_http_streams_cut_total'), 1);
    // The others, idle by now or not, live, and so does the connection.
    assert.equal((await request(session, get('/const'))).body.length, 600);
    await sleep(2000);
    assert.equal(await server.metric('liteoms_http_streams'), 20);
    session.destroy();
    await until('the end', async () => (await counts(server)).gone === 21);
  }));

test('a stream that has ended, but not for a client with a closed window, is cut off too', () =>
  withServer(['--response-timeout', '1000'], async (server) => {
    const session = http2.connect(server.url);
    const stalled = session.request(get('/stream?count=1&bytes=1000000&chunks=3'));
    stalled.pause();
    stalled.on('error', () => {});
    await until('its handler has done its part', async () => (await counts(server)).ended === 1);
    assert.equal(await server.metric('liteoms_http_streams'), 1);
    await until('cut', async () => await server.metric('liteoms_http_streams') === 0);
    assert.equal((await counts(server)).gone, 0);
    assert.equal((await request(session, get('/const'))).body.length, 600);
    session.destroy();
  }));

test('streams to the clients of Node: fetch, undici over HTTP/2, an upgrade to HTTP/2', () => withServer([], async (server) => {
  const answer = await fetch(`${server.url}/stream?count=50&bytes=1000&chunks=3`, { method: 'POST', body: 'x' });
  assert.ok(await answer.text() === expected(50, 1000, 3));
  const abort = new AbortController();
  const open1 = await fetch(`${server.url}/subscribe`, { signal: abort.signal });
  abort.abort();
  await assert.rejects(open1.text());
  await until('gone', async () => (await counts(server)).gone === 1);
  const upgraded = await curl('--http2', '-N', `${server.url}/stream?count=5&bytes=100`); // Upgrade: h2c
  assert.deepEqual([upgraded.version, upgraded.body], ['2', expected(5, 100, 1)]);
  await withServer(TLS, async (secure) => {
    const agent = new Agent({ allowH2: true, connect: { rejectUnauthorized: false } });
    const body = await agent.request({ origin: secure.url, path: '/stream?count=50&bytes=1000&chunks=3', method: 'POST', body: 'x' });
    assert.ok(await body.body.text() === expected(50, 1000, 3));
    await agent.destroy();
  });
}));

for (const [name, asked] of [
  ['HTTP/1.1', 'GET /stream?count=100000&bytes=10000&chunks=64 HTTP/1.1\r\nhost: x\r\n\r\n'],
  ['HTTP/2', Buffer.concat([preface.subarray(0, 24), frame(SETTINGS, 0, 0, Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff])),
    frame(WINDOW_UPDATE, 0, 0, Buffer.from([0x7f, 0, 0, 0])),
    frame(HEADERS, END_HEADERS | END_STREAM, 1, headerBlock(0x82, '/stream?count=100000&bytes=10000&chunks=64'))])]]) {
  test(`a client that reads nothing at all is cut off and holds little, ${name}`, () =>
    withServer(['--response-timeout', '1500'], async (server) => {
      const before = await server.metric('liteoms_http_response_bytes_total');
      const socket = await raw(server);
      socket.pause();
      socket.on('error', () => {});
      socket.write(asked);
      await until('gone', async () => (await counts(server)).gone === 1, 15000);
      const sent = await server.metric('liteoms_http_response_bytes_total') - before;
      assert.ok(sent < 12 << 20, `${sent} bytes were handed over`); // the client's own kernel buffer takes up to 6 MiB
      await until('closed', async () => await server.metric('liteoms_http_connections') === 1, 15000);
      socket.destroy();
    }));
}

test('1,000 idle streams over 10 connections, then a delivery to each', () => withServer(['--shards', '2', ...TLS],
  async (server) => {
    const sessions = Array.from({ length: 10 }, () => http2.connect(server.url, { rejectUnauthorized: false }));
    const streams = sessions.flatMap((session, i) => Array.from({ length: 100 }, () =>
      (i % 2 ? open(session, get('/subscribe')) : open(session, post('/subscribe'), '{"query":"subscription{x}"}'))));
    await Promise.all(streams.map((seen) => seen.headers));
    assert.equal(await server.metric('liteoms_http_streams'), 1000);
    assert.equal(await server.metric('liteoms_http_requests_in_flight'), 0);
    await sleep(1500); // several samples: idle streams are let be
    const sent = new Set();
    for (let i = 0; i < 100 && streams.some((seen) => !seen.text); i++) {
      const { body } = await curl(`${server.url}/publish?bytes=300`); // reaches the streams of one shard
      sent.add(body.trim());
      await sleep(20);
    }
    streams.forEach((seen, i) => assert.match(seen.text, /^(p{300})+$/, `stream ${i}; ${[...sent]}`));
    // A hundred is what a connection may have: one more is refused, and possible again when one has gone.
    streams[0].stream.close(http2.constants.NGHTTP2_CANCEL);
    await streams[0].closed;
    const again = open(sessions[0], get('/subscribe'));
    await again.headers;
    sessions.forEach((session) => session.destroy());
    await until('gone', async () => (await counts(server)).gone === 1001);
    assert.equal(await server.metric('liteoms_http_streams'), 0);
  }));

test('opening and resetting streams in masses costs the connection', () => withServer([], async (server) => {
  const socket = await raw(server);
  const end = readToEnd(socket, 10000);
  let closed = false;
  end.then(() => { closed = true; });
  socket.write(preface);
  const block = headerBlock(0x82, '/subscribe');
  for (let id = 1; !closed && id < 400000;) {
    const frames = [];
    for (let i = 0; i < 50; i++, id += 2)
      frames.push(frame(HEADERS, END_HEADERS | END_STREAM, id, block), frame(RST_STREAM, 0, id, Buffer.from([0, 0, 0, 8])));
    socket.write(Buffer.concat(frames));
    await sleep(5);
  }
  assert.notEqual(await end, null);
  assert.match(server.log, /"reason":"resets"/);
  const seen = await counts(server);
  assert.equal(seen.gone, seen.begun);
}));

test('a drain ends what its handlers leave open', async () => {
  await withServer([], async (server) => {
    const session = http2.connect(server.url);
    session.on('error', () => {});
    const streams = [open(session, get('/subscribe')), open(session, post('/subscribe'), 'x')];
    const first = run('curl', ['-sN', '--http1.1', `${server.url}/subscribe`]).catch((error) => error);
    await Promise.all(streams.map((seen) => seen.headers));
    await until('three', async () => (await counts(server)).begun === 3);
    const began = Date.now();
    server.child.kill('SIGTERM');
    await Promise.all([...streams.map((seen) => seen.closed), first]);
    assert.equal((await first).code, 18);
    assert.equal(await server.exited, 0, server.log);
    const took = Date.now() - began;
    assert.ok(took > 2000 && took < 4500, `${took} ms`); // the probe drains for 3 s
  });
});

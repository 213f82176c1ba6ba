// Bad input: each gets its status, a clear message and a log line, and changes nothing; the server goes on.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, test } from 'node:test';

import { Caller, Connection, basket } from './lib/client.mjs';
import { DATA, END_HEADERS, END_STREAM, HEADERS, RST_STREAM, WINDOW_UPDATE, frame, headerBlock, preface, rawConnection, readToEnd } from './lib/raw_h2.mjs';
import { Server, curl, sleep, withServer } from './lib/server.mjs';

let server, staff, atStart;
before(async () => {
  server = await Server.start({ config: { limits: { body_bytes: 65536, request_timeout_ms: 1500 } } });
  staff = new Caller(server);
  atStart = await staff.query('{ ordersCount { count } }');
});
after(async () => {
  assert.deepEqual(await staff.query('{ ordersCount { count } }'), atStart);
  assert.equal((await curl(`${server.url}/healthz`)).body, 'ok\n');
  staff.close();
  await server.stop();
});

const send = (text, headers = {}) => staff.connection.send({ ':method': 'POST', ':path': '/graphql', 'content-type': 'application/json',
  authorization: `Bearer ${staff.token}`, ...headers }, text);

test('bodies that are no request', async () => {
  for (const text of ['', '{', '[]', '"x"', 'null', '{"query":1}', '{}', '{"query":null}', '{"query":"{__typename}","variables":[]}', '{"query":"{__typename}","variables":"x"}',
    '{"query":"{__typename}","operationName":7}', '{"query":"{__typename}"} trailing', '{"query":"\\ud800"}', '{"query":"{__typename}","query":"{__typename}"', '\u0000',
    `{"variables":${'['.repeat(5000)}${']'.repeat(5000)},"query":"{__typename}"}`, `${'{"a":'.repeat(3000)}`, '{"query":"{__typename}","variables":{"a":1e}}', '﻿{']) {
    const answer = await send(text);
    assert.equal(answer.status, 400, text.slice(0, 60) + answer.body);
    assert.equal(JSON.parse(answer.body).errors[0].extensions.code, 'BAD_REQUEST', text.slice(0, 60));
  }
  const bytes = await send(Buffer.from([0x7b, 0x22, 0x71, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]));
  assert.equal(bytes.status, 400);
  const where = JSON.parse((await send('{"query":\n  "x" "y"}')).body).errors[0].message;
  assert.match(where, /line 2, column \d+/);
});

test('documents that are no GraphQL, or not of this schema', async () => {
  const documents = ['', '{', '{ }', 'query', '{ nothing }', '{ orders }', '{ viewer { subject { x } } }', 'query { ...X }', 'fragment X on Order { id }', '{ __typename } { __typename }',
    'query A { __typename } query A { __typename }', '{ getOrder { id } }', '{ getOrder(orderId: "x", foo: 1) { id } }', '{ getOrder(orderId: {}) { id } }', '{ orders(first: "a") { nodes { id } } }',
    'query($a: Nothing) { __typename }', 'query($a: Int) { getOrder(orderId: $a) { id } }', '{ __typename @nothing }', '{ __typename @skip }', 'subscription { x }',
    '{ orders { nodes { ...F } } } fragment F on Order { ...F }', '{ a: __typename a: viewer { subject } }', '{ orders(filter: { stage: LATER }) { nodes { id } } }', '\u0007', '{ "x" }', '# only a comment',
    `{ getOrder(orderId: "${'x'.repeat(70)}`];
  for (const document of documents) {
    const answer = await staff.post(document);
    assert.ok([200, 400].includes(answer.status), `${answer.status} ${document}`);
    assert.ok(answer.json.errors?.length > 0, document);
    assert.ok(answer.json.errors.every((error) => error.message.length > 0 && error.extensions.code), answer.body);
    assert.ok(!('data' in answer.json) || answer.json.data === null, `${document}: ${answer.body}`);
  }
  const { errors: [error] } = (await staff.post('{\n  ordrs { nodes { id } }\n}')).json;
  assert.deepEqual(error.locations, [{ line: 2, column: 3 }]);
  assert.match(error.message, /orders/, 'the nearest name');
});

test('documents that are too much', async () => {
  const deep = (n) => `{ orders { nodes { events { nodes { ${'order { events { nodes { '.repeat(n)} id ${'} } }'.repeat(n)} } } } } }`;
  assert.equal((await staff.post(deep(3))).json.errors, undefined);
  for (const [name, document] of Object.entries({
    deep: deep(20),
    'deep by fragments': `{ orders { nodes { ...F0 } } } ${Array.from({ length: 30 }, (_, i) => `fragment F${i} on Order { events { nodes { order { ${i < 29 ? `...F${i + 1}` : 'id'} } } } }`).join(' ')}`,
    'bombs of fragments': `{ orders { nodes { ...F0 } } } ${Array.from({ length: 25 }, (_, i) => `fragment F${i} on Order { a${i}: id ${i < 24 ? `...F${i + 1} ...F${i + 1}` : ''} }`).join(' ')}`.replace('query', ''),
    aliases: `{ orders(first: 1) { nodes { ${Array.from({ length: 300 }, (_, i) => `a${i}: id`).join(' ')} } } }`,
    'root fields': `{ ${Array.from({ length: 60 }, (_, i) => `a${i}: __typename`).join(' ')} }`,
    tokens: `{ orders(filter: { externalRef: [${'"x" '.repeat(12000)}] }) { nodes { id } } }`,
    lists: `{ orders(filter: { externalRef: ${'['.repeat(200)}${']'.repeat(200)} }) { nodes { id } } }`,
    directives: `{ __typename ${'@skip(if: false) '.repeat(3000)} }`,
  })) {
    const began = Date.now();
    const answer = await staff.post(document);
    if (name === 'bombs of fragments' && !answer.json.errors) { assert.ok(Date.now() - began < 2000, name); continue; }
    assert.ok(answer.json?.errors?.length > 0 && answer.json.errors.length <= 50, `${name}: ${answer.status} ${answer.body.slice(0, 300)}`);
    assert.ok(!answer.json.data, name);
    assert.ok(Date.now() - began < 5000, name);
  }
});

test('values that are wrong are refused with their path, all at once', async () => {
  const good = basket();
  const wrong = [
    [{ customerDetails: {} }, 'customerDetails'], [{ customerDetails: { email: 'nonsense' } }, 'customerDetails.email'], [{ destination: { city: 'London' } }, 'destination.country'],
    [{ destination: { city: 'X', country: 'Atlantis' } }, 'destination.country'], [{ placedAt: '2099-01-01T00:00:00Z' }, 'placedAt'], [{ destination: null }, 'destination'],
    [{ lineItems: [{ ...good.lineItems[0], productSku: '' }] }, 'lineItems.0.productSku'], [{ lineItems: [{ ...good.lineItems[0], productSku: 'x'.repeat(129) }] }, 'lineItems.0.productSku'],
    [{ lineItems: [good.lineItems[0], { ...good.lineItems[1], productPrice: { amount: '-1', currency: 'USD' } }] }, 'lineItems.1.productPrice'],
    [{ externalRef: 'x'.repeat(129) }, 'externalRef'], [{ stage: 'SHIPPED' }, 'stage'], [{ idempotencyKey: 'k'.repeat(129) }, 'idempotencyKey'],
    [{ customerDetails: { name: 'x'.repeat(257) } }, 'customerDetails.name'], [{ notes: [{ text: 'x'.repeat(4001) }] }, 'notes.0.text'],
  ];
  for (const [parts, field] of wrong) {
    const payload = await staff.command('createOrder', basket(parts), { select: 'orderId' });
    const error = payload.userErrors.find((one) => one.field?.join('.').startsWith(`input.${field}`));
    assert.ok(error, `${field}: ${JSON.stringify(payload.userErrors)}`);
    assert.equal(payload.order, null);
  }
  const many = await staff.command('createOrder', basket({ lineItems: Array.from({ length: 501 }, () => ({ productSku: 'S', productName: 'S', vendor: { vendorId: 'v' },
    orderQuantity: 1, productPrice: { amount: '1', currency: 'USD' } })) }), { select: 'orderId' });
  assert.equal(many.userErrors[0].code, 'LIMIT_EXCEEDED');
  for (const [variables, what] of [[{ input: { ...good, lineItems: [{ ...good.lineItems[0], orderQuantity: 1.5 }] } }, 'a fraction'], [{ input: { ...good, lineItems: [{ ...good.lineItems[0],
    orderQuantity: 3e9 }] } }, 'beyond 32 bits'], [{ input: { ...good, placedAt: 'yesterday' } }, 'no time'], [{ input: { ...good, placedAt: '2026-02-30T00:00:00Z' } }, 'no day'],
  [{ input: { ...good, unknown: 1 } }, 'an unknown field'], [{ input: null }, 'nothing'], [{}, 'absent'], [{ input: { ...good, lineItems: [{ ...good.lineItems[0], productPrice: { amount: 'ten', currency: 'USD' } }] } }, 'no number']]) {
    const answer = await staff.post('mutation($input: CreateOrderInput!) { createOrder(input: $input) { created userErrors { code } } }', variables);
    assert.ok(answer.json.errors?.length > 0 || answer.json.data.createOrder.userErrors.length > 0, `${what}: ${answer.body}`);
  }
});

test('paths, methods and types', async () => {
  for (const where of ['/', '/graphq', '/graphql/', '/graphql/x', '/GraphQL', '/..%2fgraphql', '/healthz/x', `/${'a'.repeat(3000)}`]) {
    const answer = await staff.connection.send({ ':method': 'GET', ':path': where });
    assert.equal(answer.status, 404, where);
    assert.equal(JSON.parse(answer.body).errors[0].extensions.code, 'NOT_FOUND');
  }
  assert.ok(server.events('http.not_found').length >= 5);
  for (const [method, where, allow] of [['PUT', '/graphql', /GET, HEAD, POST|POST/], ['DELETE', '/graphql', /POST/], ['PATCH', '/graphql', /POST/], ['POST', '/healthz', /GET/], ['POST', '/metrics', /GET/], ['TRACE', '/graphql', /POST/]]) {
    const answer = await staff.connection.send({ ':method': method, ':path': where }, '');
    assert.equal(answer.status, 405, `${method} ${where}`);
    assert.match(answer.headers.allow, allow);
  }
  const answer = await staff.connection.send({ ':method': 'POST', ':path': '/graphql', authorization: `Bearer ${staff.token}`, 'content-type': 'text/plain' }, '{"query":"{__typename}"}');
  assert.equal(answer.status, 415);
  assert.equal(JSON.parse(answer.body).errors[0].extensions.code, 'UNSUPPORTED_MEDIA_TYPE');
});

test('bodies that are too large: 413, far beyond: the stream is reset', async () => {
  const text = (size) => '{"query":"{__typename}"'.padEnd(size - 1) + '}';
  assert.equal((await send(text(65536))).status, 200);
  const over = await send(text(65537));
  assert.equal(over.status, 413);
  assert.equal(JSON.parse(over.body).errors[0].extensions.code, 'BODY_TOO_LARGE');
  assert.equal((await curl('-H', `Authorization: Bearer ${staff.token}`, '-H', 'Content-Type: application/json', '-H', 'Transfer-Encoding: chunked', `${server.url}/graphql`, '-d', text(70000))).status, 413);
  const far = await send(text(1 << 20));
  assert.ok(far.status === 0 && far.code !== 0 || far.status === 413, JSON.stringify([far.status, far.code]));
  assert.equal((await send('{"query":"{__typename}"}')).status, 200, 'the connection goes on');
});

test('a body that comes too slowly', async () => {
  const socket = net.connect(server.port, '127.0.0.1');
  const end = readToEnd(socket, 6000);
  socket.write('POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{');
  const drip = setInterval(() => socket.writable && socket.write(' '), 100);
  assert.notEqual(await end, null, 'the connection is still open');
  clearInterval(drip);
  const raw = await rawConnection(server);
  const end2 = readToEnd(raw, 6000);
  raw.write(Buffer.concat([preface, frame(HEADERS, END_HEADERS, 1, headerBlock(0x83, '/graphql'))]));
  const drip2 = setInterval(() => raw.writable && raw.write(frame(DATA, 0, 1, Buffer.from(' '))), 100);
  assert.notEqual(await end2, null, 'the HTTP/2 connection is still open');
  clearInterval(drip2);
});

test('requests that are no HTTP', async () => {
  for (const text of ['nonsense\r\n\r\n', 'POST /graphql HTTP/1.1\r\ncontent-length: -5\r\n\r\n', 'POST /graphql HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
    'GET / HTTP/9.9\r\n\r\n', '\u0016\u0003\u0001\u0002\u0000\u0001', `GET /${'a'.repeat(300000)} HTTP/1.1\r\n\r\n`]) {
    const socket = net.connect(server.port, '127.0.0.1');
    const end = readToEnd(socket, 5000);
    socket.write(text);
    const answer = await end;
    assert.notEqual(answer, null, JSON.stringify(text.slice(0, 40)));
    assert.match(answer.toString(), /^(HTTP\/1\.1 [45]|$)/, JSON.stringify(text.slice(0, 40)));
  }
  const bad = await rawConnection(server);
  const end = readToEnd(bad, 5000);
  bad.write(Buffer.concat([preface, frame(WINDOW_UPDATE, 0, 0, Buffer.alloc(4)), frame(HEADERS, END_HEADERS | END_STREAM, 1, Buffer.from([0xff, 0xff, 0xff, 0xff]))]));
  assert.notEqual(await end, null);
});

test('clients that go away in the middle', async () => {
  for (let i = 0; i < 20; i++) {
    const connection = new Connection(server);
    for (let k = 0; k < 5; k++) connection.post(staff.token, '{ orders { nodes { id events { nodes { id } } } } tenantEventLog { nodes { id } } }');
    await sleep(i);
    connection.destroy();
  }
});

test('rapid reset costs the connection, and only that one', async () => {
  await withServer({ args: ['--shards', '1'] }, async (victim) => {
    const bystander = new Caller(victim);
    const socket = await rawConnection(victim);
    let closed = false;
    const end = readToEnd(socket, 15000);
    end.then(() => { closed = true; });
    socket.write(preface);
    const block = headerBlock(0x83, '/graphql');
    let streams = 0;
    for (let id = 1; !closed && id < 1e6;) {
      const frames = [];
      for (let i = 0; i < 50; i++, id += 2, streams++) frames.push(frame(HEADERS, END_HEADERS, id, block), frame(RST_STREAM, 0, id, Buffer.from([0, 0, 0, 8])));
      socket.write(Buffer.concat(frames));
      await sleep(5);
    }
    assert.notEqual(await end, null, `${streams} streams were reset and the connection is still open`);
    const [event] = victim.events('http.connection_closed').concat(victim.log.split('\n').filter((line) => line.includes('"reason":"resets"') || line.includes('"reason":"noise"')));
    assert.ok(event, victim.log.slice(-2000));
    assert.equal((await bystander.query('{ tenant { tenantId } }')).tenant.tenantId, 'demo');
    bystander.close();
  });
});

// Live streams over server-sent events: what comes, to whom, in which order, and how a stream resumes and ends.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { after, before, test } from 'node:test';

import { createClient } from 'graphql-sse';
import { Client, fetchExchange, subscriptionExchange } from '@urql/core';

import { Caller, basket } from './lib/client.mjs';
import { Server, certificate, curl, fresh, sleep, until, withServer } from './lib/server.mjs';
import { EventStream, eventFields, history, orderEvents, tenantEvents } from './lib/streams.mjs';
import { now, sign } from './lib/tokens.mjs';

const secret = 'a secret of thirty-two bytes or more, for tests';
let server, staff, session;

before(async () => {
  server = await Server.start({ args: ['--shards', '2'], config: {
    issuers: [{ issuer: 'office', audience: 'orders', algorithms: ['HS256'], hmac_secret: secret, tenants: '*', roles: '*' }],
    tenants: [{ name: 'shop' }, { name: 'rival' }],
  } });
  staff = new Caller(server, 'staff', 'sam', { tenant: 'shop' });
  session = http2.connect(server.url);
});
after(async () => {
  session.close();
  staff.close();
  await server.stop();
});

const open = (document, options) => new EventStream(session, document, { token: staff.token, ...options });

test('an order moves, and its reader sees each event as it is committed', async () => {
  const order = await staff.does('createOrder', basket());
  const stream = await open(orderEvents, { variables: { id: order.orderId } }).attached();
  assert.match(stream.headers['content-type'], /^text\/event-stream/);
  assert.match(stream.headers['cache-control'], /no-(store|cache)/);
  await staff.does('placeHold', { orderId: order.orderId, reason: 'fraud check' });
  await staff.does('addNote', { orderId: order.orderId, note: 'called the customer' });
  await stream.has(2);
  assert.deepEqual(stream.seen.map((event) => event.command), ['placeHold', 'addNote']);
  assert.deepEqual(stream.seen.map((event) => event.order.version), [2, 3]);
  for (const event of stream.events.filter((one) => one.id && JSON.parse(one.data).data.orderEvents.event))
    assert.equal(event.id, JSON.parse(event.data).data.orderEvents.event.cursor, 'the id is the cursor');
  stream.close();
});

test('live events are what the log says, byte for byte, whatever is selected', async () => {
  const from = open(tenantEvents, { variables: { after: '0' } });
  const live = await open(tenantEvents, { variables: {} }).attached();
  const begin = live.cursor;
  for (let i = 0; i < 10; i++) {
    const order = await staff.does('createOrder', basket());
    await staff.does('markAsShipped', { orderId: order.orderId });
    await staff.does('recordPayment', { orderId: order.orderId, amount: { amount: '30.00', currency: 'USD' }, method: 'card', provider: 'p', transactionId: `t${i}` });
  }
  const log = await history(staff);
  await from.has(log.length);
  assert.deepEqual(from.seen, log);
  const later = log.filter((event) => Number(event.commit) > 0 && log.indexOf(event) >= log.length - live.seen.length);
  await until(() => live.seen.length > 0, 10000, 'live events');
  await sleep(200);
  assert.deepEqual(live.seen, log.slice(-live.seen.length), 'live events equal the log');
  assert.ok(live.seen.length >= 30 && later.length, `${live.seen.length} since ${begin}`);
  from.close();
  live.close();
});

test('a stream resumed at its cursor misses nothing and repeats nothing, under load', async () => {
  const collected = [];
  let cursor = '0', stop = false;
  const load = Array.from({ length: 4 }, async () => {
    while (!stop) {
      const order = await staff.does('createOrder', basket());
      for (let i = 0; i < 5; i++) await staff.does('addNote', { orderId: order.orderId, note: `n${i}` });
    }
  });
  for (let round = 0; round < 12; round++) {
    const viaHeader = round % 2;
    const stream = open(tenantEvents, viaHeader ? { variables: {}, headers: { 'last-event-id': cursor } } : { variables: { after: cursor } });
    await until(() => stream.seen.length > 5 + round * 3, 20000, 'some events');
    stream.close();
    await stream.closed;
    collected.push(...stream.seen);
    cursor = stream.cursor;
  }
  stop = true;
  await Promise.all(load);
  const last = open(tenantEvents, { variables: { after: cursor } });
  const log = await history(staff);
  await last.has(log.length - collected.length);
  collected.push(...last.seen);
  last.close();
  assert.deepEqual(collected.map((event) => event.cursor), log.map((event) => event.cursor));
  assert.deepEqual(collected, log);
});

test('filters, and checkpoints that move a filtered reader on', async () => {
  const shipped = await open(tenantEvents, { variables: { filter: { commands: ['markAsShipped'] } } }).attached();
  const vendor = await open(tenantEvents, { variables: { filter: { vendorIds: ['only-here'] } } }).attached();
  const order = await staff.does('createOrder', basket());
  await staff.does('markAsShipped', { orderId: order.orderId });
  await staff.does('createOrder', basket({ lineItems: [{ productSku: 'X', productName: 'X', vendor: { vendorId: 'only-here' }, orderQuantity: 1, productPrice: { amount: '1', currency: 'USD' } }] }));
  await shipped.has(1);
  await vendor.has(1);
  await sleep(200);
  assert.ok(shipped.seen.length && shipped.seen.every((event) => event.command === 'markAsShipped'));
  assert.ok(vendor.seen.every((event) => event.command === 'createOrder') && vendor.seen.length >= 1);
  assert.deepEqual(await history(staff, { commands: ['markAsShipped'] }).then((log) => log.slice(-shipped.seen.length)), shipped.seen);
  // Nothing of it matches for a while: the cursor moves all the same.
  const before = shipped.cursor;
  await staff.does('createOrder', basket());
  await until(() => shipped.cursor !== before, 30000, 'a checkpoint');
  assert.equal(shipped.items.at(-1).event, null);
  shipped.close();
  vendor.close();
});

test('a customer sees their own orders and nothing that is for staff', async () => {
  const carol = new Caller(server, 'customer', 'carol', { tenant: 'shop' });
  const mine = await open(tenantEvents, { token: carol.token, variables: {} }).attached();
  const all = await open(tenantEvents, { variables: {} }).attached();
  const own = await staff.does('createOrder', basket({ customerDetails: { customerId: 'carol', name: 'Carol' } }));
  const other = await staff.does('createOrder', basket({ customerDetails: { customerId: 'dave', name: 'Dave' } }));
  await staff.does('addNote', { orderId: own.orderId, note: 'suspicious', visibleToCustomer: false });
  await staff.does('addNote', { orderId: own.orderId, note: 'on its way', visibleToCustomer: true });
  await staff.does('addNote', { orderId: other.orderId, note: 'hello', visibleToCustomer: true });
  await all.has(5);
  const log = await history(carol);
  await until(() => mine.cursor && mine.seen.length >= 2, 10000, "the customer's events");
  await sleep(300);
  assert.deepEqual(mine.seen, log.slice(-mine.seen.length), 'live equals the log for the same caller');
  const text = JSON.stringify(mine.events);
  assert.ok(!text.includes('suspicious') && !text.includes(other.orderId) && text.includes('on its way'));
  // Another's order is as unknown as one that does not exist.
  for (const id of [other.orderId, 'ORD-00000000000000000000000000']) {
    const stream = open(orderEvents, { token: carol.token, variables: { id } });
    await stream.closed;
    assert.equal(stream.errors[0].extensions.code, 'NOT_FOUND', JSON.stringify(stream.events));
    assert.ok(stream.completed);
  }
  mine.close();
  all.close();
  carol.close();
});

test('another tenant sees nothing', async () => {
  const rival = server.token('staff', 'rita', { tenant: 'rival' });
  const theirs = await open(tenantEvents, { token: rival, variables: {} }).attached();
  const order = await staff.does('createOrder', basket());
  const stream = open(orderEvents, { token: rival, variables: { id: order.orderId } });
  await stream.closed;
  assert.equal(stream.errors[0].extensions.code, 'NOT_FOUND');
  await sleep(300);
  assert.deepEqual(theirs.seen, []);
  theirs.close();
});

test('bad requests: errors are events, except for who may not come in at all', async () => {
  const cases = [
    ['subscription { tenantEvents { cursor event { nope } } }', {}, 'GRAPHQL_VALIDATION_FAILED'],
    ['subscription { tenantEvents(after: "not a cursor") { cursor } }', {}, 'BAD_USER_INPUT'],
    ['subscription { tenantEvents { cursor } orderEvents(orderId: "x") { cursor } }', {}, 'GRAPHQL_VALIDATION_FAILED'],
    ['subscription { __typename }', {}, 'GRAPHQL_VALIDATION_FAILED'],
    ['subscription { tenantEvents { cursor', {}, 'GRAPHQL_PARSE_FAILED'],
    ['subscription($a: Int!) { tenantEvents { cursor } }', {}, 'BAD_USER_INPUT|GRAPHQL_VALIDATION_FAILED'],
  ];
  for (const [document, variables, code] of cases) {
    const stream = open(document, { variables });
    await stream.closed;
    assert.equal(stream.status, 200, document);
    assert.match(stream.errors[0].extensions.code, new RegExp(`^(${code})$`), `${document} ${JSON.stringify(stream.events)}`);
    assert.equal(stream.results[0].data, undefined);
    assert.ok(stream.completed, document);
  }
  const beyond = open(tenantEvents, { variables: {}, headers: { 'last-event-id': 'garbage' } });
  await beyond.closed;
  assert.equal(beyond.errors[0].extensions.code, 'BAD_USER_INPUT');
  const stranger = open(tenantEvents, { token: 'x.y.z', variables: {} });
  await stranger.closed;
  assert.equal(stranger.status, 401);
  // Without the Accept header there is no stream.
  const plain = await staff.post(tenantEvents);
  assert.equal(plain.status, 406);
  assert.match(plain.json.errors[0].message, /text\/event-stream/);
});

test('queries and mutations over server-sent events: one result, then complete', async () => {
  const stream = open('{ viewer { subject } }');
  await stream.closed;
  assert.deepEqual(stream.results, [{ data: { viewer: { subject: 'sam' } } }]);
  assert.ok(stream.completed);
  const bad = open('{ nope }');
  await bad.closed;
  assert.equal(bad.errors.length, 1);
});

test('HTTP/1.1 streams as well', async () => {
  const order = await staff.does('createOrder', basket());
  await staff.does('addNote', { orderId: order.orderId, note: 'one' });
  const answer = await curl('--http1.1', '-m', '2', `${server.url}/graphql`, '-H', `Authorization: Bearer ${staff.token}`,
    '-H', 'Content-Type: application/json', '-H', 'Accept: text/event-stream',
    '-d', JSON.stringify({ query: orderEvents, variables: { id: order.orderId, after: '0' } })).catch((error) => ({ body: error.stdout }));
  assert.match(answer.body, /event: next\nid: \S+\ndata: \{"data":\{"orderEvents"/);
});

test('a token that expires ends its stream with a code and a cursor', async () => {
  // 60 s of clock skew are granted, so this one has two left.
  const token = sign('HS256', secret, { iss: 'office', aud: 'orders', sub: 'sue', tenant_id: 'shop', roles: ['staff'], iat: now() - 600, exp: now() - 58 });
  const stream = await open(tenantEvents, { token, variables: {} }).attached();
  const began = Date.now();
  await stream.closed;
  assert.ok(Date.now() - began < 10000);
  assert.equal(stream.errors[0].extensions.code, 'TOKEN_EXPIRED', JSON.stringify(stream.events));
  assert.ok(stream.errors[0].extensions.cursor);
  assert.ok(stream.completed);
});

test('a ticket opens one stream, once', async () => {
  const issue = async () => (await staff.query('mutation { streamTicket { ticket expiresAt result { success } userErrors { code } } }')).streamTicket;
  const { ticket, expiresAt } = await issue();
  assert.ok(new Date(expiresAt) > new Date() && new Date(expiresAt) < new Date(Date.now() + 65000));
  const path = (text) => `/graphql?query=${encodeURIComponent('subscription { tenantEvents { cursor event { id } } }')}&ticket=${text}`;
  const stream = await new EventStream(session, null, { path: path(ticket), field: 'tenantEvents' }).attached();
  await staff.does('createOrder', basket());
  await stream.has(1);
  for (const text of [ticket, 'tkt-0-00000000000000000000000000000000', 'tkt-99-00000000000000000000000000000000', 'nonsense', '']) {
    const again = new EventStream(session, null, { path: path(text), field: 'tenantEvents' });
    await again.closed;
    assert.equal(again.status, 401, text);
  }
  // From another connection, which may be another shard's.
  for (let i = 0; i < 4; i++) {
    const other = http2.connect(server.url);
    const one = await new EventStream(other, null, { path: path((await issue()).ticket), field: 'tenantEvents' }).attached();
    one.close();
    other.close();
  }
  stream.close();
});

test('a reader that does not keep up is cut off, and delays nobody', async () => {
  const slowSession = http2.connect(server.url, { settings: { initialWindowSize: 1000 } });
  const big = 'subscription { tenantEvents { cursor event { change order { lineItems { productName } } } } }';
  const slow = await new EventStream(slowSession, big, { token: staff.token }).attached();
  slow.stream.pause();
  const quick = await open(tenantEvents, { variables: {} }).attached();
  const order = await staff.does('createOrder', basket());
  const text = 'x'.repeat(3500);
  for (let i = 0; i < 80; i++)
    await Promise.all(Array.from({ length: 25 }, (_, j) => staff.does('addNote', { orderId: order.orderId, note: `${i}.${j} ${text}` }, { select: 'orderId' })));
  await quick.has(2001, 60000);
  slow.stream.resume();
  await Promise.race([slow.closed, sleep(60000)]);
  assert.ok(slow.ended, 'the slow reader was cut off');
  const error = slow.errors[0];
  if (error) { // it read the end after all
    assert.equal(error.extensions.code, 'SLOW_READER');
    assert.equal(error.extensions.cursor, slow.cursor);
  }
  // It resumes where it was.
  const again = open(tenantEvents, { variables: { after: slow.cursor } });
  const log = await history(staff, undefined, 'cursor');
  const rest = log.length - log.findIndex((event) => event.cursor === slow.cursor) - 1;
  await again.has(rest, 60000);
  assert.equal(again.seen.length, rest);
  again.close();
  quick.close();
  slowSession.destroy();
});

test('a stream with nothing to say is kept alive', async () => {
  const rival = server.token('staff', 'rita', { tenant: 'rival' });
  const idle = await open(tenantEvents, { token: rival, variables: {} }).attached();
  await until(() => idle.comments, 20000, 'a comment');
  assert.deepEqual(idle.seen, []);
  idle.close();
});

test('graphql-sse and urql, over HTTP/2 with TLS', async () => {
  const { cert, key } = certificate();
  const { Agent, fetch } = await import('undici');
  await withServer({ args: ['--tls-cert', cert, '--tls-key', key] }, async (tls) => {
    const caller = new Caller(tls, 'staff');
    const dispatcher = new Agent({ allowH2: true, connect: { rejectUnauthorized: false } });
    const fetchFn = (url, options) => fetch(url, { ...options, dispatcher });
    const url = `${tls.url}/graphql`, headers = { authorization: `Bearer ${caller.token}` };
    const client = createClient({ url, headers, fetchFn, retryAttempts: 0 });
    const seen = [];
    const iterator = client.iterate({ query: `subscription { tenantEvents { cursor event { ${eventFields} } } }` });
    const reading = (async () => { for await (const result of iterator) { if (result.data.tenantEvents.event) seen.push(result); else seen.attached = true; if (seen.length === 3) break; } })();
    await until(() => seen.attached, 10000, 'the first checkpoint');
    for (let i = 0; i < 3; i++) await caller.does('createOrder', basket());
    await reading;
    assert.equal(seen.length, 3);
    assert.ok(seen.every((result) => result.data.tenantEvents.event.command === 'createOrder'));

    const urql = new Client({ url, fetchOptions: { headers }, fetch: fetchFn, preferGetMethod: false, exchanges: [fetchExchange, subscriptionExchange({
      forwardSubscription: (request) => ({ subscribe: (sink) => ({ unsubscribe: client.subscribe({ ...request, query: request.query ?? '' }, sink) }) }),
    })] });
    const got = [];
    const { unsubscribe } = urql.subscription('subscription { tenantEvents { cursor event { id command } } }', {}).subscribe((result) => got.push(result));
    await until(() => got.length, 10000, 'the first result');
    await caller.does('createOrder', basket());
    await until(() => got.some((result) => result.data?.tenantEvents.event), 10000, 'an event');
    unsubscribe();
    client.dispose();
    caller.close();
    await dispatcher.destroy();
  });
});

test('across a crash and a stop of the server: resumed, nothing missed, nothing twice', async () => {
  const data = fresh('-data');
  const first = await Server.start({ data });
  const collected = [];
  let caller = new Caller(first, 'staff');
  let connection = http2.connect(first.url);
  connection.on('error', () => {});
  const one = await new EventStream(connection, tenantEvents, { token: caller.token, variables: { after: '0' } }).attached();
  const order = await caller.does('createOrder', basket());
  for (let i = 0; i < 20; i++) await caller.does('addNote', { orderId: order.orderId, note: `${i}` });
  await one.has(21);
  caller.connection.session.on('error', () => {});
  await first.kill();
  collected.push(...one.seen);
  caller.connection.destroy();
  connection.destroy();

  const second = await Server.start({ data });
  caller = new Caller(second, 'staff');
  connection = http2.connect(second.url);
  const two = new EventStream(connection, tenantEvents, { token: caller.token, headers: { 'last-event-id': one.cursor } });
  for (let i = 20; i < 40; i++) await caller.does('addNote', { orderId: order.orderId, note: `${i}` });
  await two.has(20);
  await until(() => two.seen.at(-1)?.version === 41, 20000, 'the last note');
  assert.deepEqual([...collected, ...two.seen], await history(caller));
  // A stop tells its readers to come again, and does not wait for them.
  caller.close();
  const began = Date.now();
  await second.stop();
  assert.ok(Date.now() - began < 10000, 'the stop did not wait for the stream');
  assert.equal(two.errors[0]?.extensions.code, 'SERVER_STOPPING', JSON.stringify(two.events.slice(-2)));
  assert.ok(two.errors[0].extensions.cursor);
  connection.destroy();
});

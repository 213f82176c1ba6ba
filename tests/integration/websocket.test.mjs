// graphql-transport-ws: real clients, every closing of the protocol, and what both ends may send at any time.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

import { Caller, basket } from './lib/client.mjs';
import { Server, certificate, sleep, until, withServer } from './lib/server.mjs';
import { now, sign } from './lib/tokens.mjs';

const secret = 'a secret of thirty-two bytes or more, for tests';
let server, staff, address;

before(async () => {
  server = await Server.start({ args: ['--shards', '2'], config: {
    issuers: [{ issuer: 'office', audience: 'orders', algorithms: ['HS256'], hmac_secret: secret, tenants: '*', roles: '*' }],
    tenants: [{ name: 'shop' }],
  } });
  staff = new Caller(server, 'staff', 'sam', { tenant: 'shop' });
  address = `${server.url.replace('http', 'ws')}/graphql`;
});
after(async () => {
  staff.close();
  await server.stop();
});

// A socket that keeps what it heard.
function socket(url = address, protocol = 'graphql-transport-ws', options = {}) {
  const ws = new WebSocket(url, protocol, { rejectUnauthorized: false, ...options });
  ws.messages = [];
  ws.on('message', (text) => ws.messages.push(JSON.parse(text)));
  ws.on('error', (error) => { ws.failed = error; });
  ws.ended = new Promise((resolve) => ws.on('close', (code, reason) => resolve({ code, reason: String(reason) })));
  ws.opened = new Promise((resolve, reject) => { ws.on('open', resolve); ws.on('error', reject); });
  ws.say = (message) => ws.send(typeof message === 'string' ? message : JSON.stringify(message));
  ws.heard = (check, what) => until(() => ws.messages.find(check), 15000, `${what}: ${JSON.stringify(ws.messages).slice(0, 500)}`);
  return ws;
}

const bearer = (token = staff.token) => ({ Authorization: `Bearer ${token}` });
async function ready(token, options) {
  const ws = socket(address, 'graphql-transport-ws', options);
  await ws.opened;
  ws.say({ type: 'connection_init', payload: token === null ? undefined : bearer(token) });
  await ws.heard((message) => message.type === 'connection_ack', 'the acknowledgement');
  return ws;
}

test('graphql-ws: subscriptions, queries and mutations on one connection', async () => {
  const client = createClient({ url: address, webSocketImpl: WebSocket, connectionParams: bearer(), retryAttempts: 0 });
  const seen = [];
  let attached = false;
  const reading = (async () => {
    for await (const result of client.iterate({ query: 'subscription { tenantEvents { cursor event { command order { orderId } } } }' })) {
      attached = true;
      if (result.data.tenantEvents.event) seen.push(result.data.tenantEvents.event);
      if (seen.at(-1)?.command === 'markAsShipped') break;
    }
  })();
  await until(() => attached, 10000, 'the first item');
  const one = async (payload) => { for await (const result of client.iterate(payload)) return result; };
  const created = await one({ query: 'mutation($input: CreateOrderInput!) { createOrder(input: $input) { created order { orderId } } }', variables: { input: basket() } });
  const { orderId } = created.data.createOrder.order;
  assert.equal((await one({ query: 'query($id: ID!) { getOrder(orderId: $id) { stage } }', variables: { id: orderId } })).data.getOrder.stage, 'CONFIRMED');
  await one({ query: 'mutation($id: ID!) { markAsShipped(input: { orderId: $id }) { result { success } } }', variables: { id: orderId } });
  await reading;
  assert.deepEqual([...new Set(seen.map((event) => event.command))], ['createOrder', 'markAsShipped']);
  assert.ok(seen.every((event) => event.order.orderId === orderId));
  await assert.rejects(one({ query: '{ nope }' }), (errors) => errors[0].extensions.code === 'GRAPHQL_VALIDATION_FAILED');
  await client.dispose();
});

test('over TLS, with the token in the upgrade request', async () => {
  const { cert, key } = certificate();
  await withServer({ args: ['--tls-cert', cert, '--tls-key', key] }, async (tls) => {
    const ws = socket(`${tls.url.replace('https', 'wss')}/graphql`, 'graphql-transport-ws', { headers: { authorization: `Bearer ${tls.token('staff')}` } });
    await ws.opened;
    ws.say({ type: 'connection_init' });
    await ws.heard((message) => message.type === 'connection_ack', 'the acknowledgement');
    ws.say({ id: '1', type: 'subscribe', payload: { query: '{ viewer { subject } }' } });
    assert.deepEqual((await ws.heard((message) => message.type === 'next', 'the answer')).payload, { data: { viewer: { subject: 'staff' } } });
    await ws.heard((message) => message.type === 'complete' && message.id === '1', 'complete');
    ws.close(1000);
    await ws.ended;
  });
});

test('each way to be closed', async () => {
  const cases = [
    [4400, async (ws) => { ws.say('{'); }],
    [4400, async (ws) => { ws.say('[]'); }],
    [4400, async (ws) => { ws.say({ type: 'what' }); }],
    [4400, async (ws) => { ws.say({}); }],
    [4400, async (ws) => { ws.say({ type: 'subscribe', payload: { query: '{ __typename }' } }); }],
    [4400, async (ws) => { ws.say({ type: 'subscribe', id: '1' }); }],
    [4400, async (ws) => { ws.say({ type: 'subscribe', id: '', payload: { query: '{ __typename }' } }); }],
    [4400, async (ws) => { ws.say({ type: 'complete' }); }],
    [4401, async (ws) => { ws.say({ type: 'subscribe', id: '1', payload: { query: '{ __typename }' } }); }],
    [4403, async (ws) => { ws.say({ type: 'connection_init' }); }],
    [4403, async (ws) => { ws.say({ type: 'connection_init', payload: bearer('a.b.c') }); }],
    [4403, async (ws) => { ws.say({ type: 'connection_init', payload: { Authorization: 7 } }); }],
    [4429, async (ws) => { ws.say({ type: 'connection_init', payload: bearer() }); ws.say({ type: 'connection_init', payload: bearer() }); }],
    [4409, async (ws) => {
      ws.say({ type: 'connection_init', payload: bearer() });
      for (let i = 0; i < 2; i++) ws.say({ type: 'subscribe', id: 'same', payload: { query: 'subscription { tenantEvents { cursor } }' } });
    }],
    [1003, async (ws) => { ws.send(Buffer.from([1, 2, 3]), { binary: true }); }],
    [1009, async (ws) => { ws.say('x'.repeat(3 << 20)); }],
  ];
  for (const [code, act] of cases) {
    const ws = socket();
    await ws.opened;
    await act(ws);
    const end = await ws.ended;
    assert.equal(end.code, code, `${act} ${end.reason}`);
  }
  const foreign = socket(address, 'graphql-ws');
  foreign.on('error', () => {});
  await foreign.opened.catch(() => {});
  assert.notEqual((await foreign.ended).code, 1000);
});

test('no connection_init in time', async () => {
  const ws = socket();
  await ws.opened;
  const began = Date.now();
  assert.equal((await ws.ended).code, 4408);
  assert.ok(Date.now() - began > 5000);
});

test('pings are answered, pongs ignored, unknown ids too', async () => {
  const ws = await ready();
  ws.say({ type: 'ping' });
  ws.say({ type: 'ping', payload: { at: 1.50 } });
  ws.say({ type: 'pong' });
  ws.say({ type: 'complete', id: 'unknown' });
  await ws.heard((message) => message.type === 'pong' && message.payload?.at === 1.5, 'the pong');
  assert.equal(ws.messages.filter((message) => message.type === 'pong').length, 2);
  const native = new Promise((resolve) => ws.on('pong', resolve));
  ws.ping();
  await native;
  ws.close(1000);
  await ws.ended;
});

test('a completed subscription is silent, and its id free again', async () => {
  const ws = await ready();
  for (let round = 0; round < 3; round++) {
    const from = ws.messages.length;
    ws.say({ id: 'a', type: 'subscribe', payload: { query: 'subscription { tenantEvents { cursor event { id } } }' } });
    await until(() => ws.messages.slice(from).some((message) => message.type === 'next'), 10000, 'the first item');
    ws.say({ id: 'a', type: 'complete' });
    ws.say({ type: 'ping' });
    await until(() => ws.messages.slice(from).some((message) => message.type === 'pong'), 10000, 'the pong');
    const silent = ws.messages.length;
    await staff.does('createOrder', basket());
    await sleep(200);
    assert.equal(ws.messages.length, silent);
  }
  ws.close(1000);
  await ws.ended;
});

test('errors end an operation: of validation, and of a stream', async () => {
  const ws = await ready();
  ws.say({ id: 'v', type: 'subscribe', payload: { query: 'subscription { tenantEvents { nope } }' } });
  assert.equal((await ws.heard((message) => message.id === 'v', 'the error')).type, 'error');
  ws.say({ id: 'n', type: 'subscribe', payload: { query: 'subscription { orderEvents(orderId: "ORD-00000000000000000000000000") { cursor } }' } });
  const message = await ws.heard((one) => one.id === 'n', 'the error');
  assert.equal(message.type, 'error');
  assert.equal(message.payload[0].extensions.code, 'NOT_FOUND');
  assert.ok(!ws.messages.some((one) => one.type === 'complete'));
  for (let i = 0; i < 101; i++) ws.say({ id: `s${i}`, type: 'subscribe', payload: { query: 'subscription { tenantEvents { cursor } }' } });
  const over = await ws.heard((one) => one.type === 'error' && one.id.startsWith('s'), 'the limit');
  assert.equal(over.payload[0].extensions.code, 'LIMIT_EXCEEDED');
  ws.close(1000);
  await ws.ended;
});

test('a token that expires closes the connection', async () => {
  const token = sign('HS256', secret, { iss: 'office', aud: 'orders', sub: 'sue', tenant_id: 'shop', roles: ['staff'], iat: now() - 600, exp: now() - 58 });
  const ws = await ready(token);
  ws.say({ id: '1', type: 'subscribe', payload: { query: 'subscription { tenantEvents { cursor } }' } });
  const end = await ws.ended;
  assert.equal(end.code, 4403);
  assert.match(end.reason, /expired/i);
});

test('many streams of one connection share it, and whoever reads slowly but reads is not cut off', async () => {
  const { orderId } = await staff.does('createOrder', basket());
  const ws = await ready(staff.token);
  for (let i = 0; i < 32; i++) await staff.does('addNote', { orderId, note: 'n'.repeat(3900) }, { select: 'orderId' });
  ws._socket.pause();
  const query = `subscription { orderEvents(orderId: "${orderId}", after: "0") { cursor event { command ${Array.from({ length: 4 }, (_, i) => `c${i}: change`)} } } }`;
  for (let i = 0; i < 100; i++) ws.say({ id: `s${i}`, type: 'subscribe', payload: { query } });
  await sleep(3000);
  ws._socket.resume();
  const notes = () => ws.messages.filter((message) => message.payload?.data?.orderEvents.event?.command === 'addNote').length;
  let ended;
  ws.ended.then((end) => { ended = end; });
  await until(() => ended || notes() >= 3200, 60000, `3200 notes; there are ${notes()}`);
  assert.equal(ended, undefined, JSON.stringify(ended));
  assert.equal(notes(), 3200);
  ws.close();
});

test('clients that vanish leave nothing behind', async () => {
  for (let i = 0; i < 30; i++) {
    const ws = await ready();
    ws.say({ id: '1', type: 'subscribe', payload: { query: 'subscription { tenantEvents { cursor } }' } });
    if (i % 3) ws.say({ id: '2', type: 'subscribe', payload: { query: '{ orders { nodes { orderId } } }' } });
    if (i % 2) await ws.heard((message) => message.id === '1', 'the first item');
    ws.terminate();
  }
  await until(async () => (await server.metric('liteoms_stream_readers')) === 0, 15000, 'no reader is left');
});

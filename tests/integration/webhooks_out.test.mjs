// Webhooks out, to real HTTP servers on loopback: signatures that the standard's own library verifies, order per order, retries,
// dead letters, replay, kill -9 in the middle, endpoints that hang beside healthy ones, and addresses that nothing is sent to.
// Two shards, so that events, endpoints and calls cross threads.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { after, before, test } from 'node:test';

import { Webhook } from 'standardwebhooks';

import { Caller, basket } from './lib/client.mjs';
import { Server, certificate, fresh, sleep, until, withServer } from './lib/server.mjs';

// A receiver. `answer(request, response, delivery)` may be replaced; every delivery is kept.
class Sink {
  static async start(answer) {
    const sink = new Sink();
    sink.deliveries = [];
    sink.answer = answer ?? ((request, response) => response.end());
    sink.server = http.createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8');
      request.on('data', (text) => { body += text; });
      request.on('end', () => {
        const json = JSON.parse(body);
        const delivery = { headers: request.headers, body, json, id: request.headers['webhook-id'], at: Date.now(),
          order: json.data.order?.orderId, version: json.data.version, url: request.url, method: request.method };
        sink.deliveries.push(delivery);
        sink.answer(request, response, delivery);
      });
    });
    await new Promise((resolve) => sink.server.listen(0, '127.0.0.1', resolve));
    sink.port = sink.server.address().port;
    sink.url = `http://127.0.0.1:${sink.port}/hook`;
    return sink;
  }

  of(order) { return this.deliveries.filter((delivery) => delivery.order === order); }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

const settings = { attempts: 3, first_retry_ms: 50, timeout_ms: 1500 };
const config = (more = {}) => ({
  tenants: [{ name: 'acme', currency: 'USD' }, { name: 'other' }], webhooks_out: { ...settings, ...more } });
const data = fresh('-data');
const start = (more) => Server.start({ data, config: config(more), args: ['--shards', '2'] });
let server, admin;
const sinks = [];
const sinkOf = async (answer) => { const sink = await Sink.start(answer); sinks.push(sink); return sink; };

before(async () => { server = await start(); admin = new Caller(server, 'admin', 'ann', { tenant: 'acme' }); });
after(async () => {
  admin.close();
  await server.stop();
  await server.verify();
  for (const sink of sinks) await sink.stop();
});
async function restart(how = 'stop', more) {
  admin.close();
  await server[how]();
  server = await start(more);
  admin = new Caller(server, 'admin', 'ann', { tenant: 'acme' });
}

const fields = `endpointId url description filter enabled state gone createdAt updatedAt previousSecretUntil position pending restsUntil
  delivered lastSuccessAt lastErrorAt lastError deadLetterCount deadLetters { cursor orderId type attempts reason at }
  deliveries(first: 100) { cursor type attempt delivered status error durationMs at }`;
const shared = 'clientMutationId result { success message } userErrors { code field message }';
async function change(name, input, more = '', caller = admin) {
  const type = `${name[0].toUpperCase()}${name.slice(1)}Input`;
  const payload = (await caller.query(`mutation($input: ${type}!) { ${name}(input: $input) { ${shared} ${more} } }`, { input }))[name];
  assert.equal(payload.result.success, payload.userErrors.length === 0);
  return payload;
}
async function fine(promise) {
  const payload = await promise;
  assert.deepEqual(payload.userErrors, [], JSON.stringify(payload));
  return payload;
}
async function refused(code, promise) {
  const payload = await promise;
  assert.equal(payload.userErrors[0]?.code, code, JSON.stringify(payload));
  return payload.userErrors[0];
}
const create = (url, more = {}) => fine(change('createWebhookEndpoint', { url, ...more }, `replayed secret endpoint { ${fields} }`));
const update = (endpointId, more) => fine(change('updateWebhookEndpoint', { endpointId, ...more }, `replayed endpoint { ${fields} }`));
const remove = (endpointId) => fine(change('deleteWebhookEndpoint', { endpointId }, 'deletedEndpointId'));
const look = async (endpointId, caller = admin) => (await caller.query(`query($id: ID!) { webhookEndpoint(endpointId: $id) { ${fields} } }`, { id: endpointId })).webhookEndpoint;
const place = (parts) => admin.does('createOrder', basket(parts));
const hold = (orderId) => admin.does('placeHold', { orderId, reason: 'a look' });

test('an event is delivered, and the standard library verifies it', async () => {
  const sink = await sinkOf();
  const { secret, endpoint, replayed } = await create(sink.url, { description: 'ERP' });
  assert.equal(replayed, false);
  assert.match(endpoint.endpointId, /^whe_[0-9a-f]{16}$/);
  assert.equal(endpoint.state, 'ACTIVE');
  const order = await place();
  await until(() => sink.of(order.orderId).length >= 1, 5000, 'the delivery');
  const [delivery] = sink.of(order.orderId);
  assert.equal(delivery.method, 'POST');
  assert.equal(delivery.headers['content-type'], 'application/json');
  assert.match(delivery.headers['user-agent'], /^liteoms\//);
  const verified = new Webhook(secret).verify(delivery.body, delivery.headers);
  assert.deepEqual(verified, delivery.json);
  assert.throws(() => new Webhook(secret).verify(`${delivery.body} `, delivery.headers));
  assert.match(delivery.json.type, /^order\.(created|placed|confirmed)$/);
  assert.equal(delivery.json.timestamp, delivery.json.data.at);
  assert.equal(delivery.json.data.order.customerDetails.name, 'Carol Shaw');
  assert.equal(delivery.id, delivery.json.data.id);
  const log = (await admin.query('{ tenantEventLog(first: 200) { nodes { id type cursor order { orderId } } } }')).tenantEventLog.nodes;
  const wanted = log.filter((event) => event.order.orderId === order.orderId);
  await until(() => sink.of(order.orderId).length === wanted.length, 5000, 'all of the order');
  assert.deepEqual(sink.of(order.orderId).map((one) => one.id), wanted.map((event) => event.id));
  const now = await until(async () => { const one = await look(endpoint.endpointId); return one.delivered >= wanted.length && one; }, 5000, 'the count');
  assert.equal(now.lastError, null);
  assert.equal(now.pending, 0);
  assert.equal(now.deliveries[0].delivered, true);
  assert.equal(now.deliveries[0].status, 200);
  // Only from now on: what the server had before was not sent.
  assert.ok(sink.deliveries.every((one) => one.order === order.orderId));
  assert.ok(!server.log.includes(secret));
  await remove(endpoint.endpointId);
  assert.equal(await look(endpoint.endpointId), null);
  const count = sink.deliveries.length;
  await hold(order.orderId);
  await sleep(300);
  assert.equal(sink.deliveries.length, count);
});

test('only who manages webhooks; refusals name their field', async () => {
  const staff = admin.as('staff', 'sid', { tenant: 'acme' });
  await refused('FORBIDDEN', change('createWebhookEndpoint', { url: 'https://example.com/' }, '', staff));
  assert.equal((await staff.post('{ webhookEndpoints { url } }')).json.errors[0].extensions.code, 'FORBIDDEN');
  for (const url of ['ftp://example.com/', 'example.com', 'https://', 'https://user:pw@example.com/', 'https://example.com/#part', 'https://exa mple.com/', `https://example.com/${'x'.repeat(2048)}`]) {
    const fault = await refused('INVALID', change('createWebhookEndpoint', { url }));
    assert.deepEqual(fault.field, ['input', 'url'], JSON.stringify(fault));
  }
  await refused('NOT_FOUND', change('updateWebhookEndpoint', { endpointId: 'whe_0000000000000000', enabled: false }));
  await refused('NOT_FOUND', change('deleteWebhookEndpoint', { endpointId: 'nonsense' }));
  await refused('NOT_FOUND', change('replayWebhook', { endpointId: 'whe_0000000000000000', after: '0' }));
  const { endpoint } = await create('https://example.com/hook', { enabled: false });
  await refused('INVALID', change('replayWebhook', { endpointId: endpoint.endpointId, after: 'nonsense' }));
  await refused('INVALID', change('redeliverWebhook', { endpointId: endpoint.endpointId, cursor: 'x!' }, 'redelivering'));
  await refused('NOT_FOUND', change('redeliverWebhook', { endpointId: endpoint.endpointId, cursor: endpoint.position }, 'redelivering'));
  await refused('INVALID', change('rotateWebhookSecret', { endpointId: endpoint.endpointId, previousValidForSeconds: 700000 }));
  const otherAdmin = admin.as('admin', 'oz', { tenant: 'other' });
  assert.equal(await look(endpoint.endpointId, otherAdmin), null);
  await refused('NOT_FOUND', change('deleteWebhookEndpoint', { endpointId: endpoint.endpointId }, '', otherAdmin));
  await remove(endpoint.endpointId);
});

test('a repeat of a creation tells the same endpoint and secret', async () => {
  const input = { url: 'https://example.com/hook', enabled: false, idempotencyKey: 'once' };
  const first = await fine(change('createWebhookEndpoint', input, 'replayed secret endpoint { endpointId }'));
  const again = await fine(change('createWebhookEndpoint', input, 'replayed secret endpoint { endpointId }'));
  assert.equal(again.replayed, true);
  assert.equal(again.secret, first.secret);
  assert.equal(again.endpoint.endpointId, first.endpoint.endpointId);
  await refused('IDEMPOTENCY_MISMATCH', change('createWebhookEndpoint', { ...input, url: 'https://example.org/' }));
  await remove(first.endpoint.endpointId);
});

test('an order arrives in order though deliveries fail; others go on', async () => {
  const failing = new Set(), tried = new Map();
  const sink = await sinkOf((request, response, delivery) => {
    const times = (tried.get(delivery.id) ?? 0) + 1;
    tried.set(delivery.id, times);
    if (failing.has(delivery.order) && times <= 2) response.statusCode = 500;
    response.end();
  });
  const { endpoint } = await create(sink.url, { filter: { types: ['HOLD_PLACED'] } });
  const sick = await place(), well = await place();
  failing.add(sick.orderId);
  for (let i = 0; i < 4; i++) { await hold(sick.orderId); await hold(well.orderId); }
  await until(() => sink.of(well.orderId).length === 4, 5000, 'the healthy order');
  await until(() => sink.of(sick.orderId).length === 12, 20000, 'the failing order with its repeats');
  // Each event of the sick order was tried three times with one id, and the next one only afterwards.
  const seen = sink.of(sick.orderId).map((one) => one.id);
  assert.deepEqual(seen, [...new Set(seen)].flatMap((id) => [id, id, id]));
  const versions = sink.of(sick.orderId).map((one) => one.version);
  assert.deepEqual(versions, [...versions].sort((a, b) => a - b));
  const state = await until(async () => { const one = await look(endpoint.endpointId); return one.pending === 0 && one; }, 5000, 'nothing pending');
  assert.equal(state.deadLetterCount, 0);
  assert.ok(state.deliveries.some((one) => one.attempt === 2 && one.status === 500 && one.error === 'the answer is 500'));
  await remove(endpoint.endpointId);
});

test('a dead letter lets its order go on, and is delivered again when asked', async () => {
  let broken = null;
  const sink = await sinkOf((request, response, delivery) => {
    if (delivery.id === broken || (broken === null && delivery.order && !sink.first)) { sink.first = broken = delivery.id; }
    if (delivery.id === broken) response.statusCode = 400;
    response.end('no '.repeat(10));
  });
  const { endpoint } = await create(sink.url, { filter: { types: ['HOLD_PLACED'] } });
  const order = await place();
  await hold(order.orderId);
  await hold(order.orderId);
  const state = await until(async () => { const one = await look(endpoint.endpointId); return one.deadLetterCount === 1 && one.pending === 0 && one; }, 15000, 'the dead letter');
  assert.equal(sink.of(order.orderId).filter((one) => one.id === broken).length, 3);
  assert.equal(new Set(sink.of(order.orderId).map((one) => one.id)).size, 2);
  const [letter] = state.deadLetters;
  assert.deepEqual({ ...letter, cursor: 0, at: 0 }, { cursor: 0, at: 0, orderId: order.orderId, type: 'hold.placed', attempts: 3, reason: 'the answer is 400' });
  await restart(); // it is durable
  assert.equal((await look(endpoint.endpointId)).deadLetters[0].cursor, letter.cursor);
  // It fails once more, and stays.
  const again = await fine(change('redeliverWebhook', { endpointId: endpoint.endpointId, cursor: letter.cursor }, 'redelivering'));
  assert.equal(again.redelivering, 1);
  await until(async () => (await look(endpoint.endpointId)).deadLetters[0]?.attempts === 4, 10000, 'the fourth attempt');
  const id = broken;
  broken = 'none';
  await fine(change('redeliverWebhook', { endpointId: endpoint.endpointId }, 'redelivering'));
  await until(async () => (await look(endpoint.endpointId)).deadLetterCount === 0, 10000, 'no dead letter');
  assert.equal(sink.deliveries.at(-1).id, id);
  await remove(endpoint.endpointId);
});

test('Retry-After is honoured', async () => {
  const sink = await sinkOf((request, response) => {
    if (sink.deliveries.length === 1) { response.statusCode = 503; response.setHeader('retry-after', '2'); }
    response.end();
  });
  const { endpoint } = await create(sink.url, { filter: { types: ['HOLD_PLACED'] } });
  const order = await place();
  await hold(order.orderId);
  await until(async () => (await look(endpoint.endpointId)).state === 'BACKING_OFF', 3000, 'the pause');
  await until(() => sink.deliveries.length === 2, 8000, 'the second attempt');
  assert.ok(sink.deliveries[1].at - sink.deliveries[0].at >= 1900, `${sink.deliveries[1].at - sink.deliveries[0].at} ms`);
  await until(async () => (await look(endpoint.endpointId)).state === 'ACTIVE', 3000, 'it is well');
  await remove(endpoint.endpointId);
});

test('410 Gone disables, and a change enables again with nothing lost', async () => {
  let gone = true;
  const sink = await sinkOf((request, response) => { if (gone) response.statusCode = 410; response.end(); });
  const { endpoint } = await create(sink.url, { filter: { types: ['HOLD_PLACED'] } });
  const order = await place();
  await hold(order.orderId);
  const state = await until(async () => { const one = await look(endpoint.endpointId); return one.state === 'DISABLED' && one; }, 5000, 'it is disabled');
  assert.equal(state.gone, true);
  assert.equal(state.enabled, true);
  await hold(order.orderId);
  await sleep(1000); // it is recorded by then
  await restart('kill');
  assert.equal((await look(endpoint.endpointId)).gone, true);
  await sleep(300);
  assert.equal(sink.deliveries.length, 1);
  gone = false;
  await update(endpoint.endpointId, { enabled: true });
  await until(() => new Set(sink.deliveries.map((one) => one.id)).size === 2, 8000, 'both');
  await remove(endpoint.endpointId);
});

test('two secrets sign while one is rotated', async () => {
  const sink = await sinkOf();
  const { secret, endpoint } = await create(sink.url, { filter: { types: ['HOLD_PLACED'] } });
  const order = await place();
  const rotated = await fine(change('rotateWebhookSecret', { endpointId: endpoint.endpointId }, 'secret endpoint { previousSecretUntil }'));
  assert.notEqual(rotated.secret, secret);
  assert.ok(Date.parse(rotated.endpoint.previousSecretUntil) > Date.now() + 80000000);
  await hold(order.orderId);
  await until(() => sink.deliveries.length === 1, 5000, 'the delivery');
  for (const one of [secret, rotated.secret]) new Webhook(one).verify(sink.deliveries[0].body, sink.deliveries[0].headers);
  assert.equal(sink.deliveries[0].headers['webhook-signature'].split(' ').length, 2);
  const at_once = await fine(change('rotateWebhookSecret', { endpointId: endpoint.endpointId, previousValidForSeconds: 0 }, 'secret endpoint { previousSecretUntil }'));
  assert.equal(at_once.endpoint.previousSecretUntil, null);
  await hold(order.orderId);
  await until(() => sink.deliveries.length === 2, 5000, 'the next delivery');
  new Webhook(at_once.secret).verify(sink.deliveries[1].body, sink.deliveries[1].headers);
  assert.throws(() => new Webhook(rotated.secret).verify(sink.deliveries[1].body, sink.deliveries[1].headers));
  await remove(endpoint.endpointId);
});

test('a test is sent at once, also to an endpoint that is disabled', async () => {
  const sink = await sinkOf((request, response) => { response.statusCode = sink.status ?? 204; response.end(); });
  const { secret, endpoint } = await create(sink.url, { enabled: false });
  const good = await fine(change('testWebhookEndpoint', { endpointId: endpoint.endpointId }, 'delivery { delivered status error type cursor durationMs }'));
  assert.equal(good.delivery.delivered, true);
  assert.equal(good.delivery.status, 204);
  assert.equal(good.delivery.type, 'webhook.test');
  new Webhook(secret).verify(sink.deliveries[0].body, sink.deliveries[0].headers);
  assert.equal(sink.deliveries[0].json.type, 'webhook.test');
  sink.status = 302; // redirects are not followed
  const bad = await fine(change('testWebhookEndpoint', { endpointId: endpoint.endpointId }, 'delivery { delivered status error }'));
  assert.deepEqual(bad.delivery, { delivered: false, status: 302, error: 'the answer is 302: redirects are not followed' });
  assert.equal(sink.deliveries.length, 2);
  await remove(endpoint.endpointId);
});

test('a replay sends everything behind a cursor again, with the same ids', async () => {
  const sink = await sinkOf();
  const { endpoint } = await create(sink.url);
  const order = await place();
  for (let i = 0; i < 3; i++) await hold(order.orderId);
  const log = (await admin.query('query($f: EventFilter) { tenantEventLog(first: 200, filter: $f) { nodes { id cursor order { orderId } } } }', { f: {} })).tenantEventLog.nodes;
  const own = log.filter((event) => event.order.orderId === order.orderId);
  await until(() => sink.of(order.orderId).length === own.length, 5000, 'the first time');
  const before = sink.deliveries.length;
  await fine(change('replayWebhook', { endpointId: endpoint.endpointId, after: own.at(-3).cursor }));
  await until(() => sink.deliveries.length === before + 2, 5000, 'the last two again');
  await sleep(200);
  assert.deepEqual(sink.deliveries.slice(before).map((one) => one.id), own.slice(-2).map((event) => event.id));
  const all = sink.deliveries.length;
  await fine(change('replayWebhook', { endpointId: endpoint.endpointId, after: '0' }));
  await until(() => new Set(sink.deliveries.slice(all).map((one) => one.id)).size === log.length, 15000, 'all of the log');
  await remove(endpoint.endpointId);
});

test('what a filter leaves out is not sent, and the position moves on all the same', async () => {
  const sink = await sinkOf();
  const { endpoint } = await create(sink.url, { filter: { types: ['HOLD_PLACED'], stages: ['CONFIRMED'] } });
  assert.deepEqual(JSON.parse(JSON.stringify(endpoint.filter)), { types: ['HOLD_PLACED'], stages: ['CONFIRMED'] });
  const order = await place();
  await hold(order.orderId);
  await until(() => sink.deliveries.length === 1, 5000, 'the hold');
  assert.equal(sink.deliveries[0].json.type, 'hold.placed');
  const changed = await update(endpoint.endpointId, { filter: null, description: null });
  assert.equal(changed.endpoint.filter, null);
  const second = await place();
  await until(() => sink.of(second.orderId).length >= 1, 5000, 'everything');
  await remove(endpoint.endpointId);
});

test('endpoints that hang, dawdle, send without end or are dead delay no other', async () => {
  const dripping = new Set();
  const bad = [
    await sinkOf(() => {}), // never answers
    await sinkOf((request, response) => { const t = setInterval(() => response.write('x'), 100); dripping.add(t); response.on('close', () => clearInterval(t)); }),
    await sinkOf((request, response) => { const more = () => { while (response.write('x'.repeat(65536)) && !response.destroyed); }; response.on('drain', more); more(); }),
  ];
  const dead = await Sink.start();
  await dead.stop();
  const good = await sinkOf();
  const ids = [];
  for (const url of [...bad.map((sink) => sink.url), dead.url]) ids.push((await create(url)).endpoint.endpointId);
  const well = (await create(good.url, { filter: { types: ['HOLD_PLACED'] } })).endpoint.endpointId;
  const orders = [];
  for (let i = 0; i < 10; i++) orders.push(await place());
  await until(async () => (await look(ids[3])).lastError, 8000, 'the dead one to fail');
  const late = [];
  for (const order of orders) {
    const begin = Date.now();
    await hold(order.orderId);
    await until(() => good.of(order.orderId).length === 1, 5000, 'the healthy endpoint');
    late.push(Date.now() - begin);
  }
  assert.ok(late.sort((a, b) => a - b)[5] < 500, `deliveries beside bad ones took ${late} ms`);
  await until(async () => { const states = []; for (const id of ids) states.push((await look(id)).state); return states.every((state) => state === 'BACKING_OFF'); }, 60000, 'all bad ones to be let alone');
  const errors = [];
  for (const id of ids) errors.push((await look(id)).lastError);
  assert.match(errors[0], /no whole answer within 1500 ms/);
  assert.match(errors[2], /body is larger than 65536 bytes|no whole answer/);
  for (const id of [...ids, well]) await remove(id);
  dripping.forEach(clearInterval);
});

test('kill -9 in the middle: nothing is lost, and repeats have the same id', async () => {
  const sink = await sinkOf((request, response) => setTimeout(() => response.end(), 5));
  const { endpoint } = await create(sink.url, { filter: { types: ['HOLD_PLACED'] } });
  const orders = [];
  for (let i = 0; i < 5; i++) orders.push(await place());
  for (let round = 0; round < 3; round++) {
    await Promise.all(orders.map(async (order) => { for (let i = 0; i < 8; i++) await hold(order.orderId); }));
    if (round < 2) await restart('kill');
  }
  await until(async () => { const one = await look(endpoint.endpointId); return one.pending === 0 && sink.deliveries.length >= 120 && one; }, 20000, 'everything');
  const filter = { types: ['HOLD_PLACED'] };
  let log = [], after = '0';
  for (;;) {
    const page = (await admin.query('query($f: EventFilter, $a: String) { tenantEventLog(first: 200, filter: $f, after: $a) { nodes { id order { orderId } } pageInfo { hasNextPage endCursor } } }', { f: filter, a: after })).tenantEventLog;
    log = log.concat(page.nodes);
    if (!page.pageInfo.hasNextPage) break;
    after = page.pageInfo.endCursor;
  }
  for (const order of orders) {
    const wanted = log.filter((event) => event.order.orderId === order.orderId).map((event) => event.id);
    const got = sink.of(order.orderId).map((one) => one.id);
    assert.equal(wanted.length, 24);
    assert.deepEqual(new Set(got), new Set(wanted));
    // In order: the first arrival of each is where it belongs.
    assert.deepEqual([...new Set(got)], wanted);
  }
  await remove(endpoint.endpointId);
});

test('a stop records where it is: a start repeats nothing', async () => {
  const sink = await sinkOf();
  const { endpoint } = await create(sink.url, { filter: { types: ['HOLD_PLACED'] } });
  const order = await place();
  for (let i = 0; i < 5; i++) await hold(order.orderId);
  await until(() => sink.deliveries.length === 5, 5000, 'all');
  await restart();
  const state = await look(endpoint.endpointId);
  assert.equal(state.delivered, 5);
  assert.equal(state.deliveries.length, 5);
  await hold(order.orderId);
  await until(() => sink.deliveries.length >= 6, 5000, 'the next');
  await sleep(200);
  assert.equal(sink.deliveries.length, 6);
  await remove(endpoint.endpointId);
});

test('private addresses are refused, however they are written, when the operator allows none', async () => {
  const sink = await sinkOf();
  const folder = fresh('-strict');
  // Without --dev; the tokens are those of an issuer that the configuration names.
  const { issuer, token } = await (async () => {
    const crypto = await import('node:crypto');
    const secret = crypto.randomBytes(32).toString('base64url');
    const sign = (claims) => {
      const text = [{ alg: 'HS256', typ: 'JWT' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
      return `${text}.${crypto.createHmac('sha256', secret).update(text).digest('base64url')}`;
    };
    return { issuer: { issuer: 'https://idp.example', audience: 'liteoms', algorithms: ['HS256'], hmac_secret: secret, tenants: ['acme'], roles: ['admin'] },
      token: sign({ iss: 'https://idp.example', aud: 'liteoms', sub: 'ann', tenant_id: 'acme', roles: ['admin'], exp: Math.floor(Date.now() / 1000) + 3600 }) };
  })();
  const strict = await Server.start({ data: folder, dev: false, config: { ...config({ allow_http: true }), issuers: [issuer] } });
  const caller = new Caller(strict, token);
  const test = async (url) => change('createWebhookEndpoint', { url }, 'endpoint { endpointId }', caller);
  for (const host of ['127.0.0.1', '2130706433', '0x7f.1', '0177.0.0.1', '127.1', '[::1]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '10.0.0.1', '172.16.3.4',
    '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '0', '255.255.255.255', '224.0.0.1', '[fe80::1]', '[fd00::1]', '[fc00::1]', '[::]', '[ff02::1]',
    '[64:ff9b::7f00:1]', '[2002:7f00:1::]', '[2001:db8::1]', '[2001::1]']) {
    const fault = await refused('INVALID', test(`http://${host}:${sink.port}/`));
    assert.deepEqual(fault.field, ['input', 'url'], host);
    assert.match(fault.message, /private or special address|absolute URL/, host);
  }
  // A name that leads there is refused when it is connected to.
  for (const host of ['localhost', 'LOCALHOST.']) {
    const made = await fine(test(`http://${host}:${sink.port}/`));
    const tried = await fine(change('testWebhookEndpoint', { endpointId: made.endpoint.endpointId }, 'delivery { delivered status error }', caller));
    assert.equal(tried.delivery.delivered, false);
    assert.equal(tried.delivery.status, null);
    assert.match(tried.delivery.error, /loopback address, where this server sends nothing|resolve host/, host);
  }
  assert.equal(sink.deliveries.length, 0);
  caller.close();
  await strict.stop();
  // The same with the range allowed; and clear text refused when it is not.
  const open = await Server.start({ data: folder, dev: false, config: { ...config({ allow_http: true, allow_private: ['127.0.0.0/8'] }), issuers: [issuer] } });
  const other = new Caller(open, token);
  const made = await fine(change('createWebhookEndpoint', { url: sink.url }, 'endpoint { endpointId }', other));
  const tried = await fine(change('testWebhookEndpoint', { endpointId: made.endpoint.endpointId }, 'delivery { delivered }', other));
  assert.equal(tried.delivery.delivered, true);
  await refused('INVALID', change('createWebhookEndpoint', { url: 'http://10.0.0.1/' }, '', other));
  other.close();
  await open.stop();
  const closed = await Server.start({ data: folder, dev: false, config: { ...config(), issuers: [issuer] } });
  const last = new Caller(closed, token);
  assert.match((await refused('INVALID', change('createWebhookEndpoint', { url: 'http://example.com/' }, '', last))).message, /must be https/);
  last.close();
  await closed.stop();
});

test('a suspended tenant\'s deliveries go on; a removed one\'s stop until it is back', async () => {
  const sink = await sinkOf();
  const operator = admin.as('operator', 'op', { tenant: 'acme' });
  const tenant = async (name, more = {}) => fine((async () => (await operator.query(`mutation($input: ${name[0].toUpperCase()}${name.slice(1)}Input!) { ${name}(input: $input) { userErrors { code field message } } }`,
    { input: { tenantId: 'acme', ...more } }))[name])());
  const { endpoint } = await create(sink.url, { filter: { types: ['HOLD_PLACED'] } });
  const order = await place();
  await update(endpoint.endpointId, { enabled: false });
  await hold(order.orderId);
  await tenant('suspendTenant');
  await refused('TENANT_SUSPENDED', change('createWebhookEndpoint', { url: sink.url }));
  await update(endpoint.endpointId, { enabled: true });
  await until(() => sink.deliveries.length === 1, 5000, 'the delivery of a suspended tenant');
  await update(endpoint.endpointId, { enabled: false });
  await tenant('activateTenant');
  await hold(order.orderId);
  await tenant('removeTenant', { confirm: 'acme' });
  await sleep(500);
  await tenant('activateTenant');
  assert.equal(sink.deliveries.length, 1);
  await update(endpoint.endpointId, { enabled: true });
  await until(() => sink.deliveries.length === 2, 5000, 'the delivery after it came back');
  await remove(endpoint.endpointId);
});

test('over TLS: the certificate must be valid, by the authorities that the operator names', async () => {
  const { cert, key } = certificate();
  const seen = [];
  const secure = https.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, (request, response) => { seen.push(request.headers); request.resume().on('end', () => response.end()); });
  await new Promise((resolve) => secure.listen(0, '127.0.0.1', resolve));
  const url = `https://localhost:${secure.address().port}/`;
  for (const [ca, delivered] of [[undefined, false], [cert, true]]) {
    await withServer({ config: config(ca ? { ca } : {}) }, async (other) => {
      const caller = new Caller(other, 'admin', 'ann', { tenant: 'acme' });
      const made = await fine(change('createWebhookEndpoint', { url }, 'endpoint { endpointId }', caller));
      for (let i = 0; i < 3; i++) {
        const tried = await fine(change('testWebhookEndpoint', { endpointId: made.endpoint.endpointId }, 'delivery { delivered status error }', caller));
        assert.equal(tried.delivery.delivered, delivered, JSON.stringify(tried));
        if (!delivered) assert.match(tried.delivery.error, /certificate/);
      }
      caller.close();
    });
  }
  assert.equal(seen.length, 3);
  secure.closeAllConnections();
  await new Promise((resolve) => secure.close(resolve));
});

test('numbers of deliveries are in /metrics', async () => {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  assert.match(text, /^liteoms_webhook_out_deliveries_total\{result="acknowledged"\} [1-9]/m);
  assert.match(text, /^liteoms_webhook_out_endpoints\{state="active"\} \d+$/m);
  assert.match(text, /^liteoms_webhook_out_in_flight 0$/m);
});

// Events to and from a broker: a real nats-server with JetStream and a client that is not ours. What comes is applied once
// and acknowledged after the commit; a broker that is not there, goes away, loses its store or refuses does no harm.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, test } from 'node:test';

import { Broker, certificates } from './lib/broker.mjs';
import { Caller } from './lib/client.mjs';
import { Server, fresh, sleep, until } from './lib/server.mjs';

const order = (ref, more = {}) => ({ external_ref: ref, customer_details: { name: 'Ada Byron' }, destination: { city: 'Berlin', country: 'DE' },
  product_skus: [{ product_sku: 'TEA', product_name: 'Tea', vendor_id: 'tea', order_quantity: 2, product_price: { amount: '8.40', currency: 'EUR' } }], ...more });
const tenants = [{ name: 'demo' }, { name: 'other' }, { name: 'with.dots' }, { name: 'asleep', status: 'suspended' }];
const configured = (broker, nats = {}) => ({ tenants, nats: { urls: [broker.url], consume: [{}], ...nats } });

const find = async (caller, ref, source = 'nats') => (await caller.query(`query($ref: String!, $source: String) { order(by: { externalRef: { source: $source, ref: $ref } }) {
  orderId version stage paymentStatus source events(first: 50) { nodes { type actor { kind subject } } } } }`, { ref, source })).order;

const idle = (broker, stream = 'LITEOMS_IN', durable = 'liteoms') => until(async () => {
  const info = await broker.consumer(stream, durable).catch(() => null);
  return info && info.num_pending === 0 && info.num_ack_pending === 0 && info;
}, 20000, 'everything to be acknowledged');

let broker, server, caller;
before(async () => {
  broker = await Broker.start();
  const logins = { stream: 'IDENTITY', subject: 'identity.*.UserLoggedIn', topic: 'user_logged_in' };
  server = await Server.start({ config: configured(broker, { consume: [{}, logins] }), args: ['--shards', '2'] });
  caller = new Caller(server, 'admin');
  await until(async () => (await server.metric('liteoms_nats_connected')) === 1, 10000, 'a connection');
  await until(() => server.events('nats.consuming').length, 10000, 'a consumer');
});
after(async () => {
  caller.connection.close();
  try {
    await server.stop();
    await server.verify();
    await broker.stop();
  } finally { // what a failed test left would keep this process
    await Broker.killAll();
    Server.running().forEach((child) => child.kill('SIGKILL'));
  }
});

test('an order comes, twice, and is there once', async () => {
  await broker.publish('liteoms.in.demo.tenant_create_order', order('N-1'), 'msg-1');
  await idle(broker);
  const found = await find(caller, 'N-1');
  assert.equal(found.source, 'nats');
  assert.ok(found.events.nodes.every(({ actor }) => actor.kind === 'WEBHOOK' && actor.subject === 'nats'));
  // The broker itself drops the same id within its window; past it, or without one, the content is known again.
  await broker.publish('liteoms.in.demo.tenant_create_order', order('N-1'));
  await broker.publish('liteoms.in.demo.tenant_create_order', order('N-1'), 'msg-1b');
  await idle(broker);
  assert.equal((await find(caller, 'N-1')).version, found.version);
  await broker.publish('liteoms.in.demo.orders/paid', { external_ref: 'N-1', amount: { amount: '16.80', currency: 'EUR' }, method: 'card', transaction_id: 'T' }, 'msg-2');
  await idle(broker);
  assert.equal((await find(caller, 'N-1')).paymentStatus, 'PAID');
});

test('a message that is delivered again changes nothing', async () => {
  const manager = await broker.manager();
  await broker.publish('liteoms.in.demo.tenant_create_order', order('N-2'), 'msg-3');
  await broker.publish('liteoms.in.demo.orders/cancelled', { external_ref: 'N-2', cancellation_reason: 'no' }, 'msg-4');
  await idle(broker);
  const found = await until(async () => { const one = await find(caller, 'N-2'); return one?.stage === 'CANCELLED' && one; }, 10000, 'the cancellation');
  // The consumer forgets what was acknowledged: everything comes again.
  const before = server.events('nats.consuming').length;
  // (nats-server 2.9 now and then writes into the consumer's folder while it removes it, and says so; gone it is.)
  await manager.consumers.delete('LITEOMS_IN', 'liteoms').catch((error) => assert.match(error.message, /directory not empty/));
  await until(() => server.events('nats.consuming').length > before, 60000, 'the consumer to be made again');
  const info = await idle(broker);
  assert.ok(info.delivered.consumer_seq >= 5);
  assert.equal((await find(caller, 'N-2')).version, found.version);
  assert.equal((await find(caller, 'N-1')).stage, 'CONFIRMED');
  assert.ok(await server.metric('liteoms_nats_consumed_total', 'result="replayed"') >= 1);
});

test('an update that comes too early waits, and is acknowledged', async () => {
  await broker.publish('liteoms.in.demo.orders/paid', { external_ref: 'N-3', amount: { amount: '16.80', currency: 'EUR' }, method: 'card', transaction_id: 'T3' }, 'early');
  await idle(broker);
  assert.equal(await server.metric('liteoms_nats_consumed_total', 'topic="orders/paid",result="waiting"'), 1);
  await broker.publish('liteoms.in.demo.tenant_create_order', order('N-3'), 'late');
  await until(async () => (await find(caller, 'N-3'))?.paymentStatus === 'PAID', 20000, 'the payment that waited');
});

test('what cannot be used is ended, and the rest goes on', async () => {
  const unknown = await server.metric('liteoms_nats_consumed_total', 'result="unknown"');
  const invalid = await server.metric('liteoms_nats_consumed_total', 'result="invalid"');
  await broker.publish('liteoms.in.demo.tenant_create_order', '{"broken', 'bad-1');
  await broker.publish('liteoms.in.demo.tenant_create_order', order('N-4', { tenant_id: 'other' }), 'bad-2');
  await broker.publish('liteoms.in.demo.tenant_create_order', { external_ref: 'N-5' }, 'bad-3');
  await broker.publish('liteoms.in.nobody.tenant_create_order', order('N-6'), 'bad-4');
  await broker.publish('liteoms.in.demo.no_topic', order('N-7'), 'bad-5');
  await broker.publish('liteoms.in.demo.tenant_create_order', '', 'bad-6');
  await broker.publish('liteoms.in.demo.tenant_create_order', order('N-8'), 'good');
  await idle(broker);
  assert.equal(await server.metric('liteoms_nats_consumed_total', 'result="unknown"') - unknown, 2);
  assert.equal(await server.metric('liteoms_nats_consumed_total', 'result="invalid"') - invalid, 4);
  for (const ref of ['N-4', 'N-5', 'N-6', 'N-7']) assert.equal(await find(caller, ref), null, ref);
  assert.ok(await find(caller, 'N-8'));
  assert.ok(server.events('webhook.refused').some(({ provider, code }) => provider === 'nats' && code === 'UNKNOWN_TENANT'));
});

test('the tenant is one token, whatever its name', async () => {
  await broker.publish('liteoms.in.with%2Edots.tenant_create_order', order('N-1'), 'dots');
  await broker.publish('liteoms.in.asleep.tenant_create_order', order('N-1'), 'asleep');
  const dots = new Caller(server, 'admin', 'admin', { tenant: 'with.dots' });
  await until(() => find(dots, 'N-1'), 10000, 'the order');
  // A suspended tenant's message stays with the broker.
  const info = await until(async () => { const one = await broker.consumer('LITEOMS_IN', 'liteoms'); return one.num_ack_pending === 1 && one; }, 10000, 'the negative answer');
  assert.equal(info.num_redelivered <= 1, true);
  dots.connection.close();
});

test('a login fills the snapshot of what its user may do', async () => {
  const stored = async (user, tenant = 'demo') => (await caller.as('admin', 'admin', { tenant }).query('query($user: ID!) { userAuthorization(user: $user) { user roles } }', { user })).userAuthorization;
  const login = (sub, roles, at, tenant = 'demo') => ({ event_type: 'UserLoggedIn', occurred_at: at, data: { sub, tenant_id: tenant, roles } });
  await broker.publish('identity.events.UserLoggedIn', login('ada', ['staff'], '2026-03-01T09:30:00Z'), 'login-1');
  await broker.publish('identity.events.UserLoggedIn', login('ada', ['vendor'], '2026-03-01T09:00:00Z'), 'login-0'); // older
  await broker.publish('identity.events.UserLoggedIn', login('bob', ['staff'], '2026-03-01T09:30:00Z', 'other'), 'login-2');
  await broker.publish('identity.events.UserLoggedIn', login('eve', ['staff'], '2026-03-01T09:30:00Z', 'nobody'), 'login-3');
  await broker.publish('identity.events.UserLoggedIn', { event_type: 'UserLoggedIn', data: { sub: 'mallory', roles: ['staff'] } }, 'login-4'); // of no tenant
  await idle(broker, 'IDENTITY');
  assert.deepEqual(await stored('ada'), { user: 'ada', roles: ['staff'] });
  assert.equal(await stored('bob'), null);
  assert.deepEqual(await stored('bob', 'other'), { user: 'bob', roles: ['staff'] });
  for (const user of ['eve', 'mallory']) assert.equal(await stored(user), null);
  // Somebody whose token says nothing may do what the login said, at once.
  const ada = caller.as('nobody', 'ada');
  assert.ok((await ada.query('{ orders(first: 1) { nodes { orderId } } }')).orders.nodes.length);
});

test('snapshots come by their topics', async () => {
  await broker.publish('liteoms.in.other.tenant_rolemap_update', { rows: [{ role: 'packer', permissions: ['get_order', 'manage_access'] }, { role: 'admin', permissions: ['*'] }], version: 12 }, 'roles');
  await broker.publish('liteoms.in.other.user_authorization_update', { user: 'carl', roles: ['packer'], version: 3 }, 'carl');
  const carl = caller.as('nobody', 'carl', { tenant: 'other' });
  const may = '{ userAuthorization(user: "carl") { roles } }';
  await until(async () => !(await carl.post(may)).json.errors, 10000, 'the permission');
  assert.deepEqual((await carl.query(may)).userAuthorization.roles, ['packer']);
});

// ---- events out ----

// The tenant's event log as the API has it, oldest first.
async function logOf(server, tenant = 'demo') {
  const admin = new Caller(server, 'admin', 'admin', { tenant });
  const found = [];
  for (let after = '0'; ;) {
    const page = (await admin.query('query($after: String) { tenantEventLog(after: $after, first: 200) { nodes { id cursor type order { orderId version } } pageInfo { endCursor hasNextPage } } }', { after })).tenantEventLog;
    found.push(...page.nodes);
    if (!page.pageInfo.hasNextPage) break;
    after = page.pageInfo.endCursor;
  }
  admin.connection.close();
  return found;
}

const tokenOf = (name) => name.replaceAll('.', '%2E');
const publishedOf = (broker, tenant = 'demo') => broker.read('LITEOMS', `liteoms.events.${tokenOf(tenant)}.>`);

// Everything of the log is in the stream, once and in the log's order, under its cursor and its subject.
async function same(server, broker, tenant = 'demo', { ms = 60000, once = true } = {}) {
  const log = await logOf(server, tenant);
  const last = log.at(-1).cursor;
  let found = await until(async () => {
    const messages = await publishedOf(broker, tenant);
    return messages.some(({ json }) => json.cursor === last) && messages;
  }, ms, `the last of ${log.length} events of ${tenant} in the stream`);
  if (!once) { // the first of each counts
    const seen = new Set();
    found = found.filter(({ id }) => !seen.has(id) && seen.add(id));
  }
  assert.deepEqual(found.map(({ json }) => json.cursor), log.map(({ cursor }) => cursor));
  found.forEach((message, i) => {
    assert.ok(message.id.startsWith(`${tenant}:${log[i].cursor}:`), message.id);
    assert.equal(message.subject, `liteoms.events.${tokenOf(tenant)}.${log[i].order.orderId}.${log[i].type}`);
    assert.equal(message.json.id, log[i].id);
  });
  return found;
}

const place = (caller, ref) => caller.does('createOrder', { externalRef: ref, customerDetails: { name: 'Ada' }, destination: { city: 'Berlin', country: 'DE' },
  lineItems: [{ productSku: 'TEA', productName: 'Tea', vendor: { vendorId: 'tea' }, orderQuantity: 2, productPrice: { amount: '8.40', currency: 'EUR' } }] });
let numbers = 0;
// Orders with several events each, several at a time.
async function work(caller, count) {
  await Promise.all(Array.from({ length: count }, async () => {
    const order = await place(caller, `OUT-${process.pid}-${++numbers}`);
    await caller.does('placeHold', { orderId: order.orderId, reason: 'look' });
    await caller.does('cancelOrder', { orderId: order.orderId, cancellationReason: 'no' });
  }));
}

test('every event once, in order, with its order as of it', async () => {
  await work(caller, 20);
  const found = await same(server, broker);
  await same(server, broker, 'with.dots');
  const one = found.find(({ json }) => json.type === 'ORDER_CREATED' && json.order.externalRef?.startsWith('OUT-'));
  assert.deepEqual(Object.keys(one.json).sort(), ['actor', 'at', 'change', 'command', 'commit', 'cursor', 'id', 'order', 'sequence', 'type', 'version']);
  assert.equal(one.json.order.stage, 'CONFIRMED');
  assert.equal(one.json.order.lineItems[0].productSku, 'TEA');
  const cancelled = found.find(({ json }) => json.type === 'ORDER_CANCELLED');
  assert.equal(cancelled.json.order.stage, 'CANCELLED');
  assert.equal(cancelled.json.order.version, cancelled.json.version);
});

test('the broker is killed with -9 while events flow', async () => {
  for (let i = 0; i < 3; i++) {
    const working = work(caller, 30);
    await sleep(60 * i);
    await until(async () => await server.metric('liteoms_nats_connected') === 1, 20000, 'the connection');
    await broker.kill();
    await working; // nobody waits for a broker
    assert.equal((await fetch(`${server.url}/readyz`)).status, 200);
    await broker.start();
  }
  await same(server, broker);
  assert.ok(server.events('nats.disconnected').length >= 3);
});

test('a server starts without a broker, and its events flow when there is one', async () => {
  const later = await Broker.make();
  const own = await Server.start({ config: configured(later) });
  const admin = new Caller(own, 'admin');
  await work(admin, 5);
  assert.equal((await fetch(`${own.url}/readyz`)).status, 200);
  assert.equal(await own.metric('liteoms_nats_connected'), 0);
  assert.ok(await own.metric('liteoms_nats_lag_commits') > 0);
  assert.equal(own.events('nats.no_broker').length, 1); // said once, though it is tried again and again
  await later.start();
  await same(own, later);
  await until(async () => await own.metric('liteoms_nats_lag_commits') === 0, 5000, 'nothing to be behind');
  admin.connection.close();
  await own.stop();
  await own.verify();
  await later.stop();
});

test('the server is killed with -9 while events flow', async () => {
  const other = await Broker.start();
  let own = await Server.start({ config: configured(other) });
  const { data } = own;
  for (let i = 0; i < 3; i++) {
    const admin = new Caller(own, 'admin');
    const working = work(admin, 40).catch(() => {});
    await sleep(80 + 60 * i);
    await own.kill();
    await working;
    admin.connection.close();
    own = await Server.start({ data, config: configured(other) });
  }
  await same(own, other);
  await own.stop();
  await own.verify();
  // Stopped in good order, it publishes nothing twice, not even to the broker's own memory of ids.
  own = await Server.start({ data, config: configured(other) });
  await until(() => own.events('nats.publishing').length, 10000, 'the stream');
  await sleep(500);
  assert.equal(await own.metric('liteoms_nats_published_total'), 0);
  await own.stop();
  await other.stop();
});

test('what the stream acknowledged and lost is published again', async () => {
  const other = await Broker.start();
  const own = await Server.start({ config: configured(other) });
  const admin = new Caller(own, 'admin');
  await work(admin, 5);
  await same(own, other);
  await other.stop();
  const kept = fresh('-kept');
  fs.cpSync(other.store, kept, { recursive: true });
  await other.start();
  await work(admin, 5);
  await same(own, other);
  // As after a power cut: the store ends before what was acknowledged.
  await other.kill();
  other.wipe();
  fs.cpSync(kept, other.store, { recursive: true });
  await other.start();
  await same(own, other);
  assert.equal(own.events('nats.stream_lost_events').length, 1);
  // And without any store.
  await other.kill();
  other.wipe();
  await other.start();
  await work(admin, 2);
  await same(own, other);
  admin.connection.close();
  await own.stop();
  await other.stop();
});

test('a lost stream can be left behind', async () => {
  const other = await Broker.start();
  let own = await Server.start({ config: configured(other, { publish: { on_stream_lost: 'continue' } }) });
  let admin = new Caller(own, 'admin');
  await work(admin, 3);
  await same(own, other);
  admin.connection.close();
  await own.stop();
  await other.stop();
  other.wipe();
  await other.start();
  own = await Server.start({ data: own.data, config: configured(other, { publish: { on_stream_lost: 'continue' } }) });
  admin = new Caller(own, 'admin');
  const before = (await logOf(own)).length;
  await work(admin, 2);
  const log = await logOf(own);
  const found = await until(async () => { const all = await publishedOf(other); return all.at(-1)?.json.cursor === log.at(-1).cursor && all; }, 10000, 'the last event');
  assert.deepEqual(found.map(({ json }) => json.cursor), log.slice(before).map(({ cursor }) => cursor));
  admin.connection.close();
  await own.stop();
  await other.stop();
});

test('somebody else writes to the stream', async () => {
  const other = await Broker.start();
  const own = await Server.start({ config: configured(other) });
  const admin = new Caller(own, 'admin');
  await until(() => own.events('nats.publishing').length, 10000, 'the stream');
  let over = false;
  const noise = (async () => { while (!over) { await other.publish('liteoms.events.noise', {}); await sleep(15); } })();
  await work(admin, 10);
  await same(own, other);
  over = true;
  await noise;
  admin.connection.close();
  await own.stop();
  await other.stop();
});

test('an event that is too large for the broker comes without its order', async () => {
  const small = await Broker.start({ more: 'max_payload: 6000' });
  const own = await Server.start({ config: configured(small) });
  const admin = new Caller(own, 'admin');
  await admin.does('createOrder', { externalRef: 'LARGE', customerDetails: { name: 'Ada' }, destination: { city: 'Berlin', country: 'DE' },
    lineItems: Array.from({ length: 40 }, (_, i) => ({ productSku: `SKU-${i}`, productName: 'Something with a name', vendor: { vendorId: 'tea' }, orderQuantity: 2, productPrice: { amount: '8.40', currency: 'EUR' } })) });
  const found = await same(own, small);
  const large = found.find(({ headers }) => headers.get('Liteoms-Shortened') === 'true' && headers.get('Nats-Msg-Id'));
  assert.deepEqual(Object.keys(large.json.order), ['orderId']);
  assert.equal(await own.metric('liteoms_nats_shortened_total') >= 1, true);
  admin.connection.close();
  await own.stop();
  await small.stop();
});

test('tokens, users, TLS, and what is not permitted', async () => {
  const file = (text) => { const name = fresh('-secret'); fs.writeFileSync(name, `${text}\n`); return name; };
  const [token, wrong, password] = [file('s3cret'), file('other'), file('pw')];
  const locked = await Broker.start({ more: 'authorization { token: "s3cret" }', login: { token: 's3cret' } });
  let own = await Server.start({ config: configured(locked, { token_file: wrong }) });
  await until(() => own.events('nats.no_broker').length, 10000, 'a refusal');
  assert.match(own.events('nats.no_broker')[0].reason, /[Aa]uthori[sz]ation/);
  fs.writeFileSync(wrong, 's3cret\n'); // the file is read at each try
  await same(own, locked);
  assert.ok(!own.log.includes('s3cret'));
  await own.stop();
  await locked.stop();

  const users = `authorization { users: [ { user: a, password: pw, permissions: { publish: { deny: "liteoms.events.other.>" } } } ] }`;
  const limited = await Broker.start({ more: users, login: { user: 'a', pass: 'pw' } });
  own = await Server.start({ config: configured(limited, { user: 'a', password_file: password }) });
  await same(own, limited);
  const other = new Caller(own, 'admin', 'admin', { tenant: 'other' });
  await place(other, 'DENIED');
  await until(() => own.events('nats.fault').length, 10000, 'the broker to say so');
  assert.match(own.events('nats.fault')[0].reason, /[Pp]ermissions? [Vv]iolation/);
  other.connection.close();
  await own.stop();
  await limited.stop();

  const pair = certificates(), foreign = certificates('/CN=elsewhere', 'DNS:elsewhere');
  const tls = ({ cert, key }) => `tls { cert_file: "${cert}", key_file: "${key}" }`;
  const secure = await Broker.start({ more: tls(pair), login: { tls: { caFile: pair.cert } } });
  own = await Server.start({ config: configured(secure, { tls: { ca: pair.cert } }) });
  await same(own, secure);
  await own.stop();
  await secure.stop();
  const false1 = await Broker.start({ more: tls(foreign) });
  own = await Server.start({ config: configured(false1, { tls: { ca: foreign.cert } }) }); // trusted, but of another name
  await until(() => own.events('nats.no_broker').length, 10000, 'a refusal');
  assert.equal(await own.metric('liteoms_nats_connected'), 0);
  await own.stop();
  await false1.stop();
});

test('a mistake in the configuration is named', async () => {
  for (const [nats, message] of [
    [{}, /'nats\.urls' must name 1 to 16 servers/],
    [{ urls: ['127.0.0.1:4222'] }, /'nats\.urls' must begin with nats:/],
    [{ urls: ['nats://a:b@127.0.0.1'] }, /'nats\.urls' must hold no user or password/],
    [{ urls: ['nats://a'], token_file: 'x', credentials_file: 'y' }, /names more than one of/],
    [{ urls: ['nats://a'], consume: [{ subject: 'a.{tenant}' }] }, /'nats\.consume\[0\]\.topic' is missing/],
    [{ urls: ['nats://a'], consume: [{}, {}] }, /names the durable 'liteoms' of one stream twice/],
    [{ urls: ['nats://a'], publish: { subject_prefix: 'a..b' } }, /'nats\.publish\.subject_prefix' must be tokens/],
    [{ urls: ['nats://a'], publish: { streams: 'x' } }, /'nats\.publish\.streams' is not a known key; did you mean 'stream'/],
  ]) await assert.rejects(Server.start({ config: { nats } }), message);
});

test('a stream that takes no more, and one that is not there', async () => {
  const other = await Broker.start();
  const own = await Server.start({ config: configured(other, { publish: { create_stream: false } }) });
  const admin = new Caller(own, 'admin');
  await until(() => own.events('nats.cannot_publish').length, 10000, 'the complaint');
  assert.match(own.events('nats.cannot_publish')[0].reason, /stream not found/);
  const manager = await other.manager();
  await manager.streams.add({ name: 'LITEOMS', subjects: ['liteoms.events.>'], max_msgs: 5, discard: 'new' });
  await work(admin, 4);
  await until(() => own.events('nats.cannot_publish').some(({ reason }) => /maximum messages/.test(reason)), 20000, 'the full stream');
  assert.equal((await publishedOf(other)).length, 5);
  await until(async () => await own.metric('liteoms_nats_lag_commits') > 0, 5000, 'the lag to show');
  const { config } = await manager.streams.info('LITEOMS');
  await manager.streams.update('LITEOMS', { ...config, max_msgs: -1 });
  await same(own, other);
  assert.ok(await own.metric('liteoms_nats_stumbles_total') >= 2);
  admin.connection.close();
  await own.stop();
  await other.stop();
});

test('server and broker are killed together', async () => {
  const other = await Broker.start();
  let own = await Server.start({ config: configured(other) });
  for (let i = 0; i < 3; i++) {
    const admin = new Caller(own, 'admin');
    const working = work(admin, 30).catch(() => {});
    await sleep(120 + 500 * i);
    await Promise.all(i % 2 ? [own.kill(), other.kill()] : [other.kill(), own.kill()]);
    await working;
    admin.connection.close();
    await other.start();
    own = await Server.start({ data: own.data, config: configured(other) });
  }
  await same(own, other);
  await own.stop();
  await own.verify();
  await other.stop();
});

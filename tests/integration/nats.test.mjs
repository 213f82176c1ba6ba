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
  server = await Server.start({ config: configured(broker), args: ['--shards', '2'] });
  caller = new Caller(server, 'admin');
  await until(async () => (await server.metric('liteoms_nats_connected')) === 1, 10000, 'a connection');
  await until(() => server.events('nats.consuming').length, 10000, 'a consumer');
});
after(async () => {
  caller.connection.close();
  await server.stop();
  await server.verify();
  await broker.stop();
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
  await manager.consumers.delete('LITEOMS_IN', 'liteoms');
  const before = server.events('nats.consuming').length;
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

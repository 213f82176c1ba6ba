// A thousand clients at once on one order see one history. Idempotency under concurrency, and two orders' worth of
// expectedVersion conflicts.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Caller, Connection, basket } from './lib/client.mjs';
import { Server } from './lib/server.mjs';

let server, staff;
before(async () => {
  server = await Server.start({ args: ['--shards', '2'] });
  staff = new Caller(server);
});
after(async () => {
  staff.close();
  await server.stop();
  await server.verify();
});

const clients = 1000;

// One caller per connection; `each` gets its number.
async function crowd(count, token, each) {
  const connections = Array.from({ length: count }, () => new Connection(server));
  const results = await Promise.all(connections.map((connection, i) => each(connection, i, token)));
  connections.forEach((connection) => connection.destroy());
  return results;
}

async function events(orderId) {
  const all = [];
  for (let after = null, more = true; more;) {
    const page = (await staff.query(`query($id: ID!, $after: String) { getOrder(orderId: $id) { events(first: 200, after: $after) {
      nodes { sequence version type command change } pageInfo { hasNextPage endCursor } } } }`, { id: orderId, after })).getOrder.events;
    all.push(...page.nodes);
    ({ hasNextPage: more, endCursor: after } = page.pageInfo);
  }
  return all;
}

test(`${clients} clients on one order: versions without a gap, each accepted command once`, async () => {
  const { orderId } = await staff.does('createOrder', basket());
  const answers = await crowd(clients, staff.token, async (connection, i, token) => {
    const data = await connection.data(token, `mutation($input: AddNoteInput!) { addNote(input: $input) { userErrors { code message }
      order { version } } }`, { input: { orderId, note: `note ${i}`, idempotencyKey: `k-${i}` } });
    assert.deepEqual(data.addNote.userErrors, []);
    return data.addNote.order.version;
  });
  assert.deepEqual(answers.sort((a, b) => a - b), answers.map((_, i) => i + 2));
  const order = await staff.order(orderId, 'version notes { text }');
  assert.equal(order.version, clients + 1);
  assert.deepEqual(new Set(order.notes.map((note) => note.text)), new Set(Array.from({ length: clients }, (_, i) => `note ${i}`)));
  assert.equal(order.notes.length, clients);
  const history = await events(orderId);
  assert.deepEqual(history.map((event) => event.sequence), history.map((_, i) => i + 1));
  const added = history.filter((event) => event.type === 'NOTE_ADDED');
  assert.deepEqual(added.map((event) => event.version), added.map((_, i) => i + 2));
  assert.equal(new Set(added.map((event) => JSON.stringify(event.change))).size, clients);
});

test('clerks who race for the last item: as many win as there are', async () => {
  const { orderId } = await staff.does('createOrder', basket({ lineItems: [{ productSku: 'S', productName: 'S', vendor: { vendorId: 'v' },
    orderQuantity: 10, productPrice: { amount: '1', currency: 'USD' } }] }));
  const answers = await crowd(100, staff.token, async (connection, i, token) => (await connection.data(token,
    `mutation { addShipment(input: { orderId: "${orderId}", shipmentItems: [{ lineItemId: "1", quantity: 1 }] }) { userErrors { code } } }`))
    .addShipment.userErrors[0]?.code ?? 'done');
  assert.equal(answers.filter((code) => code === 'done').length, 10);
  assert.equal(answers.filter((code) => code === 'QUANTITY_EXCEEDED').length, 90);
  const order = await staff.order(orderId);
  assert.deepEqual([order.version, order.shipments.length, order.lineItems[0].allocatedQuantity], [11, 10, 10]);
});

test('one key from a hundred clients at once: done once, and all are told', async () => {
  const { orderId } = await staff.does('createOrder', basket());
  const answers = await crowd(100, staff.token, async (connection, i, token) => (await connection.data(token,
    `mutation { addNote(input: { orderId: "${orderId}", note: "once", idempotencyKey: "same" }) { replayed userErrors { code } order { version } } }`)).addNote);
  assert.equal(answers.filter((answer) => !answer.replayed).length, 1);
  assert.ok(answers.every((answer) => answer.userErrors.length === 0 && answer.order.version === 2));
  assert.equal((await staff.order(orderId)).notes.length, 1);
});

test('one reference from a hundred clients at once: one order', async () => {
  const input = basket();
  const answers = await crowd(100, staff.token, async (connection, i, token) => (await connection.data(token,
    'mutation($input: CreateOrderInput!) { createOrder(input: $input) { created replayed userErrors { code } order { orderId version } } }', { input })).createOrder);
  assert.equal(answers.filter((answer) => answer.created).length, 1);
  assert.equal(new Set(answers.map((answer) => answer.order.orderId)).size, 1);
  assert.ok(answers.every((answer) => answer.userErrors.length === 0 && answer.order.version === 1));
});

test('expectedVersion: one of many wins, the others are told the version', async () => {
  const { orderId } = await staff.does('createOrder', basket());
  const answers = await crowd(50, staff.token, async (connection, i, token) => (await connection.data(token,
    `mutation { addNote(input: { orderId: "${orderId}", note: "${i}", expectedVersion: 1 }) { userErrors { code message } order { version } } }`)).addNote);
  assert.equal(answers.filter((answer) => !answer.userErrors.length).length, 1);
  const lost = answers.filter((answer) => answer.userErrors.length);
  assert.ok(lost.every((answer) => answer.userErrors[0].code === 'CONFLICT' && /\b2\b/.test(answer.userErrors[0].message) && answer.order.version === 2));
});

test('many orders of many callers on few connections', async () => {
  const answers = await Promise.all(Array.from({ length: 400 }, (_, i) => staff.command('createOrder', basket({ customerDetails: { name: `n${i}` } }), { select: 'orderId' })));
  assert.equal(new Set(answers.map((answer) => answer.order.orderId)).size, 400);
});

// createOrders: many orders in one request, each with its own key and its own fate.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Caller, Connection, basket, orderFields } from './lib/client.mjs';
import { Server, sleep } from './lib/server.mjs';

let server, staff;
before(async () => {
  server = await Server.start({ args: ['--shards', '2'] });
  staff = new Caller(server);
});
after(async () => {
  staff.close();
  await server.stop();
});

const document = (select = 'orderId externalRef version') => `mutation($input: CreateOrdersInput!) { createOrders(input: $input) {
  clientMutationId result { success message } userErrors { code field message }
  results { index clientMutationId created replayed order { ${select} } userErrors { code field message } } } }`;

async function batch(caller, orders, { select, headers, more = {} } = {}) {
  return (await caller.query(document(select), { input: { orders, ...more } }, headers)).createOrders;
}

const made = (payload) => payload.results.filter((result) => result.created).length;

test('two hundred orders in one answer, each as if it had come alone', async () => {
  const orders = Array.from({ length: 200 }, (_, i) => basket({ clientMutationId: `c${i}`, lineItems: [
    { productSku: `S${i}`, productName: 'Thing', vendor: { vendorId: `v${i % 7}` }, orderQuantity: 1 + i,
      productPrice: { amount: '1.25', currency: 'USD' } }] }));
  const payload = await batch(staff, orders, { select: orderFields, more: { clientMutationId: 'the batch' } });
  assert.equal(payload.clientMutationId, 'the batch');
  assert.deepEqual(payload.result, { success: true, message: 'Done' });
  assert.deepEqual(payload.userErrors, []);
  assert.deepEqual(payload.results.map((result) => result.index), orders.map((_, i) => i));
  assert.equal(new Set(payload.results.map((result) => result.order.orderId)).size, 200);
  for (const [i, result] of payload.results.entries()) {
    assert.deepEqual([result.created, result.replayed, result.userErrors, result.clientMutationId], [true, false, [], `c${i}`]);
    assert.equal(result.order.externalRef, orders[i].externalRef);
    assert.equal(result.order.lineItems[0].orderQuantity, 1 + i);
  }
  for (const i of [0, 99, 199])
    assert.deepEqual(await staff.order(payload.results[i].order.orderId), payload.results[i].order);
});

test('partial failure: what is wrong is told with its place, and stops nothing else', async () => {
  const bad = basket();
  bad.lineItems[1].orderQuantity = 0;
  const orders = [basket(), bad, basket({ customerDetails: {} }), basket(), basket({ tenantId: 'other' }), basket({ tenantId: 'demo' })];
  const payload = await batch(staff, orders);
  assert.equal(payload.result.success, false);
  assert.equal(payload.result.message, '3 of 6 orders were refused: see their userErrors');
  assert.deepEqual(payload.userErrors, []);
  assert.deepEqual(payload.results.map((result) => result.created), [true, false, false, true, false, true]);
  assert.deepEqual(payload.results.map((result) => result.order === null), [false, true, true, false, true, false]);
  assert.deepEqual(payload.results[1].userErrors[0].field, ['input', 'orders', '1', 'lineItems', '1', 'orderQuantity']);
  assert.deepEqual(payload.results[2].userErrors[0].field.slice(0, 4), ['input', 'orders', '2', 'customerDetails']);
  assert.deepEqual(payload.results[4].userErrors[0].field, ['input', 'orders', '4', 'tenantId']);
  assert.deepEqual(payload.results[0].userErrors, []);
});

test('one reference twice in a batch: one order; another content is a conflict', async () => {
  const one = basket(), other = { ...basket(), externalRef: one.externalRef };
  other.lineItems = [{ ...one.lineItems[0], orderQuantity: 9 }];
  const { results, result } = await batch(staff, [one, one, other]);
  assert.deepEqual(results.map((item) => item.created), [true, false, false]);
  assert.equal(new Set(results.slice(0, 2).map((item) => item.order.orderId)).size, 1);
  assert.deepEqual(results[1].userErrors, []);
  assert.equal(results[2].userErrors[0].code, 'CONFLICT');
  assert.equal(results[2].userErrors[0].field[2], '2');
  assert.equal(results[2].order.orderId, results[0].order.orderId);
  assert.equal(result.success, false);
  assert.equal((await staff.order(results[0].order.orderId)).version, 1);
});

test('repeats: by reference, by key, by the header; other content under a key', async () => {
  const orders = [basket(), basket({ idempotencyKey: `k-${process.pid}-1` }), basket({ externalRef: undefined, idempotencyKey: `k-${process.pid}-2` })];
  const first = await batch(staff, orders), again = await batch(staff, orders);
  assert.deepEqual(first.results.map((item) => item.created), [true, true, true]);
  assert.deepEqual(again.results.map((item) => item.created && !item.replayed), [false, false, false]);
  assert.deepEqual(again.results.map((item) => item.replayed), [false, true, true]);
  assert.deepEqual(again.results.map((item) => item.order), first.results.map((item) => item.order));
  assert.equal(again.result.success, true);
  const changed = structuredClone(orders);
  changed[2].lineItems[0].orderQuantity = 77;
  const other = await batch(staff, changed);
  assert.deepEqual(other.results.map((item) => item.userErrors[0]?.code), [undefined, undefined, 'IDEMPOTENCY_MISMATCH']);

  const bare = [basket({ externalRef: undefined }), basket({ externalRef: undefined })];
  const headers = { 'idempotency-key': `h-${process.pid}` };
  const byHeader = await batch(staff, bare, { headers }), repeated = await batch(staff, bare, { headers });
  assert.equal(made(byHeader), 2);
  assert.notEqual(byHeader.results[0].order.orderId, byHeader.results[1].order.orderId);
  assert.deepEqual(repeated.results.map((item) => item.replayed), [true, true]);
  assert.deepEqual(repeated.results.map((item) => item.order), byHeader.results.map((item) => item.order));
});

test('none and too many are refused with the limit, and nothing is done', async () => {
  const none = await batch(staff, []);
  assert.deepEqual([none.result.success, none.results], [false, []]);
  assert.deepEqual([none.userErrors[0].code, none.userErrors[0].field], ['REQUIRED', ['input', 'orders']]);
  const orders = Array.from({ length: 201 }, () => basket());
  const many = await batch(staff, orders);
  assert.deepEqual([many.result.success, many.results, many.userErrors[0].code], [false, [], 'LIMIT_EXCEEDED']);
  assert.match(many.userErrors[0].message, /1 to 200 .* 201/);
  const { order } = await staff.query('query($r: String!) { order(by: { externalRef: { ref: $r } }) { orderId } }', { r: orders[0].externalRef });
  assert.equal(order, null);
});

test('a shape that the schema does not have refuses the document, and names the place', async () => {
  const orders = [basket(), basket()];
  orders[1].lineItems[0].orderQuantity = 'two';
  const answer = await staff.post(document(), { input: { orders } });
  assert.match(answer.json.errors[0].message, /orders\[1\]\.lineItems\[0\]\.orderQuantity/);
  assert.equal(answer.json.data, undefined);
});

test('aliases, fragments, skipped fields and selections that read the store', async () => {
  const orders = [basket(), basket(), basket({ lineItems: [] })];
  const data = await staff.query(`mutation($input: CreateOrdersInput!, $no: Boolean!) { all: createOrders(input: $input) {
    first: results { n: index order { ...Head } } results @skip(if: $no) { created }
    second: results { order { events(first: 1) { nodes { type version } } notes { text } } userErrors { code } } __typename } }
    fragment Head on Order { orderId __typename }`, { input: { orders }, no: true });
  assert.equal(data.all.__typename, 'CreateOrdersPayload');
  assert.equal(data.all.results, undefined);
  assert.deepEqual(data.all.first.map((item) => [item.n, item.order?.__typename]), [[0, 'Order'], [1, 'Order'], [2, undefined]]);
  assert.deepEqual(data.all.second.map((item) => item.order?.events.nodes.length), [1, 1, undefined]);
  assert.equal(data.all.second[2].userErrors.length, 1);
});

test('two batches in a document run one after the other', async () => {
  const orders = [basket(), basket()];
  const data = await staff.query(`mutation($input: CreateOrdersInput!) { a: createOrders(input: $input) { results { created } }
    b: createOrders(input: $input) { results { created } } }`, { input: { orders } });
  assert.deepEqual(data.a.results, [{ created: true }, { created: true }]);
  assert.deepEqual(data.b.results, [{ created: false }, { created: false }]);
});

test('what it costs: every order counts, shown or not', async () => {
  const cost = async (count, select) => {
    const answer = await staff.connection.post(staff.token, { query: `mutation($input: CreateOrdersInput!) { createOrders(input: $input) { ${select} } }`,
      variables: { input: { orders: Array.from({ length: count }, () => basket()) } }, extensions: { cost: true } });
    return answer.json.extensions.cost.requested;
  };
  const shown = 'results { order { orderId } }', hidden = 'result { success }';
  assert.ok(await cost(100, shown) - await cost(1, shown) >= 99 * 2);
  assert.ok(await cost(100, hidden) - await cost(1, hidden) >= 99);
});

test('one request of the rate, whatever its orders; the cost is refused before anything is done', async () => {
  const limited = await Server.start({ config: { graphql: { cost_max: 300 }, tenants: [{ name: 'demo', limits: { requests_per_second: 3 } }] } });
  try {
    const caller = new Caller(limited);
    const ask = (count) => caller.post(`mutation($input: CreateOrdersInput!) { createOrders(input: $input) { results { created } } }`,
      { input: { orders: Array.from({ length: count }, () => basket()) } });
    const answers = [];
    for (let i = 0; i < 2; i++) answers.push((await ask(100)).status);
    assert.deepEqual(answers, [200, 200]);
    await sleep(1100);
    const wide = await caller.post(document(orderFields), { input: { orders: Array.from({ length: 200 }, () => basket()) } });
    assert.equal(wide.json.errors[0].extensions.code, 'MAX_COST_EXCEEDED');
    caller.close();
    await limited.stop();
  } finally {
    if (!limited.gone) await limited.kill();
  }
});

test('who may not, and whose tenant it is not', async () => {
  const customer = staff.as('vendor', 'tea-house', { more: ['--vendor', 'tea-house'] });
  const payload = await batch(customer, [basket(), basket()]);
  assert.deepEqual(payload.results.map((item) => [item.userErrors[0].code, item.order]), [['FORBIDDEN', null], ['FORBIDDEN', null]]);
  assert.deepEqual(payload.results[1].userErrors[0].field, ['input', 'orders', '1']);
  const elsewhere = await staff.post(document(), { input: { tenantId: 'nobody', orders: [basket()] } });
  assert.equal(elsewhere.json.errors[0].extensions.code, 'FORBIDDEN');
  assert.equal(elsewhere.json.data, null);
});

test('orders of the largest size, and an answer of megabytes', async () => {
  const orders = Array.from({ length: 4 }, (_, n) => basket({ lineItems: Array.from({ length: 500 }, (__, i) => ({
    productSku: `B${n}-${i}`, productName: 'x'.repeat(200), vendor: { vendorId: 'v' }, orderQuantity: 1,
    productPrice: { amount: '0.01', currency: 'USD' } })) }));
  const payload = await batch(staff, orders, { select: orderFields });
  assert.equal(made(payload), 4);
  for (const result of payload.results) assert.equal(result.order.lineItems.length, 500);
});

// A batch whose answer is larger than an answer may be: it is done, and says so.
test('orders that are too large to be shown together are done all the same', async () => {
  const lines = Array.from({ length: 500 }, (_, i) => ({ productSku: `L${i}`, productName: 'n', vendor: { vendorId: 'v' }, orderQuantity: 1,
    productPrice: { amount: '0.01', currency: 'USD' } }));
  const orders = Array.from({ length: 12 }, () => basket({ lineItems: lines }));
  const wide = Array.from({ length: 40 }, (_, i) => `l${i}: lineItems { lineItemId productSku productName vendor { vendorId } orderQuantity }`).join(' ');
  const answer = await staff.post(`mutation($input: CreateOrdersInput!) { createOrders(input: $input) { result { success }
    results { created userErrors { code } order { orderId ${wide} } } } }`, { input: { orders } });
  assert.equal(answer.status, 200, answer.body.slice(0, 500));
  const { results, result } = answer.json.data.createOrders;
  assert.equal(result.success, true);
  assert.equal(results.filter((item) => item.created).length, 12);
  assert.ok(results.some((item) => item.order) && results.some((item) => !item.order));
  assert.equal(answer.json.errors.length, results.filter((item) => !item.order).length);
  assert.equal(answer.json.errors[0].extensions.code, 'RESPONSE_TOO_LARGE');
  assert.deepEqual(answer.json.errors[0].path, ['createOrders']);
  const found = await staff.query('query($r: String!) { order(by: { externalRef: { ref: $r } }) { orderId } }', { r: orders[11].externalRef });
  assert.ok(found.order);
});

test('a client that goes away in the middle', async () => {
  const orders = Array.from({ length: 100 }, () => basket());
  for (let i = 0; i < 5; i++) {
    const connection = new Connection(server);
    const answer = connection.post(staff.token, document(orderFields), { input: { orders } });
    await sleep(i * 3);
    connection.destroy();
    await answer;
  }
  const { results } = await batch(staff, orders);
  assert.equal(results.filter((item) => item.userErrors.length).length, 0);
  assert.equal(new Set(results.map((item) => item.order.orderId)).size, 100);
  assert.ok(results.every((item) => item.order.version === 1));
});

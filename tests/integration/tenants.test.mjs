// Tenants by the operator: created, changed, suspended, removed and brought back while the server runs; limits that are
// reached exactly under a crowd; usage; and what stays through restarts. Two shards, so that counts cross threads.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, before, test } from 'node:test';

import { Caller, Connection, basket } from './lib/client.mjs';
import { Server, curl, fresh, until } from './lib/server.mjs';
import { EventStream, tenantEvents } from './lib/streams.mjs';

const data = fresh('-data');
const config = (more = {}) => ({ tenants: [
  { name: 'acme', currency: 'EUR', webhooks: [{ provider: 'wss', secrets: ['s3cret'] }], ...more }, { name: 'other' }] });
const start = (more) => Server.start({ data, config: config(more), args: ['--shards', '2'] });
let server, operator, admin, staff;

function callers() {
  operator = new Caller(server, 'operator', 'op', { tenant: 'demo' });
  admin = new Caller(server, 'admin', 'ann', { tenant: 'acme' });
  staff = admin.as('staff', 'sam', { tenant: 'acme' });
}
async function restart(more, how = 'stop') {
  operator.close();
  admin.close();
  await server[how]();
  server = await start(more);
  callers();
}
before(async () => { server = await start(); callers(); });
after(async () => {
  operator.close();
  admin.close();
  await server.stop();
  await server.verify();
});

const tenantFields = `tenantId status statusReason statusChangedBy statusChangedAt createdAt defaultCurrency corsOrigins
  limits { requestsPerSecond openOrders streams storedEvents } usage { openOrders storedEvents streams requestsLastMinute webhooksWaiting apiKeys }`;
async function change(name, input, caller = operator) {
  const type = `${name[0].toUpperCase()}${name.slice(1)}Input`;
  return (await caller.query(`mutation($input: ${type}!) { ${name}(input: $input) { clientMutationId replayed result { success message }
    userErrors { code field message } tenant { ${tenantFields} } } }`, { input }))[name];
}
async function does(name, input, caller) {
  const payload = await change(name, input, caller);
  assert.deepEqual(payload.userErrors, [], `${name} ${JSON.stringify(input)}`);
  return payload.tenant;
}
async function refused(code, name, input, caller) {
  const payload = await change(name, input, caller);
  assert.equal(payload.userErrors[0]?.code, code, `${name} ${JSON.stringify(input)}: ${JSON.stringify(payload)}`);
  return payload.userErrors[0];
}
const tenant = async (tenantId, caller = operator) => (await caller.query(`query($id: ID) { tenant(tenantId: $id) { ${tenantFields} } }`, { id: tenantId })).tenant;

test('a tenant is created, and works at once on every shard', async () => {
  const made = await does('createTenant', { name: 'bakery', currency: 'GBP', corsOrigins: ['https://bakery.example'], limits: { streams: 7 }, clientMutationId: 'c' });
  assert.deepEqual([made.tenantId, made.status, made.defaultCurrency, made.corsOrigins, made.limits],
    ['bakery', 'ACTIVE', 'GBP', ['https://bakery.example'], { requestsPerSecond: 0, openOrders: 0, streams: 7, storedEvents: 0 }]);
  assert.ok(Math.abs(Date.now() - Date.parse(made.createdAt)) < 60000);
  const baker = admin.as('staff', 'bea', { tenant: 'bakery' });
  for (let i = 0; i < 8; i++) {
    const connection = new Connection(server); // whichever shard takes it
    const answer = await connection.data(baker.token, '{ viewer { tenant { tenantId } } }');
    assert.equal(answer.viewer.tenant.tenantId, 'bakery');
    connection.close();
  }
  assert.equal((await baker.does('createOrder', basket())).stage, 'CONFIRMED');
  const preflight = await curl(`${server.url}/graphql`, '-X', 'OPTIONS', '-H', 'Origin: https://bakery.example', '-H', 'Access-Control-Request-Method: POST');
  assert.ok(preflight.headers['access-control-allow-origin'], JSON.stringify(preflight));
});

test('the same name twice, and the same key twice', async () => {
  assert.deepEqual((await refused('DUPLICATE', 'createTenant', { name: 'acme' })).field, ['input', 'name']);
  const first = await change('createTenant', { name: 'twice', idempotencyKey: 'k' });
  const again = await change('createTenant', { name: 'twice', idempotencyKey: 'k' });
  assert.deepEqual([first.replayed, again.replayed, again.userErrors, again.tenant.tenantId], [false, true, [], 'twice']);
  await refused('IDEMPOTENCY_MISMATCH', 'createTenant', { name: 'twice', currency: 'USD', idempotencyKey: 'k' });
  await refused('DUPLICATE', 'createTenant', { name: 'twice' });
  // A crowd that wants one name: one of them gets it.
  const crowd = await Promise.all(Array.from({ length: 20 }, (_, i) => change('createTenant', { name: 'wanted', idempotencyKey: `w${i}` })));
  assert.equal(crowd.filter((one) => one.userErrors.length === 0).length, 1);
  const suspended = await change('suspendTenant', { tenantId: 'wanted', idempotencyKey: 's' });
  await does('activateTenant', { tenantId: 'wanted' });
  const repeat = await change('suspendTenant', { tenantId: 'wanted', idempotencyKey: 's' });
  assert.deepEqual([suspended.replayed, repeat.replayed, repeat.tenant.status], [false, true, 'ACTIVE']);
});

test('only the operator, by an issuer that may say so', async () => {
  const strangers = [admin, staff, admin.as('customer', 'carol', { tenant: 'acme' }), admin.as(['admin', 'staff'], 'op', { tenant: 'acme' })];
  for (const who of strangers) {
    for (const [name, input] of [['createTenant', { name: 'mine' }], ['suspendTenant', { tenantId: 'acme' }], ['activateTenant', { tenantId: 'acme' }],
      ['removeTenant', { tenantId: 'acme', confirm: 'acme' }], ['updateTenant', { tenantId: 'acme', limits: { streams: 1 } }]]) {
      const payload = await change(name, input, who).catch((error) => ({ error }));
      assert.equal(payload.userErrors?.[0].code, 'FORBIDDEN', name + JSON.stringify(payload.error?.message ?? payload));
    }
    // The same words for a tenant that is there, that is another's, and that is not there.
    const words = await Promise.all(['acme', 'other', 'nowhere'].map(async (tenantId) => (await refused('FORBIDDEN', 'suspendTenant', { tenantId }, who)).message));
    assert.equal(new Set(words).size, 1);
    assert.equal((await who.post('{ tenants { nodes { tenantId } } }')).json.errors[0].extensions.code, 'FORBIDDEN');
    const seen = (await who.post('{ tenant { tenantId status limits { streams } usage { openOrders } corsOrigins statusReason } }')).json;
    assert.deepEqual([seen.data.tenant.limits, seen.data.tenant.usage, seen.data.tenant.corsOrigins], [null, null, null]);
    assert.ok(seen.errors.every((error) => error.extensions.code === 'FORBIDDEN'));
  }
  assert.equal((await tenant('acme')).status, 'ACTIVE');
  await refused('NOT_FOUND', 'suspendTenant', { tenantId: 'nowhere' });
});

test('the list of tenants, by pages and by status', async () => {
  const names = [];
  for (let cursor = null, more = true; more;) {
    const page = (await operator.query('query($after: String) { tenants(first: 2, after: $after) { nodes { tenantId } edges { cursor node { tenantId } } pageInfo { hasNextPage hasPreviousPage endCursor } } }', { after: cursor })).tenants;
    assert.ok(page.nodes.length <= 2);
    assert.equal(page.pageInfo.hasPreviousPage, cursor !== null);
    assert.equal(page.edges.at(-1).cursor, page.pageInfo.endCursor);
    names.push(...page.nodes.map((one) => one.tenantId));
    cursor = page.pageInfo.endCursor;
    more = page.pageInfo.hasNextPage;
  }
  assert.deepEqual(names, ['acme', 'other', 'demo', 'bakery', 'twice', 'wanted']);
  await does('suspendTenant', { tenantId: 'twice' });
  const list = async (status) => (await operator.query('query($status: TenantStatus) { tenants(status: $status) { nodes { tenantId } } }', { status })).tenants.nodes.map((one) => one.tenantId);
  assert.deepEqual(await list('SUSPENDED'), ['twice']);
  assert.deepEqual(await list('REMOVED'), []);
  for (const args of ['first: 0', 'first: 201', 'after: "x"', 'after: "t"', 'after: "t-1"']) assert.equal((await operator.post(`{ tenants(${args}) { nodes { tenantId } } }`)).json.errors[0].extensions.code, 'BAD_USER_INPUT', args);
});

test('settings: bad ones are refused whole, good ones hold at once', async () => {
  for (const [input, field] of [[{ limits: { openOrders: -1 } }, ['input', 'limits', 'openOrders']], [{ corsOrigins: ['https://a.example/'] }, ['input', 'corsOrigins']],
    [{ currency: 'XXQ' }, ['input', 'currency']], [{ currency: 'USD', corsOrigins: ['nonsense'] }, ['input', 'corsOrigins']]])
    assert.deepEqual((await refused('INVALID', 'updateTenant', { tenantId: 'acme', ...input })).field, field);
  assert.equal((await tenant('acme')).defaultCurrency, 'EUR');
  for (const name of ['', '-a', 'A', 'a b', 'x'.repeat(65)]) await refused('INVALID', 'createTenant', { name });
  await refused('REQUIRED', 'updateTenant', { currency: 'USD' });
  const now = await does('updateTenant', { tenantId: 'acme', currency: 'USD', limits: { streams: 3 } });
  assert.deepEqual([now.defaultCurrency, now.limits.streams, now.limits.openOrders], ['USD', 3, 0]);
  assert.equal((await does('updateTenant', { tenantId: 'acme', limits: { openOrders: 1000 } })).limits.streams, 3);
});

function deliver(secret, tenantId, body, topic = 'tenant_create_order') {
  const text = JSON.stringify(body), time = String(Math.floor(Date.now() / 1000));
  const signature = crypto.createHmac('sha256', secret).update(`${time}.${text}`).digest('hex');
  return curl(`${server.url}/webhook/wss/${tenantId}/${topic}`, '-H', `X-Wss-Signature-V2: ${signature}`, '-H', `X-Wss-Timestamp: ${time}`,
    '-H', 'Content-Type: application/json', '-d', text);
}

test('suspended: reads only; removed: as if there were none; activated: all of it again', async () => {
  const { orderId } = await staff.does('createOrder', basket());
  const stream = async () => new EventStream(admin.connection.session, tenantEvents, { token: staff.token });
  let live = await (await stream()).attached();
  const now = await does('suspendTenant', { tenantId: 'acme', reason: 'unpaid since May' });
  assert.deepEqual([now.status, now.statusReason, now.statusChangedBy], ['SUSPENDED', 'unpaid since May', 'op']);
  assert.ok(now.statusChangedAt);
  assert.equal((await staff.order(orderId)).orderId, orderId);
  await staff.refused('TENANT_SUSPENDED', 'addNote', { orderId, note: 'x' });
  await staff.refused('TENANT_SUSPENDED', 'createOrder', basket());
  await refused('TENANT_SUSPENDED', 'updateTenant', { currency: 'USD' }, admin.as('operator', 'x', { tenant: 'acme' })).catch(() => {});
  const kept = await deliver('s3cret', 'acme', { external_ref: 'W-1' });
  assert.deepEqual([kept.status, Boolean(kept.headers['retry-after'])], [503, true], kept.body);
  assert.equal(live.ended, undefined);
  live.close();

  live = await (await stream()).attached();
  assert.deepEqual((await refused('INVALID', 'removeTenant', { tenantId: 'acme', confirm: 'acne' })).field, ['input', 'confirm']);
  const removed = await does('removeTenant', { tenantId: 'acme', confirm: 'acme' });
  assert.equal(removed.status, 'REMOVED');
  await until(() => live.ended || live.completed, 20000, 'the end of the stream of a removed tenant');
  assert.equal(live.errors[0].extensions.code, 'FORBIDDEN');
  const gone = await staff.post('query($id: ID!) { getOrder(orderId: $id) { orderId } }', { id: orderId });
  const never = await staff.as('staff', 'sam', { tenant: 'nowhere' }).post('query($id: ID!) { getOrder(orderId: $id) { orderId } }', { id: orderId });
  assert.deepEqual(gone.json, never.json);
  assert.equal(gone.json.errors[0].extensions.code, 'FORBIDDEN');
  const unknown = await deliver('s3cret', 'nowhere', { external_ref: 'W-1' }), was = await deliver('s3cret', 'acme', { external_ref: 'W-1' });
  assert.deepEqual([was.status, was.body], [unknown.status, unknown.body]);
  assert.equal((await curl(`${server.url}/export/orders.jsonl`, '-H', `Authorization: Bearer ${staff.token}`)).status,
    (await curl(`${server.url}/export/orders.jsonl`, '-H', `Authorization: Bearer ${staff.as('staff', 'sam', { tenant: 'nowhere' }).token}`)).status);
  assert.equal((await tenant('acme')).status, 'REMOVED');
  await refused('DUPLICATE', 'createTenant', { name: 'acme' });
  await refused('INVALID', 'suspendTenant', { tenantId: 'acme' });

  await restart(); // the configuration still names it
  assert.equal((await tenant('acme')).status, 'REMOVED');
  assert.equal((await staff.post('{ viewer { subject } }')).json.errors[0].extensions.code, 'FORBIDDEN');
  assert.equal((await does('activateTenant', { tenantId: 'acme' })).status, 'ACTIVE');
  assert.equal((await staff.order(orderId)).orderId, orderId);
  await staff.does('addNote', { orderId, note: 'back' });
});

test('in a storm nothing is accepted behind the answer to a suspension or a removal', async () => {
  const crowd = Array.from({ length: 8 }, () => { const one = admin.as(staff.token); one.connection = new Connection(server); return one; });
  const orders = await Promise.all(crowd.map((one) => one.does('createOrder', basket())));
  for (const [name, input, code] of [['suspendTenant', {}, 'TENANT_SUSPENDED'], ['removeTenant', { confirm: 'acme' }, 'FORBIDDEN']]) {
    let over = false;
    const storm = crowd.map(async (one, i) => {
      for (let late = 0; late < 5;) {
        const sentLate = over;
        const { json } = await one.post('mutation($input: AddNoteInput!) { addNote(input: $input) { userErrors { code } } }', { input: { orderId: orders[i].orderId, note: 'x' } });
        if (!sentLate) continue;
        late++;
        assert.equal(json.errors?.[0].extensions.code ?? json.data.addNote.userErrors[0]?.code, code, JSON.stringify(json));
      }
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await does(name, { tenantId: 'acme', ...input });
    over = true;
    await Promise.all(storm);
    await does('activateTenant', { tenantId: 'acme' });
  }
  crowd.forEach((one) => one.close());
});

test('what the API set stays through a restart with the same configuration; a new one wins where it differs', async () => {
  await does('updateTenant', { tenantId: 'acme', currency: 'CHF', corsOrigins: ['https://acme.example'], limits: { streams: 9 } });
  await does('suspendTenant', { tenantId: 'acme', reason: 'holiday' });
  await restart(undefined, 'kill');
  let now = await tenant('acme');
  assert.deepEqual([now.defaultCurrency, now.corsOrigins, now.limits.streams, now.status, now.statusReason], ['CHF', ['https://acme.example'], 9, 'SUSPENDED', 'holiday']);
  await restart({ currency: 'SEK' });
  now = await tenant('acme');
  assert.deepEqual([now.defaultCurrency, now.limits.streams, now.status], ['SEK', 9, 'SUSPENDED']);
  await does('activateTenant', { tenantId: 'acme' });
  await restart({ currency: 'SEK', limits: { streams: 4 } });
  assert.equal((await tenant('acme')).limits.streams, 4);
  await restart();
  assert.deepEqual([(await tenant('bakery')).limits.streams, (await tenant('bakery')).defaultCurrency], [7, 'GBP']);
});

test('open orders: the limit is reached exactly by a crowd on two shards, and closing makes room', async () => {
  await does('createTenant', { name: 'small', limits: { openOrders: 25 } });
  const token = admin.as('staff', 'sue', { tenant: 'small' }).token;
  const crowd = Array.from({ length: 4 }, () => { const one = admin.as(token); one.connection = new Connection(server); return one; });
  const payloads = await Promise.all(Array.from({ length: 80 }, (_, i) => crowd[i % 4].command('createOrder', basket())));
  const made = payloads.filter((one) => one.userErrors.length === 0), over = payloads.filter((one) => one.userErrors.length);
  assert.deepEqual([made.length, over.length], [25, 55]);
  for (const one of over) {
    assert.equal(one.userErrors[0].code, 'LIMIT_EXCEEDED');
    assert.deepEqual(one.userErrors[0].field, ['input', 'tenantId']);
    assert.match(one.userErrors[0].message, /25 open orders.*open_orders is 25/);
    assert.equal(one.order, null);
  }
  const usage = async () => (await tenant('small')).usage;
  assert.equal((await usage()).openOrders, 25);
  await until(async () => await server.metric('liteoms_commands_over_limit_total') === 55, 5000, 'the counter');
  assert.ok(server.events('tenant.changed').some((event) => event.tenant === 'small' && event.by_mutation === 'createTenant' && event.subject === 'op'));
  // A repeat of one that was made is no new order.
  const input = basket();
  await crowd[0].does('cancelOrder', { orderId: made[0].order.orderId, cancellationReason: 'x' });
  assert.equal((await usage()).openOrders, 24);
  const one = await crowd[0].does('createOrder', input);
  assert.equal((await crowd[1].does('createOrder', input)).orderId, one.orderId);
  await crowd[2].refused('LIMIT_EXCEEDED', 'createOrder', basket());
  // Facts are never refused.
  await crowd[0].does('addNote', { orderId: one.orderId, note: 'x' });
  const batch = (await crowd[0].query('mutation($input: CreateOrdersInput!) { createOrders(input: $input) { results { created userErrors { code } } } }',
    { input: { orders: [basket(), input] } })).createOrders.results;
  assert.deepEqual(batch.map((item) => item.userErrors[0]?.code), ['LIMIT_EXCEEDED', undefined]);
  await does('updateTenant', { tenantId: 'small', limits: { openOrders: 27 } });
  const more = await Promise.all(Array.from({ length: 10 }, (_, i) => crowd[i % 4].command('createOrder', basket())));
  assert.equal(more.filter((item) => item.userErrors.length === 0).length, 2);
  crowd.forEach((item) => item.close());
});

test('stored events: creations are refused at the limit, orders that are there go on; counts survive kill -9', async () => {
  await does('createTenant', { name: 'chatty' });
  const clerk = () => admin.as('staff', 'cy', { tenant: 'chatty' });
  const { orderId } = await clerk().does('createOrder', basket());
  const stored = async () => (await tenant('chatty')).usage.storedEvents;
  const count = async () => (await clerk().query('{ tenantEventLog(first: 200) { nodes { id } } }')).tenantEventLog.nodes.length;
  const first = await stored();
  assert.ok(first >= 1);
  await does('updateTenant', { tenantId: 'chatty', limits: { storedEvents: first + 2 } });
  for (let i = 0; i < 5; i++) await clerk().does('addNote', { orderId, note: `n${i}` });
  assert.equal(await stored(), await count());
  const [error] = (await clerk().refused('LIMIT_EXCEEDED', 'createOrder', basket())).userErrors;
  assert.match(error.message, /stored events.*stored_events/);
  const before_ = [await stored(), (await tenant('small')).usage.openOrders];
  await restart(undefined, 'kill');
  assert.deepEqual([await stored(), (await tenant('small')).usage.openOrders], before_);
  await clerk().refused('LIMIT_EXCEEDED', 'createOrder', basket());
  // A storefront's webhook is told to come again, and nothing remembers a refusal.
  const limits = { storedEvents: (await tenant('acme')).usage.storedEvents };
  const order = { external_ref: 'W-9', customer_details: { name: 'Ada' }, destination: { city: 'Berlin', country: 'DE' }, product_skus: [{ product_sku: 'TEA', product_name: 'Tea', vendor_id: 'tea', order_quantity: 1, product_price: { amount: '1.00', currency: 'USD' } }] };
  await does('updateTenant', { tenantId: 'acme', limits });
  const full = await deliver('s3cret', 'acme', order);
  assert.deepEqual([full.status, Boolean(full.headers['retry-after'])], [503, true], full.body);
  assert.match(full.body, /LIMIT_EXCEEDED/);
  await does('updateTenant', { tenantId: 'acme', limits: { storedEvents: 0 } });
  const room = await deliver('s3cret', 'acme', order);
  assert.ok(room.status < 300, `${room.status} ${room.body}`);
  // An update ahead of its order waits, and is counted.
  assert.equal((await tenant('acme')).usage.webhooksWaiting, 0);
  const early = await deliver('s3cret', 'acme', { tracking_number: 'T-77', status: 'delivered', occurred_at: new Date().toISOString() }, 'shipment_tracker');
  assert.equal(early.status, 202, early.body);
  assert.equal((await tenant('acme')).usage.webhooksWaiting, 1);
  await restart(undefined, 'kill');
  assert.equal((await tenant('acme')).usage.webhooksWaiting, 1);
  await does('updateTenant', { tenantId: 'chatty', limits: { storedEvents: 0 } });
  await clerk().does('createOrder', basket());
});

test('counts are exact after kill -9 in the middle of work, and verify agrees', async () => {
  for (let round = 0; round < 3; round++) {
    const clerks = Array.from({ length: 4 }, () => { const one = admin.as('staff', 'cy', { tenant: 'chatty' }); one.connection = new Connection(server); return one; });
    let going = true;
    const work = clerks.map(async (one) => {
      while (going) {
        const payload = await one.command('createOrder', basket()).catch(() => undefined);
        if (payload?.order && Math.random() < 0.5) await one.command('cancelOrder', { orderId: payload.order.orderId, cancellationReason: 'x' }).catch(() => undefined);
      }
    });
    await new Promise((resolve) => setTimeout(resolve, 700));
    operator.close();
    admin.close();
    const dead = server.kill(); // in the middle of it
    going = false;
    await dead;
    await Promise.all(work);
    clerks.forEach((one) => one.close());
    await server.verify();
    server = await start();
    callers();
    const clerk = admin.as('staff', 'cy', { tenant: 'chatty' });
    const open = (await clerk.query('{ ordersCount(filter: { stage: [DRAFT, PENDING, CONFIRMED, SHIPPED] }) { count precision } }')).ordersCount;
    assert.equal(open.precision, 'EXACT');
    const { usage } = await tenant('chatty');
    assert.equal(usage.openOrders, open.count);
    let events = 0;
    for (let cursor = '0', more = true; more;) {
      const page = (await clerk.query('query($after: String) { tenantEventLog(first: 200, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } }', { after: cursor })).tenantEventLog;
      events += page.nodes.length;
      cursor = page.pageInfo.endCursor;
      more = page.pageInfo.hasNextPage;
    }
    assert.equal(usage.storedEvents, events);
  }
});

test('usage tells streams and requests; a flooded tenant can still be suspended', async () => {
  await does('updateTenant', { tenantId: 'other', limits: { requestsPerSecond: 2 } });
  const reader = admin.as('staff', 'ria', { tenant: 'acme' });
  const stream = await new EventStream(admin.connection.session, tenantEvents, { token: reader.token }).attached();
  for (let i = 0; i < 10; i++) await reader.query('{ viewer { subject } }');
  const { usage } = await tenant('acme');
  assert.equal(usage.streams, 1);
  assert.ok(usage.requestsLastMinute >= 10 && usage.requestsLastMinute < 200, String(usage.requestsLastMinute));
  stream.close();
  const flood = admin.as('staff', 'flo', { tenant: 'other' });
  const answers = await Promise.all(Array.from({ length: 20 }, () => flood.post('{ viewer { subject } }')));
  assert.ok(answers.some((answer) => answer.status === 429));
  for (let i = 0; i < 5; i++) await does(i % 2 ? 'activateTenant' : 'suspendTenant', { tenantId: 'other' });
});

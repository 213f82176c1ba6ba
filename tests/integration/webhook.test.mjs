// Webhooks in, over HTTP/1.1 and HTTP/2: signatures made by Node's own crypto, not by ours; good and bad deliveries of every
// kind, repeats in a row, side by side and across kill -9, updates that come too early, the operator's carrier account.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { Caller, Connection } from './lib/client.mjs';
import { Server, fresh, program, run, sleep, until } from './lib/server.mjs';

const hmac = (secret, text, form) => crypto.createHmac('sha256', secret).update(text).digest(form);
const seconds = () => Math.floor(Date.now() / 1000);
const standardSecret = `whsec_${crypto.randomBytes(24).toString('base64')}`;
const secretFile = fresh('-secret');
fs.writeFileSync(secretFile, 'in-a-file\nolder\n');

const config = {
  tenants: [
    { name: 'demo', webhooks: [
      { provider: 'wss', secrets: ['new', 'old'] },
      { provider: 'shopify', secrets: ['shop'] },
      { provider: 'standard', secrets: [standardSecret], map: { 'orders/create': {
        externalRef: { $text: '$.data.number' }, customerDetails: { name: '$.data.who' },
        destination: { city: { $value: 'Berlin' }, country: { $value: 'DE' } },
        lineItems: { $each: '$.data.positions', item: { productSku: '$.article', productName: '$.article',
          vendor: { vendorId: { $value: 'v' } }, orderQuantity: { $integer: '$.count' },
          productPrice: { amount: '$.price', currency: '$$.data.currency' } } } } } },
      { provider: 'github', secret_file: secretFile, topics: ['orders/paid'] },
      { provider: 'stripe', secrets: ['whsec_stripe'] },
    ] },
    { name: 'other', webhooks: [{ provider: 'wss', secrets: ['others'], max_age_seconds: 60 }] },
    { name: 'asleep', status: 'suspended', webhooks: [{ provider: 'wss', secrets: ['new'] }] },
    { name: 'bare' },
  ],
  webhooks: [{ provider: 'easypost', secrets: ['carrier'] }],
};

// Headers of a delivery as each provider makes them.
const signed = {
  wss: (body, secret = 'new') => ({ 'x-wss-signature': hmac(secret, body, 'hex') }),
  wss2: (body, secret = 'new', at = seconds()) => ({ 'x-wss-timestamp': `${at}`, 'x-wss-signature-v2': hmac(secret, `${at}.${body}`, 'hex') }),
  github: (body, secret = 'in-a-file') => ({ 'x-github-delivery': crypto.randomUUID(), 'x-hub-signature-256': `sha256=${hmac(secret, body, 'hex')}` }),
  shopify: (body, secret = 'shop') => ({ 'x-shopify-webhook-id': crypto.randomUUID(), 'x-shopify-hmac-sha256': hmac(secret, body, 'base64') }),
  standard: (body, id = `msg_${crypto.randomUUID()}`, at = seconds()) => ({ 'webhook-id': id, 'webhook-timestamp': `${at}`,
    'webhook-signature': `v1,${hmac(Buffer.from(standardSecret.slice(6), 'base64'), `${id}.${at}.${body}`, 'base64')}` }),
  stripe: (body, at = seconds()) => ({ 'stripe-signature': `t=${at},v1=${hmac('whsec_stripe', `${at}.${body}`, 'hex')}` }),
  easypost: (body, path, at = new Date().toUTCString().replace('GMT', '-0000')) => ({ 'x-timestamp': at, 'x-path': path,
    'x-hmac-signature-v2': `hmac-sha256-hex=${hmac('carrier', `${at}POST${path}${body}`, 'hex')}` }),
};

let server, h2, caller;

const answerOf = (answer) => {
  try { answer.json = JSON.parse(answer.body); } catch { answer.json = undefined; }
  return answer;
};

// One delivery over HTTP/2, or over HTTP/1.1.
async function send(path, headers, body, type = 'application/json') {
  const all = { ...headers, ...(type ? { 'content-type': type } : {}) };
  return answerOf(await h2.send({ ':method': 'POST', ':path': path, ...all }, body));
}

const send1 = (path, headers, body) => new Promise((resolve, reject) => {
  const request = http.request(`${server.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers } }, (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (part) => { text += part; });
    response.on('end', () => resolve(answerOf({ status: response.statusCode, headers: response.headers, body: text })));
  });
  request.on('error', reject);
  request.end(body);
});

const wss = (topic, payload, sign = signed.wss, tenant = 'demo') => {
  const body = typeof payload === 'string' ? payload : JSON.stringify(payload);
  return send(`/webhook/wss/${tenant}/${topic}`, sign(body), body);
};

let references = 0;
const reference = () => `W-${process.pid}-${++references}`;
const order = (ref, more = {}) => ({ external_ref: ref, customer_details: { name: 'Ada Byron' }, destination: { city: 'Berlin', country: 'DE' },
  product_skus: [{ product_sku: 'TEA', product_name: 'Tea', vendor_id: 'tea', order_quantity: 2, product_price: { amount: '8.40', currency: 'EUR' } }], ...more });

const find = async (ref, source = 'wss') => (await caller.query(`query($ref: String!, $source: String) { order(by: { externalRef: { source: $source, ref: $ref } }) {
  orderId version stage paymentStatus fulfillmentStatus source payments { transactionId } shipments { status trackingReference }
  events(first: 50) { nodes { type command actor { kind subject } } } } }`, { ref, source })).order;

function connect() {
  h2 = new Connection(server);
  caller = new Caller(server, 'admin');
}
before(async () => {
  server = await Server.start({ config, args: ['--shards', '2'] });
  connect();
});
after(async () => {
  h2.close();
  caller.connection.close();
  if (!server.gone) {
    await server.stop();
    await server.verify();
  }
});

test('an order comes, is paid, leaves and arrives', async () => {
  const ref = reference(), body = JSON.stringify(order(ref, { tenant_id: 'demo' }));
  const first = await send1('/webhook/wss/demo/tenant_create_order', signed.wss(body), body);
  assert.equal(first.status, 200, first.body);
  assert.deepEqual(Object.keys(first.json), ['status', 'orderId', 'version']);
  assert.equal((await wss('orders/paid', { external_ref: ref, amount: { amount: '16.80', currency: 'EUR' }, method: 'card', transaction_id: 'T' }, signed.wss2)).status, 200);
  const left = await wss('fulfillments%2Fupdate', { external_ref: ref, tracking_number: `TR-${ref}`, status: 'shipped', occurred_at: '2026-01-02T00:00:00Z', items: [{ product_sku: 'TEA', quantity: 2 }] });
  assert.equal(left.status, 200, left.body);
  assert.equal((await wss('shipment_tracker', { tracking_number: `TR-${ref}`, status: 'delivered', occurred_at: '2026-01-04T00:00:00Z' })).status, 200);
  // A scan that comes late takes nothing back.
  assert.equal((await wss('shipment_tracker', { tracking_number: `TR-${ref}`, status: 'in_transit', occurred_at: '2026-01-03T00:00:00Z' })).status, 200);
  const found = await find(ref);
  assert.equal(found.orderId, first.json.orderId);
  assert.deepEqual([found.stage, found.paymentStatus, found.fulfillmentStatus, found.source], ['SHIPPED', 'PAID', 'DELIVERED', 'wss']);
  assert.deepEqual(found.shipments, [{ status: 'DELIVERED', trackingReference: `TR-${ref}` }]);
  assert.ok(found.events.nodes.every((event) => event.actor.kind === 'WEBHOOK' && event.actor.subject === 'wss'));
  assert.equal(found.events.nodes.at(-1).type, 'SHIPMENT_SCANNED');
});

test('every provider in its own way', async () => {
  const shop = { id: 7000000001, currency: 'EUR', total_price: '21.70', total_discounts: '0.00', email: 'ada@example.com',
    customer: { id: 99, first_name: 'Ada', last_name: 'Byron' }, shipping_address: { name: 'Ada', address1: 'A 1', city: 'Berlin', zip: '10115', country_code: 'DE' },
    line_items: [{ id: 1, sku: 'TEA', name: 'Tea', vendor: 'tea', quantity: 2, price: '8.40', taxable: true }], shipping_lines: [{ title: 'Post', price: '4.90' }] };
  const shopify = (topic, payload) => { const body = JSON.stringify(payload); return send(`/webhook/shopify/demo/${topic}`, signed.shopify(body), body); };
  const created = await shopify('orders/create', shop);
  assert.equal(created.status, 200, created.body);
  assert.equal((await shopify('orders/paid', { ...shop, gateway: 'card' })).status, 200);
  const fulfilled = await shopify('fulfillments/update', { id: 5, order_id: shop.id, tracking_number: 'SH-1', tracking_company: 'DHL', status: 'success',
    updated_at: '2026-01-02T00:00:00+01:00', line_items: [{ sku: 'TEA', quantity: 1 }] });
  assert.equal(fulfilled.status, 200, fulfilled.body);
  const bought = await find('7000000001', 'shopify');
  assert.deepEqual([bought.paymentStatus, bought.fulfillmentStatus, bought.stage], ['PAID', 'PARTIALLY_SHIPPED', 'CONFIRMED']);

  const mapped = JSON.stringify({ type: 'order', data: { number: 4711, who: 'Ada', currency: 'EUR', positions: [{ article: 'TEA', count: '2', price: 8.4 }] } });
  const standard = await send('/webhook/standard/demo/orders/create', signed.standard(mapped), mapped);
  assert.equal(standard.status, 200, standard.body);
  assert.equal((await find('4711', 'standard')).orderId, standard.json.orderId);

  const paid = JSON.stringify({ id: 'evt_1', external_ref: '4711', source: 'standard', amount: { amount: '1', currency: 'EUR' }, transaction_id: 'S-1' });
  assert.equal((await send('/webhook/stripe/demo/orders/paid', signed.stripe(paid), paid)).status, 400); // "id" is no field of a payment
  const hub = JSON.stringify({ external_ref: '4711', source: 'standard', amount: { amount: '1', currency: 'EUR' }, transaction_id: 'G-1' });
  for (const secret of ['in-a-file', 'older'])
    assert.equal((await send('/webhook/github/demo/orders/paid', signed.github(hub, secret), hub)).status, 200, secret);
  assert.equal((await find('4711', 'standard')).payments.length, 1);
});

test('a signature must be there, fit, and be fresh', async () => {
  const ref = reference(), body = JSON.stringify(order(ref)), path = '/webhook/wss/demo/tenant_create_order';
  const bad = [
    [{}, 'UNAUTHENTICATED'],
    [{ 'x-wss-signature': '00' }, 'UNAUTHENTICATED'],
    [signed.wss(body, 'wrong'), 'UNAUTHENTICATED'],
    [signed.wss(`${body} `), 'UNAUTHENTICATED'],
    [signed.wss2(body, 'new', seconds() - 400), 'STALE'],
    [signed.wss2(body, 'new', seconds() + 400), 'STALE'],
    [{ ...signed.wss2(body), 'x-wss-timestamp': `${seconds() + 1}` }, 'UNAUTHENTICATED'],
  ];
  for (const [headers, code] of bad) {
    for (const one of [await send(path, headers, body), await send1(path, headers, body)]) {
      assert.equal(one.status, 401, one.body);
      assert.equal(one.json.errors[0].extensions.code, code);
    }
  }
  assert.equal(await find(ref), null);
  // Either secret of a rotation is good.
  assert.equal((await send(path, signed.wss(body, 'old'), body)).status, 200);
  // Where an age is asked for, a signature without a time does not do.
  const others = JSON.stringify(order(ref));
  assert.equal((await send('/webhook/wss/other/tenant_create_order', signed.wss(others, 'others'), others)).status, 401);
  assert.equal((await send('/webhook/wss/other/tenant_create_order', signed.wss2(others, 'others', seconds() - 61), others)).status, 401);
  assert.equal((await send('/webhook/wss/other/tenant_create_order', signed.wss2(others, 'others'), others)).status, 200);
});

test('without a signature nobody learns which tenants there are', async () => {
  const body = JSON.stringify(order(reference()));
  const answers = [];
  for (const tenant of ['demo', 'other', 'bare', 'asleep', 'nobody', '..%2Fdemo', ''])
    answers.push(await send(`/webhook/wss/${tenant}/tenant_create_order`, signed.wss(body, 'wrong'), body));
  for (const answer of answers) assert.deepEqual([answer.status, answer.body], [401, answers[0].body]);
  // The secret that stands in for those who have none opens nothing.
  assert.equal((await send('/webhook/wss/nobody/tenant_create_order', signed.wss(body, 'bm9ib2R5IGhhcyB0aGlz'), body)).status, 401);
});

test('paths, types and methods', async () => {
  const body = JSON.stringify(order(reference())), head = signed.wss(body);
  assert.equal((await send('/webhook/paypal/demo/orders/create', head, body)).status, 404);
  assert.equal((await send('/webhook/wss/demo/orders/creat', head, body)).status, 404);
  assert.equal((await send('/webhook/wss/demo', head, body)).status, 404);
  assert.equal((await send('/webhook/', head, body)).status, 404);
  const paid = JSON.stringify({ external_ref: '1' });
  assert.equal((await send('/webhook/github/demo/orders/create', signed.github(paid), paid)).status, 404); // not switched on
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', null])
    assert.equal((await send('/webhook/wss/demo/orders/create', head, body, type)).status, 415, type);
  const get = await h2.send({ ':method': 'GET', ':path': '/webhook/wss/demo/orders/create' });
  assert.deepEqual([get.status, get.headers.allow], [405, 'POST']);
  for (const topic of ['tenant_rolemap_update', 'user_authorization_update', 'user_logged_in']) { // what a storefront may not say
    const body = JSON.stringify({ user: 'x', roles: ['admin'] });
    assert.equal((await send(`/webhook/shopify/demo/${topic}`, signed.shopify(body), body)).status, 404, topic);
  }
  const sleeping = await wss('tenant_create_order', order(reference()), signed.wss, 'asleep');
  assert.deepEqual([sleeping.status, sleeping.json.errors[0].extensions.code], [503, 'TENANT_SUSPENDED']);
  assert.ok(Number(sleeping.headers['retry-after']) > 0);
});

test('payloads that cannot be taken', async () => {
  const ref = reference();
  const bad = [
    ['{', []], ['', []], ['[]', []], ['{"a":1}\u0000', []], ['{"external_ref":"\ud800"}', null],
    [order(ref, { tenant_id: 'other' }), ['tenant_id']],
    [order(ref, { tenant_id: 7 }), ['tenant_id']],
    [order(ref, { product_skus: 'TEA' }), ['lineItems']],
    [order(ref, { product_skus: [] }), ['lineItems']],
    [order(ref, { product_skus: [{ ...order(ref).product_skus[0], order_quantity: 'two' }] }), ['lineItems', '0', 'orderQuantity']],
    [order(ref, { customer_details: 5 }), ['customerDetails']],
    [order(ref, { suprise: 1 }), ['suprise']],
    [order(ref, { final_amount: '1.00' }), ['finalAmount']],
  ];
  for (const [payload, field] of bad) {
    const answer = await wss('tenant_create_order', payload);
    assert.equal(answer.status, 400, `${JSON.stringify(payload)} ${answer.body}`);
    if (field?.length) assert.deepEqual(answer.json.userErrors[0].field, field);
    assert.ok(answer.json.userErrors[0].message);
  }
  assert.equal(await find(ref), null);
  const huge = 'x'.repeat(1200000), answer = await send1('/webhook/wss/demo/orders/create', signed.wss(huge), huge);
  assert.equal(answer.status, 413);
  const deep = `${'['.repeat(200)}${']'.repeat(200)}`;
  assert.equal((await wss('orders/create', deep)).status, 400);
  const many = JSON.stringify({ external_ref: ref, product_skus: Array.from({ length: 60000 }, () => ({})) });
  assert.equal((await wss('orders/create', many)).status, 400);
  // No secret and no payload in the log.
  assert.ok(!server.log.includes('Ada Byron') && !server.log.includes('in-a-file') && !server.log.includes(standardSecret));
  assert.ok(server.events('webhook.refused').length > 10);
});

test('a repeat gets the first answer and changes nothing', async () => {
  const ref = reference(), payload = order(ref);
  const first = await wss('tenant_create_order', payload);
  assert.equal(first.status, 200);
  assert.equal((await wss('orders/paid', { external_ref: ref, amount: { amount: '1.00', currency: 'EUR' } })).status, 200);
  assert.deepEqual((await wss('tenant_create_order', payload)).json, first.json);
  const cash = { external_ref: ref, amount: { amount: '1.00', currency: 'EUR' } };
  assert.equal((await wss('orders/paid', cash)).status, 200); // no transaction id: only the delivery tells that it is the same
  assert.equal((await find(ref)).payments.length, 1);
  // A replayed delivery with another label that nobody signed is still the same.
  const hub = JSON.stringify({ external_ref: ref, source: 'wss', amount: { amount: '2.00', currency: 'EUR' } });
  for (let i = 0; i < 3; i++) assert.equal((await send('/webhook/github/demo/orders/paid', signed.github(hub), hub)).status, 200);
  assert.equal((await find(ref)).payments.length, 2);
  // Signed anew, an id is still its delivery, and it cannot say something else.
  const pay = (amount, id, at) => { const body = JSON.stringify({ external_ref: ref, source: 'wss', amount: { amount, currency: 'EUR' } });
    return send('/webhook/standard/demo/orders/paid', signed.standard(body, id, at), body); };
  const paid = await pay('3.00', 'msg_once', seconds() - 5);
  assert.equal(paid.status, 200, paid.body);
  assert.deepEqual((await pay('3.00', 'msg_once')).json, paid.json);
  assert.equal((await pay('4.00', 'msg_once')).status, 409);
  assert.equal((await find(ref)).payments.length, 3);
  // A refusal is remembered, too: what is refused once is refused for good.
  const late = reference(), cancel = { external_ref: late, cancellation_reason: 'r' };
  await wss('tenant_create_order', order(late));
  await wss('fulfillments/update', { external_ref: late, tracking_number: `F-${late}`, status: 'shipped', items: [{ sku: 'TEA', quantity: 1 }] });
  const refused = await wss('orders/cancelled', cancel);
  assert.equal(refused.status, 409, refused.body);
  await wss('shipment_tracker', { tracking_number: `F-${late}`, status: 'lost' }); // now it could be cancelled
  assert.equal((await wss('orders/cancelled', cancel)).body, refused.body);
  assert.equal((await find(late)).stage, 'CONFIRMED');
  assert.equal((await wss('orders/cancelled', { ...cancel, cancellation_reason: 'again' })).status, 200);
  assert.equal((await wss('tenant_create_order', order(ref, { customer_details: { name: 'Eve' } }))).status, 409);
});

test('equal deliveries side by side do their work once', async () => {
  const ref = reference();
  await wss('tenant_create_order', order(ref));
  const connections = Array.from({ length: 4 }, () => new Connection(server));
  const body = JSON.stringify({ external_ref: ref, amount: { amount: '5.00', currency: 'EUR' } });
  const answers = await Promise.all(Array.from({ length: 64 }, (_, i) => connections[i % 4].send({ ':method': 'POST',
    ':path': '/webhook/wss/demo/orders/paid', 'content-type': 'application/json', ...signed.wss(body) }, body)));
  for (const answer of answers) assert.deepEqual([answer.status, answer.body], [200, answers[0].body]);
  assert.equal((await find(ref)).payments.length, 1);
  const cancel = JSON.stringify({ external_ref: ref, cancellation_reason: 'r' });
  await wss('fulfillments/update', { external_ref: ref, tracking_number: `P-${ref}`, status: 'shipped' });
  const refused = await Promise.all(Array.from({ length: 32 }, (_, i) => connections[i % 4].send({ ':method': 'POST',
    ':path': '/webhook/wss/demo/orders/cancelled', 'content-type': 'application/json', ...signed.wss(cancel) }, cancel)));
  for (const answer of refused) assert.deepEqual([answer.status, answer.body], [409, refused[0].body]);
  connections.forEach((one) => one.close());
});

test('what comes too early waits, and what was told survives kill -9', async () => {
  const ref = reference(), payment = { external_ref: ref, amount: { amount: '16.80', currency: 'EUR' }, transaction_id: 'E' };
  const scan = { tracking_number: `E-${ref}`, status: 'delivered', occurred_at: '2026-01-04T00:00:00Z' };
  const shipped = { external_ref: ref, tracking_number: `E-${ref}`, status: 'shipped', occurred_at: '2026-01-02T00:00:00Z' };
  const waiting = [['orders/paid', payment], ['shipment_tracker', scan], ['fulfillments/update', shipped]];
  const told = [];
  for (const [topic, payload] of waiting) told.push(await wss(topic, payload));
  for (const answer of told) assert.deepEqual([answer.status, answer.json.status], [202, 'waiting']);
  const refusal = await wss('tenant_create_order', order(references ? `W-${process.pid}-1` : ref, { customer_details: { name: 'Mallory' } }));
  assert.equal(refusal.status, 409, refusal.body);

  await server.kill();
  h2.destroy();
  caller.connection.destroy();
  await server.verify();
  server = await Server.start({ data: server.data, config, args: ['--shards', '2'] });
  connect();
  for (let i = 0; i < waiting.length; i++) assert.deepEqual((await wss(...waiting[i])).json, told[i].json);
  assert.deepEqual((await wss('tenant_create_order', order(`W-${process.pid}-1`, { customer_details: { name: 'Mallory' } }))).body, refusal.body);

  assert.equal((await wss('tenant_create_order', order(ref))).status, 200);
  const found = await until(async () => { const one = await find(ref); return one.fulfillmentStatus === 'DELIVERED' && one.paymentStatus === 'PAID' && one; }, 60000, 'what waited');
  assert.equal(found.payments.length, 1);
  assert.deepEqual(found.shipments, [{ status: 'DELIVERED', trackingReference: `E-${ref}` }]);
  // Their repeats still get their first answers.
  for (let i = 0; i < waiting.length; i++) assert.deepEqual((await wss(...waiting[i])).json, told[i].json);
  await sleep(1500);
  assert.equal((await find(ref)).version, found.version);
});

test('the carrier account finds the tenant', async () => {
  const path = '/webhook/easypost/shipment_tracker';
  const track = (code, more = {}, id = crypto.randomUUID()) => {
    const body = JSON.stringify({ id: `evt_${id}`, description: 'tracker.updated', ...more,
      result: { object: 'Tracker', tracking_code: code, status: 'in_transit', carrier: 'UPS', updated_at: '2026-01-02T00:00:00Z' } });
    return send(path, signed.easypost(body, path), body);
  };
  const ref = reference();
  await wss('tenant_create_order', order(ref));
  assert.equal((await wss('fulfillments/create', { external_ref: ref, tracking_number: `C-${ref}`, status: 'label_created' })).status, 200);
  const answer = await track(`C-${ref}`);
  assert.equal(answer.status, 200, answer.body);
  assert.equal((await find(ref)).shipments[0].status, 'IN_TRANSIT');
  assert.equal((await track(`C-${ref}`, { tenant_id: 'demo' })).status, 200);
  assert.equal((await track(`C-${ref}`, { tenant_id: 'nobody' })).status, 400);
  assert.equal((await track(`C-${ref}`, { tenant_id: 'other' })).status, 202); // that tenant has no such shipment
  // Nobody has it yet: it waits, and finds its order when that is there.
  const late = reference();
  assert.equal((await track(`C-${late}`)).status, 202);
  await wss('tenant_create_order', order(late));
  await wss('fulfillments/create', { external_ref: late, tracking_number: `C-${late}`, status: 'label_created' });
  await until(async () => (await find(late)).shipments[0].status === 'IN_TRANSIT', 60000, 'the scan that waited');
  // Two tenants with one number: nobody is guessed.
  const both = JSON.stringify(order(ref)), there = JSON.stringify({ external_ref: ref, tracking_number: `C-${ref}`, status: 'label_created' });
  assert.equal((await send('/webhook/wss/other/tenant_create_order', signed.wss2(both, 'others'), both)).status, 200);
  assert.equal((await send('/webhook/wss/other/fulfillments/create', signed.wss2(there, 'others'), there)).status, 200);
  assert.equal((await track(`C-${ref}`)).status, 409);
  // Signed for another path, old, or with a tenant's secret: no.
  const body = '{"id":"evt_x","result":{}}';
  assert.equal((await send(path, signed.easypost(body, '/webhook/easypost/demo/shipment_tracker'), body)).status, 401);
  assert.equal((await send(path, signed.easypost(body, path, new Date(Date.now() - 4e5).toUTCString()), body)).status, 401);
  assert.equal((await send('/webhook/wss/shipment_tracker', signed.wss(body), body)).status, 401);
});

test('what waits can be seen and replayed by who may', async () => {
  const ref = reference(), bearer = (token) => ({ authorization: `Bearer ${token}` });
  const get = async (token, path = '', headers = {}) => answerOf(await h2.send({ ':method': 'GET', ':path': `/webhook/waiting${path}`, ...bearer(token), ...headers }));
  const replay = async (token, id) => answerOf(await h2.send({ ':method': 'POST', ':path': `/webhook/waiting/${id}/replay`, ...bearer(token) }, ''));
  await wss('orders/paid', { external_ref: ref, amount: { amount: '7.00', currency: 'EUR' } });
  const list = await get(server.token('admin'));
  assert.equal(list.status, 200, list.body);
  const mine = list.json.waiting.find((one) => one.update.externalRef === ref);
  assert.deepEqual([mine.state, mine.provider, mine.topic, mine.update.command], ['waiting', 'wss', 'orders/paid', 'recordPayment']);
  assert.equal(list.json.complete, true);
  assert.equal((await get(server.token('staff'))).status, 403);
  assert.equal((await get('none')).status, 401);
  assert.equal((await get(server.token('admin', 'admin', { tenant: 'other' }))).json.waiting.filter((one) => one.update.externalRef === ref).length, 0);
  assert.equal((await get(server.token('admin'), '/operator')).status, 403);
  const operators = await get(server.token('operator'), '/operator');
  assert.equal(operators.status, 200, operators.body);
  // One that fails when its time comes: its currency is not the order's. It can be tried again, and fails again.
  await wss('tenant_create_order', order(ref, { product_skus: [{ ...order(ref).product_skus[0], product_price: { amount: '1', currency: 'USD' } }] }));
  const failed = () => until(async () => (await get(server.token('admin'))).json.waiting.find((one) => one.id === mine.id && one.state === 'failed'), 60000, 'its failure');
  assert.match((await failed()).reason, /^CURRENCY_MISMATCH: /);
  assert.equal((await replay(server.token('staff'), mine.id)).status, 403);
  assert.deepEqual((await replay(server.token('admin'), mine.id)).json, { status: 'waiting' });
  await failed();
  for (const id of ['63-99999', '64-1', '1', 'x-y', '-1-1']) assert.equal((await replay(server.token('admin'), id)).status, 404, id);
});

test('liteoms webhook test', async () => {
  const base = ['webhook', 'test', '--url', server.url, '--tenant', 'demo'];
  const ref = reference();
  const made = await run(...base, '--provider', 'wss', '--topic', 'tenant_create_order', '--secret', 'new', '--ref', ref);
  assert.equal(made.code, 0, made.stdout + made.stderr);
  assert.match(made.stdout, /^200\n\{"status":"applied"/);
  for (const topic of ['orders/paid', 'fulfillments/update']) {
    const done = await run(...base, '--provider', 'wss', '--topic', topic, '--secret', 'new', '--ref', ref);
    assert.equal(done.code, 0, done.stdout);
  }
  const shop = await run(...base, '--provider', 'shopify', '--topic', 'orders/create', '--secret', 'shop');
  assert.equal(shop.code, 0, shop.stdout);
  const carrier = await run('webhook', 'test', '--url', server.url, '--provider', 'easypost', '--topic', 'shipment_tracker', '--secret', 'carrier');
  assert.match(carrier.stdout, /^202\n/);
  const wrong = await run(...base, '--provider', 'wss', '--topic', 'tenant_create_order', '--secret', 'guess');
  assert.deepEqual([wrong.code, wrong.stdout.slice(0, 3)], [1, '401']);
  const shown = await run(...base, '--provider', 'standard', '--topic', 'tenant_create_order', '--secret', standardSecret, '--print');
  assert.match(shown.stdout, /\r\nwebhook-signature: v1,/);
  assert.ok(!shown.stdout.includes(standardSecret));
  assert.equal((await run('webhook', 'test', '--provider', 'wss')).code, 2);
  assert.equal((await run(...base, '--provider', 'paypal', '--topic', 'orders/paid', '--secret', 's')).code, 2);
});

test('numbers of deliveries', async () => {
  assert.ok(await server.metric('liteoms_webhooks_total', 'provider="wss",topic="tenant_create_order",result="accepted"') > 0);
  assert.ok(await server.metric('liteoms_webhooks_total', 'result="waiting"') > 0);
  assert.ok(await server.metric('liteoms_webhook_tries_total') > 0);
});

test('a configuration that means nothing is not started', async () => {
  for (const [webhooks, what] of [
    [[{ provider: 'paypal', secrets: ['hush'] }], /tenants\[0\]\.webhooks\[0\]\.provider must be/],
    [[{ provider: 'wss', secrets: ['hush'], topics: ['orders/x'] }], /webhooks\[0\]\.topics names 'orders\/x'/],
    [[{ provider: 'wss', secrets: ['hush'], map: { 'orders/paid': { amount: 'x' } } }], /map for orders\/paid: 'amount' must be a path/],
    [[{ provider: 'wss', secret_file: '/nowhere/at/all' }], /'tenants\[0\]\.webhooks\[0\]\.secret_file': cannot read/],
  ]) {
    const file = fresh('.json');
    fs.writeFileSync(file, JSON.stringify({ dev: true, tenants: [{ name: 'demo', webhooks }] }));
    const { code, stderr } = await run('serve', '--config', file, '--data', fresh('-data'), '--listen', '127.0.0.1:0');
    assert.equal(code, 1);
    assert.match(stderr, what);
    assert.ok(!stderr.includes('hush'));
  }
  assert.ok(fs.existsSync(program));
});

// Warehouses and carriers that another system tells, by the API and by webhook, and what decisions make of them.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, before, test } from 'node:test';

import { Caller, Connection, basket } from './lib/client.mjs';
import { Server, fresh } from './lib/server.mjs';

const data = fresh('-data');
const config = { tenants: [{ name: 'acme', currency: 'EUR', webhooks: [{ provider: 'wss', secrets: ['s3cret'] }] }, { name: 'other' }] };
const start = () => Server.start({ data, config, args: ['--shards', '2'] });
let server, admin;
before(async () => { server = await start(); admin = new Caller(server, 'admin', 'ann', { tenant: 'acme' }); });
after(async () => {
  admin.close();
  await server.stop();
  await server.verify();
});

const fields = `warehouses { id name city country active } warehousesSource { source sourceVersion }
  carriers { id name serviceLevels trackingUrlTemplate active } carriersSource { source sourceVersion }`;
const update = async (input, caller = admin) => (await caller.query(`mutation($input: UpdateFulfillmentInput!) { updateFulfillment(input: $input) {
  replayed result { success } userErrors { code field message } fulfillment { ${fields} } } }`, { input })).updateFulfillment;
const known = async (caller = admin) => (await caller.query(`{ tenant { fulfillment { ${fields} } } }`)).tenant.fulfillment;
async function deliver(payload) {
  const body = JSON.stringify(payload), connection = new Connection(server);
  const answer = await connection.send({ ':method': 'POST', ':path': '/webhook/wss/acme/fulfillment_update', 'content-type': 'application/json',
    'x-wss-signature': crypto.createHmac('sha256', 's3cret').update(body).digest('hex') }, body);
  connection.close();
  return { ...answer, json: JSON.parse(answer.body) };
}
const shipments = 'orderId shipments { shipmentId provider warehouse trackingReference trackingUrl }';

test('where nothing is known, anything goes', async () => {
  assert.deepEqual(await known(), { warehouses: [], warehousesSource: { source: null, sourceVersion: null }, carriers: [], carriersSource: { source: null, sourceVersion: null } });
  const order = await admin.does('createOrder', basket());
  const with1 = await admin.does('addShipment', { orderId: order.orderId, provider: 'Pigeon', warehouse: 'Roof', trackingReference: 'P-1' }, { select: shipments });
  assert.equal(with1.shipments[0].trackingUrl, null);
});

test('shipments name active warehouses and carriers; the template makes the URL that nobody gave', async () => {
  const told = await update({ version: 3, warehouses: [{ id: 'ber', name: 'Berlin North', city: 'Berlin', country: 'Germany' }, { id: 'old', active: false }],
    carriers: [{ id: 'ups', name: 'UPS', serviceLevels: ['Ground'], trackingUrlTemplate: 'https://ups.example/t?n={tracking}&x=1' }, { id: 'gone', active: false }, { id: 'foot' }] });
  assert.deepEqual(told.userErrors, []);
  assert.deepEqual([told.fulfillment.warehouses[0].country, told.fulfillment.warehousesSource, told.fulfillment.carriers[0].serviceLevels],
    ['DE', { source: 'API', sourceVersion: 3 }, ['Ground']]);
  const order = await admin.does('createOrder', basket({ lineItems: [{ productSku: 'A', productName: 'A', vendor: { vendorId: 'v', name: 'V' }, orderQuantity: 5, productPrice: { amount: '1.00', currency: 'EUR' } }] }));
  const items = [{ productSku: 'A', quantity: 1 }];
  const bad = async (more, field, text) => {
    const error = (await admin.refused('INVALID', 'addShipment', { orderId: order.orderId, shipmentItems: items, ...more })).userErrors[0];
    assert.deepEqual(error.field, ['input', field]);
    assert.match(error.message, text);
  };
  await bad({ warehouse: 'Roof' }, 'warehouse', /There is no warehouse 'Roof'; there is: ber$/);
  await bad({ warehouse: 'old' }, 'warehouse', /Not in use is the warehouse 'old'; there is: ber$/);
  await bad({ provider: 'Pigeon' }, 'provider', /There is no carrier 'Pigeon'; there is: ups, foot$/);
  await bad({ provider: 'GONE' }, 'provider', /Not in use/);
  let now = await admin.does('addShipment', { orderId: order.orderId, shipmentItems: items, warehouse: 'BERLIN NORTH', provider: 'Ups', trackingReference: '1Z/ä' }, { select: shipments });
  assert.equal(now.shipments[0].trackingUrl, 'https://ups.example/t?n=1Z%2F%C3%A4&x=1');
  now = await admin.does('addShipment', { orderId: order.orderId, shipmentItems: items, provider: 'ups' }, { select: shipments });
  now = await admin.does('dispatchShipment', { orderId: order.orderId, shipmentId: now.shipments[1].shipmentId, trackingReference: '2', shippingReference: 'https://own.example/2' }, { select: shipments });
  assert.equal(now.shipments[1].trackingUrl, 'https://own.example/2');
  // The reference comes with the dispatch, the carrier came before.
  now = await admin.does('addShipment', { orderId: order.orderId, shipmentItems: items, provider: 'ups' }, { select: shipments });
  now = await admin.does('dispatchShipment', { orderId: order.orderId, shipmentId: now.shipments[2].shipmentId, trackingReference: '3' }, { select: shipments });
  assert.equal(now.shipments[2].trackingUrl, 'https://ups.example/t?n=3&x=1');
  await admin.refused('INVALID', 'dispatchShipment', { orderId: order.orderId, shipmentId: now.shipments[0].shipmentId, provider: 'Pigeon' });
  now = await admin.does('addShipment', { orderId: order.orderId, shipmentItems: items, provider: 'foot', trackingReference: '4' }, { select: shipments });
  assert.equal(now.shipments[3].trackingUrl, null);
  // Decided once: another template changes nothing that is there.
  assert.deepEqual((await update({ carriers: [{ id: 'ups', trackingUrlTemplate: 'https://new.example/{tracking}' }] })).userErrors, []);
  assert.equal((await admin.order(order.orderId, shipments)).shipments[2].trackingUrl, 'https://ups.example/t?n=3&x=1');
});

test('sections have versions of their own, by webhook as well', async () => {
  assert.deepEqual((await deliver({ warehouses: [{ id: 'ham', country: 'DE' }], version: 7 })).json, { status: 'applied', changed: true });
  assert.equal((await deliver({ warehouses: [], version: 6 })).json.status, 'ignored');
  assert.deepEqual((await deliver({ carriers: [{ id: 'dhl', tracking_url_template: 'https://dhl.example/{tracking}', service_levels: ['Express'] }], version: 4 })).json.changed, true);
  const older = (await update({ warehouses: [], version: 6 })).userErrors[0];
  assert.deepEqual([older.code, older.field], ['CONFLICT', ['input', 'version']]);
  const seen = await known();
  assert.deepEqual([seen.warehouses.map((one) => one.id), seen.warehousesSource, seen.carriers[0].serviceLevels, seen.carriersSource],
    [['ham'], { source: 'WEBHOOK', sourceVersion: 7 }, ['Express'], { source: 'WEBHOOK', sourceVersion: 4 }]);
  const tried = await update({ carriers: [], dryRun: true });
  assert.deepEqual([tried.userErrors, tried.fulfillment.carriers, (await known()).carriers.length], [[], [], 1]);
  admin.close();
  await server.kill();
  server = await start();
  admin = new Caller(server, 'admin', 'ann', { tenant: 'acme' });
  assert.deepEqual(await known(), seen);
  const there = new Caller(server, 'admin', 'ann', { tenant: 'other' });
  assert.deepEqual((await known(there)).warehouses, []);
  there.close();
});

test('faults are named, and nothing of a bad snapshot is taken', async () => {
  const before = await known();
  for (const [input, code, field] of [
    [{}, 'REQUIRED', ['warehouses']],
    [{ warehouses: [{ id: '' }] }, 'INVALID', ['warehouses', '0', 'id']],
    [{ warehouses: [{ id: 'a' }, { id: 'A' }] }, 'INVALID', ['warehouses', '1', 'id']],
    [{ warehouses: [{ id: 'a', country: 'Atlantis' }] }, 'INVALID', ['warehouses', '0', 'country']],
    [{ warehouses: [{ id: 'a', name: 'x\ny' }] }, 'INVALID', ['warehouses', '0', 'name']],
    [{ warehouses: [{ id: 'fine' }], carriers: [{ id: 'a', trackingUrlTemplate: 'https://x.example/' }] }, 'INVALID', ['carriers', '0', 'trackingUrlTemplate']],
    [{ carriers: [{ id: 'a', trackingUrlTemplate: 'javascript:{tracking}' }] }, 'INVALID', ['carriers', '0', 'trackingUrlTemplate']],
    [{ carriers: [{ id: 'a', serviceLevels: Array(51).fill('x') }] }, 'INVALID', ['carriers', '0', 'serviceLevels']],
    [{ carriers: Array.from({ length: 201 }, (_, i) => ({ id: `c${i}` })) }, 'LIMIT_EXCEEDED', ['carriers']],
    [{ carriers: [], version: 0 }, 'INVALID', ['version']],
  ]) {
    const error = (await update(input)).userErrors[0];
    assert.deepEqual([error?.code, error?.field], [code, ['input', ...field]], JSON.stringify([input, error]));
  }
  for (const [payload, field] of [[{ warehouses: [{ id: 'a', activ: true }] }, 'warehouses'], [{ warehouses: 'a' }, 'warehouses'], [{ tracking: [] }, 'tracking'], [{}, 'warehouses']]) {
    const answer = await deliver(payload);
    assert.deepEqual([answer.status, answer.json.userErrors[0].field[0]], [400, field], answer.body);
  }
  assert.deepEqual(await known(), before);
  const customer = admin.as('customer', 'carl', { tenant: 'acme' });
  assert.equal((await update({ carriers: [] }, customer)).userErrors[0].code, 'FORBIDDEN');
  assert.equal((await customer.post('{ tenant { fulfillment { warehouses { id } } } }')).json.errors[0].extensions.code, 'FORBIDDEN');
});

// What a caller may do and see: customers their own orders, vendors their own lines, and nobody another tenant's.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Caller, basket, orderFields } from './lib/client.mjs';
import { Server } from './lib/server.mjs';

let server, staff, carol, mallory, potter, rival, auditor;
const person = (customerId) => ({ customerId, name: `Ms ${customerId}`, email: `${customerId}@example.com`, phone: '+44 20 7946 0001' });

before(async () => {
  server = await Server.start({ args: ['--shards', '2'], config: { tenants: [
    { name: 'shop', authorizations: [{ user: 'auditor-7', permission: 'get_order', scope: {} }, { user: 'dan', permissions: ['get_order', 'add_note'], scope: { customer_id: 'carol' } }] },
    { name: 'rival' },
    { name: 'strict', rolemap: [{ role: 'staff', permissions: ['create_order', 'get_order'] }] }] } });
  const shop = { tenant: 'shop' };
  staff = new Caller(server, 'staff', 'sam', shop);
  carol = staff.as('customer', 'carol', shop);
  mallory = staff.as('customer', 'mallory', shop);
  potter = staff.as('vendor', 'pat', { ...shop, more: ['--vendor', 'potter'] });
  rival = staff.as('admin', 'ruth', { tenant: 'rival' });
  auditor = staff.as('nobody', 'auditor-7', shop);
});
after(async () => {
  staff.close();
  await server.stop();
});

const refs = async (who, args = '') => (await who.query(`{ orders(first: 200 ${args}) { nodes { orderId } } }`)).orders.nodes.map((node) => node.orderId);

test('a customer sees and changes their own orders only', async () => {
  const mine = await staff.does('createOrder', basket({ customerDetails: person('carol') }));
  const other = await staff.does('createOrder', basket({ customerDetails: person('dora') }));
  assert.equal((await carol.order(mine.orderId)).orderId, mine.orderId);
  assert.equal(await carol.order(other.orderId), null);
  assert.equal(await mallory.order(mine.orderId), null);
  assert.deepEqual(await refs(carol), [mine.orderId]);
  assert.deepEqual(await refs(mallory), []);
  for (const filter of ['customerId: ["dora"]', `externalRef: ["${other.externalRef}"]`, 'email: ["dora@example.com"]', 'sku: ["TEA"]', 'vendorId: ["potter"]', 'stage: [CONFIRMED]'])
    assert.ok(!(await refs(carol, `filter: { ${filter} }`)).includes(other.orderId), filter);
  assert.deepEqual((await carol.query('{ ordersCount { count } }')).ordersCount, { count: 1 });
  const { node, order } = await carol.query(`{ node(id: "${other.id}") { id } order(by: { externalRef: { ref: "${other.externalRef}" } }) { orderId } }`);
  assert.deepEqual([node, order], [null, null]);
  const payload = await carol.refused('NOT_FOUND', 'cancelOrder', { orderId: other.orderId, cancellationReason: 'x' });
  assert.equal(payload.order, null);
  await carol.refused('NOT_FOUND', 'markAsShipped', { orderId: other.orderId });
  await carol.refused('FORBIDDEN', 'markAsShipped', { orderId: mine.orderId });
  await carol.refused('FORBIDDEN', 'recordPayment', { orderId: mine.orderId, amount: { amount: '30', currency: 'USD' } });
  // Their events, not the others'.
  const log = (await carol.query('{ tenantEventLog(first: 200) { nodes { order { orderId } } } }')).tenantEventLog.nodes;
  assert.ok(log.length > 0 && log.every((event) => event.order.orderId === mine.orderId));
  const eventId = (await staff.order(other.orderId, 'events { nodes { id } }')).events.nodes[0].id;
  assert.equal((await staff.query(`{ node(id: "${eventId}") { id } }`)).node.id, eventId);
  assert.equal((await carol.query(`{ node(id: "${eventId}") { id } }`)).node, null);
  // An order for somebody else cannot be placed.
  const foreign = await carol.command('createOrder', basket({ customerDetails: person('dora') }));
  assert.equal(foreign.userErrors[0]?.code, 'FORBIDDEN');
  // Nor can the reference of another's order be used to see it.
  const probe = await carol.command('createOrder', basket({ externalRef: other.externalRef, customerDetails: person('carol') }));
  assert.notEqual(probe.order?.orderId, other.orderId);
  assert.ok(probe.userErrors.length > 0);
  assert.equal(probe.order, null);
  const own = await carol.does('createOrder', basket({ customerDetails: person('carol') }));
  await carol.does('cancelOrder', { orderId: own.orderId, cancellationReason: 'mine' });
});

test('notes for staff stay with staff, in notes, events and the past', async () => {
  const { orderId } = await staff.does('createOrder', basket({ customerDetails: person('carol'), notes: [{ text: 'secret at creation' }, { text: 'open at creation', visibleToCustomer: true }] }));
  await staff.does('addNote', { orderId, note: 'secret later' });
  await staff.does('addNote', { orderId, note: 'open later', visibleToCustomer: true });
  const texts = async (who, args) => (await who.order(orderId, 'notes { text }', args)).notes.map((note) => note.text);
  assert.deepEqual(await texts(staff), ['secret at creation', 'open at creation', 'secret later', 'open later']);
  for (const who of [carol, potter]) {
    assert.deepEqual(await texts(who), ['open at creation', 'open later']);
    assert.deepEqual(await texts(who, 'atVersion: 2'), ['open at creation']);
    const everything = await who.connection.post(who.token, `{ getOrder(orderId: "${orderId}") { ${orderFields} events(first: 100) { nodes { type change order { ${orderFields} } } } }
      tenantEventLog(first: 200) { nodes { type change order { notes { text } } } } }`);
    assert.equal(everything.json.errors, undefined, everything.body);
    assert.ok(everything.body.includes('open later'));
    assert.ok(!everything.body.includes('secret'), 'a staff note leaks');
  }
});

test('a vendor sees orders with their lines: those lines and sums, no payments, no e-mail', async () => {
  const { orderId } = await staff.does('createOrder', basket({ customerDetails: person('carol'),
    paymentDetails: { method: 'card', provider: 'bank', paidAmount: '30.00', transactionId: 'txn-secret' } }));
  const without = await staff.does('createOrder', basket({ lineItems: [{ productSku: 'X', productName: 'X', vendor: { vendorId: 'smith' }, orderQuantity: 1,
    productPrice: { amount: '1', currency: 'USD' } }] }));
  const order = await potter.order(orderId);
  assert.deepEqual(order.lineItems.map((line) => line.vendor.vendorId), ['potter']);
  assert.deepEqual([order.totalAmount.amount, order.finalAmount.amount, order.refundDue.amount], ['15.00', '15.00', '0.00']);
  assert.deepEqual([order.payments, order.refunds, order.paymentStatus, order.customerDetails.email], [[], [], null, null]);
  assert.equal(order.destination.city, 'London');
  const everything = (await potter.post(`{ getOrder(orderId: "${orderId}") { ${orderFields} events(first: 100) { nodes { type change order { ${orderFields} } } }
    availableActions { command reasons { message } } } tenantEventLog(first: 200) { nodes { change order { ${orderFields} } } } }`)).body;
  for (const secret of ['txn-secret', '@example.com', 'tea-house', 'PAYMENT_RECORDED']) assert.ok(!everything.includes(secret), `${secret} leaks`);
  assert.equal(await potter.order(without.orderId), null);
  assert.ok(!(await refs(potter)).includes(without.orderId));
  // What they may do acts on their lines.
  await potter.refused('FORBIDDEN', 'cancelOrder', { orderId, cancellationReason: 'not all mine' });
  await potter.refused('FORBIDDEN', 'recordPayment', { orderId, amount: { amount: '1', currency: 'USD' } });
  const other = await potter.command('addShipment', { orderId, shipmentItems: [{ lineItemId: 1, quantity: 1 }] });
  assert.ok(['FORBIDDEN', 'NOT_FOUND', 'INVALID'].includes(other.userErrors[0]?.code), JSON.stringify(other.userErrors));
  const shipped = await potter.does('markAsShipped', { orderId, trackingReference: 'POT-1' });
  assert.deepEqual(shipped.shipments.map((one) => one.shipmentItems.map((item) => [item.lineItemId, item.quantity])), [[['2', 3]]]);
  const whole = await staff.order(orderId);
  assert.deepEqual([whole.stage, whole.fulfillmentStatus, whole.lineItems[0].shippedQuantity, whole.lineItems[1].shippedQuantity], ['CONFIRMED', 'PARTIALLY_SHIPPED', 0, 3]);
  await staff.does('markAsShipped', { orderId });
  const after = await potter.order(orderId);
  assert.equal(after.shipments.length, 1, 'a shipment without their lines is hidden');
  await potter.refused('FORBIDDEN', 'markAsCompleted', { orderId });
  const all = await staff.does('createOrder', basket({ lineItems: [basket().lineItems[1]] }));
  await potter.does('cancelOrder', { orderId: all.orderId, cancellationReason: 'all mine' });
});

test('what a vendor does not learn by another way: who the customer is, what others\' goods cost to ship', async () => {
  const { orderId } = await staff.does('createOrder', basket({ customerDetails: person('erin') }));
  const money = (minor) => ({ shipmentAmount: minor });
  await staff.does('addShipment', { orderId, shipmentItems: [{ lineItemId: 1, quantity: 1 }, { lineItemId: 2, quantity: 1 }], ...money('7.77') });
  await staff.does('addShipment', { orderId, shipmentItems: [{ lineItemId: 2, quantity: 1 }], ...money('3.33') });
  const erin = staff.as('customer', 'erin', { tenant: 'shop' });
  await erin.does('addNote', { orderId, note: 'hello', visibleToCustomer: true });
  await staff.does('markAsShipped', { orderId });
  await erin.does('requestReturn', { orderId, items: [{ lineItemId: '2', quantity: 1 }], reason: 'cracked' });
  const fields = `customerDetails { customerId name } shipments { shipmentAmount { amount } shipmentItems { lineItemId } } notes { author { kind subject } } returns { requestedBy { subject } }`;
  const select = `${fields} events { nodes { type change actor { kind subject } order { ${fields} } } }`;
  const seen = await potter.order(orderId, select);
  assert.equal(seen.customerDetails.customerId, null);
  assert.equal(seen.customerDetails.name, 'Ms erin');
  assert.deepEqual(seen.shipments.map((one) => one.shipmentAmount?.amount), [undefined, '3.33', undefined]);
  assert.deepEqual(seen.returns, [{ requestedBy: { subject: null } }]);
  assert.deepEqual(seen.notes.map((note) => note.author), [{ kind: 'USER', subject: null }]);
  const added = seen.events.nodes.filter((event) => event.type === 'SHIPMENT_ADDED').map((event) => event.change).slice(0, 2);
  assert.deepEqual(added.map((change) => change.shipmentAmount?.amount), [undefined, '3.33']);
  assert.deepEqual(added.map((change) => change.shipmentItems.map((item) => item.lineItemId)), [['2'], ['2']]);
  const text = JSON.stringify(seen).replaceAll('Ms erin', '');
  assert.ok(!text.includes('erin"') && !text.includes('7.77'), text);
  const whole = await staff.order(orderId, select);
  assert.equal(whole.customerDetails.customerId, 'erin');
  assert.deepEqual(whole.shipments.slice(0, 2).map((one) => one.shipmentAmount.amount), ['7.77', '3.33']);
  assert.deepEqual(whole.notes[0].author, { kind: 'USER', subject: 'erin' });
  // Nor by asking for the customer.
  assert.ok((await refs(staff, 'filter: { customerId: ["erin"] }')).includes(orderId));
  assert.deepEqual(await refs(potter, 'filter: { customerId: ["erin"] }'), []);
  const log = async (who) => (await who.query('{ tenantEventLog(first: 200, filter: { customerIds: ["erin"] }) { nodes { id } } }')).tenantEventLog.nodes.length;
  assert.ok(await log(staff) > 0);
  assert.equal(await log(potter), 0);
});

test('another tenant: reads as absent, mutations NOT_FOUND, whatever the way', async () => {
  const { orderId, id, externalRef } = await staff.does('createOrder', basket({ idempotencyKey: 'same' }));
  const event = (await staff.order(orderId, 'events { nodes { id cursor } }')).events.nodes[0];
  const data = await rival.query(`{ a: getOrder(orderId: "${orderId}") { id } b: order(by: { orderId: "${orderId}" }) { id } c: order(by: { externalRef: { ref: "${externalRef}" } }) { id }
    d: node(id: "${id}") { id } e: node(id: "${event.id}") { id } f: getOrderByOrderId(orderId: "${orderId}") { id } g: getOrder(orderId: "${orderId}", atVersion: 1) { id }
    orders { nodes { id } } tenantEventLog(after: "${event.cursor}") { nodes { id } } ordersCount { count } }`);
  assert.deepEqual(data, { a: null, b: null, c: null, d: null, e: null, f: null, g: null, orders: { nodes: [] }, tenantEventLog: { nodes: [] }, ordersCount: { count: 0 } });
  const there = await rival.command('addNote', { orderId, note: 'x' });
  const missing = await rival.command('addNote', { orderId: 'ORD-00000000000000000000000001', note: 'x' });
  assert.deepEqual(there.userErrors, missing.userErrors);
  assert.equal(there.userErrors[0].code, 'NOT_FOUND');
  assert.equal(there.order, null);
  // Faults in the input do not tell either.
  const faulty = (which) => rival.command('addNote', { orderId: which, note: '' });
  assert.deepEqual((await faulty(orderId)).userErrors, (await faulty('ORD-00000000000000000000000001')).userErrors);
  const guarded = (which) => rival.command('addNote', { orderId: which, note: 'x', expectedVersion: 7 });
  assert.deepEqual((await guarded(orderId)).userErrors, (await guarded('ORD-00000000000000000000000001')).userErrors);
  // The same reference and key in the other tenant make another order.
  const own = await rival.command('createOrder', basket({ externalRef, idempotencyKey: 'same' }));
  assert.equal(own.created, true);
  assert.notEqual(own.order.orderId, orderId);
  for (const document of ['{ orders(tenantId: "shop") { nodes { id } } }', '{ tenant(tenantId: "shop") { status } }', `{ getOrder(orderId: "${orderId}", tenantId: "shop") { id } }`,
    `mutation { addNote(input: { orderId: "${orderId}", note: "x", tenantId: "shop" }) { replayed } }`]) {
    const answer = await rival.post(document);
    assert.equal(answer.json.errors?.[0].extensions.code, 'FORBIDDEN', document);
  }
  assert.equal((await staff.order(orderId)).version, 1);
});

test('authorizations of single users, rolemaps of tenants', async () => {
  const { orderId } = await staff.does('createOrder', basket({ customerDetails: person('carol') }));
  assert.equal((await auditor.order(orderId)).version, 1);
  await auditor.refused('FORBIDDEN', 'addNote', { orderId, note: 'x' });
  const dan = staff.as('nobody', 'dan', { tenant: 'shop' });
  await dan.does('addNote', { orderId, note: 'by authorization' });
  const other = await staff.does('createOrder', basket({ customerDetails: person('dora') }));
  assert.equal(await dan.order(other.orderId), null);
  const nobody = staff.as('nobody', 'nobody', { tenant: 'shop' });
  assert.equal(await nobody.order(orderId), null);
  assert.deepEqual(await refs(nobody), []);
  await nobody.refused('NOT_FOUND', 'addNote', { orderId, note: 'x' });
  await nobody.refused('FORBIDDEN', 'createOrder', basket());
  const strict = staff.as('staff', 'sam', { tenant: 'strict' });
  const made = await strict.does('createOrder', basket());
  await strict.refused('FORBIDDEN', 'addNote', { orderId: made.orderId, note: 'x' });
  const { viewer } = await strict.query('{ viewer { permissions } }');
  assert.deepEqual(viewer.permissions.sort(), ['create_order', 'get_order']);
});

test('a filter tells a vendor no more than the fields do', async () => {
  const { orderId } = await staff.does('createOrder', basket({ customerDetails: person('carol'), paymentDetails: { method: 'card', provider: 'bank', paidAmount: '99.00', transactionId: 'txn-f' } }));
  await staff.does('addShipment', { orderId, shipmentItems: [{ lineItemId: 1, quantity: 1 }], trackingReference: 'TEA-ONLY' });
  const found = async (who, filter) => (await refs(who, `filter: { ${filter} }`)).includes(orderId);
  const hidden = ['email: ["carol@example.com"]', 'paymentStatus: [PAID, PENDING, PARTIALLY_PAID]', 'sku: ["TEA"]', 'vendorId: ["tea-house"]', 'trackingReference: ["TEA-ONLY"]', 'refundDue: true'];
  for (const filter of hidden) {
    assert.equal(await found(staff, filter), true, `staff: ${filter}`);
    assert.equal(await found(potter, filter), false, `vendor: ${filter}`);
  }
  for (const filter of ['sku: ["CUP"]', 'vendorId: ["potter"]', 'refundDue: false', 'stage: [CONFIRMED]'])
    assert.equal(await found(potter, filter), true, filter);
  const events = async (who, filter) => (await who.query(`{ tenantEventLog(first: 200 filter: { ${filter} }) { nodes { order { orderId } } } }`)).tenantEventLog.nodes.some((event) => event.order.orderId === orderId);
  for (const filter of ['paymentStatuses: [PAID, PENDING, PARTIALLY_PAID]', 'vendorIds: ["tea-house"]']) {
    assert.equal(await events(staff, filter), true, `staff: ${filter}`);
    assert.equal(await events(potter, filter), false, `vendor: ${filter}`);
  }
  assert.equal(await events(potter, 'vendorIds: ["potter"]'), true);
});

test('an order by its tracking reference: the newest that the caller sees, whoever else has the reference', async () => {
  const shipment = (lineItemId) => ({ shipmentItems: [{ lineItemId, quantity: 1 }], trackingReference: 'SHARED' });
  const mine = await staff.does('createOrder', basket({ customerDetails: person('carol'), placedAt: '2026-01-01T00:00:00Z', notes: [{ text: 'for you', visibleToCustomer: true }] }));
  await staff.does('addShipment', { orderId: mine.orderId, ...shipment(2) });
  let newest;
  for (let i = 0; i < 20; i++) {
    newest = await staff.does('createOrder', basket({ customerDetails: person('dora'), placedAt: `2026-01-02T00:00:${10 + i}Z` }));
    await staff.does('addShipment', { orderId: newest.orderId, ...shipment(1) });
  }
  const by = async (who, select = 'orderId') => (await who.query(`{ order(by: { trackingReference: "SHARED" }) { ${select} } }`)).order;
  assert.equal((await by(staff)).orderId, newest.orderId);
  assert.deepEqual(await by(carol, 'orderId notes { text }'), { orderId: mine.orderId, notes: [{ text: 'for you' }] });
  assert.equal(await by(mallory), null);
  // Line 1 is another vendor's: its shipment's reference is none of the potter's, whose own is in the first order.
  assert.equal((await by(potter)).orderId, mine.orderId);
});

test('why an order is held and who reviews it stays with staff', async () => {
  const { orderId } = await staff.does('createOrder', basket({ customerDetails: person('carol') }));
  await staff.does('placeHold', { orderId, reason: 'chargeback suspected', blocks: ['markAsShipped'] });
  await staff.does('escalateReviewer', { orderId, reviewer: 'inspector' });
  const select = 'holds { reason owner { subject } } activities { stepName reviewer actor { subject } } availableActions { command allowed reasons { code message } }';
  const everything = JSON.stringify(await staff.order(orderId, select));
  assert.ok(everything.includes('chargeback') && everything.includes('inspector'));
  for (const who of [carol, potter]) {
    const order = await who.order(orderId, select);
    assert.deepEqual(order.holds, []);
    assert.ok(!/chargeback|inspector/.test(JSON.stringify(order)), JSON.stringify(order));
  }
  const blocked = (await potter.order(orderId, select)).availableActions.find((action) => action.command === 'markAsShipped');
  assert.equal(blocked.reasons[0].code, 'ON_HOLD');
});

test('a single tenant need not be configured', async () => {
  const only = await Server.start({ config: { single_tenant: 'shop' } });
  const one = new Caller(only, 'staff', 'sam', { tenant: 'shop' });
  assert.deepEqual(await one.query('{ tenant { tenantId status } }'), { tenant: { tenantId: 'shop', status: 'ACTIVE' } });
  await one.does('createOrder', basket());
  one.close();
  await only.stop();
});

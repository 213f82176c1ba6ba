// The order's whole life as its API has it, over HTTP/2: each command in the place where it belongs, what it changes,
// and the refusals on the way.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Caller, basket } from './lib/client.mjs';
import { Server } from './lib/server.mjs';

let server, staff;
before(async () => {
  server = await Server.start({ args: ['--shards', '2'] });
  staff = new Caller(server, 'staff', 'sam');
});
after(async () => {
  staff.close();
  await server.stop();
  const report = await server.verify();
  assert.ok(report.units > 60);
});

const line = (order, id) => order.lineItems.find((one) => one.lineItemId === String(id));
const pay = (orderId, amount, more = {}) => staff.does('recordPayment', { orderId, amount: { amount, currency: 'USD' }, ...more });

// The versions and events of an order: none missing, none twice.
async function checkHistory(orderId) {
  const { version, events: { nodes, pageInfo } } = await staff.order(orderId,
    'version events(first: 200) { nodes { sequence version type command actor { kind subject } commit at } pageInfo { hasNextPage } }');
  assert.equal(pageInfo.hasNextPage, false);
  assert.deepEqual(nodes.map((event) => event.sequence), nodes.map((_, i) => i + 1));
  assert.deepEqual([...new Set(nodes.map((event) => event.version))], Array.from({ length: version }, (_, i) => i + 1));
  return nodes;
}

test('a checkout: created, paid, shipped, delivered, completed', async () => {
  const created = await staff.command('createOrder', basket({ clientMutationId: 'm-1', shippingDetails: { method: 'Standard', cost: '4.20' } }));
  assert.equal(created.created, true);
  assert.equal(created.replayed, false);
  assert.equal(created.clientMutationId, 'm-1');
  let { order } = created;
  const { orderId } = order;
  assert.match(orderId, /^ORD-[0-9A-Z]{26}$/);
  assert.equal(order.version, 1);
  assert.deepEqual([order.stage, order.fulfillmentStatus, order.paymentStatus], ['CONFIRMED', 'UNFULFILLED', 'PENDING']);
  assert.deepEqual(order.finalAmount, { amount: '34.20', currency: 'USD', minorUnits: '3420' });
  assert.equal(order.destination.country, 'GB');
  assert.equal(order.activityStatus, 'AwaitingReview');

  order = await pay(orderId, '10.00', { method: 'card', provider: 'bank', transactionId: 't-1' });
  assert.equal(order.paymentStatus, 'PARTIALLY_PAID');
  await staff.refused('DUPLICATE', 'recordPayment', { orderId, amount: { amount: '1', currency: 'USD' }, provider: 'bank', transactionId: 't-1' });
  await staff.refused('CURRENCY_MISMATCH', 'recordPayment', { orderId, amount: { amount: '1', currency: 'EUR' } });
  await staff.refused('INVALID', 'recordPayment', { orderId, amount: { amount: '1.001', currency: 'USD' } });
  await staff.refused('WRONG_STAGE', 'markAsCompleted', { orderId });

  order = await staff.does('addShipment', { orderId, shipmentItems: [{ productSku: 'TEA', quantity: 1 }], mode: 'PICKUP',
    provider: 'Royal Mail', package: { weight: '1 kg' }, pickupFrom: '2030-01-01T09:00:00Z', pickupUntil: '2030-01-01T12:00:00Z',
    shipmentAmount: '2.10' });
  assert.equal(order.shipments.length, 1);
  assert.equal(order.shipments[0].status, 'PENDING');
  assert.equal(order.shipments[0].shipmentAmount.amount, '2.10');
  assert.equal(line(order, 1).allocatedQuantity, 1);
  const { shipmentId } = order.shipments[0];
  const exceeded = await staff.refused('QUANTITY_EXCEEDED', 'addShipment', { orderId, shipmentItems: [{ lineItemId: 1, quantity: 2 }] });
  assert.deepEqual(exceeded.userErrors[0].field.slice(0, 2), ['input', 'shipmentItems']);
  assert.equal(exceeded.order.version, order.version);
  await staff.does('confirmShipment', { orderId, shipmentId, trackingReference: 'RM1' });
  order = await staff.does('dispatchShipment', { orderId, shipmentId, trackingReference: 'RM1GB', shippingReference: 'https://track.example/RM1GB' });
  assert.deepEqual([order.stage, order.fulfillmentStatus, order.shipments[0].status], ['CONFIRMED', 'PARTIALLY_SHIPPED', 'IN_TRANSIT']);
  order = await staff.does('markAsShipped', { orderId, provider: 'DHL', trackingReference: 'D2' });
  assert.deepEqual([order.stage, order.fulfillmentStatus, order.shipments.length], ['SHIPPED', 'SHIPPED', 2]);
  await staff.refused('INVALID', 'addShippingTrackingReference', { orderId, shippingReference: 'javascript:alert(1)' });
  order = await staff.does('addShippingTrackingReference', { orderId, shippingReference: 'https://track.example/all' });
  assert.equal(order.shippingReference, 'https://track.example/all');
  await staff.refused('PAYMENT_OUTSTANDING', 'markAsCompleted', { orderId });
  order = await pay(orderId, '24.20');
  assert.equal(order.paymentStatus, 'PAID');
  order = await staff.does('deliverShipment', { orderId, shipmentId });
  assert.equal(order.fulfillmentStatus, 'PARTIALLY_DELIVERED');
  order = await staff.does('deliverShipment', { orderId, shipmentId: order.shipments[1].shipmentId });
  assert.equal(order.fulfillmentStatus, 'DELIVERED');
  order = await staff.does('markAsCompleted', { orderId });
  assert.deepEqual([order.stage, order.activityStatus], ['COMPLETED', 'NoPendingActions']);
  const events = await checkHistory(orderId);
  assert.deepEqual(events.map((event) => event.type).filter((type) => !/^STEP/.test(type)), ['ORDER_CREATED', 'PAYMENT_RECORDED',
    'SHIPMENT_ADDED', 'SHIPMENT_CONFIRMED', 'SHIPMENT_DISPATCHED', 'SHIPMENT_ADDED', 'SHIPMENT_DISPATCHED', 'ORDER_SHIPPED',
    'TRACKING_ADDED', 'PAYMENT_RECORDED', 'SHIPMENT_DELIVERED', 'SHIPMENT_DELIVERED', 'ORDER_COMPLETED']);
  assert.ok(events.every((event) => event.actor.kind === 'USER' && event.actor.subject === 'sam'));
});

test('a draft: edited, placed, confirmed', async () => {
  let order = await staff.does('createOrder', basket({ stage: 'DRAFT' }));
  const { orderId } = order;
  assert.equal(order.stage, 'DRAFT');
  order = await staff.does('addLineItem', { orderId, lineItems: [{ productSku: 'TEA', productName: 'Tea', vendor: { vendorId: 'tea-house' },
    orderQuantity: 1, productPrice: { amount: '7.50', currency: 'USD' }, isFreeGift: true, options: { wrap: true, tags: ['a', 1] } }] });
  assert.equal(order.lineItems.length, 3);
  assert.deepEqual(line(order, 3).options, { wrap: true, tags: ['a', 1] });
  assert.equal(order.finalAmount.amount, '30.00');
  const ambiguous = await staff.refused('AMBIGUOUS_LINE', 'changeQuantity', { orderId, productSkus: [{ productSku: 'TEA', vendorId: 'tea-house', orderQuantity: 4 }] });
  assert.equal(ambiguous.order.version, 2);
  order = await staff.does('changeQuantity', { orderId, productSkus: [{ lineItemId: 1, orderQuantity: 4 }] });
  assert.equal(order.totalAmount.amount, '45.00');
  order = await staff.does('removeLineItem', { orderId, productSkus: [{ productSku: 'CUP' }] });
  assert.equal(order.lineItems.length, 2);
  assert.equal(order.totalAmount.amount, '30.00');
  order = await staff.does('changeDestination', { orderId, destination: { city: 'Paris', country: 'France', street: '1 Rue de Rivoli' } });
  assert.equal(order.destination.country, 'FR');
  await staff.refused('CURRENCY_MISMATCH', 'addLineItem', { orderId, lineItems: [{ productSku: 'X', productName: 'X', vendor: { vendorId: 'v' },
    orderQuantity: 1, productPrice: { amount: '1', currency: 'EUR' } }] });
  await staff.refused('WRONG_STAGE', 'confirmOrder', { orderId });
  order = await staff.does('placeOrder', { orderId });
  assert.deepEqual([order.stage, order.activityStatus], ['PENDING', 'AwaitingConfirmation']);
  order = await staff.does('confirmOrder', { orderId });
  assert.equal(order.stage, 'CONFIRMED');
  await staff.refused('WRONG_STAGE', 'addLineItem', { orderId, lineItems: [{ productSku: 'X', productName: 'X', vendor: { vendorId: 'v' },
    orderQuantity: 1, productPrice: { amount: '1', currency: 'USD' } }] });
  await checkHistory(orderId);
});

test('shipments fail, are called off, and their goods go again', async () => {
  let order = await staff.does('createOrder', basket());
  const { orderId } = order;
  order = await staff.does('addShipment', { orderId, shipmentItems: [{ lineItemId: '1', quantity: 2 }], shipmentAddress: { city: 'York', country: 'GB' } });
  const [{ shipmentId: first }] = order.shipments;
  assert.equal(order.shipments[0].shipmentAddress.city, 'York');
  order = await staff.does('cancelShipment', { orderId, shipmentId: first, reason: 'wrong carrier' });
  assert.equal(order.shipments[0].status, 'CANCELLED');
  assert.equal(line(order, 1).allocatedQuantity, 0);
  order = await staff.does('addShipment', { orderId }); // the rest
  assert.deepEqual(order.shipments[1].shipmentItems.map((item) => item.quantity), [2, 3]);
  const second = order.shipments[1].shipmentId;
  await staff.does('dispatchShipment', { orderId, shipmentId: second });
  await staff.refused('INVALID', 'cancelShipment', { orderId, shipmentId: second });
  await staff.refused('WRONG_STAGE', 'cancelOrder', { orderId, cancellationReason: 'too late' });
  order = await staff.does('failShipment', { orderId, shipmentId: second, reason: 'lost', status: 'FAILED' });
  assert.equal(order.shipments[1].status, 'FAILED');
  assert.equal(order.fulfillmentStatus, 'UNFULFILLED');
  order = await staff.does('addShipment', { orderId });
  order = await staff.does('dispatchShipment', { orderId, shipmentId: order.shipments[2].shipmentId });
  order = await staff.does('failShipment', { orderId, shipmentId: order.shipments[2].shipmentId, status: 'RETURNED_TO_SENDER' });
  assert.equal(order.shipments[2].status, 'RETURNED_TO_SENDER');
  await staff.refused('NOT_FOUND', 'deliverShipment', { orderId, shipmentId: 'SHP-77' });
  await checkHistory(orderId);
});

test('cancelled: whole, by lines, and what is owed back', async () => {
  let order = await staff.does('createOrder', basket());
  let { orderId } = order;
  await pay(orderId, '30.00');
  await staff.refused('REQUIRED', 'cancelOrder', { orderId, cancellationReason: '' });
  order = await staff.does('cancelLineItems', { orderId, productSkus: [{ productSku: 'CUP', orderQuantity: 1 }], cancellationReason: 'one is broken' });
  assert.deepEqual([line(order, 2).cancelledQuantity, order.finalAmount.amount, order.refundDue.amount], [1, '25.00', '5.00']);
  order = await staff.does('cancelOrder', { orderId, cancellationReason: 'changed their mind' });
  assert.deepEqual([order.stage, order.cancellationReason, order.refundDue.amount], ['CANCELLED', 'changed their mind', '30.00']);
  assert.equal(order.paymentStatus, 'PAID');
  await staff.refused('WRONG_STAGE', 'cancelOrder', { orderId, cancellationReason: 'again' });
  order = await staff.does('processRefund', { orderId, amount: { amount: '30.00', currency: 'USD' }, reason: 'cancelled' });
  assert.equal(order.refunds[0].status, 'PENDING');
  const { refundId } = order.refunds[0];
  await staff.refused('REFUND_EXCEEDED', 'processRefund', { orderId, amount: { amount: '0.01', currency: 'USD' }, reason: 'more' });
  order = await staff.does('processRefund', { orderId, refundId, status: 'SUCCEEDED', provider: 'bank', transactionId: 'r-1' });
  assert.deepEqual([order.refunds[0].status, order.paymentStatus, order.refundDue.amount], ['SUCCEEDED', 'REFUNDED', '0.00']);
  // Lines that are all cancelled cancel the order.
  order = await staff.does('createOrder', basket());
  ({ orderId } = order);
  order = await staff.does('cancelLineItems', { orderId, productSkus: [{ lineItemId: 1 }, { lineItemId: 2, orderQuantity: 3 }], cancellationReason: 'sold out' });
  assert.deepEqual([order.stage, order.paymentStatus], ['CANCELLED', 'CANCELLED']);
  // All the rest has left: shipped.
  order = await staff.does('createOrder', basket());
  ({ orderId } = order);
  order = await staff.does('addShipment', { orderId, shipmentItems: [{ lineItemId: 1, quantity: 2 }] });
  await staff.does('dispatchShipment', { orderId, shipmentId: order.shipments[0].shipmentId });
  order = await staff.does('cancelLineItems', { orderId, productSkus: [{ lineItemId: 2 }], cancellationReason: 'sold out' });
  assert.deepEqual([order.stage, order.fulfillmentStatus, order.finalAmount.amount], ['SHIPPED', 'SHIPPED', '15.00']);
  await checkHistory(orderId);
});

test('comes back: requested, approved, received, refunded; rejected; called off', async () => {
  let order = await staff.does('createOrder', basket());
  const { orderId } = order;
  await pay(orderId, '30.00');
  await staff.refused('NOT_RETURNABLE', 'requestReturn', { orderId, items: [{ lineItemId: 1, quantity: 1 }], reason: 'early' });
  order = await staff.does('markAsShipped', { orderId });
  await staff.does('deliverShipment', { orderId, shipmentId: order.shipments[0].shipmentId });
  order = await staff.does('requestReturn', { orderId, items: [{ productSku: 'TEA', vendorId: 'tea-house', quantity: 1 }], reason: 'stale', comments: 'smells' });
  const { returnId } = order.returns[0];
  assert.deepEqual([order.returns[0].status, order.returns[0].refundableAmount.amount], ['REQUESTED', '0.00']);
  await staff.refused('QUANTITY_EXCEEDED', 'requestReturn', { orderId, items: [{ lineItemId: 1, quantity: 2 }], reason: 'more' });
  await staff.refused('INVALID', 'receiveReturn', { orderId, returnId });
  await staff.does('approveReturn', { orderId, returnId, comments: 'fine' });
  order = await staff.does('receiveReturn', { orderId, returnId, items: [{ lineItemId: 1, quantity: 1, condition: 'opened', restock: false }] });
  assert.deepEqual([order.returns[0].status, order.returns[0].items[0].receivedQuantity, line(order, 1).returnedQuantity], ['RECEIVED', 1, 1]);
  order = await staff.does('processRefund', { orderId, returnId, reason: 'returned' });
  assert.equal(order.refunds[0].amount.amount, '7.50');
  order = await staff.does('processRefund', { orderId, refundId: order.refunds[0].refundId, status: 'SUCCEEDED' });
  assert.deepEqual([order.returns[0].status, order.paymentStatus], ['CLOSED', 'PARTIALLY_REFUNDED']);
  await staff.refused('REFUND_EXCEEDED', 'processRefund', { orderId, amount: { amount: '22.51', currency: 'USD' }, reason: 'too much' });
  order = await staff.does('processRefund', { orderId, amount: { amount: '2.00', currency: 'USD' }, reason: 'kindness' });
  order = await staff.does('processRefund', { orderId, refundId: order.refunds[1].refundId, status: 'FAILED' });
  assert.equal(order.refunds[1].status, 'FAILED');
  order = await staff.does('requestReturn', { orderId, items: [{ lineItemId: 2, quantity: 1 }], reason: 'wrong colour' });
  order = await staff.does('rejectReturn', { orderId, returnId: order.returns[1].returnId, reason: 'it is blue' });
  assert.deepEqual([order.returns[1].status, order.returns[1].decisionNote], ['REJECTED', 'it is blue']);
  order = await staff.does('requestReturn', { orderId, items: [{ lineItemId: 2, quantity: 3 }], reason: 'again' });
  order = await staff.does('cancelReturn', { orderId, returnId: order.returns[2].returnId });
  assert.equal(order.returns[2].status, 'CANCELLED');
  await staff.does('markAsCompleted', { orderId });
  order = await staff.does('requestReturn', { orderId, items: [{ lineItemId: 2, quantity: 3 }], reason: 'also when completed' });
  assert.equal(order.returns.length, 4);
  await checkHistory(orderId);
});

test('reviews: escalated, replaced, approved; rejected holds; activities', async () => {
  let order = await staff.does('createOrder', basket());
  const { orderId } = order;
  await staff.does('escalateReviewer', { orderId, reviewer: 'rita', comments: 'look at this' });
  order = await staff.does('escalateReviewer', { orderId, reviewer: 'rob' });
  assert.equal(order.activities.find((step) => step.stepName === 'review_order').reviewer, 'rob');
  await staff.as('staff', 'rita').refused('NOT_ASSIGNED_REVIEWER', 'reviewOrder', { orderId, isApproved: true });
  order = await staff.as('staff', 'rob').does('reviewOrder', { orderId, isApproved: true, comments: 'good' });
  assert.equal(order.activities.find((step) => step.stepName === 'review_order').outcome, 'APPROVED');
  assert.equal(order.activityStatus, 'AwaitingPicking');
  await staff.refused('NOT_FOUND', 'completeActivity', { orderId, stepName: 'no_such_step' });
  order = await staff.does('completeActivity', { orderId, stepName: 'pick_and_pack', userInput: { shelf: 'A1', boxes: 2 }, comments: 'done' });
  const step = order.activities.find((one) => one.stepName === 'pick_and_pack');
  assert.deepEqual([step.outcome, step.userInput, step.actor.subject], ['DONE', { shelf: 'A1', boxes: 2 }, 'sam']);
  assert.equal(order.activityStatus, 'AwaitingShipment');
  let other = await staff.does('createOrder', basket());
  await staff.does('escalateReviewer', { orderId: other.orderId, reviewer: 'sam' });
  other = await staff.does('reviewOrder', { orderId: other.orderId, isApproved: false, comments: 'fraud' });
  assert.ok(other.holds.some((hold) => hold.releasedAt === null), 'a rejected review holds the order');
  await staff.refused('ON_HOLD', 'markAsShipped', { orderId: other.orderId });
  other = await staff.does('createOrder', basket());
  other = await staff.does('skipActivity', { orderId: other.orderId, stepName: 'pick_and_pack', comments: 'packed' });
  assert.equal(other.activities.find((one) => one.stepName === 'pick_and_pack').outcome, 'SKIPPED');
  await staff.refused('UNEXPECTED_STEP', 'completeActivity', { orderId: other.orderId, stepName: 'review_order' });
  await checkHistory(orderId);
});

test('holds: several at once, what they block, released, expiring', async () => {
  let order = await staff.does('createOrder', basket());
  const { orderId } = order;
  order = await staff.does('placeHold', { orderId, reason: 'address check', blocks: ['markAsShipped', 'dispatchShipment'] });
  order = await staff.does('placeHold', { orderId, reason: 'credit check' });
  assert.equal(order.holds.length, 2);
  assert.deepEqual(order.holds[0].blocks, ['dispatchShipment', 'markAsShipped']);
  await staff.refused('ON_HOLD', 'markAsShipped', { orderId });
  order = await staff.does('releaseHold', { orderId, holdId: order.holds[1].holdId, reason: 'fine' });
  assert.equal(order.holds[1].releaseReason, 'fine');
  await staff.refused('ON_HOLD', 'markAsShipped', { orderId });
  order = await staff.does('releaseHold', { orderId, holdId: order.holds[0].holdId });
  await staff.refused('INVALID', 'placeHold', { orderId, reason: 'past', expiresAt: '2001-01-01T00:00:00Z' });
  const soon = new Date(Date.now() + 1200).toISOString();
  await staff.does('placeHold', { orderId, reason: 'short', expiresAt: soon });
  await staff.refused('ON_HOLD', 'markAsShipped', { orderId });
  const end = Date.now() + 8000;
  do {
    await new Promise((resolve) => setTimeout(resolve, 100));
    order = await staff.order(orderId);
  } while (order.holds.some((hold) => !hold.releasedAt) && Date.now() < end);
  const expired = order.holds.find((hold) => hold.reason === 'short');
  assert.ok(expired.releasedAt >= soon, JSON.stringify(expired));
  assert.equal(expired.releasedBy.kind, 'TIMER');
  await staff.does('cancelOrder', { orderId, cancellationReason: 'enough' });
  await checkHistory(orderId);
});

test('availableActions says what may run, and the command agrees', async () => {
  const select = 'stage availableActions { command allowed reasons { code message } }';
  const { orderId } = await staff.does('createOrder', basket());
  const actions = async (who = staff) => Object.fromEntries((await who.order(orderId, select)).availableActions
    .map((one) => [one.command, one.allowed ? 'yes' : one.reasons[0].code]));
  let can = await actions();
  assert.equal(can.markAsShipped, 'yes');
  assert.equal(can.cancelOrder, 'yes');
  assert.equal(can.markAsCompleted, 'WRONG_STAGE');
  assert.equal(can.addLineItem, 'WRONG_STAGE');
  const customer = staff.as('customer', 'carol');
  const theirs = await actions(customer);
  assert.equal(theirs.cancelOrder, 'yes');
  assert.equal(theirs.markAsShipped, 'FORBIDDEN');
  await customer.refused('FORBIDDEN', 'markAsShipped', { orderId });
  await staff.does('placeHold', { orderId, reason: 'stop' });
  can = await actions();
  assert.equal(can.markAsShipped, 'ON_HOLD');
  assert.equal(can.cancelOrder, 'yes');
  assert.equal(can.releaseHold, 'yes');
});

test('money: exact sums, exponents, storefront totals checked', async () => {
  const one = (price, currency, quantity, more = {}) => basket({ lineItems: [{ productSku: 'S', productName: 'S', vendor: { vendorId: 'v' },
    orderQuantity: quantity, productPrice: { amount: price, currency }, ...more }] });
  let order = await staff.does('createOrder', one('1500', 'JPY', 3));
  assert.deepEqual(order.finalAmount, { amount: '4500', currency: 'JPY', minorUnits: '4500' });
  order = await staff.does('createOrder', one('1.234', 'KWD', 3));
  assert.equal(order.finalAmount.amount, '3.702');
  await staff.refused('INVALID', 'createOrder', one('1.5', 'JPY', 1));
  await staff.refused('INVALID', 'createOrder', one('92233720368547758.07', 'USD', 3));
  order = await staff.does('createOrder', { ...one('19.99', 'USD', 3, { discountAmount: '5.00' }), taxLines: [{ title: 'VAT', rate: '0.20' }],
    shippingDetails: { cost: '4.95' }, coupons: [{ couponCode: 'FIVE' }], taxDetails: ['VAT 20 %'], offerDetails: ['5 off'] });
  assert.deepEqual([order.totalAmount.amount, order.totalDiscountsFee.amount, order.coupons[0].couponCode], ['59.97', '5.00', 'FIVE']);
  const cents = (amount) => BigInt(amount.minorUnits);
  assert.equal(cents(order.finalAmount), cents(order.totalAmount) - cents(order.totalDiscountsFee) + 495n + cents(order.taxAmount));
  const mismatch = await staff.refused('TOTALS_MISMATCH', 'createOrder', { ...one('10.00', 'USD', 2), finalAmount: '20.01' });
  assert.match(mismatch.userErrors[0].message, /20\.00/);
  assert.deepEqual(mismatch.userErrors[0].field, ['input', 'finalAmount']);
  await staff.does('createOrder', { ...one('10.00', 'USD', 2), totalAmount: 20, finalAmount: '20' });
  await staff.does('createOrder', one('0', 'USD', 1));
  await staff.refused('REQUIRED', 'createOrder', basket({ lineItems: [] }));
  await staff.refused('INVALID', 'createOrder', one('1.00', 'USD', 1, { discountAmount: '1.01' }));
  await staff.refused('INVALID', 'createOrder', one('1.00', 'USD', 0));
  await staff.refused('INVALID', 'createOrder', one('1.00', 'USD', -1));
});

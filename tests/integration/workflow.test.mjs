// A tenant's own workflow: required and optional steps, reviews that send back, deadlines, conditions of returns and
// refunds, and orders that stay on the version they were created under.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Caller, basket } from './lib/client.mjs';
import { Server, fresh, until, withServer } from './lib/server.mjs';

const step = (stage, stepName, activityStatus, sequence, more = {}) => ({ stage, stepName, activityStatus, sequence, ...more });
const workflow = {
  defaults: { days_to_return: 30, allow_partial_return: false, auto_approve: true, restocking_fee_percent: 10, max_refund_amount: '20.00', complete_requires: 'delivered' },
  steps: [
    step('PENDING', 'confirm_order', 'AwaitingConfirmation', 10),
    step('CONFIRMED', 'fraud_check', 'AwaitingFraudCheck', 10, { role: 'fraud' }),
    step('CONFIRMED', 'review_order', 'AwaitingReview', 20, { onReject: 'retry:fraud_check' }),
    step('CONFIRMED', 'gift_wrap', 'AwaitingWrapping', 30, { optional: true, dueIn: 'PT1S', onDue: 'skip' }),
    step('CONFIRMED', 'mark_as_shipped', 'AwaitingShipment', 40),
    step('SHIPPED', 'mark_as_completed', 'AwaitingCompletion', 10),
  ],
};
const data = fresh('-data');
const start = (flow) => Server.start({ data, args: ['--shards', '2'], config: { tenants: [{ name: 'shop', workflow: flow }] } });
let server, staff, fraud;
const callers = () => {
  staff = new Caller(server, 'staff', 'sam', { tenant: 'shop' });
  fraud = staff.as(['staff', 'fraud'], 'fay', { tenant: 'shop' });
};

before(async () => { server = await start(workflow); callers(); });
after(async () => {
  staff.close();
  await server.stop();
  await server.verify();
});

const outcome = (order, name) => order.activities.find((one) => one.stepName === name).outcome;

test('required steps in sequence, a review that sends back, a deadline that skips', async () => {
  let order = await staff.does('createOrder', basket());
  const { orderId } = order;
  assert.equal(order.activityStatus, 'AwaitingFraudCheck');
  await staff.refused('UNEXPECTED_STEP', 'markAsShipped', { orderId });
  const early = await staff.command('escalateReviewer', { orderId, reviewer: 'rob' });
  assert.ok(['UNEXPECTED_STEP', 'STEP_PENDING'].includes(early.userErrors[0]?.code), JSON.stringify(early.userErrors));
  await staff.refused('FORBIDDEN', 'completeActivity', { orderId, stepName: 'fraud_check' });
  await fraud.refused('STEP_PENDING', 'skipActivity', { orderId, stepName: 'fraud_check' });
  order = await fraud.does('completeActivity', { orderId, stepName: 'fraud_check', userInput: { score: 0.1 } });
  assert.deepEqual([outcome(order, 'fraud_check'), order.activityStatus], ['DONE', 'AwaitingReview']);
  await staff.does('escalateReviewer', { orderId, reviewer: 'rob' });
  const rob = staff.as('staff', 'rob', { tenant: 'shop' });
  order = await rob.does('reviewOrder', { orderId, isApproved: false, comments: 'look again' });
  assert.deepEqual([outcome(order, 'fraud_check'), outcome(order, 'review_order'), order.activityStatus], ['WAITING', 'WAITING', 'AwaitingFraudCheck']);
  await fraud.does('completeActivity', { orderId, stepName: 'fraud_check' });
  await staff.does('escalateReviewer', { orderId, reviewer: 'rob' });
  order = await rob.does('reviewOrder', { orderId, isApproved: true });
  assert.deepEqual([outcome(order, 'review_order'), order.activityStatus], ['APPROVED', 'AwaitingWrapping']);
  assert.ok(order.activities.find((one) => one.stepName === 'gift_wrap').dueAt > order.dateModified);
  order = await until(async () => {
    const now = await staff.order(orderId);
    return outcome(now, 'gift_wrap') === 'SKIPPED' && now;
  }, 10000, 'the deadline');
  assert.equal(order.activities.find((one) => one.stepName === 'gift_wrap').actor.kind, 'TIMER');
  assert.equal(order.activityStatus, 'AwaitingShipment');
  order = await staff.does('markAsShipped', { orderId });
  assert.deepEqual([order.stage, outcome(order, 'mark_as_shipped')], ['SHIPPED', 'DONE']);
  await staff.does('recordPayment', { orderId, amount: { amount: '30.00', currency: 'USD' } });
  const open = await staff.command('markAsCompleted', { orderId });
  assert.ok(open.userErrors.length > 0, 'completed before it was delivered');
  await staff.does('deliverShipment', { orderId, shipmentId: order.shipments[0].shipmentId });
  assert.equal((await staff.does('markAsCompleted', { orderId })).stage, 'COMPLETED');
  // Returns of everything at once, approved by themselves; refunds less the fee, up to the maximum.
  await staff.refused('PARTIAL_RETURN_NOT_ALLOWED', 'requestReturn', { orderId, items: [{ lineItemId: 1, quantity: 1 }], reason: 'x' });
  order = await staff.does('requestReturn', { orderId, items: [{ lineItemId: 1, quantity: 2 }, { lineItemId: 2, quantity: 3 }], reason: 'x' });
  const { returnId } = order.returns[0];
  assert.equal(order.returns[0].status, 'APPROVED');
  await staff.does('receiveReturn', { orderId, returnId });
  const refunded = await staff.command('processRefund', { orderId, returnId });
  if (refunded.userErrors.length) {
    assert.equal(refunded.userErrors[0].code, 'REFUND_EXCEEDED');
    order = await staff.does('processRefund', { orderId, returnId, amount: { amount: '20.00', currency: 'USD' }, reason: 'the most' });
  } else {
    ({ order } = refunded);
  }
  assert.ok(Number(order.refunds[0].amount.amount) <= 20, JSON.stringify(order.refunds));
});

test('a new version is for new orders; live ones stay on theirs', async () => {
  const old = await staff.does('createOrder', basket());
  const version = (await staff.query('{ tenant { workflowVersion } }')).tenant.workflowVersion;
  staff.close();
  await server.stop();
  server = await start({ ...workflow, steps: workflow.steps.filter((one) => !['fraud_check', 'review_order'].includes(one.stepName)) });
  callers();
  assert.equal((await staff.query('{ tenant { workflowVersion } }')).tenant.workflowVersion, version + 1);
  const fresh_ = await staff.does('createOrder', basket());
  assert.equal(fresh_.activityStatus, 'AwaitingWrapping');
  await staff.does('markAsShipped', { orderId: fresh_.orderId });
  assert.deepEqual(await staff.order(old.orderId), old);
  await staff.refused('UNEXPECTED_STEP', 'markAsShipped', { orderId: old.orderId });
  // The same configuration again is no new version.
  staff.close();
  await server.stop();
  server = await start({ ...workflow, steps: workflow.steps.filter((one) => !['fraud_check', 'review_order'].includes(one.stepName)) });
  callers();
  assert.equal((await staff.query('{ tenant { workflowVersion } }')).tenant.workflowVersion, version + 1);
});

test('goods that never arrive: the shipment fails, its quantities go out again, and the order completes', async () => {
  const config = { tenants: [{ name: 'shop', workflow: { steps: [], defaults: { complete_requires: 'delivered' } } }] };
  await withServer({ config }, async (own) => {
    const clerk = new Caller(own, 'staff', 'sam', { tenant: 'shop' });
    const { orderId, finalAmount } = await clerk.does('createOrder', basket());
    const shipped = await clerk.does('markAsShipped', { orderId });
    const early = await clerk.refused('WRONG_STAGE', 'markAsCompleted', { orderId });
    assert.deepEqual(early.userErrors.map((error) => error.code), ['WRONG_STAGE', 'PAYMENT_OUTSTANDING'], 'all that is missing at once');
    assert.match(early.userErrors[0].message, /delivered/);
    assert.match(early.userErrors[1].message, new RegExp(`0\\.00 USD of ${finalAmount.amount} USD`));
    await clerk.does('recordPayment', { orderId, amount: { amount: finalAmount.amount, currency: finalAmount.currency } });
    const lost = await clerk.does('failShipment', { orderId, shipmentId: shipped.shipments[0].shipmentId, reason: 'lost' });
    assert.deepEqual([lost.stage, lost.fulfillmentStatus], ['SHIPPED', 'UNFULFILLED']);
    const again = await clerk.does('addShipment', { orderId });
    const { shipmentId, shipmentItems } = again.shipments.at(-1);
    assert.deepEqual(shipmentItems.map((item) => [item.lineItemId, item.quantity]), lost.lineItems.map((line) => [line.lineItemId, line.orderQuantity]));
    await clerk.does('dispatchShipment', { orderId, shipmentId });
    await clerk.refused('WRONG_STAGE', 'markAsCompleted', { orderId });
    await clerk.does('deliverShipment', { orderId, shipmentId });
    const done = await clerk.does('markAsCompleted', { orderId });
    assert.deepEqual([done.stage, done.fulfillmentStatus], ['COMPLETED', 'DELIVERED']);
    clerk.close();
  });
});

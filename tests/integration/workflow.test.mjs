// A tenant's own workflow: required and optional steps, reviews that send back, deadlines, conditions of returns and
// refunds, and orders that stay on the version they were created under.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Caller, basket } from './lib/client.mjs';
import { Server, fresh, repository, until, withServer } from './lib/server.mjs';

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

// ---- read and changed through GraphQL ----

const workflowFields = `version current source sourceVersion updatedAt json
  defaults { daysToReturn nonReturnableSkuPatterns allowPartialReturn autoApprove restockingFeePercent maxRefundAmount completeRequires }
  steps { stage stepName activityStatus sequence optional command role dueIn onDue escalateTo onReject when { field op value } conditions { daysToReturn } }`;
const update = async (caller, input, headers) => (await caller.query(`mutation($input: UpdateWorkflowInput!) { updateWorkflow(input: $input) {
  clientMutationId replayed result { success message } userErrors { code field message } workflow { ${workflowFields} }
  stranded { examined count hasNextPage endCursor orders { orderId stage workflowVersion reason stepName message } } } }`, { input }, headers)).updateWorkflow;
const migrate = async (caller, input) => (await caller.query(`mutation($input: MigrateOrdersInput!) { migrateOrders(input: $input) {
  result { success message } userErrors { code field message } workflow { version }
  progress { examined migrated already failed endCursor hasNextPage } stranded { count orders { orderId reason stepName message } } } }`, { input })).migrateOrders;
const current = async (caller, args = '') => (await caller.query(`{ tenant { workflow${args} { ${workflowFields} } } }`)).tenant.workflow;

async function withShop(flow, use, options = {}) {
  const folder = fresh('-data');
  const open = (more = {}) => Server.start({ data: folder, args: ['--shards', '2'], config: { tenants: [{ name: 'shop', ...(flow && { workflow: flow }) }, { name: 'rival' }] }, ...options, ...more });
  const state = { server: await open() };
  const people = () => {
    state.admin = new Caller(state.server, 'admin', 'ada', { tenant: 'shop' });
    state.staff = state.admin.as('staff', 'sam', { tenant: 'shop' });
  };
  people();
  state.again = async (kill) => {
    state.admin.close();
    await (kill ? state.server.kill() : state.server.stop());
    state.server = await open();
    people();
  };
  await use(state);
  state.admin.close();
  await state.server.stop();
  await state.server.verify();
}

test('the workflow is read as objects, as JSON and as a picture', () => withShop(workflow, async ({ admin, staff }) => {
  const shown = await current(admin);
  assert.deepEqual([shown.version, shown.current, shown.source, shown.sourceVersion], [1, true, 'CONFIGURATION', null]);
  assert.ok(Math.abs(Date.parse(shown.updatedAt) - Date.now()) < 120000, shown.updatedAt);
  assert.deepEqual(shown.json, workflow);
  assert.deepEqual(shown.defaults, { daysToReturn: 30, nonReturnableSkuPatterns: [], allowPartialReturn: false, autoApprove: true,
    restockingFeePercent: '10', maxRefundAmount: '20.00', completeRequires: 'DELIVERED' });
  assert.deepEqual(shown.steps.map((one) => one.stepName), workflow.steps.map((one) => one.stepName));
  assert.deepEqual(shown.steps[3], { stage: 'CONFIRMED', stepName: 'gift_wrap', activityStatus: 'AwaitingWrapping', sequence: 30, optional: true, command: null,
    role: null, dueIn: 'PT1S', onDue: 'SKIP', escalateTo: null, onReject: 'hold', when: [], conditions: { daysToReturn: 30 } });
  assert.deepEqual([shown.steps[2].command, shown.steps[2].onReject, shown.steps[1].role], ['reviewOrder', 'retry:fraud_check', 'fraud']);
  const { text, dot } = (await admin.query('{ tenant { workflow { text dot: text(format: DOT) } } }')).tenant.workflow;
  assert.match(text, /^flowchart TD\n/);
  assert.match(text, /s3 -\. rejected \.-> s2/);
  assert.match(dot, /^digraph workflow \{/);
  const missing = await admin.post('{ tenant { workflow(version: 7) { version } } }');
  assert.equal(missing.json.errors[0].extensions.code, 'NOT_FOUND');
  const forbidden = await staff.post('{ tenant { tenantId workflow { version } } }');
  assert.equal(forbidden.json.errors[0].extensions.code, 'FORBIDDEN');
  const refused = await update(staff, { workflow: { steps: [] } });
  assert.deepEqual([refused.userErrors[0].code, refused.workflow], ['FORBIDDEN', null]);
  const rival = admin.as('admin', 'rita', { tenant: 'rival' });
  assert.equal((await current(rival)).source, 'BUILT_IN');
}));

test('a new version by GraphQL: faults with paths, one at a time, keys, older ones refused', () => withShop(undefined, async (shop) => {
  const { admin, staff } = shop;
  const bad = await update(admin, { clientMutationId: 'c', workflow: { defaults: { days_to_return: 'x' }, steps: [
    step('CONFIRMED', 'a', 'A', 1, { when: [{ field: 'finalAmount', op: 'gt', value: 1 }, { field: 'finalAmont', op: 'gt', value: 1 }] }),
    step('CONFIRMED', 'b', 'B', 1, { dueIn: '2 days' }), step('NOWHERE', 'c', 'C', 1)] } });
  assert.deepEqual([bad.clientMutationId, bad.result.success, bad.stranded, bad.workflow.version], ['c', false, null, 1]);
  assert.deepEqual(bad.userErrors.map((error) => [error.code, error.field.join('.')]), [
    ['INVALID', 'input.workflow.defaults.days_to_return'],
    ['INVALID', 'input.workflow.steps.0.when.1.field'],
    ['INVALID', 'input.workflow.steps.1.dueIn'],
    ['INVALID', 'input.workflow.steps.1.sequence'],
    ['INVALID', 'input.workflow.steps.2.stage']]);
  assert.match(bad.userErrors[1].message, /step 1 'a': when: unknown field 'finalAmont', did you mean 'finalAmount'\?/);
  const garbage = await update(admin, { workflow: '{"steps":[' });
  assert.match(garbage.userErrors[0].message, /no JSON: line 1/);
  assert.equal((await update(admin, { workflow: { steps: [] }, expectedVersion: 2 })).userErrors[0].code, 'CONFLICT');
  const flow = { steps: [step('CONFIRMED', 'pack', 'Packing', 1, { when: [{ field: 'finalAmount', op: 'gte', value: '30' }] })], defaults: { non_returnable_sku_patterns: ['^GIFT-'] } };
  const old = await staff.does('createOrder', basket());
  const done = await update(admin, { workflow: flow, expectedVersion: 1, idempotencyKey: 'k1' });
  assert.deepEqual([done.userErrors, done.workflow.version, done.workflow.source, done.replayed], [[], 2, 'API', false]);
  assert.deepEqual(done.workflow.steps[0].when, flow.steps[0].when);
  const repeat = await update(admin, { workflow: flow, expectedVersion: 1, idempotencyKey: 'k1' });
  assert.deepEqual([repeat.userErrors, repeat.workflow.version, repeat.replayed], [[], 2, true]);
  assert.equal((await update(admin, { workflow: { steps: [] }, idempotencyKey: 'k1' })).userErrors[0].code, 'IDEMPOTENCY_MISMATCH');
  assert.equal((await update(admin, { workflow: JSON.stringify(flow) })).workflow.version, 2, 'the same again is no new version');
  // New orders follow it, the old one does not.
  assert.equal((await staff.does('createOrder', basket())).activityStatus, 'Packing');
  assert.equal((await staff.order(old.orderId)).activityStatus, old.activityStatus);
  assert.equal((await current(admin, '(version: 1)')).current, false);
  // Versions of the source never go back.
  const snapshot = (sourceVersion, steps) => update(admin, { workflow: { steps }, sourceVersion });
  assert.equal((await snapshot(5, [])).workflow.version, 3);
  assert.equal((await snapshot(4, [step('PENDING', 'x', 'X', 1)])).userErrors[0].code, 'CONFLICT');
  assert.equal((await snapshot(5, [step('PENDING', 'x', 'X', 1)])).userErrors[0].code, 'CONFLICT');
  assert.deepEqual((await snapshot(6, [])).workflow.version, 3);
  assert.equal((await current(admin)).sourceVersion, 6);
  // Side by side: one of two with the same expectation wins.
  const both = await Promise.all([0, 1].map((i) => update(admin, { workflow: { steps: [step('PENDING', `p${i}`, 'P', 1)] }, expectedVersion: 3 })));
  assert.deepEqual(both.map((one) => one.userErrors[0]?.code ?? 'done').sort(), ['CONFLICT', 'done']);
  // What the API said stays, though the configuration is read again at each start.
  await shop.again(true);
  assert.equal((await current(shop.admin)).version, 4);
  assert.equal((await update(shop.admin, { workflow: flow, expectedVersion: 1, idempotencyKey: 'k1' })).replayed, true, 'keys survive');
}));

test('a configured workflow does not come back over a newer one; a changed configuration does', async () => {
  const folder = fresh('-data');
  const open = (flow) => Server.start({ data: folder, config: { tenants: [{ name: 'shop', workflow: flow }] } });
  const first = { steps: [step('PENDING', 'a', 'A', 1)] }, second = { steps: [step('PENDING', 'b', 'B', 1)] }, api = { steps: [step('PENDING', 'c', 'C', 1)] };
  for (const [flow, change, wanted] of [[first, api, 2], [first, undefined, 2], [second, undefined, 3], [second, undefined, 3]]) {
    const own = await open(flow);
    const admin = new Caller(own, 'admin', 'ada', { tenant: 'shop' });
    if (change) assert.deepEqual((await update(admin, { workflow: change })).userErrors, []);
    assert.equal((await current(admin)).version, wanted);
    admin.close();
    await own.stop();
  }
});

test('a dry run tells whom a version would strand; live orders are taken along a page at a time', () => withShop({ steps: [
  step('CONFIRMED', 'fraud_check', 'Checking', 1), step('CONFIRMED', 'pack', 'Packing', 2, { dueIn: 'PT48H' })] }, async ({ admin, staff }) => {
  const orders = [];
  for (let i = 0; i < 7; i++) orders.push((await staff.does('createOrder', basket({ externalRef: `live-${i}` }))).orderId);
  const done = orders[6];
  await staff.does('cancelOrder', { orderId: done, cancellationReason: 'x' });
  for (const orderId of orders.slice(0, 4)) await staff.does('completeActivity', { orderId, stepName: 'fraud_check' });
  const next = { steps: [step('CONFIRMED', 'weigh', 'Weighing', 1), step('CONFIRMED', 'pack', 'Packing', 2, { dueIn: 'PT1S', onDue: 'skip' })] };
  const dry = await update(admin, { workflow: next, dryRun: true });
  assert.deepEqual([dry.userErrors, dry.workflow.version, dry.workflow.current, dry.stranded.examined, dry.stranded.count], [[], 2, false, 6, 2]);
  assert.deepEqual(dry.stranded.orders.map((one) => one.orderId).sort(), orders.slice(4, 6).sort());
  assert.deepEqual([dry.stranded.orders[0].reason, dry.stranded.orders[0].stepName, dry.stranded.orders[0].workflowVersion], ['STEP_REMOVED', 'fraud_check', 1]);
  assert.match(dry.stranded.orders[0].message, /at step fraud_check \(Checking\), which version 2 does not have/);
  assert.equal((await current(admin)).version, 1, 'a dry run changes nothing');
  assert.deepEqual((await update(admin, { workflow: next })).userErrors, []);
  assert.equal((await migrate(staff, {})).userErrors[0].code, 'FORBIDDEN');
  assert.equal((await migrate(admin, { toVersion: 9 })).userErrors[0].code, 'NOT_FOUND');
  assert.equal((await migrate(admin, { first: 0 })).userErrors[0].code, 'INVALID');
  assert.equal((await migrate(admin, { orderIds: ['ORD-NOBODY'] })).userErrors[0].code, 'NOT_FOUND');
  let after, migrated = 0, examined = 0;
  const stranded = [];
  for (;;) {
    const page = await migrate(admin, { first: 2, after });
    assert.deepEqual([page.userErrors, page.progress.failed], [[], 0]);
    migrated += page.progress.migrated;
    examined += page.progress.examined;
    stranded.push(...page.stranded.orders.map((one) => one.orderId));
    if (!page.progress.hasNextPage) break;
    after = page.progress.endCursor;
  }
  assert.deepEqual([migrated, examined, stranded.sort()], [4, 6, orders.slice(4, 6).sort()]);
  const moved = await staff.order(orders[0]);
  assert.equal(moved.activityStatus, 'Weighing');
  const events = (await staff.query('query($id: ID!) { getOrder(orderId: $id) { events(first: 50) { nodes { type command actor { kind subject } change } } } }', { id: orders[0] })).getOrder.events.nodes;
  const event = events.find((one) => one.type === 'WORKFLOW_MIGRATED');
  assert.deepEqual([event.command, event.actor, event.change.fromVersion, event.change.toVersion], ['migrateWorkflow', { kind: 'USER', subject: 'ada' }, 1, 2]);
  assert.equal((await staff.order(orders[4])).activityStatus, 'Checking', 'a stranded one stays');
  const named = await migrate(admin, { orderIds: [orders[4]], onStranded: 'MIGRATE' });
  assert.deepEqual([named.progress.migrated, named.stranded.orders.length], [1, 1]);
  assert.equal((await staff.order(orders[4])).activityStatus, 'Weighing');
  await staff.does('completeActivity', { orderId: orders[0], stepName: 'weigh' });
  await until(async () => outcome(await staff.order(orders[0]), 'pack') === 'SKIPPED', 10000, 'the new deadline');
  // Back again: a version that is not the current one.
  assert.equal((await migrate(admin, { orderIds: [orders[1]], toVersion: 1 })).progress.migrated, 0);
  assert.equal((await migrate(admin, { orderIds: [orders[1]], toVersion: 1, onStranded: 'MIGRATE' })).progress.migrated, 1);
  assert.equal((await staff.order(orders[1])).activityStatus, 'Checking', 'what version 2 did not have was not remembered');
}));

test('deadlines survive a crash, and pause on hold', () => withShop({ steps: [
  step('CONFIRMED', 'pack', 'Packing', 1, { dueIn: 'PT3S', onDue: 'skip' }), step('CONFIRMED', 'mark_as_shipped', 'Shipping', 2)] }, async (shop) => {
  const running = await shop.staff.does('createOrder', basket({ externalRef: 'running' }));
  const held = await shop.staff.does('createOrder', basket({ externalRef: 'held' }));
  await shop.staff.does('placeHold', { orderId: held.orderId, reason: 'wait' });
  assert.equal((await shop.staff.order(held.orderId)).activities[0].dueAt, null);
  await shop.again(true);
  await until(async () => outcome(await shop.staff.order(running.orderId), 'pack') === 'SKIPPED', 15000, 'the deadline after a crash');
  const before = Date.parse(running.activities[0].dueAt);
  assert.ok(Date.now() >= before, 'not before its time');
  const paused = await shop.staff.order(held.orderId);
  assert.equal(outcome(paused, 'pack'), 'WAITING', 'a hold stops the clock');
  const released = await shop.staff.does('releaseHold', { orderId: held.orderId, holdId: paused.holds[0].holdId });
  const left = Date.parse(released.activities[0].dueAt) - Date.parse(released.dateModified);
  assert.ok(left > 0 && left <= 3000, `${left} ms are left`);
  await shop.again(true);
  await until(async () => outcome(await shop.staff.order(held.orderId), 'pack') === 'SKIPPED', 15000, 'the rest of the time');
}));

test('SKUs that never come back, and what their patterns may cost', () => withShop({ steps: [], defaults: { non_returnable_sku_patterns: ['^SKU-1$'] } }, async ({ admin, staff }) => {
  const { orderId, lineItems } = await staff.does('createOrder', basket());
  await update(admin, { workflow: { steps: [], defaults: { non_returnable_sku_patterns: [`^${lineItems[0].productSku}$`] } } });
  const order = await staff.does('createOrder', basket({ externalRef: 'second' }));
  await staff.does('markAsShipped', { orderId: order.orderId });
  const refused = await staff.refused('NOT_RETURNABLE', 'requestReturn', { orderId: order.orderId, items: [{ lineItemId: 1, quantity: 1 }], reason: 'x' });
  assert.match(refused.userErrors[0].message, new RegExp(`SKU ${lineItems[0].productSku} \\(line 1\\) is not returnable`));
  await staff.does('requestReturn', { orderId: order.orderId, items: [{ lineItemId: 2, quantity: 1 }], reason: 'x' });
  assert.equal((await staff.order(orderId)).stage, 'CONFIRMED');
  for (const pattern of ['(a+)+$', '^(([a-z])+.)+[A-Z]([a-z])+$', '(', 'x'.repeat(300), '(?{die})'])
    assert.match((await update(admin, { workflow: { steps: [], defaults: { non_returnable_sku_patterns: [pattern] } } })).userErrors[0]?.message ?? pattern, /pattern/, pattern);
}));

test('docs/workflow.md: its examples are accepted, drawn and refused as it says', () => withShop(undefined, async ({ admin }) => {
  const page = fs.readFileSync(path.join(repository, 'docs/workflow.md'), 'utf8');
  const fences = [...page.matchAll(/^```(\w+)(?: (\w+))?\n([^]*?)^```$/gm)].map((match) => ({ language: match[1], kind: match[2], text: match[3] }));
  assert.deepEqual(fences.map((one) => `${one.language} ${one.kind ?? ''}`.trim()), ['json workflow', 'mermaid', 'graphql', 'json refused', 'text'], 'all of them are tested');
  const [example, picture, mutation, refused, faults] = fences.map((one) => one.text);
  const dry = await admin.post(mutation);
  assert.deepEqual([dry.json.errors, dry.json.data.updateWorkflow.userErrors], [undefined, []], dry.body);
  const told = await update(admin, { workflow: JSON.parse(refused) });
  assert.equal(told.userErrors.map((error) => `${error.field.join('.')}: ${error.message}\n`).join(''), faults);
  assert.deepEqual((await update(admin, { workflow: JSON.parse(example) })).userErrors, []);
  assert.equal((await admin.query('{ tenant { workflow { text } } }')).tenant.workflow.text, picture);
  // Every key, field and condition of the language stands in a table.
  for (const word of ['stage', 'stepName', 'activityStatus', 'sequence', 'optional', 'role', 'when', 'conditions', 'dueIn', 'escalateTo', 'onReject', 'finalAmount', 'productSku',
    'days_to_return', 'non_returnable_sku_patterns', 'allow_partial_return', 'auto_approve', 'restocking_fee_percent', 'max_refund_amount', 'complete_requires'])
    assert.match(page, new RegExp(`^\\|.*\`${word}\``, 'm'), word);
}));

// The schema as tools see it, and every input object field by field.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { buildClientSchema, buildSchema, getIntrospectionQuery, isEnumType, isInputObjectType, isListType, isNonNullType,
  lexicographicSortSchema, printSchema } from 'graphql';

import { Caller, basket } from './lib/client.mjs';
import { Server, repository, run } from './lib/server.mjs';

const text = fs.readFileSync(path.join(repository, 'http/schema.graphql'), 'utf8');
const schema = buildSchema(text);
let server, staff;
before(async () => {
  server = await Server.start();
  staff = new Caller(server);
});
after(async () => {
  staff.close();
  await server.stop();
});

test('introspection tells the schema as it is written', async () => {
  const told = buildClientSchema(await staff.query(getIntrospectionQuery({ descriptions: true, specifiedByUrl: true,
    directiveIsRepeatable: true, schemaDescription: true, inputValueDeprecation: true, oneOf: true })));
  const print = (one) => printSchema(lexicographicSortSchema(one));
  assert.equal(print(told), print(schema));
  const printed = await run('schema');
  assert.equal(printed.stdout, text);
});

test('introspection by parts: __type, __typename, fragments on it', async () => {
  const data = await staff.query(`query($name: String!) { __typename __type(name: $name) { ...Shape } missing: __type(name: "Nothing") { name }
    tenant { __typename } orders(first: 1) { nodes { __typename ... on Node { id __typename } } } }
    fragment Shape on __Type { name kind fields { name } interfaces { name } possibleTypes { name } }`, { name: 'Node' });
  assert.equal(data.__typename, 'Query');
  assert.equal(data.__type.kind, 'INTERFACE');
  assert.deepEqual(data.__type.possibleTypes.map((type) => type.name).sort(), ['Order', 'OrderEvent']);
  assert.equal(data.missing, null);
  assert.equal(data.orders.nodes[0].__typename, 'Order');
});

// ---- every field of every input ----

const samples = {
  orderId: 'ORD-00000000000000000000000000', tenantId: 'demo', expectedVersion: 3, lineItemId: '1', shipmentId: 'SHP-1', returnId: 'RET-1',
  refundId: 'REF-1', holdId: 'HLD-1', currency: 'USD', country: 'GB', email: 'a@example.com', orderQuantity: 1, quantity: 1,
  labelUrl: 'https://label.example/1', shippingReference: 'https://track.example/1', rate: '0.10', weight: '1 kg', status: undefined,
  expiresAt: '2099-01-01T00:00:00Z', pickupUntil: '2030-01-02T00:00:00Z',
};

function sample(type, name) {
  if (isNonNullType(type)) return sample(type.ofType, name);
  if (isListType(type)) return [sample(type.ofType, name)];
  if (isInputObjectType(type)) return full(type);
  if (samples[name] !== undefined) return samples[name];
  if (isEnumType(type)) return type.getValues()[0].name;
  switch (type.name) {
    case 'Boolean': return true;
    case 'Int': return 1;
    case 'Decimal': return '0.00';
    case 'DateTime': return '2026-01-01T00:00:00Z';
    case 'JSON': return { a: [1, null] };
    case 'CurrencyCode': return 'USD';
    default: return `some ${name}`;
  }
}

const full = (type) => Object.fromEntries(Object.values(type.getFields()).map((field) => [field.name, sample(field.type, field.name)]));

// The least that the schema asks for.
const least = (type) => Object.fromEntries(Object.values(type.getFields()).filter((field) => isNonNullType(field.type))
  .map((field) => [field.name, isInputObjectType(field.type.ofType) ? least(field.type.ofType) : sample(field.type, field.name)]));

// Those that act on an order.
const mutations = Object.values(schema.getMutationType().getFields()).filter((one) => one.type.ofType.getFields().order);
for (const mutation of mutations.filter((one) => !['createOrder', 'streamTicket'].includes(one.name))) {
  test(`${mutation.name}: each field of its input is understood`, async () => {
    const type = mutation.args[0].type.ofType;
    // The order does not exist: when the input is understood, that is all there is to say.
    const understood = async (input) => {
      const { userErrors } = await staff.command(mutation.name, input, { select: 'orderId' });
      assert.deepEqual(userErrors.map((error) => error.code), ['NOT_FOUND'], `${JSON.stringify(input)}: ${JSON.stringify(userErrors)}`);
    };
    await understood(full(type));
    for (const field of Object.values(type.getFields()))
      await understood({ ...least(type), [field.name]: sample(field.type, field.name) });
    await understood(Object.fromEntries(Object.values(type.getFields())
      .map((field) => [field.name, isNonNullType(field.type) || field.defaultValue !== undefined ? sample(field.type, field.name) : null])));
  });
}

test('streamTicket: each field of its input is understood', async () => {
  const type = schema.getType('StreamTicketInput');
  for (const input of [undefined, null, {}, full(type), ...Object.values(type.getFields()).map((field) => ({ [field.name]: sample(field.type, field.name) }))]) {
    const { streamTicket } = await staff.query(`mutation($input: StreamTicketInput) { streamTicket(input: $input) { clientMutationId
      result { success } userErrors { code } } }`, { input });
    assert.deepEqual([streamTicket.userErrors, streamTicket.result.success], [[], true], JSON.stringify(input));
    assert.equal(streamTicket.clientMutationId, input?.clientMutationId ?? null);
  }
});

test('createOrder: each field of its input is understood, and kept', async () => {
  const type = schema.getType('CreateOrderInput');
  const base = basket();
  for (const field of Object.values(type.getFields())) {
    if (['lineItems', 'customerDetails', 'totalAmount', 'finalAmount', 'totalDiscountsFee'].includes(field.name)) continue;
    const input = { ...base, externalRef: `F-${field.name}`, [field.name]: sample(field.type, field.name) };
    if (field.name === 'taxLines') input.taxLines = [{ title: 'VAT', rate: '0.20', amount: '6.00' }];
    await staff.does('createOrder', input);
  }
  for (const [field, value] of [['totalAmount', '30.00'], ['finalAmount', 30], ['totalDiscountsFee', '1.50']])
    await staff.does('createOrder', { ...base, externalRef: `F-${field}`, [field]: value });
  const line = { ...full(schema.getType('LineItemInput')), productPrice: { amount: '10.00', currency: 'USD' }, isFreeGift: false,
    discountAmount: '1.00', options: { size: 'L', n: 1.50 } };
  const order = await staff.does('createOrder', { ...base, externalRef: 'F-all', source: 'shop', placedAt: '2026-01-02T03:04:05.678Z',
    lineItems: [line], customerDetails: full(schema.getType('CustomerDetailsInput')), billingAddress: full(schema.getType('AddressInput')),
    shippingDetails: { method: 'Express', deliveryTime: '1 day', cost: '2.00' }, taxLines: [{ title: 'VAT', rate: '0.2', amount: '1.80' }],
    taxDetails: ['one'], offerDetails: ['two'], coupons: [{ couponCode: 'C' }], totalDiscountsFee: '1.00', taxAmount: '1.80',
    paymentDetails: { method: 'card', provider: 'p', paidAmount: '5.00', transactionId: 't', status: 'CAPTURED' },
    totalAmount: '10.00', finalAmount: '12.80', notes: [{ text: 'staff' }, { text: 'all', visibleToCustomer: true }] });
  assert.equal(order.placedAt, '2026-01-02T03:04:05.678Z');
  assert.deepEqual(order.billingAddress, full(schema.getType('AddressInput')));
  assert.deepEqual(order.customerDetails, full(schema.getType('CustomerDetailsInput')));
  assert.deepEqual(order.lineItems[0].options, { size: 'L', n: 1.5 });
  assert.deepEqual(order.lineItems[0].package, full(schema.getType('PackageInput')));
  assert.deepEqual(order.notes.map((note) => [note.text, note.visibleToCustomer]), [['staff', false], ['all', true]]);
  assert.deepEqual([order.payments[0].amount.amount, order.taxLines[0].rate, order.shippingDetails.cost.amount], ['5.00', '0.2', '2.00']);
});

test('an unknown field is named, with the nearest one', async () => {
  const answer = await staff.post('mutation { addNote(input: { orderId: "ORD-1", note: "x", visibleToCustomers: true }) { replayed } }');
  assert.match(answer.json.errors[0].message, /visibleToCustomers/);
  assert.match(answer.json.errors[0].message, /visibleToCustomer"?'?\?/);
  assert.equal(answer.json.data, undefined);
});

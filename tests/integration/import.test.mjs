// A real file over the wire: 5,009 orders of the superstore report where it is at hand, else a generated one of its shape.
// Placed once, and not twice; then paged through, filtered, shipped, paid and completed.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Caller } from './lib/client.mjs';
import { Server, certificate, fresh, repository, run } from './lib/server.mjs';

const real = process.env.LITEOMS_SUPERSTORE ?? path.join(repository, '../shared/data/superstore.csv');
let file = real, expected = 5009, server, staff;
const byRef = new Map(); // Order ID → its rows

// CSV as RFC 4180 has it.
function parse(text) {
  const rows = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    rows.at(-1).push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end !== ',') rows.push([]);
  }
  const [names, ...rest] = rows.filter((row) => row.length > 1);
  return rest.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i]])));
}

before(async () => {
  if (!fs.existsSync(real)) {
    file = fresh('.csv');
    expected = 400;
    execFileSync(process.env.LITEOMS_MAKE_SUPERSTORE, [file, String(expected)]);
  }
  for (const row of parse(fs.readFileSync(file, 'utf8').replace(/^\ufeff/, '')))
    byRef.set(row['Order ID'], [...(byRef.get(row['Order ID']) ?? []), row]);
  assert.equal(byRef.size, expected);
  server = await Server.start({ args: ['--shards', '2'] });
  staff = new Caller(server);
});
after(async () => {
  staff.close();
  await server.stop();
  const { actors } = await server.verify();
  assert.ok(actors >= expected);
});

const importing = (...args) => run('import', '--tenant', 'demo', '--map', 'superstore', '--url', server.url, '--data', server.data, ...args, file);
const source = 'filter: { source: ["superstore"] }';
// A decimal's text to whole cents, half up.
function cents(text) {
  const [whole, fraction = ''] = text.split('.');
  return Number(whole) * 100 + Number(fraction.slice(0, 2).padEnd(2, '0')) + (fraction[2] >= '5' ? 1 : 0);
}
const isoDay = (us) => { const [m, d, y] = us.split('/').map(Number); return new Date(Date.UTC(y, m - 1, d)).toISOString(); };

test('places every order once', async () => {
  const began = performance.now();
  const first = await importing();
  assert.equal(first.code, 0, first.stdout + first.stderr);
  assert.match(first.stdout, new RegExp(`\\b${expected.toLocaleString('en')}|\\b${expected}\\b`), first.stdout);
  assert.match(first.stdout, /\b0\b[^\n]*refused|refused[^\n]*\b0\b/i);
  console.log(`# ${expected} orders placed in ${Math.round(performance.now() - began)} ms`);
  const { count } = (await staff.query(`{ ordersCount(${source}) { count } }`)).ordersCount;
  assert.equal(count, expected);
  const commits = await server.metric('liteoms_commit_units_total');
  const second = await importing();
  assert.equal(second.code, 0, second.stdout + second.stderr);
  assert.match(second.stdout, /\b0\b[^\n]*(made|placed)|(made|placed)[^\n]*\b0\b/i, second.stdout);
  assert.equal((await staff.query(`{ ordersCount(${source}) { count } }`)).ordersCount.count, expected);
  assert.equal(await server.metric('liteoms_commit_units_total'), commits, 'the second run changed nothing');
});

const found = new Map();
test('pages through all of them', async () => {
  let last = '9999';
  for (let after = null, more = true; more;) {
    const { orders } = await staff.query(`query($after: String) { orders(first: 200, after: $after, ${source}) { nodes { orderId externalRef placedAt
      customerDetails { customerId name } finalAmount { minorUnits } lineItems { productSku productName orderQuantity productPrice { minorUnits } discountAmount { minorUnits } totalAmount { minorUnits } }
      destination { city state postal country } shippingDetails { method } notes { text } source version stage }
      pageInfo { hasNextPage endCursor } } }`, { after });
    for (const order of orders.nodes) {
      assert.ok(order.placedAt <= last, 'newest first');
      last = order.placedAt;
      assert.ok(!found.has(order.externalRef), order.externalRef);
      found.set(order.externalRef, order);
    }
    ({ hasNextPage: more, endCursor: after } = orders.pageInfo);
  }
  assert.equal(found.size, expected);
});

test('each says what its rows say', () => {
  for (const [ref, rows] of byRef) {
    const order = found.get(ref);
    assert.ok(order, ref);
    assert.equal(order.placedAt, isoDay(rows[0]['Order Date']), ref);
    assert.deepEqual([order.customerDetails.customerId, order.customerDetails.name], [rows[0]['Customer ID'], rows[0]['Customer Name']]);
    assert.deepEqual([order.destination.city, order.destination.state, order.destination.postal ?? '', order.destination.country],
      [rows[0].City, rows[0].State, rows[0]['Postal Code'], 'US']);
    assert.equal(order.shippingDetails.method, rows[0]['Ship Mode']);
    assert.ok(order.notes.some((note) => note.text.includes(isoDay(rows[0]['Ship Date']).slice(0, 10)) || note.text.includes(rows[0]['Ship Date'])), JSON.stringify(order.notes));
    assert.deepEqual(order.lineItems.map((line) => [line.productSku, line.productName, line.orderQuantity]),
      rows.map((row) => [row['Product ID'], row['Product Name'], Number(row.Quantity)]), ref);
    for (const [i, row] of rows.entries()) {
      const line = order.lineItems[i];
      const price = Math.round(Number(row.Sales) / (1 - Number(row.Discount)) / Number(row.Quantity) * 100);
      assert.equal(Number(line.productPrice.minorUnits), price, `${ref} ${i}`);
      assert.equal(price * line.orderQuantity - Number(line.discountAmount.minorUnits), cents(row.Sales), `${ref} ${i}`);
    }
    assert.deepEqual([order.source, order.stage, order.version], ['superstore', 'CONFIRMED', 1]);
  }
});

test('filtered by customer and by placedAt', async () => {
  const counts = new Map();
  for (const rows of byRef.values()) counts.set(rows[0]['Customer ID'], (counts.get(rows[0]['Customer ID']) ?? 0) + 1);
  for (const [customer, count] of [...counts].slice(0, 20)) {
    const data = await staff.query(`{ orders(first: 200, filter: { customerId: ["${customer}"] }) { nodes { customerDetails { customerId } } } ordersCount(filter: { customerId: ["${customer}"] }) { count } }`);
    assert.equal(data.orders.nodes.length, count);
    assert.equal(data.ordersCount.count, count);
  }
  for (const [from, to] of [['2016-01-01', '2016-02-01'], ['2017-12-24', '2018-01-01'], ['2001-01-01', '2030-01-01']]) {
    const inRange = [...byRef.values()].filter(([row]) => isoDay(row['Order Date']) >= from && isoDay(row['Order Date']).slice(0, 10) < to).length;
    const { count } = (await staff.query(`{ ordersCount(filter: { source: ["superstore"], placedAt: { from: "${from}T00:00:00Z", to: "${to}T00:00:00Z" } }) { count } }`)).ordersCount;
    assert.equal(count, inRange, `${from} to ${to}`);
  }
});

test('ships, pays and completes some', async () => {
  const some = [...found.values()].slice(0, 40);
  await Promise.all(some.map(async ({ orderId, finalAmount }) => {
    await staff.does('markAsShipped', { orderId, provider: 'UPS' }, { select: 'orderId' });
    const amount = `${finalAmount.minorUnits.slice(0, -2) || '0'}.${finalAmount.minorUnits.slice(-2).padStart(2, '0')}`;
    await staff.does('recordPayment', { orderId, amount: { amount, currency: 'USD' } }, { select: 'orderId' });
    const order = await staff.does('markAsCompleted', { orderId }, { select: 'stage paymentStatus version orderId' });
    assert.deepEqual([order.stage, order.paymentStatus, order.version], ['COMPLETED', 'PAID', 4]);
  }));
  const { count } = (await staff.query(`{ ordersCount(filter: { stage: [COMPLETED], source: ["superstore"] }) { count } }`)).ordersCount;
  assert.equal(count, 40);
  // What has moved on is still there already for a third run.
  const third = await importing('--quiet');
  assert.equal(third.code, 0, third.stdout + third.stderr);
  assert.equal((await staff.query(`{ ordersCount(${source}) { count } }`)).ordersCount.count, expected);
});

test('rows that are wrong are refused with their reason; results by row; dry run', async () => {
  const head = fs.readFileSync(file, 'utf8').split(/\r?\n/).slice(0, 4);
  const broken = fresh('.csv');
  const rows = head.slice(1).map((row) => row.replace(/[A-Z]{2}-\d{4}-\d+/, 'XX-2020-000001'));
  const bad = head[1].replace(/[A-Z]{2}-\d{4}-\d+/, 'XX-2020-000002').replace(/,\d+\/\d+\/\d{4},/, ',13/45/2016,');
  fs.writeFileSync(broken, [head[0], rows[0], bad].join('\r\n'));
  const args = ['import', '--tenant', 'demo', '--map', 'superstore', '--url', server.url, '--data', server.data];
  const results = fresh('-results.csv');
  const dry = await run(...args, '--dry-run', broken);
  assert.equal((await staff.query('{ ordersCount(filter: { externalRef: ["XX-2020-000001"] }) { count } }')).ordersCount.count, 0);
  assert.equal(dry.code, 3, dry.stdout + dry.stderr);
  const wet = await run(...args, '--results', results, broken);
  assert.equal(wet.code, 3, wet.stdout + wet.stderr);
  const lines = parse(fs.readFileSync(results, 'utf8'));
  assert.equal(lines.length, 2, JSON.stringify(lines));
  const of = (ref) => lines.find((one) => one.external_ref === ref);
  assert.match(of('XX-2020-000001').order_id, /^ORD-/);
  assert.deepEqual([of('XX-2020-000002').result, of('XX-2020-000002').code, of('XX-2020-000002').order_id], ['refused', 'INVALID', '']);
  const missing = await run(...args, '/nowhere.csv');
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /nowhere/);
});

test('over TLS with a certificate of one\'s own; a wrong token is told', async () => {
  const { cert, key } = certificate();
  const secure = await Server.start({ args: ['--tls-cert', cert, '--tls-key', key] });
  const small = fresh('.csv');
  fs.writeFileSync(small, fs.readFileSync(file, 'utf8').split('\n').slice(0, 30).join('\n'));
  const url = `https://localhost:${secure.port}`;
  const args = ['import', '--tenant', 'demo', '--map', 'superstore', '--retry', '1', small];
  assert.equal((await run(...args, '--url', url, '--ca', cert, '--token', secure.token())).code, 0);
  const untrusted = await run(...args, '--in-flight', '1', '--url', url, '--token', secure.token());
  assert.equal(untrusted.code, 1, untrusted.stdout + untrusted.stderr);
  const refused = await run(...args, '--url', url, '--ca', cert, '--token', 'nonsense');
  assert.equal(refused.code, 1, refused.stdout + refused.stderr);
  assert.match(refused.stderr, /401|token/i);
  await secure.stop();
});

// Exports: a tenant's orders as one long answer from one snapshot, that can be gone on with.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import { after, before, test } from 'node:test';

import { Caller, Connection, basket, orderFields } from './lib/client.mjs';
import { Server, curl, fresh, run, until } from './lib/server.mjs';

const orders = 1500; // of the big tenant
let server, staff, admin;

// Places the orders in batches; odd ones have unpleasant texts.
async function place(caller, count, part = {}) {
  const nasty = ['=1+1', '+44 20', '-x', '@SUM(A1)', "'quoted", 'a "b", c', 'é 漢 🍵', 'plain'];
  const all = Array.from({ length: count }, (_, i) => basket({
    placedAt: new Date(Date.UTC(2024, 0, 1) + i * 60000).toISOString(), shippingDetails: { method: nasty[i % 8], cost: '1.50' },
    customerDetails: { customerId: `c-${i}`, name: nasty[(i + 3) % 8], email: `c${i}@example.com`, phone: nasty[(i + 1) % 8] }, ...part }));
  for (let i = 0; i < count; i += 200) {
    const { createOrders } = await caller.query('mutation($input: CreateOrdersInput!) { createOrders(input: $input) { result { success message } results { userErrors { message } } } }',
      { input: { orders: all.slice(i, i + 200) } });
    assert.ok(createOrders.result.success, JSON.stringify(createOrders.results.find((one) => one.userErrors.length)));
  }
  return all;
}

before(async () => {
  server = await Server.start({ args: ['--shards', '2'], config: { tenants: [{ name: 'demo' }, { name: 'big' },
    { name: 'scoped', rolemap: [
      { role: 'analyst', permission: 'export_orders', scope: null },
      { role: 'shop', permissions: ['export_orders', 'get_order'], scope: { vendor_id: '$vendor_id' } },
      { role: 'staff', permission: '*', scope: null }] }] } });
  staff = new Caller(server, 'admin', 'boss', { tenant: 'big' });
  admin = server.token('admin', 'boss', { tenant: 'big' });
  await place(staff, orders);
});
after(async () => {
  staff.close();
  await server.stop();
});

// The whole answer: { status, headers, body, code }.
function get(path, { token = admin, headers = {}, connection } = {}) {
  const one = connection ?? new Connection(server);
  return one.send({ ':method': 'GET', ':path': path, authorization: `Bearer ${token}`, ...headers }).finally(() => connection ?? one.close());
}

const lines = (text) => text.split('\n').filter(Boolean).map((line) => JSON.parse(line));
const ids = (text) => lines(text).filter((line) => line.orderId).map((line) => line.orderId);
const cursors = (text) => lines(text).filter((line) => line.cursor).map((line) => line.cursor);

// CSV as RFC 4180 has it: a small reader of its own.
function parse(text) {
  const rows = [[]];
  let cell = '', quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c !== '"') cell += c;
      else if (text[i + 1] === '"') { cell += '"'; i++; } else quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === ',') { rows.at(-1).push(cell); cell = ''; } else if (c === '\r' && text[i + 1] === '\n') {
      rows.at(-1).push(cell); cell = ''; rows.push([]); i++;
    } else { assert.notEqual(c, '\n'); cell += c; }
  }
  assert.deepEqual(rows.pop(), []);
  return rows;
}
const table = (text) => { const [names, ...rest] = parse(text); return rest.map((row) => { assert.equal(row.length, names.length); return Object.fromEntries(names.map((name, i) => [name, row[i]])); }); };
const bareRows = (text) => table(text).map(({ cursor, ...row }) => row); // a cursor tells when its export began
const bare = (cell) => (cell.startsWith("'") ? cell.slice(1) : cell);

test('JSON Lines: every order once, as the API shows it, in the order of placing', async () => {
  const answer = await get('/export/orders.jsonl');
  assert.equal(answer.status, 200);
  assert.match(answer.headers['content-type'], /^application\/jsonl/);
  const all = lines(answer.body), found = all.filter((line) => line.orderId);
  assert.deepEqual(all.at(-1), { end: true, orders });
  assert.equal(new Set(found.map((order) => order.orderId)).size, orders);
  assert.deepEqual(found.map((order) => order.placedAt), found.map((order) => order.placedAt).sort());
  assert.ok(cursors(answer.body).length >= orders / 100);
  // What of the API's answer the line has is the same.
  const same = (api, line, path) => {
    if (Array.isArray(api)) assert.equal(api.length, line.length, path);
    if (api && typeof api === 'object') for (const key of Object.keys(api)) same(api[key], line[key], `${path}.${key}`);
    else assert.equal(api, line, path);
  };
  const select = orderFields.replaceAll(' minorUnits', '').replace(/^id /, '').replaceAll('actor { kind subject displayName }', '')
    .replaceAll(/(owner|releasedBy|requestedBy) { kind subject displayName }/g, '').replace('quantity } createdAt confirmedAt', 'quantity } createdAt confirmedAt')
    .replaceAll('shipmentItems { lineItemId productSku quantity }', 'shipmentItems { lineItemId quantity }').replaceAll('items { lineItemId productSku quantity', 'items { lineItemId quantity');
  for (const i of [0, 700, orders - 1]) same(await staff.order(found[i].orderId, select), found[i], 'order');
});

test('CSV: parsed back it equals the API, formulas defused', async () => {
  const answer = await get('/export/orders.csv');
  assert.match(answer.headers['content-type'], /^text\/csv/);
  const rows = table(answer.body);
  const api = lines((await get('/export/orders.jsonl')).body).filter((line) => line.orderId);
  assert.equal(rows.length, api.reduce((sum, order) => sum + order.lineItems.length, 0));
  let at = 0;
  for (const order of api) {
    for (const [i, line] of order.lineItems.entries()) {
      const row = rows[at++];
      assert.deepEqual([row.orderId, bare(row.externalRef), row.placedAt, row.stage, row.currency, row.finalAmount, row.shippingCost],
        [order.orderId, order.externalRef, order.placedAt, order.stage, order.currency, order.finalAmount.amount, order.shippingDetails.cost.amount]);
      assert.deepEqual([bare(row.customerName), bare(row.customerPhone), bare(row.shippingMethod), row.customerEmail],
        [order.customerDetails.name, order.customerDetails.phone, order.shippingDetails.method, order.customerDetails.email]);
      assert.deepEqual([row.lineItemId, row.productSku, row.orderQuantity, row.productPrice, row.lineTotalAmount, row.vendorId],
        [line.lineItemId, line.productSku, String(line.orderQuantity), line.productPrice.amount, line.totalAmount.amount, line.vendor.vendorId]);
      assert.equal(row.cursor !== '', i + 1 === order.lineItems.length);
    }
  }
  for (const row of rows) for (const cell of [row.customerName, row.customerPhone, row.shippingMethod]) assert.doesNotMatch(cell, /^[=+\-@\t\r]/);
  assert.ok(rows.some((row) => row.customerName === "'=1+1") && rows.some((row) => row.customerName === "''quoted"));
});

test('filters; what they cannot be', async () => {
  const some = await get('/export/orders.jsonl?placedFrom=2024-01-01T01%3A00%3A00Z&placedTo=2024-01-01T02:00:00Z&stage=CONFIRMED,SHIPPED');
  assert.equal(ids(some.body).length, 60);
  assert.equal(ids((await get('/export/orders.jsonl?stage=CANCELLED')).body).length, 0);
  assert.deepEqual(table((await get('/export/orders.csv?stage=CANCELLED')).body), []);
  for (const query of ['stage=LOST', 'stage=CONFIRMED,', 'placedFrom=yesterday', 'placedTo=2024-13-01T00:00:00Z', 'after=x', 'after=12.!!', 'after=1a.abcdef', `after=${'1'.repeat(300)}`, 'after=.x']) {
    const answer = await get(`/export/orders.jsonl?${query}`);
    assert.deepEqual([answer.status, JSON.parse(answer.body).errors[0].extensions.code], [400, 'BAD_REQUEST'], query);
  }
});

test('who may not: no token, another tenant, a scope, no permission; without get_order no personal fields', async () => {
  assert.equal((await curl(`${server.url}/export/orders.jsonl`)).status, 401);
  assert.equal((await get('/export/orders.jsonl', { headers: { 'x-tenant-id': 'scoped' } })).status, 403);
  assert.equal((await get('/export/orders.jsonl', { token: server.token('customer', 'c-1', { tenant: 'big' }) })).status, 403);
  assert.equal((await get('/export/orders.csv', { token: server.token('vendor', 'tea-house', { tenant: 'big' }) })).status, 403);
  assert.equal((await get('/export/orders.csv', { token: server.token('shop', 's', { tenant: 'scoped', more: ['--vendor', 'tea-house'] }) })).status, 403);
  assert.equal((await curl('-X', 'POST', `${server.url}/export/orders.jsonl`)).status, 405);
  const clerk = new Caller(server, 'staff', 'clerk', { tenant: 'scoped' });
  await place(clerk, 19);
  const order = await clerk.does('createOrder', basket({ lineItems: [{ ...basket().lineItems[0], options: { engraving: 'For Mum' } }] }));
  await clerk.does('placeHold', { orderId: order.orderId, reason: 'Mum rang' });
  await clerk.does('cancelOrder', { orderId: order.orderId, cancellationReason: 'Mum has one' });
  clerk.close();
  const token = server.token('analyst', 'ann', { tenant: 'scoped' });
  const text = (await get('/export/orders.jsonl', { token })).body + (await get('/export/orders.csv', { token })).body;
  assert.equal(ids((await get('/export/orders.jsonl', { token })).body).length, 20);
  for (const secret of ['@example.com', 'c-1', 'High Street', 'London', 'N1 9GU', 'Carol', 'Mum', '漢']) assert.ok(!text.includes(secret) || secret === '漢', secret);
  assert.ok(text.includes('"country":"GB"'));
  const whole = { token: server.token('staff', 'clerk', { tenant: 'scoped' }) };
  const personal = (await get('/export/orders.jsonl', whole)).body + (await get('/export/orders.csv', whole)).body;
  for (const told of ['For Mum', 'Mum rang', 'Mum has one']) assert.ok(personal.includes(told), told);
});

test('HEAD has no body', async () => {
  const connection = new Connection(server);
  const head = await connection.send({ ':method': 'HEAD', ':path': '/export/orders.csv', authorization: `Bearer ${admin}` });
  connection.close();
  assert.deepEqual([head.status, head.body], [200, '']);
  assert.match(head.headers['content-disposition'], /orders\.csv/);
});

// Reads until `enough` and cuts the connection; what came.
function cut(path, enough, { token = admin, rst = true } = {}) {
  return new Promise((resolve) => {
    const session = http2.connect(server.url);
    const stream = session.request({ ':path': path, authorization: `Bearer ${token}` });
    let text = '';
    stream.setEncoding('utf8');
    stream.on('data', (part) => {
      text += part;
      if (text.length >= enough) { if (rst) stream.close(8); else session.destroy(); }
    });
    stream.on('error', () => {});
    session.on('error', () => {});
    stream.on('close', () => { session.destroy(); resolve(text); });
  });
}

test('cut off and gone on with: exactly the rest, without what came in meanwhile', async () => {
  const whole = ids((await get('/export/orders.jsonl')).body);
  for (const rst of [true, false]) {
    const got = await cut('/export/orders.jsonl', 700000, { rst });
    const kept = got.slice(0, got.lastIndexOf('\n', got.lastIndexOf('"cursor"')) + 1); // up to the line in front of the last cursor
    const full = got.slice(0, got.lastIndexOf('\n') + 1);
    assert.ok(ids(full).length > 0 && ids(full).length < whole.length, `${ids(full).length}`);
    const extra = basket({ placedAt: '2024-06-01T00:00:00Z' });
    await staff.does('createOrder', extra);
    const cursor = cursors(full).at(-1);
    const rest = await get(`/export/orders.jsonl?after=${encodeURIComponent(cursor)}`);
    assert.deepEqual([...ids(kept), ...ids(rest.body)], whole);
    const later = ids((await get('/export/orders.jsonl')).body);
    assert.equal(later.length, whole.length + 1);
    whole.splice(0, whole.length, ...later);
  }
  const csv = await cut('/export/orders.csv', 300000);
  const text = csv.slice(0, csv.lastIndexOf('\r\n') + 2), rows = table(text);
  const last = rows.findLastIndex((row) => row.cursor);
  const rest = await get(`/export/orders.csv?after=${encodeURIComponent(rows[last].cursor)}`);
  const names = text.slice(0, text.indexOf('\r\n') + 2);
  const all = [...rows.slice(0, last + 1), ...table(names + rest.body)];
  assert.deepEqual(all.map(({ cursor, ...row }) => row), table((await get('/export/orders.csv')).body).map(({ cursor, ...row }) => row));
});

test('orders change while an export is read slowly: each once, as of its beginning', async () => {
  const session = http2.connect(server.url, { settings: { initialWindowSize: 65535 } });
  const earlier = ids((await get('/export/orders.jsonl')).body);
  const stream = session.request({ ':path': '/export/orders.jsonl', authorization: `Bearer ${admin}` });
  stream.setEncoding('utf8');
  await new Promise((resolve) => stream.on('response', resolve));
  stream.pause();
  // Meanwhile the others go on: nothing waits for the slow reader.
  const made = [];
  for (let i = 0; i < 40; i++) {
    const id = earlier[earlier.length - 1 - i];
    await staff.does('cancelOrder', { orderId: id, cancellationReason: 'meanwhile' });
    made.push((await staff.does('createOrder', basket({ placedAt: `2024-01-0${1 + (i % 2)}T00:00:30Z` }))).orderId);
  }
  let text = '';
  stream.on('data', (part) => { text += part; });
  stream.resume();
  await new Promise((resolve) => stream.on('end', resolve));
  session.close();
  const found = lines(text).filter((line) => line.orderId);
  assert.deepEqual(found.map((order) => order.orderId), earlier);
  assert.ok(found.slice(-40).every((order) => order.stage === 'CONFIRMED'));
  assert.deepEqual(lines(text).at(-1), { end: true, orders: earlier.length });
  const now = ids((await get('/export/orders.jsonl')).body);
  assert.ok(made.every((id) => now.includes(id)));
});

test('no more than four at a time for a tenant; slow readers are cut off and leave nothing behind', async () => {
  const session = http2.connect(server.url, { settings: { initialWindowSize: 1000 } });
  session.on('error', () => {});
  const slow = Array.from({ length: 4 }, () => {
    const stream = session.request({ ':path': '/export/orders.jsonl', authorization: `Bearer ${admin}` });
    stream.on('error', () => {});
    stream.pause();
    return new Promise((resolve) => stream.on('response', (head) => resolve(head[':status'])));
  });
  assert.deepEqual(await Promise.all(slow), [200, 200, 200, 200]);
  const fifth = await get('/export/orders.jsonl');
  assert.deepEqual([fifth.status, fifth.headers['retry-after'], JSON.parse(fifth.body).errors[0].extensions.code], [429, '10', 'BUSY']);
  // Another tenant has places of its own.
  assert.equal((await get('/export/orders.jsonl', { token: server.token('admin', 'boss', { tenant: 'demo' }) })).status, 200);
  session.destroy();
  await until(async () => (await get('/export/orders.jsonl')).status === 200, 5000, 'the places to be free');
});

test('orders of the largest size', async () => {
  const caller = new Caller(server, 'admin', 'boss', { tenant: 'demo' });
  for (let n = 0; n < 12; n++)
    await caller.does('createOrder', basket({ externalRef: `HUGE-${n}`, lineItems: Array.from({ length: 500 }, (_, i) => ({ productSku: `H${i}`, productName: 'x'.repeat(200),
      vendor: { vendorId: 'v' }, orderQuantity: 1, productPrice: { amount: '0.01', currency: 'USD' }, options: { note: 'y'.repeat(500) } })) }), { select: 'orderId' });
  caller.close();
  const token = server.token('admin', 'boss', { tenant: 'demo' });
  const found = lines((await get('/export/orders.jsonl', { token })).body).filter((line) => line.externalRef?.startsWith('HUGE'));
  assert.equal(found.length, 12);
  assert.ok(found.every((order) => order.lineItems.length === 500 && order.lineItems[499].options.note.length === 500));
  assert.equal(table((await get('/export/orders.csv', { token })).body).filter((row) => row.externalRef.startsWith('HUGE')).length, 6000);
});

// ---- liteoms export ----

const exporting = (url, ...args) => run('export', '--tenant', 'big', '--token', admin, '--url', url, ...args);

test('liteoms export: to a file and to standard output, both forms; wrong usage', async () => {
  const whole = (await get('/export/orders.jsonl')).body;
  const file = fresh('.jsonl');
  const one = await exporting(server.url, '-o', file);
  assert.equal(one.code, 0, one.stderr);
  assert.match(one.stderr, new RegExp(`^liteoms export: ${ids(whole).length} orders, `));
  assert.deepEqual(ids(fs.readFileSync(file, 'utf8')), ids(whole));
  assert.equal(lines(fs.readFileSync(file, 'utf8')).length, ids(whole).length, 'nothing but orders');
  assert.ok(!fs.existsSync(`${file}.resume`));
  assert.deepEqual(ids((await exporting(server.url, '--quiet')).stdout), ids(whole));
  const csv = await exporting(server.url, '--format', 'csv', '--quiet');
  assert.deepEqual(bareRows(csv.stdout), bareRows((await get('/export/orders.csv')).body));
  const none = await exporting(server.url, '--format', 'csv', '--stage', 'DRAFT', '--quiet');
  assert.equal(none.stdout.split('\r\n').length, 2);
  for (const args of [['--format', 'xml'], ['more'], ['--retry', 'x'], ['--nothing']]) assert.equal((await exporting(server.url, ...args)).code, 2, args[0]);
  assert.equal((await run('export')).code, 2);
  assert.equal((await run('export', '--help')).code, 0);
});

test('liteoms export: refusals are told in one line and not repeated', async () => {
  for (const [args, line] of [
    [['--token', 'nonsense'], /token/i],
    [['--stage', 'LOST'], /"stage" is a list of stages/],
    [['--after', 'x'], /not a cursor/],
    [['--token', server.token('customer', 'c', { tenant: 'big' })], /export_orders/],
  ]) {
    const answer = await exporting(server.url, ...args);
    assert.equal(answer.code, 1, line);
    assert.match(answer.stderr, /^liteoms export: [^\n]+\n$/);
    assert.match(answer.stderr, line);
  }
  const gone = await exporting('http://127.0.0.1:1', '--retry', '1');
  assert.equal(gone.code, 1);
});

// Cuts every connection after so many bytes of an answer, up to `times`.
async function cutting(bytes, times) {
  const there = { cuts: 0, requests: [] };
  const proxy = http.createServer((request, response) => {
    there.requests.push(request.url);
    const upstream = http.request(`${server.url}${request.url}`, { headers: { ...request.headers, host: '' } }, (answer) => {
      response.writeHead(answer.statusCode, { 'content-type': answer.headers['content-type'] });
      let sent = 0;
      answer.on('data', (part) => {
        if (there.cuts < times && sent + part.length > bytes) {
          there.cuts++;
          response.write(part.subarray(0, bytes - sent), () => { response.socket?.destroy(); upstream.destroy(); });
          answer.pause();
          return;
        }
        sent += part.length;
        response.write(part);
      });
      answer.on('end', () => response.end());
      answer.on('error', () => {});
    });
    upstream.on('error', () => {});
    upstream.end();
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  there.url = `http://127.0.0.1:${proxy.address().port}`;
  there.close = () => { proxy.closeAllConnections(); proxy.close(); };
  return there;
}

test('liteoms export: connections that are cut again and again, and a run that is started again', async () => {
  const whole = (await get('/export/orders.jsonl')).body;
  const expected = bareRows((await get('/export/orders.csv')).body);
  const there = await cutting(700000, 5);
  const file = fresh('.jsonl');
  const one = await exporting(there.url, '-o', file);
  assert.equal(one.code, 0, one.stderr);
  assert.ok(there.cuts >= 3 && there.requests.slice(1).every((url) => url.includes('after=')), `${there.cuts}`);
  assert.deepEqual(ids(fs.readFileSync(file, 'utf8')), ids(whole));
  assert.match(one.stderr, new RegExp(`${ids(whole).length} orders`));
  there.cuts = 0;
  const csv = await exporting(there.url, '--format', 'csv', '--quiet');
  assert.ok(there.cuts >= 1);
  assert.deepEqual(bareRows(csv.stdout), expected);
  there.close();

  for (const format of ['jsonl', 'csv']) {
    const always = await cutting(500000, 1), name = fresh(`.${format}`);
    const first = await exporting(always.url, '--format', format, '--retry', '0', '-o', name);
    assert.equal(first.code, 1, first.stderr);
    assert.match(first.stderr, /the same command goes on from there/);
    assert.ok(fs.existsSync(`${name}.resume`));
    fs.appendFileSync(name, '{"half'); // as a run leaves it that is killed while it writes
    const second = await exporting(always.url, '--format', format, '-o', name);
    assert.equal(second.code, 0, second.stderr);
    assert.match(second.stderr, /goes on behind \d+ bytes/);
    assert.ok(!fs.existsSync(`${name}.resume`));
    const text = fs.readFileSync(name, 'utf8');
    if (format === 'csv') assert.deepEqual(bareRows(text), expected);
    else assert.deepEqual(ids(text), ids(whole));
    always.close();
  }
});

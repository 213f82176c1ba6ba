// A real file over the wire: 5,009 orders of the superstore report where it is at hand, else a generated one of its shape.
// Placed once, and not twice; then paged through, filtered, shipped, paid and completed.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
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

// ---- servers that misbehave ----

// Keeps orders as a real one does; `fault(ref, nth, response, answer)` may spoil the nth request for a reference, before it is
// taken (true: not taken) or, by way of answer(), after.
async function misbehaving(fault) {
  const orders = new Map(), seen = new Map(), keys = new Set();
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (text) => { body += text; });
    request.on('end', () => {
      const { input, orders: batch } = JSON.parse(body).variables, inputs = batch ?? [input];
      const keyOf = (one) => one.idempotencyKey ?? request.headers['idempotency-key'];
      for (const one of inputs) {
        keys.add(keyOf(one));
        seen.set(one.externalRef, (seen.get(one.externalRef) ?? 0) + 1);
      }
      const answer = (code) => {
        const results = inputs.map((one, index) => {
          const ref = one.externalRef, created = !orders.has(ref), replayed = orders.get(ref) === keyOf(one);
          if (created) orders.set(ref, keyOf(one));
          if (code) return { created: false, replayed: false, order: null, userErrors: [{ code, message: 'retry', field: ['input', 'orders', `${index}`] }] };
          return { created, replayed, order: { orderId: `ORD-${ref}` }, userErrors: [] };
        });
        return JSON.stringify({ data: batch ? { createOrders: { userErrors: [], results } } : { createOrder: results[0] } });
      };
      if (!inputs.some(({ externalRef: ref }) => fault(ref, seen.get(ref), response, answer))) response.end(answer());
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { orders, seen, keys, url: `http://127.0.0.1:${server.address().port}`, close: () => { server.closeAllConnections(); server.close(); } };
}

function jsonl(count) {
  const name = fresh('.jsonl');
  fs.writeFileSync(name, Array.from({ length: count }, (_, i) => JSON.stringify({ externalRef: `R-${i}`, customerDetails: { name: 'A' },
    lineItems: [{ productSku: 'T', productName: 'T', vendor: { vendorId: 'v' }, orderQuantity: 1, productPrice: { amount: '1.00', currency: 'USD' } }] })).join('\n'));
  return name;
}

const place = (there, name, ...args) => run('import', '--tenant', 'demo', '--token', 'x', '--url', there.url, '--batch', '1', ...args, name);
const counts = (text) => {
  const match = text.match(/: ([\d,]+) rows; ([\d,]+) orders made, ([\d,]+) already there, ([\d,]+) refused/);
  assert.ok(match, text);
  const [rows, made, existing, refused] = match.slice(1).map((one) => Number(one.replaceAll(',', '')));
  return { rows, made, existing, refused };
};

const spoilt = {
  'closes before it answers, the order taken': (response, answer) => { answer(); response.socket.destroy(); return true; },
  'closes before it takes the order': (response) => { response.socket.destroy(); return true; },
  'closes in the middle of the answer': (response, answer) => {
    const text = answer();
    response.writeHead(200, { 'content-length': text.length });
    response.write(text.slice(0, 30), () => response.socket.destroy());
    return true;
  },
  '500 with a page': (response) => { response.writeHead(500, { 'content-type': 'text/html' }).end('<h1>Oops</h1>'); return true; },
  '502 after the order was taken': (response, answer) => { answer(); response.writeHead(502).end('bad gateway'); return true; },
  '503 with Retry-After': (response) => { response.writeHead(503, { 'retry-after': '1' }).end(); return true; },
  '429 with a GraphQL error': (response) => {
    response.writeHead(429, { 'content-type': 'application/json' }).end(JSON.stringify({ errors: [{ message: 'slow down', extensions: { code: 'THROTTLED' } }] }));
    return true;
  },
  'OUTCOME_UNKNOWN, the order taken': (response, answer) => {
    response.end(answer('OUTCOME_UNKNOWN'));
    return true;
  },
  'an error of the server inside a GraphQL answer': (response) => {
    response.writeHead(500).end(JSON.stringify({ data: null, errors: [{ message: 'oops', extensions: { code: 'INTERNAL' } }] }));
    return true;
  },
};
for (const [what, spoil] of Object.entries(spoilt)) {
  test(`batches, a server: ${what}: nothing lost, nothing twice, all counted as made`, async () => {
    const there = await misbehaving((ref, nth, response, answer) => nth <= 2 && Number(ref.slice(2)) % 13 === 0 && spoil(response, answer));
    const answer = await place(there, jsonl(60), '--batch', '7', '--retry', '20');
    assert.equal(answer.code, 0, answer.stdout + answer.stderr);
    assert.deepEqual(counts(answer.stdout), { rows: 60, made: 60, existing: 0, refused: 0 });
    assert.deepEqual([there.orders.size, there.keys.size], [60, 60], 'a key of its own for each order, the same when it is repeated');
    const second = await place(there, jsonl(60), '--batch', '200', '--retry', '20');
    assert.deepEqual([second.code, counts(second.stdout)], [0, { rows: 60, made: 0, existing: 60, refused: 0 }]);
    there.close();
  });
  test(`a server: ${what}, for every third order: nothing lost, nothing twice, all counted as made`, async () => {
    const there = await misbehaving((ref, nth, response, answer) => nth <= 2 && Number(ref.slice(2)) % 3 === 0 && spoil(response, answer));
    const answer = await place(there, jsonl(60), '--in-flight', '8', '--retry', '20');
    assert.equal(answer.code, 0, answer.stdout + answer.stderr);
    assert.deepEqual(counts(answer.stdout), { rows: 60, made: 60, existing: 0, refused: 0 });
    assert.equal(there.orders.size, 60);
    assert.equal(there.keys.size, 60, 'a key of its own for each order, the same when it is repeated');
    assert.deepEqual(new Set(there.seen.values()), new Set([1, 3]));
    const second = await place(there, jsonl(60), '--in-flight', '8', '--retry', '20');
    assert.deepEqual([second.code, counts(second.stdout)], [0, { rows: 60, made: 0, existing: 60, refused: 0 }]);
    there.close();
  });
}

test('a server that hangs: another try after a while, and an end when it goes on', async () => {
  const once = await misbehaving((ref, nth) => nth === 1 && ref === 'R-3');
  const answer = await place(once, jsonl(10), '--retry', '4');
  assert.deepEqual([answer.code, counts(answer.stdout).made, once.seen.get('R-3')], [0, 10, 2], answer.stdout + answer.stderr);
  once.close();
  const always = await misbehaving((ref) => ref === 'R-3');
  const began = performance.now();
  const stopped = await place(always, jsonl(10), '--retry', '2', '--results', fresh('-results.csv'));
  assert.ok(performance.now() - began < 15000);
  assert.equal(stopped.code, 1);
  assert.match(stopped.stderr, /given up after 2 s: cannot reach the server/);
  assert.deepEqual(counts(stopped.stdout), { rows: 9, made: 9, existing: 0, refused: 0 });
  assert.match(stopped.stdout, /^1 orders were sent and have no answer/m);
  assert.match(stopped.stdout, /stopped before the end/);
  always.close();
});

test('answers that no repetition mends end the run at once, in one line', async () => {
  const page = '<!DOCTYPE html><p>log in</p>';
  for (const [respond, line] of [
    [(response) => response.end(page), /status 200 without a GraphQL answer/],
    [(response) => response.end('{"data":{"createOrder":'), /status 200 without a GraphQL answer/],
    [(response) => response.end('{"data":{}}'), /no GraphQL's/],
    [(response) => response.end('{"data":[1],"errors":["x"]}'), /no GraphQL's/],
    [(response) => response.writeHead(404).end(page), /status 404/],
    [(response) => response.writeHead(301, { location: 'http://elsewhere.example/graphql' }).end(), /redirects.*--url: http:\/\/elsewhere\.example\/graphql/],
    [(response) => response.writeHead(307, { location: '/there' }).end(), /redirects.*\/there/],
    [(response) => response.end(Buffer.alloc(9 << 20, 0x20)), /more than 4 MiB/],
    [(response) => response.writeHead(401).end(), /does not accept the token/],
    [(response) => response.writeHead(401).end('{"errors":[{"message":"The token has expired","extensions":{"code":"UNAUTHENTICATED"}}]}'), /tenant demo: the server does not accept the token: The token has expired/],
    [(response) => response.writeHead(403).end('{"errors":[{"message":"no such","extensions":{"code":"FORBIDDEN"}}]}'), /tenant demo: the token does not open this tenant: no such/],
  ]) {
    const there = await misbehaving((ref, nth, response) => { respond(response); return true; });
    const began = performance.now();
    const answer = await place(there, jsonl(20), '--in-flight', '1', '--quiet');
    assert.ok(performance.now() - began < 4000, `${line}`);
    assert.equal(answer.code, 1, answer.stdout + answer.stderr);
    assert.match(answer.stderr, /^liteoms import: [^\n]+\n$/);
    assert.match(answer.stderr, line);
    assert.deepEqual([there.seen.size, there.seen.get('R-0')], [1, 1], 'one request and no more');
    assert.deepEqual(counts(answer.stdout), { rows: 0, made: 0, existing: 0, refused: 0 });
    there.close();
  }
});

test('an order that is too large for something on the way is refused alone', async () => {
  const there = await misbehaving((ref, nth, response) => ref === 'R-2' && response.writeHead(413).end('too large'));
  const answer = await place(there, jsonl(6));
  assert.deepEqual([answer.code, counts(answer.stdout)], [3, { rows: 6, made: 5, existing: 0, refused: 1 }], answer.stdout);
  there.close();
});

test('batches: one that is refused as a whole is halved, down to the order that it is about', async () => {
  const refuse = {
    413: (response) => response.writeHead(413).end('too large'),
    200: (response) => response.end(JSON.stringify({ errors: [{ message: 'no such field', extensions: { code: 'BAD_USER_INPUT' } }] })),
  };
  for (const respond of Object.values(refuse)) {
    const there = await misbehaving((ref, nth, response) => ['R-2', 'R-17'].includes(ref) && respond(response));
    const answer = await place(there, jsonl(40), '--batch', '25', '--in-flight', '1');
    assert.deepEqual([answer.code, counts(answer.stdout)], [3, { rows: 40, made: 38, existing: 0, refused: 2 }], answer.stdout);
    assert.equal(there.orders.size, 38);
    there.close();
  }
});

test('batches: some of a batch are tried again, without those that were answered', async () => {
  const name = jsonl(30), tries = new Map();
  const there = await misbehaving((ref, nth, response, answer) => {
    const all = JSON.parse(answer());
    for (const result of all.data.createOrders.results) {
      const own = result.order.orderId.slice(4), n = (tries.get(own) ?? 0) + 1;
      tries.set(own, n);
      if (Number(own.slice(2)) % 4 === 0 && n === 1) Object.assign(result, { created: false, order: null, userErrors: [{ code: 'BUSY', message: 'later' }] });
    }
    response.end(JSON.stringify(all));
    return true;
  });
  const answer = await place(there, name, '--batch', '10');
  assert.deepEqual([answer.code, counts(answer.stdout)], [0, { rows: 30, made: 30, existing: 0, refused: 0 }], answer.stdout + answer.stderr);
  assert.deepEqual([...tries].map(([ref, n]) => [ref, n]).filter(([ref, n]) => n !== (Number(ref.slice(2)) % 4 === 0 ? 2 : 1)), []);
  there.close();
});

test('batches: an answer without a result for each order is none', async () => {
  const there = await misbehaving((ref, nth, response) => { response.end('{"data":{"createOrders":{"userErrors":[],"results":[]}}}'); return true; });
  const answer = await place(there, jsonl(5), '--batch', '5');
  assert.equal(answer.code, 1);
  assert.match(answer.stderr, /one result for each order/);
  there.close();
});

test('a server that goes away for a while', async () => {
  let down = false;
  const there = await misbehaving((ref, nth, response) => {
    if (ref === 'R-20' && nth === 1) { down = true; setTimeout(() => { down = false; }, 1500); }
    if (down) response.socket.destroy();
    return down;
  });
  const answer = await place(there, jsonl(60), '--retry', '20');
  assert.deepEqual([answer.code, counts(answer.stdout).made, there.orders.size], [0, 60, 60], answer.stdout + answer.stderr);
  there.close();
  const gone = await place(there, jsonl(3), '--retry', '1');
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /^liteoms import: [^\n]*given up after 1 s: cannot reach the server: [^\n]*\n$/);
});

test('over TLS with a certificate of one\'s own; a wrong token is told', async () => {
  const { cert, key } = certificate();
  const secure = await Server.start({ args: ['--tls-cert', cert, '--tls-key', key] });
  const small = fresh('.csv');
  fs.writeFileSync(small, fs.readFileSync(file, 'utf8').split('\n').slice(0, 30).join('\n'));
  const url = `https://localhost:${secure.port}`;
  const args = ['import', '--tenant', 'demo', '--map', 'superstore', '--retry', '1', small];
  assert.equal((await run(...args, '--url', url, '--ca', cert, '--token', secure.token())).code, 0);
  // Neither is tried again: with the patience of a minute they end at once.
  const atOnce = async (line, ...more) => {
    const began = performance.now();
    const answer = await run('import', '--tenant', 'demo', '--map', 'superstore', '--quiet', small, '--url', url, ...more);
    assert.ok(performance.now() - began < 10000);
    assert.equal(answer.code, 1, answer.stdout + answer.stderr);
    assert.match(answer.stderr, /^liteoms import: [^\n]+\n$/);
    assert.match(answer.stderr, line);
  };
  await atOnce(/certificate is not trusted.*--ca/, '--token', secure.token());
  await atOnce(/certificates cannot be read/, '--ca', '/nowhere.pem', '--token', secure.token());
  await atOnce(/tenant demo: the server does not accept the token/, '--ca', cert, '--token', 'nonsense');
  await atOnce(/tenant elsewhere: the token does not open this tenant/, '--ca', cert, '--token', secure.token(), '--tenant', 'elsewhere');
  await secure.stop();
});

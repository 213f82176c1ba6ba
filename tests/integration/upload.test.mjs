// Imports by HTTP: resumable uploads in chunks, with real curl and fetch.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { Caller } from './lib/client.mjs';
import { Server, fresh, sleep } from './lib/server.mjs';

const exec = promisify(execFile);
const config = { tenants: [{ name: 'demo' }, { name: 'other' }] };
let server, staff, file, text, orders;

before(async () => {
  file = fresh('.csv');
  orders = 300;
  execFileSync(process.env.LITEOMS_MAKE_SUPERSTORE, [file, String(orders)]);
  text = fs.readFileSync(file);
  server = await Server.start({ args: ['--shards', '2'], config });
  staff = new Caller(server);
});
after(async () => {
  staff.close();
  await server.stop();
  await server.verify();
});

// One request; { status, headers, body (JSON or text) }.
async function ask(method, path, { body, headers = {}, on = server, token = on.token('staff', 'staff') } = {}) {
  const answer = await fetch(`${on.url}${path}`, { method, body, headers: { authorization: `Bearer ${token}`, ...headers } });
  const whole = await answer.text();
  const json = answer.headers.get('content-type')?.startsWith('application/json') && whole;
  return { status: answer.status, headers: answer.headers, body: json ? JSON.parse(whole) : whole };
}
const begin = (terms, more = {}) => ask('POST', '/import', { body: JSON.stringify(terms), headers: { 'content-type': 'application/json' }, ...more });
const chunk = (path, offset, body, { last = false, headers = {}, ...more } = {}) => ask('PATCH', path, {
  body, headers: { 'content-type': 'application/offset+octet-stream', 'upload-offset': String(offset), ...(last && { 'upload-complete': '?1' }), ...headers }, ...more });
// A whole file in chunks of `size`: the last answer's state.
async function upload(terms, bytes, { size = 10000, on } = {}) {
  const begun = await begin(terms, { on });
  assert.equal(begun.status, 201, JSON.stringify(begun.body));
  const path = begun.headers.get('location');
  let answer;
  for (let at = 0; at === 0 || at < bytes.length; at += size) {
    const last = at + size >= bytes.length;
    answer = await chunk(path, at, bytes.subarray(at, at + size), { last, on });
    assert.equal(answer.status, last ? (answer.body.state === 'failed' ? 422 : 200) : 204, JSON.stringify(answer.body));
    assert.equal(Number(answer.headers.get('upload-offset')), Math.min(at + size, bytes.length));
  }
  return { path, state: answer.body };
}
const results = async (path, query = '', on) => (await ask('GET', `${path}/results${query}`, { on })).body;
const count = async (source) => (await staff.query(`{ ordersCount(filter: { source: ["${source}"] }) { count } }`)).ordersCount.count;
const numbers = ({ rows, orders: all, created, existing, existingOther, refused }) => [rows, all, created, existing, existingOther, refused];

const small = { name: 'small', group: 'ref',
  order: { externalRef: 'ref', customerDetails: { name: 'who' }, destination: { city: 'city', country: { $const: 'DE' } } },
  line: { productSku: 'sku', productName: 'sku', vendor: { vendorId: { $const: 'v' } }, orderQuantity: { $integer: 'n' },
    productPrice: { amount: { $decimal: 'price' }, currency: { $const: 'EUR' } } } };
const csv = (...rows) => Buffer.from(['ref,who,city,sku,n,price', ...rows, ''].join('\n'));
const row = (ref, sku = 'A', n = 1) => `${ref},Ada,Berlin,${sku},${n},1.00`;

test('a file in chunks: every order once, a report of every row', async () => {
  const { path, state } = await upload({ map: 'superstore' }, text);
  assert.equal(state.state, 'complete');
  assert.deepEqual([state.created, state.refused, state.orders], [orders, 0, orders]);
  assert.equal(await count('superstore'), orders);
  const lines = (await results(path)).trim().split('\r\n');
  assert.equal(lines.length, state.rows + 1);
  assert.equal(lines[0], 'row,line,external_ref,result,order_id,code,field,message');
  const seen = lines.slice(1).map((line) => line.split(','));
  assert.deepEqual(seen.map(([number]) => Number(number)), seen.map((_, i) => i + 1));
  for (const [, , , result, id] of seen) { assert.equal(result, 'created'); assert.match(id, /^ORD-[0-9A-Z]{26}$/); }
  const { getOrder } = await staff.query(`{ getOrder(orderId: "${seen[0][4]}") { externalRef } }`);
  assert.equal(getOrder.externalRef, seen[0][2]);
  const again = await upload({ map: 'superstore' }, text, { size: 50000 });
  assert.deepEqual([again.state.created, again.state.existing], [0, orders]);
  const json = (await results(again.path, '?format=jsonl')).trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(json.length, state.rows);
  assert.ok(json.every(({ result }) => result === 'existing'));
});

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
  const json = answer.headers.get('content-type')?.startsWith('application/json;') && whole;
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

test('chunks cut anywhere make the same orders', async () => {
  const bytes = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from('ref,who,city,sku,n,price,note\r\n'
    + 'Z-1,"Zoë ""Z"" Ångström, Dr.",Köln,A,1,1.00,"two\r\nlines"\r\nZ-1,"Zoë ""Z"" Ångström, Dr.",Köln,B,2,2.00,"two\r\nlines"\r\nZ-2,Ada,Berlin,"日本",1,3.00,\r\n')]);
  const noted = { ...small, order: { ...small.order, notes: [{ text: 'note' }] } };
  const whole = await upload({ map: { ...noted, name: 'whole' } }, bytes);
  assert.deepEqual(numbers(whole.state), [3, 2, 2, 0, 0, 0]);
  const cut = await upload({ map: { ...noted, name: 'cut' } }, bytes, { size: 1 });
  assert.deepEqual(numbers(cut.state), [3, 2, 2, 0, 0, 0]);
  assert.deepEqual((await results(cut.path)).replace(/ORD-\w+/g, ''), (await results(whole.path)).replace(/ORD-\w+/g, ''));
  const { orders: { nodes } } = await staff.query('{ orders(filter: { source: ["cut"] }) { nodes { externalRef customerDetails { name } notes { text } lineItems { productSku } } } }');
  const one = nodes.find(({ externalRef }) => externalRef === 'Z-1');
  assert.equal(one.customerDetails.name, 'Zoë "Z" Ångström, Dr.');
  assert.equal(one.notes[0].text, 'two\r\nlines');
  assert.deepEqual(one.lineItems.map(({ productSku }) => productSku), ['A', 'B']);
  await ask('DELETE', whole.path);
  await ask('DELETE', cut.path);
});

test('the protocol: offsets, lengths, types, tenants', async () => {
  const begun = await begin({ map: { ...small, name: 'protocol' } });
  assert.equal(begun.status, 201);
  assert.equal(begun.headers.get('upload-offset'), '0');
  assert.equal(begun.body.state, 'open');
  const path = begun.headers.get('location');
  const bytes = csv(row('P-1'), row('P-2'), row('P-3'));
  assert.equal((await chunk(path, 0, bytes.subarray(0, 30))).status, 204);
  // a wrong offset is told the right one
  const wrong = await chunk(path, 10, bytes.subarray(10));
  assert.equal(wrong.status, 409);
  assert.equal(wrong.headers.get('upload-offset'), '30');
  const head = await ask('HEAD', path);
  assert.equal(head.status, 200);
  assert.deepEqual(['upload-offset', 'upload-complete', 'upload-defer-length', 'cache-control', 'tus-resumable'].map((name) => head.headers.get(name)),
    ['30', '?0', '1', 'no-store', '1.0.0']);
  for (const [headers, status] of [[{ 'upload-offset': '-1' }, 400], [{ 'upload-offset': 'x' }, 400], [{ 'upload-offset': '' }, 400],
    [{ 'content-type': 'application/json' }, 415], [{ 'upload-complete': 'yes' }, 400], [{ 'upload-length': '0' }, 400],
    [{ 'upload-length': '31' }, 413], [{ 'tus-resumable': '0.2.2' }, 412]])
    assert.equal((await chunk(path, 30, bytes.subarray(30), { headers })).status, status, JSON.stringify(headers));
  // two clients: one of them is first
  const both = await Promise.all([chunk(path, 30, bytes.subarray(30, 50)), chunk(path, 30, bytes.subarray(30, 50))]);
  assert.deepEqual(both.map(({ status }) => status).sort(), [204, 409]);
  assert.ok(both.every(({ headers }) => headers.get('upload-offset') === '50'));
  // nobody else's
  assert.equal((await chunk(path, 50, bytes.subarray(50), { token: server.token('staff', 'staff', { tenant: 'other' }) })).status, 404);
  assert.equal((await ask('GET', path, { token: server.token('staff', 'staff', { tenant: 'other' }) })).status, 404);
  assert.equal((await ask('GET', `${path}/results`, { token: server.token('staff', 'staff', { tenant: 'other' }) })).status, 404);
  assert.equal((await ask('GET', path, { token: server.token('customer', 'ada') })).status, 403);
  assert.equal((await ask('GET', path, { token: 'x' })).status, 401);
  // too much for one request
  assert.equal((await chunk(path, 50, Buffer.alloc((1 << 20) + 1, 'x')).catch(() => ({ status: 413 }))).status, 413);
  // a length that is told late ends it when it is reached
  const end = await chunk(path, 50, bytes.subarray(50), { headers: { 'upload-length': String(bytes.length) } });
  assert.equal(end.status, 200);
  assert.deepEqual(numbers(end.body), [3, 3, 3, 0, 0, 0]);
  assert.equal((await ask('HEAD', path)).headers.get('upload-complete'), '?1');
  assert.equal((await chunk(path, bytes.length, Buffer.from('x'))).status, 409);
  const list = await ask('GET', '/import');
  assert.equal(list.status, 200, JSON.stringify(list.body));
  assert.ok(list.body.uploads.some(({ uploadId }) => path.endsWith(uploadId)));
  assert.equal((await ask('DELETE', path)).status, 204);
  assert.equal((await ask('GET', path)).status, 404);
  assert.equal((await ask('DELETE', path)).status, 404);
  assert.equal((await ask('GET', '/import/NOTHING')).status, 404);
  assert.equal((await ask('GET', `/import/${'0'.repeat(26)}`)).status, 404);
  assert.equal(await count('protocol'), 3, 'the orders stay');
});

test('what an upload is to do is checked when it begins', async () => {
  for (const [terms, says] of [[{}, /"map"/], [{ map: 'nothing' }, /superstore/], [{ map: 'superstore', onError: 'halt' }, /"onError".*"skip" or "stop"/],
    [{ map: 'superstore', onExisting: 1 }, /"onExisting"/], [{ map: 'superstore', dryRun: 'yes' }, /"dryRun"/], [{ map: 'superstore', lenght: 1 }, /length/],
    [{ map: 'superstore', options: { colour: 'red' } }, /colour/], [{ map: 'superstore', format: 'jsonl' }, /"format"/], [{ map: { name: 'x' } }, /./],
    [{ map: 'superstore', length: 0 }, /"length"/], [{ map: 'superstore', source: '' }, /"source"/], [[], /object/]]) {
    const { status, body } = await begin(terms);
    assert.equal(status, 400, JSON.stringify(terms));
    assert.match(body.errors[0].message, says);
  }
  assert.equal((await ask('POST', '/import', { body: '{', headers: { 'content-type': 'application/json' } })).status, 400);
  assert.equal((await ask('POST', '/import', { body: text, headers: { 'content-type': 'text/csv' } })).status, 415);
});

test('faults of rows: one report, and the rest goes on', async () => {
  const bytes = Buffer.concat([csv(row('F-1'), row('F-2', 'A', 'many'), row('F-3'), row('F-1', 'B'), row('', 'B'), row('F-4'), 'F-5,Ada', row('F-6'), row('F-7', 'A', 0)),
    Buffer.from('F-8,\xff\xfe,Berlin,A,1,1.00\n', 'latin1'), Buffer.from(`${row('F-9')}\n`)]);
  const { path, state } = await upload({ map: { ...small, name: 'faults' } }, bytes, { size: 7 });
  assert.equal(state.state, 'complete');
  const told = (await results(path, '?format=jsonl')).trim().split('\n').map((line) => JSON.parse(line));
  const brief = told.map(({ line, externalRef, result, code, field }) => [line, externalRef, result, code, field]);
  assert.deepEqual(brief.sort((a, b) => a[0] - b[0]), [
    [2, 'F-1', 'created', undefined, undefined],
    [3, 'F-2', 'refused', 'INVALID', 'n'],
    [4, 'F-3', 'created', undefined, undefined],
    [5, 'F-1', 'refused', 'NON_CONTIGUOUS', 'ref'],
    [6, undefined, 'refused', 'REQUIRED', 'ref'],
    [7, 'F-4', 'refused', 'INVALID', undefined],
    [8, undefined, 'refused', 'INVALID', undefined],
    [9, 'F-6', 'refused', 'INVALID', undefined],
    [10, 'F-7', 'refused', 'INVALID', undefined],
    [11, undefined, 'refused', 'INVALID', undefined],
    [12, 'F-9', 'refused', 'INVALID', undefined],
  ]);
  assert.match(told.find(({ line }) => line === 11).message, /UTF-8/);
  assert.equal(state.faults.length, state.refused);
  assert.equal((await results(path, '?only=refused')).trim().split('\r\n').length, state.rowsRefused + 1);
  assert.equal((await ask('GET', `${path}/results?format=xml`)).status, 400);
  assert.equal(await count('faults'), 2);
});

test('a header that the map does not fit fails the upload', async () => {
  const { path, state } = await upload({ map: 'superstore' }, csv(row('X-1')));
  assert.equal(state.state, 'failed');
  assert.match(state.failure, /Order ID/);
  assert.equal((await ask('GET', path)).body.state, 'failed');
  await ask('DELETE', path);
  const empty = await upload({ map: { ...small, name: 'empty' } }, Buffer.alloc(0));
  assert.equal(empty.state.state, 'failed');
  await ask('DELETE', empty.path);
});

test('dry run, on-error stop, on-existing', async () => {
  const bytes = csv(row('D-1'), row('D-2', 'A', 0), row('D-3'));
  const dry = await upload({ map: { ...small, name: 'dry' }, dryRun: true }, bytes);
  assert.deepEqual(numbers(dry.state), [3, 3, 2, 0, 0, 1]);
  assert.match(await results(dry.path), /1,2,D-1,would_create,,,,\r\n2,3,D-2,refused,,INVALID,lineItems.0.orderQuantity,/);
  assert.equal(await count('dry'), 0);
  await ask('DELETE', dry.path);

  const stop = await upload({ map: { ...small, name: 'stop' }, onError: 'stop' }, csv(row('S-1'), row('S-2', 'A', 'x'), row('S-3'), row('S-4')));
  assert.equal(stop.state.state, 'stopped');
  assert.deepEqual(numbers(stop.state).slice(2), [1, 0, 0, 1]);
  assert.equal(await count('stop'), 1);
  await ask('DELETE', stop.path);

  const first = await upload({ map: { ...small, name: 'existing' } }, csv(row('E-1'), row('E-2')));
  const changed = csv(row('E-1'), row('E-2', 'OTHER'), row('E-3'));
  const skip = await upload({ map: { ...small, name: 'existing' } }, changed);
  assert.deepEqual(numbers(skip.state), [3, 3, 1, 1, 1, 0]);
  assert.match(await results(skip.path), /E-2,existing_other,ORD-\w+,CONFLICT/);
  const conflict = await upload({ map: { ...small, name: 'existing' }, onExisting: 'conflict' }, changed);
  assert.deepEqual(numbers(conflict.state), [3, 3, 0, 2, 0, 1]);
  for (const { path } of [first, skip, conflict]) await ask('DELETE', path);
});

test('JSON Lines, with a source of its own', async () => {
  const order = (ref, more) => JSON.stringify({ externalRef: ref, customerDetails: { name: 'Ada' }, destination: { city: 'Köln', country: 'DE' },
    lineItems: [{ productSku: 'A', productName: 'A', vendor: { vendorId: 'v' }, orderQuantity: 1, productPrice: { amount: '1.00', currency: 'EUR' } }], ...more });
  const bytes = Buffer.from([order('J-1'), '', '{', order('J-2', { tenantId: 'other' }), order(undefined), order('J-3', { source: 'mine' }), order('J-4')].join('\n'));
  const { path, state } = await upload({ format: 'jsonl', source: 'lines' }, bytes, { size: 11 });
  assert.equal(state.state, 'complete', JSON.stringify(state));
  assert.equal(await count('lines'), 2);
  assert.equal(await count('mine'), 1);
  assert.deepEqual(state.faults.map(({ line, code, field }) => [line, code, field]), [[3, 'INVALID', null], [4, 'INVALID', 'tenantId'], [5, 'REQUIRED', 'externalRef']]);
  await ask('DELETE', path);
});

test('API keys; too many uploads; real curl', async () => {
  const admin = new Caller(server, 'admin', 'ann');
  const { createApiKey } = await admin.query('mutation { createApiKey(input: { name: "erp", permissions: ["create_order"] }) { key userErrors { message } } }');
  admin.close();
  assert.deepEqual(createApiKey.userErrors, []);
  const begun = await begin({ map: { ...small, name: 'key' } }, { token: createApiKey.key });
  assert.equal(begun.status, 201);
  const end = await chunk(begun.headers.get('location'), 0, csv(row('K-1')), { last: true, token: createApiKey.key });
  assert.equal(end.body.created, 1, JSON.stringify(end.body));
  await ask('DELETE', begun.headers.get('location'));
  for (const { uploadId } of (await ask('GET', '/import')).body.uploads) assert.equal((await ask('DELETE', `/import/${uploadId}`)).status, 204);
  const curl = async (...args) => (await exec('curl', ['-sS', '-H', `Authorization: Bearer ${server.token('staff', 'staff')}`, ...args])).stdout;
  const { uploadId } = JSON.parse(await curl(`${server.url}/import`, '-H', 'Content-Type: application/json', '-d', '{"map":"superstore","source":"curl"}'));
  const done = JSON.parse(await curl('-X', 'PATCH', `${server.url}/import/${uploadId}`, '-H', 'Content-Type: text/csv', '-H', 'Upload-Offset: 0', '-H', 'Upload-Complete: ?1', '--data-binary', `@${file}`));
  assert.equal(done.created, orders, JSON.stringify(done));
  for (let i = 1; i < 16; i++) assert.equal((await begin({ map: 'superstore' })).status, 201);
  const more = await begin({ map: 'superstore' });
  assert.equal(more.status, 429);
  for (const { uploadId: one } of (await ask('GET', '/import')).body.uploads) assert.equal((await ask('DELETE', `/import/${one}`)).status, 204);
});

test('kill -9 in the middle, and on: every order exactly once', async () => {
  const data = fresh('-data');
  let on = await Server.start({ data, config, args: ['--shards', '2'] });
  const begun = await begin({ map: 'superstore', source: 'killed' }, { on });
  const path = begun.headers.get('location');
  let at = 0, kills = 0, state;
  while (state?.state !== 'complete') {
    const size = 7001, last = at + size >= text.length;
    const sent = chunk(path, at, text.subarray(at, at + size), { last, on }).catch(() => null);
    if (kills < 5 && at > kills * 15000) {
      kills++;
      await sleep(kills * 2);
      await on.kill();
      await sent;
      on = await Server.start({ data, config, args: ['--shards', '2'] });
      const head = await ask('HEAD', path, { on });
      assert.equal(head.status, 200);
      const stands = Number(head.headers.get('upload-offset'));
      assert.ok(stands === at || stands === at + size, `${stands} of ${at}`);
      at = stands;
      continue;
    }
    const answer = await sent;
    assert.equal(answer.status, last ? 200 : 204, JSON.stringify(answer.body));
    at += size;
    state = answer.body;
  }
  assert.equal(kills, 5);
  assert.deepEqual([state.orders, state.created, state.existing, state.refused], [orders, orders, 0, 0]);
  const lines = (await results(path, '', on)).trim().split('\r\n').slice(1);
  assert.deepEqual(lines.map((line) => Number(line.split(',')[0])), lines.map((_, i) => i + 1), 'every row is told once');
  const caller = new Caller(on);
  assert.equal((await caller.query('{ ordersCount(filter: { source: ["killed"] }) { count } }')).ordersCount.count, orders);
  caller.close();
  assert.equal((await ask('DELETE', path, { on })).status, 204);
  await on.stop();
  await on.verify();
});

test('an orderly stop in the middle of a chunk, and on', async () => {
  const data = fresh('-data');
  let at = 0, created = 0;
  let on = await Server.start({ data, config, args: ['--shards', '2'] });
  const path = (await begin({ map: 'superstore', source: 'stopped' }, { on })).headers.get('location');
  const half = Math.floor(text.length / 2);
  for (const wait of [0, 3, 8]) {
    const sent = chunk(path, at, text.subarray(at, half), { on }).catch(() => null);
    await sleep(wait);
    await on.stop(); // under a sanitizer: nothing is left behind
    await sent;
    on = await Server.start({ data, config, args: ['--shards', '2'] });
    at = Number((await ask('HEAD', path, { on })).headers.get('upload-offset'));
    assert.ok(at === 0 || at === half, String(at));
  }
  if (at === 0) at = half * Number((await chunk(path, 0, text.subarray(0, half), { on })).status === 204);
  const end = await chunk(path, at, text.subarray(at), { on, last: true });
  assert.equal(end.status, 200, JSON.stringify(end.body));
  created = end.body.created;
  assert.deepEqual([created, end.body.existing], [orders, 0]);
  await on.stop();
  await on.verify();
});

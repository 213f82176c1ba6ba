// Erasing a customer: everything personal has a word of its own, that no compression can hide; afterwards nobody is shown one
// and no file of the data folder holds one. Also over kill -9, and over a backup that comes back.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Caller, basket, orderFields } from './lib/client.mjs';
import { Server, fresh, run, until } from './lib/server.mjs';
import { EventStream } from './lib/streams.mjs';

const config = { tenants: [{ name: 'demo' }] };
const erasure = 'erasure { examined erased already failed unsealed openOrders purged complete endCursor hasNextPage }';

// A person whose every text begins with a word that is nowhere else.
class Person {
  constructor(subject) {
    this.words = [];
    this.id = subject ?? this.word();
    if (subject) this.words.push(subject);
  }

  word() {
    const word = `zq${crypto.randomBytes(7).toString('hex')}`;
    this.words.push(word);
    return word;
  }

  address() {
    return { recipient: this.word(), street: this.word(), line2: this.word(), city: this.word(), state: this.word(), postal: this.word(), country: 'GB', phone: this.word() };
  }

  order(parts = {}) {
    const order = basket({ customerDetails: { customerId: this.id, name: this.word(), firstName: this.word(), lastName: this.word(),
      email: `${this.word()}@example.com`, phone: this.word() }, destination: this.address(), billingAddress: this.address(), ...parts });
    order.lineItems[0].options = { engraving: this.word() };
    return order;
  }
}

const everyFile = (folder) => fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name));

// The words that stand in some file of the folder, with the file.
function wordsIn(folder, words) {
  const found = [];
  for (const file of everyFile(folder)) {
    const bytes = fs.readFileSync(file);
    for (const word of words) if (bytes.includes(word)) found.push(`${path.relative(folder, file)}: ${word}`);
  }
  return found;
}

const nothingOf = (person, text, where) => {
  for (const word of person.words) assert.ok(!text.includes(word), `${where} shows ${word}: ${text.slice(Math.max(0, text.indexOf(word) - 200), text.indexOf(word) + 60)}`);
};

// Orders of every kind of end, with whatever a person may write, and one that is open.
async function live(staff, person) {
  const all = [];
  const completed = await staff.does('createOrder', person.order());
  const id = completed.orderId;
  await staff.does('addNote', { orderId: id, note: person.word(), visibleToCustomer: true });
  const hold = await staff.does('placeHold', { orderId: id, reason: person.word() });
  await staff.does('releaseHold', { orderId: id, holdId: hold.holds[0].holdId, reason: person.word() });
  await staff.does('addShipment', { orderId: id, shipmentAddress: person.address() });
  await staff.does('cancelShipment', { orderId: id, shipmentId: 'SHP-1', reason: person.word() });
  await staff.does('markAsShipped', { orderId: id, shippingReference: 'https://carrier.example/t/1' });
  await staff.does('recordPayment', { orderId: id, amount: { amount: '30.00', currency: 'USD' }, transactionId: 'tx-1' });
  const self = staff.as('customer', person.id);
  const back = await self.command('requestReturn', { orderId: id, items: [{ productSku: 'TEA', quantity: 1 }], reason: person.word(), comments: person.word() });
  assert.deepEqual(back.userErrors, []);
  await staff.does('approveReturn', { orderId: id, returnId: 'RET-1', comments: person.word() });
  await staff.does('addNote', { orderId: id, note: person.word() });
  await staff.does('markAsCompleted', { orderId: id });
  all.push(id);
  const cancelled = await staff.does('createOrder', person.order());
  await staff.does('changeDestination', { orderId: cancelled.orderId, destination: person.address() });
  await staff.does('cancelOrder', { orderId: cancelled.orderId, cancellationReason: person.word() });
  all.push(cancelled.orderId);
  const open = await staff.does('createOrder', person.order());
  return { finished: all, open: open.orderId };
}

async function erase(staff, input) {
  const { eraseCustomer } = await staff.query(`mutation($input: EraseCustomerInput!) { eraseCustomer(input: $input) { clientMutationId result { success } userErrors { code field message } ${erasure} } }`, { input });
  return eraseCustomer;
}

async function erased(staff, input) {
  const payload = await erase(staff, input);
  assert.deepEqual(payload.userErrors, [], JSON.stringify(payload));
  return payload.erasure;
}

// All that the API shows of the orders, as one text.
async function everything(staff, ids) {
  let text = '';
  for (const id of ids) {
    const order = await staff.order(id, `${orderFields} erasedAt events(first: 200) { nodes { type change actor { subject displayName } order { ${orderFields} } } }`);
    text += JSON.stringify(order);
    for (let version = 1; version <= order.version; version++) text += JSON.stringify(await staff.order(id, orderFields, `, atVersion: ${version}`));
  }
  text += JSON.stringify(await staff.query(`{ tenantEventLog(first: 200) { nodes { type change actor { subject displayName } order { ${orderFields} } } } }`));
  for (const file of ['orders.jsonl', 'orders.csv']) {
    const answer = await staff.connection.send({ ':method': 'GET', ':path': `/export/${file}`, authorization: `Bearer ${staff.token}` });
    assert.equal(answer.status, 200);
    text += answer.body;
  }
  return text;
}

let server, staff;
const jane = new Person(), bob = new Person();
let orders, bobs;

before(async () => {
  server = await Server.start({ config, args: ['--shards', '2'] });
  staff = new Caller(server, 'admin', 'boss');
  orders = await live(staff, jane);
  bobs = (await staff.does('createOrder', bob.order())).orderId;
});
after(async () => {
  staff.close();
  await server.stop();
});

async function restart(how = 'stop') {
  staff.close();
  await server[how]();
  const folder = server.data;
  const between = { folder };
  await server.verify();
  server = await Server.start({ data: folder, config, args: ['--shards', '2'] });
  staff = new Caller(server, 'admin', 'boss');
  return between;
}

test('the log is written without a readable word', async () => {
  const shown = await everything(staff, [...orders.finished, orders.open]);
  for (const word of jane.words) assert.ok(shown.includes(word), `the API shows ${word}`);
  await restart('kill');
  staff.close();
  await server.stop();
  assert.deepEqual(wordsIn(path.join(server.data, 'log'), [...jane.words, ...bob.words]), []);
  assert.notEqual(wordsIn(path.join(server.data, 'state'), jane.words).length, 0); // derived, and rewritten when it must
  assert.equal(fs.statSync(path.join(server.data, 'master.key')).mode & 0o777, 0o600);
  server = await Server.start({ data: server.data, config, args: ['--shards', '2'] });
  staff = new Caller(server, 'admin', 'boss');
});

test('who may, and whom', async () => {
  for (const role of ['staff', 'customer', 'vendor']) {
    const payload = await erase(staff.as(role, role === 'customer' ? jane.id : role), { customerId: jane.id });
    assert.equal(payload.userErrors[0].code, 'FORBIDDEN');
    assert.equal(payload.erasure, null);
  }
  for (const input of [{}, { customerId: 'a', email: 'b' }]) assert.equal((await erase(staff, input)).userErrors[0].code, 'INVALID');
  assert.deepEqual((await erase(staff, { customerId: '' })).userErrors[0].field, ['input', 'customerId']);
  assert.equal((await erase(staff, { customerId: 'x', first: 0 })).userErrors[0].field[1], 'first');
  assert.equal((await erase(staff, { customerId: 'x', after: 'nonsense' })).userErrors[0].field[1], 'after');
  assert.equal((await erase(staff, { orderIds: ['ORD-00000000000000000000000000'] })).userErrors[0].code, 'NOT_FOUND');
  assert.deepEqual(await erased(staff, { customerId: 'nobody' }), { examined: 0, erased: 0, already: 0, failed: 0, unsealed: 0, openOrders: [], purged: true, complete: true, endCursor: null, hasNextPage: false });
});

test('what is stored of the customer as a user goes too, for who may manage access', async () => {
  const ask = `{ userAuthorization(user: "twin") { roles } }`;
  const told = `mutation($input: EraseCustomerInput!) { eraseCustomer(input: $input) { userErrors { code } erasure { userAuthorizationLeft complete openOrders } } }`;
  const by = async (caller, input) => (await caller.query(told, { input })).eraseCustomer.erasure;
  await staff.query(`mutation { updateUserAuthorization(input: { user: "twin", roles: ["staff"] }) { changed userErrors { code } } }`);
  const { createApiKey } = await staff.query(`mutation { createApiKey(input: { name: "eraser", permissions: ["erase_customer"] }) { key userErrors { code } } }`);
  const eraser = Object.create(staff);
  eraser.token = createApiKey.key;
  const { orderId } = await staff.does('createOrder', basket({ customerDetails: { customerId: 'twin' } }));
  assert.deepEqual(await by(staff, { customerId: 'twin' }), { userAuthorizationLeft: true, complete: false, openOrders: [orderId] });
  assert.deepEqual((await staff.query(ask)).userAuthorization, { roles: ['staff'] });
  assert.deepEqual(await by(eraser, { customerId: 'twin', force: true }), { userAuthorizationLeft: true, complete: false, openOrders: [] });
  assert.deepEqual((await staff.query(ask)).userAuthorization, { roles: ['staff'] });
  assert.deepEqual(await by(staff, { customerId: 'twin' }), { userAuthorizationLeft: false, complete: true, openOrders: [] });
  assert.equal((await staff.query(ask)).userAuthorization, null);
});

test('erased: no answer shows it, no file holds it', async () => {
  const backup = fresh('-backup');
  staff.close();
  await server.stop();
  fs.cpSync(server.data, backup, { recursive: true });
  server = await Server.start({ data: server.data, config, args: ['--shards', '2'] });
  staff = new Caller(server, 'admin', 'boss');

  const first = await erased(staff, { customerId: jane.id });
  assert.deepEqual({ ...first, endCursor: null }, { examined: 3, erased: 2, already: 0, failed: 0, unsealed: 0, openOrders: [orders.open], purged: true, complete: false, endCursor: null, hasNextPage: false });
  assert.equal((await staff.order(orders.open, 'customerDetails { name }')).customerDetails.name.slice(0, 2), 'zq');
  const second = await erased(staff, { customerId: jane.id, force: true });
  assert.equal(second.erased, 1);
  assert.equal(second.complete, true);
  assert.equal((await erased(staff, { customerId: jane.id, force: true })).examined, 0);

  const all = [...orders.finished, orders.open, bobs];
  const check = async (where) => {
    const shown = await everything(staff, all);
    nothingOf(jane, shown, where);
    for (const word of bob.words) assert.ok(shown.includes(word), `${where}: bob is still there`);
    const order = await staff.order(orders.finished[0], `${orderFields} erasedAt`);
    assert.equal(order.customerDetails.email, '[erased]');
    assert.equal(order.destination.country, 'GB');
    assert.equal(order.lineItems[0].options, '[erased]');
    assert.equal(order.returns[0].requestedBy.subject, '[erased]');
    assert.deepEqual(order.notes, []);
    assert.ok(order.erasedAt);
    const event = (await staff.order(orders.finished[0], 'events(first: 200) { nodes { type command actor { subject } change } }')).events.nodes.at(-1);
    assert.deepEqual(event, { type: 'CUSTOMER_ERASED', command: 'eraseCustomer', actor: { subject: 'boss' }, change: { notes: 2 } });
    // A stream that begins at the beginning tells the past as it reads now.
    const document = `subscription($id: ID!) { orderEvents(orderId: $id, after: "0") { cursor event { type change actor { subject displayName } order { ${orderFields} } } } }`;
    const stream = new EventStream(staff.connection.session, document, { token: staff.token, variables: { id: orders.finished[0] } });
    await stream.has(10);
    await until(() => stream.seen.at(-1).type === 'CUSTOMER_ERASED', 20000, 'the erasure in the stream');
    nothingOf(jane, JSON.stringify(stream.seen), `${where}: the stream`);
    stream.close();
    for (const filter of [{ customerId: [jane.id] }, { customerId: ['[erased]'] }, { email: ['[erased]'] }])
      assert.deepEqual((await staff.query('query($filter: OrderFilter) { orders(filter: $filter) { nodes { orderId } } }', { filter })).orders.nodes, []);
    assert.equal(await staff.as('customer', jane.id).order(orders.open, 'orderId'), null);
    assert.equal(await staff.as('customer', '[erased]').order(orders.open, 'orderId'), null);
  };
  await check('at once');
  await restart('kill');
  await check('after kill -9');
  await restart('stop');
  await check('after a restart');
  // Life goes on with what is left, and what is written then can be erased as well.
  await staff.does('addNote', { orderId: orders.open, note: jane.word() });
  assert.equal((await staff.order(orders.open, 'notes { text }')).notes.length, 1);
  assert.equal((await erased(staff, { orderIds: [orders.open], force: true })).complete, true);
  await check('after a second erasure');

  staff.close();
  await server.stop();
  assert.deepEqual(wordsIn(server.data, jane.words), []);
  await server.verify();

  // The backup comes back, with the erasure log as it is now.
  assert.notEqual(wordsIn(backup, jane.words).length, 0);
  fs.copyFileSync(path.join(server.data, 'erasures.log'), path.join(backup, 'erasures.log'));
  server = await Server.start({ data: backup, config, args: ['--shards', '2'] });
  staff = new Caller(server, 'admin', 'boss');
  assert.equal(server.events('privacy.erased_again').length, 1);
  assert.equal(server.events('privacy.erased_again')[0].orders, 3);
  nothingOf(jane, await everything(staff, all), 'the restored store');
  await restart('stop');
  assert.equal(server.events('privacy.erased_again').length, 0); // once
  nothingOf(jane, await everything(staff, all), 'the restored store, later');
  staff.close();
  await server.stop();
  assert.deepEqual(wordsIn(server.data, jane.words), []);
  server = await Server.start({ data: server.data, config, args: ['--shards', '2'] });
  staff = new Caller(server, 'admin', 'boss');
});

test('by e-mail, a page at a time', async () => {
  const guest = new Person(), email = `${guest.word()}@example.com`;
  const ids = [];
  for (let i = 0; i < 5; i++) {
    const order = guest.order();
    order.customerDetails = { name: guest.word(), email };
    const { orderId } = await staff.does('createOrder', order);
    await staff.does('cancelOrder', { orderId, cancellationReason: guest.word() });
    ids.push(orderId);
  }
  let cursor, total = 0, rounds = 0;
  for (;;) {
    const page = await erased(staff, { email: email.toUpperCase(), first: 2, after: cursor });
    total += page.erased;
    assert.ok(page.erased <= 2 && ++rounds < 20);
    if (!page.hasNextPage) break;
    cursor = page.endCursor;
  }
  assert.equal(total, 5);
  nothingOf(guest, await everything(staff, ids), 'a guest');
  staff.close();
  await server.stop();
  assert.deepEqual(wordsIn(server.data, guest.words), []);
  server = await Server.start({ data: server.data, config, args: ['--shards', '2'] });
  staff = new Caller(server, 'admin', 'boss');
});

test('kill -9 in the middle of an erasure: the next start finishes it', async () => {
  for (const ms of [0, 2, 5, 10, 20, 40]) {
    const person = new Person(), ids = [];
    for (let i = 0; i < 20; i++) {
      const { orderId } = await staff.does('createOrder', person.order(), { select: 'orderId' });
      await staff.does('cancelOrder', { orderId, cancellationReason: person.word() }, { select: 'orderId' });
      ids.push(orderId);
    }
    const asked = staff.post(`mutation($input: EraseCustomerInput!) { eraseCustomer(input: $input) { ${erasure} } }`, { input: { customerId: person.id } }).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, ms));
    await restart('kill'); // with verify in between
    await asked;
    const told = fs.readFileSync(path.join(server.data, 'erasures.log'), 'utf8');
    const begun = ids.filter((id) => told.includes(id));
    const left = ids.filter((id) => !told.includes(id));
    assert.ok(begun.length === 0 || left.length === 0);
    if (begun.length) nothingOf(person, await everything(staff, begun), `killed after ${ms} ms`);
    else assert.equal((await erased(staff, { customerId: person.id })).erased, 20);
    nothingOf(person, await everything(staff, ids), `killed after ${ms} ms, in the end`);
    staff.close();
    await server.stop();
    assert.deepEqual(wordsIn(server.data, person.words), []);
    server = await Server.start({ data: server.data, config, args: ['--shards', '2'] });
    staff = new Caller(server, 'admin', 'boss');
  }
});

test('what a long read keeps alive is purged by a later call', async () => {
  const person = new Person();
  for (let i = 0; i < 3; i++) {
    const { orderId } = await staff.does('createOrder', person.order());
    await staff.does('cancelOrder', { orderId, cancellationReason: person.word() });
  }
  // An export whose client does not read holds its snapshot; its own connection, so that nobody else waits.
  const slow = new Caller(server, 'admin', 'boss');
  const stream = slow.connection.session.request({ ':method': 'GET', ':path': '/export/orders.jsonl', authorization: `Bearer ${slow.token}` });
  stream.on('error', () => {});
  await new Promise((resolve) => stream.on('response', resolve));
  const first = await erased(staff, { customerId: person.id });
  assert.deepEqual([first.erased, first.purged, first.complete], [3, false, false]);
  nothingOf(person, await everything(staff, []), 'at once');
  slow.connection.destroy();
  await until(async () => (await erased(staff, { customerId: person.id })).complete, 20000, 'the purge');
  staff.close();
  await server.kill(); // nothing is flushed by the end
  assert.deepEqual(wordsIn(server.data, person.words), []);
  server = await Server.start({ data: server.data, config, args: ['--shards', '2'] });
  staff = new Caller(server, 'admin', 'boss');
});

test('all that is held of a customer', async () => {
  const person = new Person(), other = new Person();
  const { finished, open } = await live(staff, person);
  await staff.does('createOrder', other.order());
  const get = (query, caller = staff) => staff.connection.send({ ':method': 'GET', ':path': `/export/customer.json${query}`, authorization: `Bearer ${caller.token}` });
  const answer = await get(`?customerId=${person.id}`);
  assert.equal(answer.status, 200, answer.body);
  assert.match(answer.headers['content-type'], /^application\/json/);
  const held = JSON.parse(answer.body);
  assert.equal(held.customerId, person.id);
  assert.equal(held.tenant, 'demo');
  assert.equal(held.orderCount, 3);
  assert.deepEqual(held.orders.map((order) => order.orderId).sort(), [...finished, open].sort());
  for (const word of person.words) assert.ok(answer.body.includes(word), `the export has ${word}`);
  nothingOf(other, answer.body, 'the export of another');
  for (const order of held.orders) {
    const events = (await staff.order(order.orderId, 'events(first: 200) { nodes { type sequence version at command actor { kind subject displayName } change } }')).events.nodes;
    const bare = (event) => ({ ...event, actor: Object.fromEntries(Object.entries(event.actor).filter(([, value]) => value !== null)) });
    assert.deepEqual(order.events, events.map(bare));
  }
  const email = held.orders[0].customerDetails.email;
  assert.deepEqual(JSON.parse((await get(`?email=${encodeURIComponent(email.toUpperCase())}`)).body).orders, [held.orders[0]]);
  assert.deepEqual(JSON.parse((await get('?customerId=nobody')).body).orders, []);
  for (const wrong of ['', '?customerId=', '?customerId=a&email=b', `?customerId=${person.id}&after=x`]) assert.equal((await get(wrong)).status, 400, wrong);
  for (const role of ['customer', 'vendor']) assert.equal((await get(`?customerId=${person.id}`, staff.as(role, person.id))).status, 403);

  const file = fresh('.json'), at = ['--tenant', 'demo', '--url', server.url, '--data', server.data];
  let told = await run('export', ...at, '--customer', person.id, '-o', file);
  assert.equal(told.code, 0, told.stderr);
  assert.match(told.stderr, /3 orders/);
  assert.deepEqual(JSON.parse(fs.readFileSync(file, 'utf8')).orders, held.orders);
  assert.ok(!fs.existsSync(`${file}.resume`));
  told = await run('export', ...at, '--email', email);
  assert.equal(JSON.parse(told.stdout).orderCount, 1);
  told = await run('export', ...at, '--customer', person.id, '--email', email);
  assert.equal(told.code, 2);

  await erased(staff, { customerId: person.id, force: true });
  assert.deepEqual(JSON.parse((await get(`?customerId=${person.id}`)).body).orders, []);
});

test('a backup in which the tenant was removed forgets as well', async () => {
  const person = new Person(), backup = fresh('-removed'), two = { tenants: [{ name: 'demo' }, { name: 'gone' }] };
  let other = await Server.start({ config: two }), boss = new Caller(other, 'operator', 'op', { tenant: 'gone' });
  const set = async (name, more = '') => {
    const answer = await boss.query(`mutation { done: ${name}(input: { tenantId: "gone"${more} }) { userErrors { code message } } }`);
    assert.deepEqual(answer.done.userErrors, []);
  };
  const { orderId } = await boss.does('createOrder', person.order());
  await set('removeTenant', ', confirm: "gone"');
  boss.close();
  await other.stop();
  const data = other.data;
  fs.cpSync(data, backup, { recursive: true });
  other = await Server.start({ data, config: two });
  boss = new Caller(other, 'operator', 'op', { tenant: 'gone' });
  await set('activateTenant');
  assert.equal((await erased(boss, { orderIds: [orderId], force: true })).erased, 1);
  boss.close();
  await other.stop();
  fs.copyFileSync(path.join(data, 'erasures.log'), path.join(backup, 'erasures.log'));
  other = await Server.start({ data: backup, config: two });
  boss = new Caller(other, 'operator', 'op', { tenant: 'gone' });
  await set('activateTenant');
  nothingOf(person, JSON.stringify(await boss.order(orderId, orderFields)), 'the restored order');
  boss.close();
  await other.stop();
  assert.deepEqual(wordsIn(backup, person.words), []);
  await other.verify();
});

test('without its master key the store does not open', async () => {
  const copy = fresh('-copy'), key = path.join(copy, 'master.key'), elsewhere = fresh('.key');
  staff.close();
  await server.stop();
  fs.cpSync(server.data, copy, { recursive: true });
  fs.renameSync(key, elsewhere);
  await assert.rejects(Server.start({ data: copy, config }), /the master key .* is missing although the store was written with one/);
  let answer = await run('verify', '--data', copy);
  assert.equal(answer.code, 1);
  assert.match(answer.stderr, /the master key .* is missing/);
  answer = await run('verify', '--data', copy, '--master-key', elsewhere);
  assert.equal(answer.code, 0, answer.stderr);
  fs.writeFileSync(key, `${'0'.repeat(64)}\n`);
  await assert.rejects(Server.start({ data: copy, config }), /is not the one that this store was written with/);
  fs.rmSync(key);
  const other = await Server.start({ data: copy, config: { ...config, privacy: { master_key_file: elsewhere, erasure_log: fresh('.log') } } });
  await other.stop();
  assert.ok(!fs.existsSync(key));
  server = await Server.start({ data: server.data, config, args: ['--shards', '2'] });
  staff = new Caller(server, 'admin', 'boss');
});

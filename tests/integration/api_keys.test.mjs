// API keys: created once, presented everywhere, held to what is written in them, and over when they are revoked. Two
// shards, so that keys, orders and streams meet across threads.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

import { Caller, Connection, basket } from './lib/client.mjs';
import { Server, curl, fresh, repository, sleep, until } from './lib/server.mjs';
import { EventStream, tenantEvents } from './lib/streams.mjs';

const data = fresh('-data');
const config = { tenants: [{ name: 'acme' }, { name: 'other' }] };
const start = () => Server.start({ data, config, args: ['--shards', '2'] });
let server, admin, other;

before(async () => { server = await start(); callers(); });
after(async () => {
  admin.close();
  other.close();
  await server.stop();
  await server.verify();
});

function callers() {
  admin = new Caller(server, 'admin', 'ann', { tenant: 'acme' });
  other = new Caller(server, 'admin', 'olga', { tenant: 'other' });
}

const keyFields = 'apiKeyId name prefix permissions scope { customerId vendorId } status createdAt createdBy expiresAt revokedAt revokedBy lastUsedAt';

async function create(input, caller = admin) {
  const data_ = await caller.query(`mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { clientMutationId replayed
    result { success message } userErrors { code field message } key apiKey { ${keyFields} } } }`, { input });
  return data_.createApiKey;
}

async function revoke(apiKeyId, caller = admin) {
  return (await caller.query(`mutation($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { replayed userErrors { code field message }
    apiKey { ${keyFields} } } }`, { input: { apiKeyId } })).revokeApiKey;
}

const keys = async (caller = admin) => (await caller.query(`{ apiKeys { ${keyFields} } }`)).apiKeys;

function machine(key) {
  const caller = Object.create(admin);
  caller.token = key;
  return caller;
}

const all = ['get_order', 'create_order', 'export_orders', 'manage_webhooks'];

test('a key is told once and works over HTTP/1.1 and HTTP/2', async () => {
  const made = await create({ name: 'warehouse sync', permissions: all, clientMutationId: 'm1' });
  assert.deepEqual(made.userErrors, []);
  assert.equal(made.clientMutationId, 'm1');
  assert.match(made.key, /^lok_[0-9a-f]{20}_[0-9a-f]{64}$/);
  assert.equal(made.apiKey.prefix, made.key.slice(0, 24));
  assert.equal(made.apiKey.status, 'ACTIVE');
  assert.equal(made.apiKey.createdBy, 'ann');
  assert.deepEqual([...made.apiKey.permissions].sort(), [...all].sort());
  const order = await machine(made.key).does('createOrder', basket());
  const events = await admin.query('query($id: ID!) { getOrder(orderId: $id) { events { nodes { actor { kind subject displayName } } } } }', { id: order.orderId });
  assert.deepEqual(events.getOrder.events.nodes[0].actor, { kind: 'API_KEY', subject: made.apiKey.apiKeyId, displayName: 'warehouse sync' });
  for (const version of ['--http1.1', '--http2-prior-knowledge']) {
    const answer = await curl(version, `${server.url}/graphql`, '-H', `Authorization: Bearer ${made.key}`, '-H', 'Content-Type: application/json',
      '-d', JSON.stringify({ query: '{ viewer { subject displayName roles permissions tenant { tenantId } } }' }));
    assert.equal(answer.status, 200, answer.body);
    const { viewer } = JSON.parse(answer.body).data;
    assert.deepEqual([viewer.subject, viewer.displayName, viewer.roles, viewer.tenant.tenantId], [made.apiKey.apiKeyId, 'warehouse sync', [], 'acme']);
    assert.deepEqual([...viewer.permissions].sort(), [...all].sort());
    assert.equal((await curl(version, `${server.url}/export/orders.jsonl`, '-H', `Authorization: Bearer ${made.key}`)).status, 200);
    assert.equal((await curl(version, `${server.url}/webhook/waiting`, '-H', `Authorization: Bearer ${made.key}`)).status, 200);
  }
  const [listed] = await keys();
  assert.equal(JSON.stringify(await keys()).includes(made.key.slice(25)), false);
  assert.ok(Date.now() - Date.parse(listed.lastUsedAt) < 130_000, listed.lastUsedAt);
  assert.equal(server.log.includes(made.key.slice(25)), false);
  const [logged] = server.events('api_key.created');
  assert.deepEqual([logged.tenant, logged.key, logged.subject], ['acme', made.apiKey.apiKeyId, 'ann']);
});

test('the example of the manual', async () => {
  const [, document] = fs.readFileSync(path.join(repository, 'docs/tenants.md'), 'utf8').match(/^```graphql\n([^]*?)^```$/m);
  const { createApiKey: made } = await admin.query(document);
  assert.deepEqual(made.userErrors, []);
  assert.ok(made.key.startsWith(`lok_${made.apiKey.apiKeyId}_`));
});

test('it may what is written in it and no more', async () => {
  const { orderId } = await admin.does('createOrder', basket());
  const reads = machine((await create({ name: 'reader', permissions: ['get_order'] })).key);
  assert.equal((await reads.order(orderId)).orderId, orderId);
  await reads.refused('FORBIDDEN', 'markAsShipped', { orderId });
  await reads.refused('FORBIDDEN', 'createOrder', basket());
  assert.equal((await create({ name: 'child', permissions: ['get_order'] }, reads)).userErrors[0].code, 'FORBIDDEN');
  assert.equal((await reads.post('{ apiKeys { name } }')).json.errors[0].extensions.code, 'FORBIDDEN');
  const scoped = machine((await create({ name: 'bakery', permissions: ['get_order'], scope: { customerId: 'nobody' } })).key);
  assert.equal(await scoped.order(orderId), null);
  const carol = machine((await create({ name: 'carol', permissions: ['get_order'], scope: { customerId: 'carol' } })).key);
  assert.equal((await carol.order(orderId)).orderId, orderId);
  // Nobody gives more than they have: a key that may manage keys has what it has.
  const manager = machine((await create({ name: 'manager', permissions: ['manage_access', 'get_order'] })).key);
  assert.deepEqual((await create({ name: 'child', permissions: ['get_order'] }, manager)).userErrors, []);
  const greedy = await create({ name: 'greedy', permissions: ['get_order', 'create_order'] }, manager);
  assert.deepEqual([greedy.userErrors[0].code, greedy.userErrors[0].field, greedy.key, greedy.apiKey], ['FORBIDDEN', ['input', 'permissions'], null, null]);
  // The role admin lacks manage_tenant in the built-in rolemap.
  assert.equal((await create({ name: 'x', permissions: ['manage_tenant'] })).userErrors[0].code, 'FORBIDDEN');
  assert.equal((await create({ name: 'x', permissions: ['get_order'] }, admin.as('staff', 'sam', { tenant: 'acme' }))).userErrors[0].code, 'FORBIDDEN');
});

test('bad input names its field', async () => {
  const cases = [
    [{ name: ' ', permissions: ['get_order'] }, 'INVALID', ['name'], /1 to 256/],
    [{ name: 'a\nb', permissions: ['get_order'] }, 'INVALID', ['name'], /control/],
    [{ name: 'x', permissions: [] }, 'REQUIRED', ['permissions'], /at least one/],
    [{ name: 'x', permissions: ['get_order', 'get_oder'] }, 'INVALID', ['permissions', '1'], /did you mean 'get_order'/],
    [{ name: 'x', permissions: ['*'] }, 'INVALID', ['permissions', '0'], /no permission/],
    [{ name: 'x', permissions: ['get_order'], scope: {} }, 'INVALID', ['scope'], /either/],
    [{ name: 'x', permissions: ['get_order'], scope: { customerId: 'a', vendorId: 'b' } }, 'INVALID', ['scope'], /either/],
    [{ name: 'x', permissions: ['get_order'], scope: { vendorId: '$sub' } }, 'INVALID', ['scope'], /\$/],
    [{ name: 'x', permissions: ['get_order'], expiresAt: '2020-01-01T00:00:00Z' }, 'INVALID', ['expiresAt'], /ahead/],
  ];
  const before_ = (await keys()).length;
  for (const [input, code, field, message] of cases) {
    const { userErrors, key } = await create(input);
    assert.deepEqual([userErrors[0]?.code, userErrors[0]?.field, key], [code, ['input', ...field], null], JSON.stringify(input));
    assert.match(userErrors[0].message, message);
  }
  assert.equal((await revoke('nothing')).userErrors[0].code, 'NOT_FOUND');
  assert.equal((await keys()).length, before_);
});

test('a repeat under one idempotency key makes one key and tells its text once', async () => {
  const input = { name: 'once', permissions: ['get_order'], idempotencyKey: 'k-1' };
  const [first, ...rest] = [await create(input), await create(input), await create(input)];
  assert.ok(first.key);
  for (const again of rest) assert.deepEqual([again.key, again.replayed, again.apiKey.apiKeyId], [null, true, first.apiKey.apiKeyId]);
  assert.equal((await create({ ...input, name: 'twice' })).userErrors[0].code, 'IDEMPOTENCY_MISMATCH');
  assert.equal((await keys()).filter((key) => key.name === 'once').length, 1);
});

async function refusedAtOnce(token, message) {
  const answer = await admin.connection.post(token, '{ viewer { subject } }');
  assert.equal(answer.status, 401, answer.body);
  assert.equal(answer.json.errors[0].extensions.code, 'UNAUTHENTICATED');
  assert.match(answer.json.errors[0].message, message);
  assert.match(answer.headers['www-authenticate'], /invalid_token/);
}

test('truncated, tampered, expired and foreign keys', async () => {
  const { key } = await create({ name: 'victim', permissions: ['get_order'] });
  const flip = (at) => key.slice(0, at) + (key[at] === '0' ? '1' : '0') + key.slice(at + 1);
  for (const bad of [key.slice(0, -1), `${key}0`, 'lok_', 'lok_x', key.toUpperCase().replace('LOK', 'lok'), flip(5), flip(11), flip(15), flip(30), flip(88),
    `lok_ffffffff${key.slice(12)}`, `lok_00000000${key.slice(12)}`]) await refusedAtOnce(bad, /unknown or was revoked/);
  await refusedAtOnce(`LOK_${key.slice(4)}`, /JSON Web Token/);
  // In another tenant it is nothing, whatever the headers say.
  const crossed = await admin.connection.post(key, '{ viewer { subject } }', undefined, { 'x-tenant-id': 'other' });
  assert.equal(crossed.json.errors[0].extensions.code, 'FORBIDDEN');
  const { key: theirs } = await create({ name: 'theirs', permissions: ['get_order'] }, other);
  const { orderId } = await admin.does('createOrder', basket());
  assert.equal(await machine(theirs).order(orderId), null);
  const soon = await create({ name: 'soon', permissions: ['get_order'], expiresAt: new Date(Date.now() + 1500).toISOString() });
  assert.deepEqual(soon.userErrors, []);
  assert.equal((await machine(soon.key).order(orderId)).orderId, orderId);
  const session = new Connection(server);
  const stream = await new EventStream(session.session, tenantEvents, { token: soon.key }).attached();
  await until(() => stream.ended || stream.completed, 20000, 'the end of the stream of a key that expires');
  assert.equal(stream.errors[0].extensions.code, 'TOKEN_EXPIRED');
  session.close();
  await refusedAtOnce(soon.key, /expired/);
  assert.equal((await keys()).find((one) => one.name === 'soon').status, 'EXPIRED');
});

test('a revocation holds from its answer on, on every shard, and ends streams', async () => {
  const sessions = Array.from({ length: 8 }, () => new Connection(server));
  const orders = await Promise.all(Array.from({ length: 8 }, () => admin.does('createOrder', basket())));
  for (let round = 0; round < 5; round++) {
    const made = await create({ name: `round ${round}`, permissions: ['get_order', 'add_note'] });
    const streams = await Promise.all(sessions.map((one) => new EventStream(one.session, tenantEvents, { token: made.key }).attached()));
    const notes = (one, i) => one.post(made.key, 'mutation($input: AddNoteInput!) { addNote(input: $input) { userErrors { code } order { orderId } } }',
      { input: { orderId: orders[i].orderId, note: 'x' } });
    for (const answer of await Promise.all(sessions.map(notes))) assert.deepEqual(answer.json.data.addNote.userErrors, [], answer.body);
    // A storm that is under way meanwhile: whatever is sent after the answer must be refused.
    let revoked = false;
    const storm = sessions.map(async (one, i) => {
      for (let late = 0; late < 5;) {
        const sentLate = revoked;
        const answer = await notes(one, i);
        if (sentLate) {
          late++;
          assert.equal(answer.status, 401, answer.body);
        }
      }
    });
    await sleep(30);
    assert.deepEqual((await revoke(made.apiKey.apiKeyId)).userErrors, []);
    revoked = true;
    await Promise.all(storm);
    for (const stream of streams) {
      await until(() => stream.ended || stream.completed, 20000, 'the end of a revoked key\'s stream');
      assert.equal(stream.errors[0].extensions.code, 'FORBIDDEN');
    }
  }
  sessions.forEach((one) => one.close());
});

test('over a WebSocket, and by a ticket, until it is revoked', async () => {
  const made = await create({ name: 'socket', permissions: ['get_order'] });
  const { orderId } = await admin.does('createOrder', basket());
  const connect = () => createClient({ url: `${server.url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${made.key}` }, retryAttempts: 0, lazy: false, onNonLazyError: () => {} });
  const client = connect();
  const query = () => new Promise((resolve, reject) => client.subscribe({ query: `{ getOrder(orderId: "${orderId}") { orderId } viewer { subject permissions } }` },
    { next: resolve, error: reject, complete: () => {} }));
  const first = await query();
  assert.deepEqual([first.data.getOrder.orderId, first.data.viewer], [orderId, { subject: made.apiKey.apiKeyId, permissions: ['get_order'] }]);
  const live = [];
  let over;
  const ended = new Promise((resolve) => { over = resolve; });
  client.subscribe({ query: 'subscription { tenantEvents { cursor event { type } } }' }, { next: (item) => live.push(item), error: over, complete: () => over(live.at(-1)) });
  await until(() => live.length, 10000, 'the first item');
  const { streamTicket } = await machine(made.key).query('mutation { streamTicket { ticket } }');
  await revoke(made.apiKey.apiKeyId);
  assert.match(JSON.stringify(await ended), /FORBIDDEN/);
  // The socket is open still, and can do nothing.
  await assert.rejects(query(), (errors) => errors[0].extensions.code === 'UNAUTHENTICATED');
  await client.dispose();
  const ticket = await curl('-N', `${server.url}/graphql?ticket=${streamTicket.ticket}&query=${encodeURIComponent('subscription { tenantEvents { cursor } }')}`, '-H', 'Accept: text/event-stream');
  assert.match(ticket.body, /FORBIDDEN/);
  const again = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  await new Promise((resolve) => again.on('open', resolve));
  again.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${made.key}` } }));
  assert.equal(await new Promise((resolve) => again.on('close', resolve)), 4403);
});

test('keys live through kill -9, and so do revocations', async () => {
  const kept = await create({ name: 'kept', permissions: ['get_order'] });
  const gone = await create({ name: 'gone', permissions: ['get_order'] });
  await revoke(gone.apiKey.apiKeyId);
  admin.close();
  other.close();
  await server.kill();
  server = await start(); // the same configuration, which knows nothing of keys
  callers();
  assert.equal((await machine(kept.key).query('{ viewer { displayName } }')).viewer.displayName, 'kept');
  await refusedAtOnce(gone.key, /unknown or was revoked/);
  const listed = await keys();
  assert.deepEqual(listed.filter((one) => ['kept', 'gone'].includes(one.name)).map((one) => [one.name, one.status, one.revokedBy]),
    [['kept', 'ACTIVE', null], ['gone', 'REVOKED', 'ann']]);
});

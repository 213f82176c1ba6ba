// Access that changes while the server runs: rolemaps and what is stored of users, by the API. Two shards, so that a
// withdrawal crosses threads; it counts from its answer on, on every connection, and through restarts and kill -9.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { after, before, test } from 'node:test';

import { Caller, Connection, basket } from './lib/client.mjs';
import { Server, fresh, run, until } from './lib/server.mjs';
import { EventStream, tenantEvents } from './lib/streams.mjs';

const data = fresh('-data');
const config = (more = {}) => ({ tenants: [
  { name: 'acme', currency: 'EUR', webhooks: [{ provider: 'wss', secrets: ['s3cret'] }, { provider: 'shopify', secrets: ['shop'] }], ...more },
  { name: 'other', webhooks: [{ provider: 'wss', secrets: ['others'] }] }] });
const start = (more) => Server.start({ data, config: config(more), args: ['--shards', '2'] });
let server, admin;

async function restart(more, how = 'stop') {
  admin.close();
  await server[how]();
  server = await start(more);
  admin = new Caller(server, 'admin', 'ann', { tenant: 'acme' });
}
before(async () => { server = await start(); admin = new Caller(server, 'admin', 'ann', { tenant: 'acme' }); });
after(async () => {
  admin.close();
  await server.stop();
  await server.verify();
});

const userFields = 'user roles grants { permissions scope } source sourceVersion rolesAt updatedAt';
const rolemapFields = 'source sourceVersion updatedAt rows { role permissions scope }';
const shared = 'clientMutationId replayed result { success message } userErrors { code field message }';
async function change(name, input, more, caller = admin) {
  const type = `${name[0].toUpperCase()}${name.slice(1)}Input`;
  return (await caller.query(`mutation($input: ${type}!) { ${name}(input: $input) { ${shared} ${more} } }`, { input }))[name];
}
const setUser = (input, caller) => change('updateUserAuthorization', input, `changed userAuthorization { ${userFields} }`, caller);
const removeUser = (input, caller) => change('removeUserAuthorization', input, 'changed', caller);
const setRolemap = (input, caller) => change('updateRolemap', input, `rolemap { ${rolemapFields} }`, caller);
async function fine(promise) {
  const payload = await promise;
  assert.deepEqual(payload.userErrors, [], JSON.stringify(payload));
  assert.equal(payload.result.success, true);
  return payload;
}
async function refused(code, promise) {
  const payload = await promise;
  assert.equal(payload.userErrors[0]?.code, code, JSON.stringify(payload));
  assert.equal(payload.result.success, false);
  return payload.userErrors[0];
}
const user = async (name, caller = admin) => (await caller.query(`query($u: ID!) { userAuthorization(user: $u) { ${userFields} } }`, { u: name })).userAuthorization;
const rolemap = async (caller = admin) => (await caller.query(`{ tenant { rolemap { ${rolemapFields} } } }`)).tenant.rolemap;
const permissions = async (caller) => (await caller.query('{ viewer { permissions } }')).viewer.permissions;

// What the caller may do, asked on several connections, so that each shard answers some.
async function everywhere(token, check) {
  for (let i = 0; i < 8; i++) {
    const connection = new Connection(server);
    check((await connection.data(token, '{ viewer { permissions } }')).viewer.permissions);
    connection.close();
  }
}

test('a grant counts on every shard from its answer on, and so does taking it away', async () => {
  const token = server.token('nobody', 'zoe', { tenant: 'acme' });
  const order = await new Caller(server, 'staff', 'sam', { tenant: 'acme' }).does('createOrder', basket());
  const zoe = new Caller(server, token);
  await everywhere(token, (held) => assert.deepEqual(held, []));
  for (let round = 0; round < 5; round++) {
    const given = await fine(setUser({ user: 'zoe', grants: [{ permissions: ['get_order', 'place_hold'] }] }));
    assert.equal(given.changed, true);
    assert.deepEqual(given.userAuthorization.grants, [{ permissions: ['place_hold', 'get_order'], scope: null }]);
    await everywhere(token, (held) => assert.deepEqual(held, ['place_hold', 'get_order']));
    assert.equal((await zoe.order(order.orderId, 'orderId')).orderId, order.orderId);
    await fine(setUser({ user: 'zoe', grants: [] }));
    await everywhere(token, (held) => assert.deepEqual(held, []));
    await zoe.refused('NOT_FOUND', 'placeHold', { orderId: order.orderId, reason: 'wait' });
  }
  zoe.close();
});

test('roles that are stored go through the rolemap; scopes are the user\'s', async () => {
  const vera = new Caller(server, 'nobody', 'vera', { tenant: 'acme' });
  await fine(setUser({ user: 'vera', roles: ['vendor', 'vendor'], grants: [{ permission: 'add_note', scope: { customer_id: 'C-7' } }] }));
  const seen = await user('vera');
  assert.deepEqual([seen.roles, seen.grants, seen.source, seen.sourceVersion],
    [['vendor'], [{ permissions: ['add_note'], scope: { customer_id: 'C-7' } }], 'API', null]);
  assert.ok((await permissions(vera)).includes('mark_as_shipped'));
  // Roles alone leave the grants, and the other way round.
  await fine(setUser({ user: 'vera', roles: [] }));
  assert.deepEqual(await permissions(vera), ['add_note']);
  await fine(removeUser({ user: 'vera' }));
  assert.deepEqual([await user('vera'), await permissions(vera)], [null, []]);
  assert.equal((await fine(removeUser({ user: 'vera' }))).changed, false);
  vera.close();
});

test('an older version never overwrites a newer one', async () => {
  await fine(setUser({ user: 'old', roles: ['staff'], version: 5 }));
  const older = await refused('CONFLICT', setUser({ user: 'old', roles: [], version: 4 }));
  assert.deepEqual(older.field, ['input', 'version']);
  await refused('CONFLICT', setUser({ user: 'old', roles: [], version: 5 }));
  assert.equal((await fine(setUser({ user: 'old', roles: ['staff'], version: 5 }))).changed, false);
  await refused('CONFLICT', removeUser({ user: 'old', version: 4 }));
  await fine(removeUser({ user: 'old', version: 9007199254740991 }));
  await refused('CONFLICT', setUser({ user: 'old', roles: ['admin'], version: 7 }));
  assert.equal(await user('old'), null);
});

test('bad input names its field and changes nothing', async () => {
  const before = await admin.query('{ userAuthorizations(first: 200) { nodes { user updatedAt } } }');
  for (const [input, code, field] of [
    [{ user: '' }, 'INVALID', 'user'],
    [{ user: 'x' }, 'REQUIRED', 'grants'],
    [{ user: 'a\nb', roles: [] }, 'INVALID', 'user'],
    [{ user: 'u'.repeat(257), roles: [] }, 'INVALID', 'user'],
    [{ user: 'x', roles: ['operator'] }, 'INVALID', 'roles'],
    [{ user: 'x', roles: [''] }, 'INVALID', 'roles'],
    [{ user: 'x', roles: Array.from({ length: 33 }, (_, i) => `r${i}`) }, 'LIMIT_EXCEEDED', 'roles'],
    [{ user: 'x', grants: [{ permission: 'get_ordr' }] }, 'INVALID', 'grants'],
    [{ user: 'x', grants: [{ scope: {} }] }, 'INVALID', 'grants'],
    [{ user: 'x', grants: [{ permission: 'get_order', scope: { shop: 'A' } }] }, 'INVALID', 'grants'],
    [{ user: 'x', grants: [{ permission: 'get_order', scope: { vendor_id: '$nobody' } }] }, 'INVALID', 'grants'],
    [{ user: 'x', grants: Array.from({ length: 65 }, (_, i) => ({ permission: 'get_order', scope: { vendor_id: `V${i}` } })) }, 'LIMIT_EXCEEDED', 'grants'],
    [{ user: 'x', roles: [], version: 0 }, 'INVALID', 'version'],
    [{ user: 'x', roles: [], version: 1.5 }, 'INVALID', 'version'],
  ]) {
    const error = await refused(code, setUser(input));
    assert.equal(error.field[1], field, JSON.stringify(error));
  }
  assert.match((await refused('INVALID', setUser({ user: 'x', grants: [{ permission: 'get_ordr' }] }))).message, /row 0.*get_order/);
  assert.deepEqual(await admin.query('{ userAuthorizations(first: 200) { nodes { user updatedAt } } }'), before);
});

test('who may not manage access neither reads nor writes it; other tenants have their own', async () => {
  const staff = new Caller(server, 'staff', 'sam', { tenant: 'acme' });
  await refused('FORBIDDEN', setUser({ user: 'sam', roles: ['admin'] }, staff));
  await refused('FORBIDDEN', setRolemap({ rows: [] }, staff));
  for (const document of ['{ userAuthorization(user: "sam") { user } }', '{ userAuthorizations { nodes { user } } }', '{ tenant { rolemap { source } } }'])
    assert.equal((await staff.post(document)).json.errors[0].extensions.code, 'FORBIDDEN', document);
  staff.close();
  const there = new Caller(server, 'admin', 'ann', { tenant: 'other' });
  await fine(setUser({ user: 'twin', roles: ['staff'] }));
  assert.equal(await user('twin', there), null);
  const twin = new Caller(server, 'nobody', 'twin', { tenant: 'other' });
  assert.deepEqual(await permissions(twin), []);
  assert.deepEqual((await there.query('{ userAuthorizations { nodes { user } } }')).userAuthorizations.nodes, []);
  assert.equal((await there.post(`mutation { updateUserAuthorization(input: { user: "x", roles: [], tenantId: "acme" }) { changed } }`)).json.errors[0].extensions.code, 'FORBIDDEN');
  twin.close();
  there.close();
});

test('all users by pages', async () => {
  const there = new Caller(server, 'admin', 'ann', { tenant: 'other' });
  const names = Array.from({ length: 25 }, (_, i) => `user-${i}`);
  await Promise.all(names.map((name) => fine(setUser({ user: name, roles: ['customer'] }, there))));
  await fine(removeUser({ user: 'user-3' }, there));
  const found = [];
  let after = null, pages = 0;
  for (let more = true; more; pages++) {
    const page = (await there.query(`query($after: String) { userAuthorizations(first: 10, after: $after) { nodes { user }
      edges { cursor node { user } } pageInfo { hasNextPage endCursor } } }`, { after })).userAuthorizations;
    assert.deepEqual(page.edges.map((edge) => edge.node.user), page.nodes.map((node) => node.user));
    found.push(...page.nodes.map((node) => node.user));
    more = page.pageInfo.hasNextPage;
    after = page.pageInfo.endCursor;
  }
  assert.equal(pages, 3);
  assert.deepEqual(found.sort(), names.filter((name) => name !== 'user-3').sort());
  assert.equal((await there.post('{ userAuthorizations(after: "x") { nodes { user } } }')).json.errors[0].extensions.code, 'BAD_USER_INPUT');
  there.close();
});

test('a live stream ends when its reader may not read any more, and narrows when less is left', async () => {
  const rita = new Caller(server, 'nobody', 'rita', { tenant: 'acme' });
  const staff = new Caller(server, 'staff', 'sam', { tenant: 'acme' });
  await fine(setUser({ user: 'rita', grants: [{ permission: 'get_order' }] }));
  const streams = [];
  const connections = Array.from({ length: 4 }, () => new Connection(server));
  for (const connection of connections)
    streams.push(await new EventStream(connection.session, tenantEvents, { token: rita.token }).attached());
  const other = await new EventStream(staff.connection.session, tenantEvents, { token: staff.token }).attached();
  const first = await staff.does('createOrder', basket());
  for (const stream of streams) await stream.has(1);
  // What is the same leaves the streams alone.
  await fine(setUser({ user: 'rita', grants: [{ permission: 'get_order' }], version: 1 }));
  // Less: only the orders of one customer.
  await fine(setUser({ user: 'rita', grants: [{ permission: 'get_order', scope: { customer_id: 'C-RITA' } }], version: 2 }));
  const second = await staff.does('createOrder', basket());
  const mine = await staff.does('createOrder', basket({ customerDetails: { customerId: 'C-RITA', name: 'One' } }));
  const ids = (stream) => [...new Set(stream.seen.map((event) => event.order.orderId))];
  for (const stream of streams) {
    await until(() => ids(stream).includes(mine.orderId), 20000, 'the order that is left to see');
    assert.deepEqual(ids(stream), [first.orderId, mine.orderId], `not ${second.orderId}`);
    assert.equal(new Set(stream.seen.map((event) => event.id)).size, stream.seen.length, 'an event came twice');
  }
  await fine(setUser({ user: 'rita', grants: [] }));
  for (const stream of streams) {
    await stream.closed;
    assert.equal(stream.errors[0].extensions.code, 'FORBIDDEN');
  }
  await staff.does('createOrder', basket());
  await until(() => ids(other).length === 4, 20000, 'all orders');
  assert.equal(other.ended, undefined);
  other.close();
  connections.forEach((connection) => connection.close());
  rita.close();
  staff.close();
});

const rows = [
  { role: 'admin', permissions: ['*'] },
  { role: 'packer', permissions: ['get_order', 'mark_as_shipped'] },
  { role: 'packer', permission: 'add_note', scope: { vendor_id: '$vendor_id' } },
];

test('a rolemap takes effect on the next request, everywhere, and streams notice', async () => {
  const packer = new Caller(server, 'packer', 'pia', { tenant: 'acme' });
  const staff = new Caller(server, 'staff', 'sam', { tenant: 'acme' });
  assert.equal((await rolemap()).source, 'BUILT_IN');
  const stream = await new EventStream(staff.connection.session, tenantEvents, { token: staff.token }).attached();
  const tried = await fine(setRolemap({ rows, dryRun: true }));
  assert.equal(tried.rolemap.rows.find((row) => row.role === 'staff'), undefined);
  assert.ok((await permissions(staff)).length > 10);
  const given = await fine(setRolemap({ rows, version: 10, idempotencyKey: 'm1' }));
  assert.deepEqual([given.rolemap.source, given.rolemap.sourceVersion, given.replayed], ['API', 10, false]);
  assert.ok(Math.abs(Date.now() - Date.parse(given.rolemap.updatedAt)) < 60000);
  assert.deepEqual(given.rolemap.rows.map((row) => [row.role, row.scope]),
    [['admin', null], ['operator', null], ['packer', null], ['packer', { vendor_id: '$vendor_id' }]]);
  await everywhere(packer.token, (held) => assert.deepEqual(held, ['mark_as_shipped', 'add_note', 'get_order']));
  await everywhere(staff.token, (held) => assert.deepEqual(held, []));
  await stream.closed;
  assert.equal(stream.errors[0].extensions.code, 'FORBIDDEN');
  assert.equal((await fine(setRolemap({ rows, version: 10, idempotencyKey: 'm1' }))).replayed, true);
  packer.close();
  staff.close();
});

test('bad rolemaps are refused, older ones too, and nobody locks the tenant out', async () => {
  for (const [input, code, field] of [
    [{ rows: [] }, 'INVALID', 'rows'],
    [{ rows: [{ role: 'admin', permission: 'manage_access', scope: { vendor_id: 'V' } }] }, 'INVALID', 'rows'],
    [{ rows: [...rows, { role: 'operator', permission: '*' }] }, 'INVALID', 'rows'],
    [{ rows: [...rows, { role: '', permission: '*' }] }, 'INVALID', 'rows'],
    [{ rows: [...rows, { role: 'x', permission: 'fly' }] }, 'INVALID', 'rows'],
    [{ rows: [...rows, { role: 'x' }] }, 'INVALID', 'rows'],
    [{ rows, version: -1 }, 'INVALID', 'version'],
    [{ rows, version: 9 }, 'CONFLICT', 'version'],
    [{ rows: rows.slice(0, 1), version: 10 }, 'CONFLICT', 'version'],
    [{ rows: rows.slice(0, 1), version: 11, idempotencyKey: 'm1' }, 'IDEMPOTENCY_MISMATCH', 'idempotencyKey'],
  ]) {
    const error = await refused(code, setRolemap(input));
    assert.equal(error.field[1], field, JSON.stringify([input, error]));
  }
  const operator = new Caller(server, 'operator', 'op', { tenant: 'acme' });
  assert.ok((await permissions(operator)).includes('manage_access'));
  operator.close();
  assert.equal((await rolemap()).sourceVersion, 10);
});

test('restarts, kill -9 and the same configuration leave what came by the API; a changed one is taken', async () => {
  await fine(setUser({ user: 'kept', roles: ['packer'], version: 3 }));
  const [map, kept] = [await rolemap(), await user('kept')];
  await restart({}, 'kill');
  assert.deepEqual([await rolemap(), await user('kept')], [map, kept]);
  const caller = new Caller(server, 'nobody', 'kept', { tenant: 'acme' });
  assert.deepEqual(await permissions(caller), ['mark_as_shipped', 'add_note', 'get_order']);
  caller.close();
  await restart({});
  assert.deepEqual([await rolemap(), await user('kept')], [map, kept]);
  await restart({ rolemap: [{ role: 'admin', permissions: ['*'] }, { role: 'packer', permission: 'get_order' }] });
  assert.equal((await rolemap()).source, 'CONFIGURATION');
  const again = new Caller(server, 'nobody', 'kept', { tenant: 'acme' });
  assert.deepEqual(await permissions(again), ['get_order']);
  again.close();
  await refused('CONFLICT', setUser({ user: 'kept', roles: [], version: 2 }));
});

test('changes of one user from many connections at once: the newest version is what stays', async () => {
  const callers = Array.from({ length: 6 }, () => new Caller(server, admin.token));
  const versions = Array.from({ length: 60 }, (_, i) => i + 1).sort(() => Math.random() - 0.5);
  const outcomes = await Promise.all(versions.map((version, i) => setUser({ user: 'crowd', roles: [`r${version}`], version }, callers[i % 6])));
  for (const outcome of outcomes) assert.ok(!outcome.userErrors.length || outcome.userErrors[0].code === 'CONFLICT', JSON.stringify(outcome));
  const seen = await user('crowd');
  assert.deepEqual([seen.roles, seen.sourceVersion], [['r60'], 60]);
  callers.forEach((caller) => caller.close());
});

// A signed delivery; each text is one of its own unless it is the same.
async function deliver(topic, payload, tenant = 'acme', secret = 's3cret') {
  const body = typeof payload === 'string' ? payload : JSON.stringify(payload);
  const connection = new Connection(server);
  const answer = await connection.send({ ':method': 'POST', ':path': `/webhook/wss/${tenant}/${topic}`, 'content-type': 'application/json',
    'x-wss-signature': crypto.createHmac('sha256', secret).update(body).digest('hex') }, body);
  connection.close();
  return { ...answer, json: JSON.parse(answer.body) };
}

test('webhooks bring users and logins; what is older is told as ignored', async () => {
  const token = server.token('nobody', 'hook', { tenant: 'acme' });
  const first = await deliver('user_authorization_update', { user: 'hook', roles: ['packer'], permissions: [{ permission: 'place_hold' }], version: 20, tenant_id: 'acme' });
  assert.deepEqual([first.status, first.json], [200, { status: 'applied', changed: true }]);
  await everywhere(token, (held) => assert.deepEqual(held, ['place_hold', 'get_order']));
  assert.equal((await user('hook')).source, 'WEBHOOK');
  const older = await deliver('user_authorization_update', { user: 'hook', roles: [], version: 19 });
  assert.deepEqual([older.status, older.json.status, older.json.changed], [200, 'ignored', false]);
  const other = await deliver('user_authorization_update', { user: 'hook', roles: [], version: 20 });
  assert.deepEqual([other.status, other.json.userErrors[0].code], [409, 'CONFLICT']);
  // By the API it is older as well.
  await refused('CONFLICT', setUser({ user: 'hook', roles: [], version: 19 }));
  const login = (roles, at, more = {}) => ({ event_type: 'UserLoggedIn', occurred_at: at, data: { sub: 'hook', tenant_id: 'acme', roles, email: 'h@example.com', ...more } });
  const ahead = new Date(Date.now() + 60000).toISOString(), further = new Date(Date.now() + 120000).toISOString();
  assert.equal((await deliver('user_logged_in', login(['admin', 'operator'], further))).json.changed, true);
  const held = await user('hook');
  assert.deepEqual([held.roles, held.rolesAt, held.grants.length], [['admin'], further, 1]);
  await everywhere(token, (now) => assert.ok(now.includes('manage_access') && !now.includes('nothing')));
  assert.equal((await deliver('user_authorization_update', login(['packer'], ahead))).json.status, 'ignored');
  // A removal takes the roles away as of now, and an older login does not bring them back.
  await fine(removeUser({ user: 'hook' }));
  assert.equal((await deliver('user_logged_in', login(['packer'], ahead))).json.status, 'ignored');
  await everywhere(token, (now) => assert.deepEqual(now, []));
});

test('a delivery that comes again gets the first answer and changes nothing, across kill -9', async () => {
  const body = JSON.stringify({ user: 'again', roles: ['packer'] });
  const first = await deliver('user_authorization_update', body);
  assert.deepEqual(first.json, { status: 'applied', changed: true });
  await fine(setUser({ user: 'again', roles: [] }));
  assert.deepEqual((await deliver('user_authorization_update', body)).json, first.json);
  assert.deepEqual((await user('again')).roles, []);
  await restart({}, 'kill');
  assert.deepEqual((await deliver('user_authorization_update', body)).json, first.json);
  assert.deepEqual((await user('again')).roles, []);
});

test('webhooks bring rolemaps and workflows; faults are named', async () => {
  const map = await deliver('tenant_rolemap_update', { rows: [{ role: 'admin', permissions: ['*'] }, { role: 'hooked', permission: 'get_order' }], version: 30 });
  assert.deepEqual([map.status, map.json], [200, { status: 'applied', changed: true }]);
  const seen = await rolemap();
  assert.deepEqual([seen.source, seen.sourceVersion], ['WEBHOOK', 30]);
  assert.deepEqual((await deliver('tenant_rolemap_update', { rows: [{ role: 'admin', permissions: ['*'] }], version: 29 })).json.status, 'ignored');
  assert.equal((await rolemap()).rows.length, seen.rows.length);
  const steps = [{ stage: 'CONFIRMED', stepName: 'pack', activityStatus: 'Packing', sequence: 1 }];
  assert.equal((await deliver('tenant_workflow_update', { workflow: { steps }, version: 5 })).json.changed, true);
  assert.equal((await deliver('tenant_workflow_update', { steps, version: 6, tenant_id: 'acme' })).json.changed, true);
  const workflow = async () => (await admin.query('{ tenant { workflow { version source sourceVersion steps { stepName } } } }')).tenant.workflow;
  const now = await workflow();
  assert.deepEqual([now.source, now.sourceVersion, now.steps.map((step) => step.stepName)], ['WEBHOOK', 6, ['pack']]);
  const faulty = await deliver('tenant_workflow_update', { workflow: { steps: [{ ...steps[0], stage: 'PAKCED' }, { stage: 'CONFIRMED' }] } });
  assert.equal(faulty.status, 400);
  assert.ok(faulty.json.userErrors.length >= 2, faulty.body);
  assert.deepEqual(faulty.json.userErrors[0].field.slice(0, 3), ['workflow', 'steps', '0']);
  for (const [topic, payload, field] of [
    ['tenant_rolemap_update', { rows: [{ role: 'staff', permission: '*', scope: { vendor_id: 'V' } }] }, 'rows'],
    ['tenant_rolemap_update', { version: 40 }, 'rows'],
    ['tenant_rolemap_update', { rows: [], version: 'x' }, 'version'],
    ['user_authorization_update', { roles: ['a'] }, 'user'],
    ['user_authorization_update', { user: 'x', roles: ['operator'] }, 'roles'],
    ['user_authorization_update', { event_type: 'UserLoggedOut', data: { sub: 'x', roles: [] } }, 'event_type'],
    ['user_logged_in', { event_type: 'UserLoggedIn', data: { sub: 'x' } }, 'roles'],
    ['user_logged_in', { event_type: 'UserLoggedIn', data: { sub: 'x', roles: [], tenant_id: 'other' } }, 'tenant_id'],
    ['user_logged_in', { sub: 'x', roles: [], occurred_at: 'yesterday' }, 'occurred_at'],
  ]) {
    const answer = await deliver(topic, payload);
    assert.equal(answer.status, 400, `${topic} ${JSON.stringify(payload)} ${answer.body}`);
    assert.equal(answer.json.userErrors[0].field[0], field, answer.body);
  }
  assert.deepEqual([await workflow(), await rolemap(), await user('x')], [now, seen, null]);
  // Another tenant's secret opens nothing here, and what is told there stays there.
  assert.equal((await deliver('user_logged_in', { sub: 'x', roles: ['admin'] }, 'acme', 'others')).status, 401);
  assert.equal((await deliver('user_logged_in', { sub: 'x', roles: ['admin'] }, 'other', 'others')).status, 200);
  assert.equal(await user('x'), null);
});

test('liteoms import brings users, rolemaps, workflows and carriers, and can be repeated', async () => {
  const file = (text, suffix) => {
    const name = fresh(suffix);
    fs.writeFileSync(name, typeof text === 'string' ? text : JSON.stringify(text));
    return name;
  };
  const take = (kind, name, ...more) => run('import', '--kind', kind, '--tenant', 'acme', '--url', server.url, '--data', data, ...more, name);
  const users = file('user,role,permission,scope,version\nimp-1,packer,,,3\nimp-2,,get_order,customer_id=C-2,\nimp-1,,place_hold,,3\nimp-3,,fly,,\n', '.csv');
  const dry = await take('authorizations', users, '--dry-run');
  assert.deepEqual([dry.code, await user('imp-1')], [3, null], dry.stderr);
  const first = await take('authorizations', users);
  assert.equal(first.code, 3, first.stderr + first.stdout);
  assert.match(first.stdout, /^authorizations: 2 changed, 0 unchanged, 1 refused$/m);
  assert.match(first.stderr, /^row 5: INVALID grants: .*fly/m);
  const one = await user('imp-1');
  assert.deepEqual([one.roles, one.grants, one.sourceVersion], [['packer'], [{ permissions: ['place_hold'], scope: null }], 3]);
  assert.deepEqual((await user('imp-2')).grants, [{ permissions: ['get_order'], scope: { customer_id: 'C-2' } }]);
  assert.match((await take('authorizations', users)).stdout, /: 0 changed, 2 unchanged, 1 refused/);
  const lines = file(Array.from({ length: 45 }, (_, i) => JSON.stringify({ user: `line-${i}`, roles: ['packer'] })).join('\n'), '.jsonl');
  const many = await take('authorizations', lines);
  assert.deepEqual([many.code, many.stdout], [0, 'authorizations: 45 changed, 0 unchanged, 0 refused\n'], many.stderr);
  const older = await take('authorizations', file([{ user: 'imp-1', roles: [], version: 2 }], '.json'));
  assert.deepEqual([older.code, /row 1: imp-1: CONFLICT version: /.test(older.stderr)], [3, true], older.stderr);
  const map = await take('rolemap', file({ rows: [{ role: 'admin', permissions: ['*'] }, { role: 'imported', permission: 'get_order' }], version: 50 }, '.json'));
  assert.deepEqual([map.code, map.stdout], [0, 'rolemap: taken\n'], map.stderr);
  assert.equal((await rolemap()).sourceVersion, 50);
  const bad = await take('rolemap', file({ rows: [], version: 51 }, '.json'));
  assert.deepEqual([bad.code, /rolemap: INVALID rows: /.test(bad.stderr)], [3, true], bad.stderr);
  const workflow = await take('workflow', file({ workflow: { steps: [{ stage: 'CONFIRMED', stepName: 'wrap', activityStatus: 'Wrapping', sequence: 1 }] }, version: 60 }, '.json'));
  assert.equal(workflow.code, 0, workflow.stderr);
  const carriers = await take('fulfillment', file({ carriers: [{ id: 'ups' }], version: 2 }, '.json'));
  assert.equal(carriers.code, 0, carriers.stderr);
  const seen = (await admin.query('{ tenant { workflow { sourceVersion } fulfillment { carriers { id } } } }')).tenant;
  assert.deepEqual(seen, { workflow: { sourceVersion: 60 }, fulfillment: { carriers: [{ id: 'ups' }] } });
  for (const [args, code] of [[['--kind', 'nothing', '--tenant', 'acme', 'x'], 2], [['--kind', 'rolemap', 'x'], 2], [['--kind', 'rolemap', '--tenant', 'acme', '/nowhere'], 1]])
    assert.equal((await run('import', ...args)).code, code, args.join(' '));
  assert.equal((await take('rolemap', file('{', '.json'))).code, 1);
});

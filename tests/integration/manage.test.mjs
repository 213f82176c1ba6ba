// `liteoms tenant` and `liteoms apikey` on the host: beside a running server, beside none, after a crash, over TLS, and
// what others on the host can do with what lies in the data folder. And single-tenant mode.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import { Caller, Connection, basket } from './lib/client.mjs';
import { Server, certificate, curl, fresh, program, repository, run, withServer } from './lib/server.mjs';
import { EventStream, tenantEvents } from './lib/streams.mjs';
import { keys, now, sign } from './lib/tokens.mjs';

const manage = (data, ...args) => run(...args, '--data', data);
async function fine(data, ...args) {
  const answer = await manage(data, ...args);
  assert.equal(answer.code, 0, `${args.join(' ')}: ${answer.stdout} ${answer.stderr}`);
  return answer.stdout;
}
const json = async (data, ...args) => JSON.parse(await fine(data, ...args, '--json'));
async function refuses(code, pattern, data, ...args) {
  const answer = await manage(data, ...args);
  assert.equal(answer.code, code, `${args.join(' ')}: ${answer.stdout} ${answer.stderr}`);
  assert.match(answer.stderr, pattern);
  assert.equal(answer.stdout, '');
}
const folder = () => { const data = fresh('-data'); fs.mkdirSync(data); return data; };
const hostFile = (data) => path.join(data, 'host.json');

test('beside a running server: create, show, update, suspend, activate, remove, list', async () => {
  await withServer({ args: ['--shards', '2'] }, async (server) => {
    const { data } = server;
    const made = await json(data, 'tenant', 'create', 'shop', '--currency', 'EUR', '--origin', 'https://a.example', '--origin', 'https://b.example', '--limit', 'open_orders=5', '--limit', 'streams=3');
    assert.deepEqual([made.tenant.tenantId, made.tenant.corsOrigins, made.tenant.limits], ['shop', ['https://a.example', 'https://b.example'],
      { requestsPerSecond: 0, openOrders: 5, streams: 3, storedEvents: 0 }]);
    const caller = new Caller(server, 'staff', 'sam', { tenant: 'shop' });
    const order = await caller.does('createOrder', basket());
    assert.match(await fine(data, 'tenant', 'show', 'shop'), /^open orders +1$/m);
    assert.match(await fine(data, 'tenant', 'suspend', 'shop', '--reason', 'no "money"\u001b[31m'), /^status +SUSPENDED$/m);
    await caller.refused('TENANT_SUSPENDED', 'addNote', { orderId: order.orderId, note: 'x' });
    const listed = await fine(data, 'tenant', 'list', '--status', 'SUSPENDED');
    assert.match(listed, /^NAME +STATUS .*\nshop +SUSPENDED +1 .* no "money"\?\[31m\n$/);
    await fine(data, 'tenant', 'activate', 'shop');
    assert.equal((await json(data, 'tenant', 'update', 'shop', '--limit', 'open_orders=0')).tenant.limits.openOrders, 0);
    await refuses(2, /--confirm/, data, 'tenant', 'remove', 'shop');
    await refuses(1, /once more.*INVALID/, data, 'tenant', 'remove', 'shop', '--confirm', 'shoq');
    await fine(data, 'tenant', 'remove', 'shop', '--confirm', 'shop');
    assert.equal((await caller.post('{ viewer { subject } }')).json.errors[0].extensions.code, 'FORBIDDEN');
    assert.deepEqual((await json(data, 'tenant', 'list')).map((one) => [one.tenantId, one.status]), [['demo', 'ACTIVE'], ['shop', 'REMOVED']]);
    assert.match((await json(data, 'tenant', 'show', 'shop')).statusChangedBy, /^host:/);
    await refuses(1, /DUPLICATE/, data, 'tenant', 'create', 'shop');
    await refuses(1, /NOT_FOUND/, data, 'tenant', 'suspend', 'nowhere');
    await refuses(1, /1 to 64/, data, 'tenant', 'create', 'No Such Name');
    caller.close();
  });
});

test('many tenants: lists by pages, and names are found', async () => {
  await withServer({ args: ['--shards', '2'] }, async (server) => {
    const operator = new Caller(server, 'operator', 'op', { tenant: 'demo' });
    const many = Array.from({ length: 450 }, (_, i) => `shop-${i}`);
    await Promise.all(many.map((name) => operator.query('mutation($input: CreateTenantInput!) { createTenant(input: $input) { userErrors { code } } }', { input: { name } })));
    const listed = (await json(server.data, 'tenant', 'list')).map((one) => one.tenantId);
    assert.deepEqual([...listed].sort(), [...many, 'demo'].sort());
    const table = (await fine(server.data, 'tenant', 'list')).trim().split('\n');
    assert.equal(table.length, 452);
    assert.equal(table.filter((line) => line.startsWith('NAME')).length, 1);
    assert.deepEqual(await json(server.data, 'tenant', 'list', '--status', 'REMOVED'), []);
    for (const name of ['shop-0', 'shop-123', 'shop-449']) {
      const caller = operator.as('staff', 'sam', { tenant: name });
      assert.equal((await caller.query('{ tenant { tenantId } }')).tenant.tenantId, name);
    }
    operator.close();
  });
});

test('API keys', async () => {
  await withServer({ config: { single_tenant: 'shop' } }, async (server) => {
    const { data } = server;
    const text = (await fine(data, 'apikey', 'create', '--tenant', 'shop', '--name', 'sync', '--permission', 'get_order', '--permission', 'create_order')).trim();
    assert.match(text, /^lok_[0-9a-f]{20}_[0-9a-f]{64}$/);
    const connection = new Connection(server);
    assert.equal((await connection.data(text, '{ viewer { displayName } }')).viewer.displayName, 'sync');
    const [key] = await json(data, 'apikey', 'list', '--tenant', 'shop');
    assert.equal(text.slice(4, 24), key.apiKeyId);
    await fine(data, 'apikey', 'revoke', key.apiKeyId, '--tenant', 'shop');
    assert.equal((await connection.post(text, '{ viewer { displayName } }')).status, 401);
    assert.match(await fine(data, 'apikey', 'list', '--tenant', 'shop'), /REVOKED/);
    const scoped = await json(data, 'apikey', 'create', '--tenant', 'shop', '--name', 'v', '--permission', 'get_order', '--vendor', 'v1', '--expires', '2099-01-01T00:00:00Z');
    assert.deepEqual([scoped.apiKey.scope, scoped.apiKey.expiresAt], [{ customerId: null, vendorId: 'v1' }, '2099-01-01T00:00:00.000Z']);
    await refuses(1, /did you mean 'get_order'/, data, 'apikey', 'create', '--tenant', 'shop', '--name', 'x', '--permission', 'get_ordr');
    await refuses(2, /--tenant is required/, data, 'apikey', 'list');
    const config = fresh('.json');
    fs.writeFileSync(config, JSON.stringify({ single_tenant: 'shop' }));
    assert.equal((await json(data, 'apikey', 'list', '--config', config)).length, 2);
    connection.close();
  });
});

test('no server runs: the command runs one for itself and leaves nothing behind', async () => {
  await refuses(1, /there is no data folder/, fresh('-nothing'), 'tenant', 'list');
  const data = folder();
  await fine(data, 'tenant', 'create', 'early', '--currency', 'CHF');
  await fine(data, 'tenant', 'suspend', 'early');
  assert.ok(!fs.existsSync(hostFile(data)));
  assert.deepEqual((await json(data, 'tenant', 'list')).map((one) => [one.tenantId, one.status]), [['early', 'SUSPENDED']]);
  // Two at once: the folder's lock lets one in, the other says so.
  const both = await Promise.all([manage(data, 'tenant', 'list'), manage(data, 'tenant', 'list')]);
  assert.ok(both.some((one) => one.code === 0), JSON.stringify(both));
  const server = await Server.start({ data });
  const caller = new Caller(server, 'staff', 'sam', { tenant: 'early' });
  assert.deepEqual((await caller.query('{ tenant { status defaultCurrency } }')).tenant, { status: 'SUSPENDED', defaultCurrency: 'CHF' });
  caller.close();
  await server.stop();
  await server.verify();
});

test('after kill -9 the file that stayed misleads nobody', async () => {
  const first = await Server.start();
  const { data } = first;
  await fine(data, 'tenant', 'create', 'shop');
  const old = JSON.parse(fs.readFileSync(hostFile(data), 'utf8'));
  await first.kill();
  assert.ok(fs.existsSync(hostFile(data)));
  assert.match(await fine(data, 'tenant', 'list'), /^shop/m);
  await withServer({}, async (stranger) => { // a server of another folder took the port, as far as the file says
    fs.writeFileSync(hostFile(data), JSON.stringify({ ...old, url: stranger.url }), { mode: 0o600 });
    assert.match(await fine(data, 'tenant', 'list'), /^shop/m);
    assert.doesNotMatch(await fine(stranger.data, 'tenant', 'list'), /^shop/m);
  });
  const second = await Server.start({ data });
  const token = (secret, claims) => sign('HS256', secret, { iss: 'liteoms-host', aud: 'liteoms-host', sub: 'eve', roles: ['operator'], iat: now(), exp: now() + 60, ...claims });
  const ask = async (secret, claims, query = '{ tenants { nodes { tenantId } } }') => (await curl(`${second.url}/graphql`, '-H', `Authorization: Bearer ${token(secret, claims)}`,
    '-H', 'Content-Type: application/json', '-d', JSON.stringify({ query })));
  assert.equal((await ask(old.secret)).status, 401); // a secret is one server's
  const { secret } = JSON.parse(fs.readFileSync(hostFile(data), 'utf8'));
  assert.equal((await ask(secret)).status, 200);
  assert.equal((await ask(secret, { exp: now() - 3600 })).status, 401);
  // It may assert the operator and nobody else.
  const viewer = JSON.parse((await ask(secret, { roles: ['admin', 'staff', 'operator'], tenant_id: 'shop' }, '{ viewer { roles } }')).body);
  assert.deepEqual(viewer.data.viewer.roles, ['operator']);
  await second.stop();
  assert.ok(!fs.existsSync(hostFile(data)));
});

test('only the user of the server, and only while it is theirs', async () => {
  await withServer({}, async (server) => {
    const { data } = server;
    assert.equal(fs.statSync(hostFile(data)).mode & 0o777, 0o600);
    assert.ok(!server.log.includes(JSON.parse(fs.readFileSync(hostFile(data), 'utf8')).secret));
    fs.chmodSync(hostFile(data), 0o644);
    await refuses(1, /readable by others/, data, 'tenant', 'list');
    fs.writeFileSync(hostFile(data), '{}');
    fs.chmodSync(hostFile(data), 0o600);
    await refuses(1, /not what a server writes/, data, 'tenant', 'list');
    fs.rmSync(hostFile(data));
    await refuses(1, /none could be started/, data, 'tenant', 'list'); // the running one has the lock
  });
});

test('over TLS, and where only listed documents run', async () => {
  const { cert, key } = certificate();
  const listed = '{ viewer { subject } }';
  const config = { tenants: [{ name: 'shop' }], issuers: [{ issuer: 'https://idp.example', audience: 'a', algorithms: ['HS256'], hmac_secret: 'x'.repeat(32), tenants: '*', roles: '*' }],
    graphql: { allow_list: 'list.json' } };
  const file = fresh('-dir');
  fs.mkdirSync(file);
  fs.writeFileSync(path.join(file, 'list.json'), JSON.stringify({ [crypto.createHash('sha256').update(listed).digest('hex')]: listed }));
  fs.writeFileSync(path.join(file, 'c.json'), JSON.stringify(config));
  const server = await Server.start({ dev: false, args: ['--tls-cert', cert, '--tls-key', key, '--config', path.join(file, 'c.json')] });
  assert.match(server.url, /^https/);
  await fine(server.data, 'tenant', 'create', 'bakery');
  assert.match(await fine(server.data, 'tenant', 'list'), /^bakery/m);
  // What the operator ran does not run for others now.
  const staff = sign('HS256', 'x'.repeat(32), { iss: 'https://idp.example', aud: 'a', sub: 's', tenant_id: 'shop', roles: ['staff'], exp: now() + 60 });
  const connection = new Connection(server);
  for (let i = 0; i < 4; i++) assert.equal((await connection.post(staff, '{ __typename }')).json.errors[0].extensions.code, 'PERSISTED_QUERY_REQUIRED');
  assert.equal((await connection.data(staff, listed)).viewer.subject, 's');
  connection.close();
  await server.stop();
});

test('the examples of the manual', async () => {
  await withServer({}, async (server) => {
    const [, text] = fs.readFileSync(path.join(repository, 'docs/tenants.md'), 'utf8').match(/^```sh\n([^]*?)^```$/m);
    const lines = text.trim().split('\n');
    assert.equal(lines.length, 4);
    for (const line of lines) {
      const command = line.replace(/^liteoms /, `${program} `).replaceAll('/var/lib/liteoms', server.data);
      if (line.includes('apikey')) await fine(server.data, 'tenant', 'activate', 'bakery');
      execFileSync('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] });
    }
    assert.equal((await json(server.data, 'tenant', 'show', 'bakery')).limits.openOrders, 5000);
    assert.equal((await json(server.data, 'apikey', 'list', '--tenant', 'bakery')).length, 1);
  });
});

test('wrong usage', async () => {
  const data = folder();
  for (const args of [['tenant'], ['tenant', 'destroy', 'x'], ['tenant', 'create'], ['tenant', 'list', 'x'], ['tenant', 'show', 'a', 'b'], ['tenant', 'list', '--frobnicate'],
    ['tenant', 'create', 'x', '--limit', 'orders=5'], ['tenant', 'create', 'x', '--limit', 'streams=-1'], ['apikey', 'revoke', '--tenant', 'x'], ['apikey', 'create', '--tenant', 'x']])
    await refuses(2, /usage: liteoms/, data, ...args);
  const help = await run('tenant', '--help');
  assert.deepEqual([help.code, help.stderr], [0, '']);
  assert.match(help.stdout, /^usage: liteoms tenant/);
});

test('single-tenant mode: a token without a tenant means it, everywhere', async () => {
  const pair = keys('ec');
  const issuer = { issuer: 'https://idp.example', audience: 'a', algorithms: ['ES256'], key_file: pair.file, tenants: ['shop'], roles: ['staff', 'admin', 'operator'], operator: true };
  const other = { issuer: 'https://other.example', audience: 'a', algorithms: ['ES256'], key_file: pair.file, tenants: '*', roles: '*' };
  const config = { single_tenant: 'shop', issuers: [issuer, other] };
  const data = fresh('-data');
  const token = (more = {}) => sign('ES256', pair.secret, { iss: 'https://idp.example', aud: 'a', sub: 'sam', roles: ['admin'], exp: now() + 600, ...more });
  await withServer({ data, dev: false, config, args: ['--shards', '2'] }, async (server) => {
    const caller = new Caller(server, 'x', 'x', { tenant: 'x' }).as(token());
    assert.equal((await caller.query('{ viewer { tenant { tenantId } } }')).viewer.tenant.tenantId, 'shop');
    const { orderId } = await caller.does('createOrder', basket());
    assert.equal((await caller.order(orderId)).orderId, orderId);
    assert.equal((await caller.as(token({ tenant_id: 'shop' })).order(orderId)).orderId, orderId);
    // A tenant that is named is meant, and is another's business.
    for (const more of [{ tenant_id: 'other' }, { tenant_id: [] }]) assert.equal((await caller.as(token(more)).post('{ viewer { subject } }')).json.errors[0].extensions.code, 'FORBIDDEN', JSON.stringify(more));
    assert.equal((await caller.post('{ viewer { subject } }', undefined, { 'x-tenant-id': 'other' })).json.errors[0].extensions.code, 'FORBIDDEN');
    const stream = await new EventStream(caller.connection.session, tenantEvents, { token: token() }).attached();
    await caller.does('addNote', { orderId, note: 'x' });
    await stream.has(1);
    stream.close();
    for (const path_ of ['/export/orders.jsonl', '/webhook/waiting']) assert.equal((await curl(`${server.url}${path_}`, '-H', `Authorization: Bearer ${token()}`)).status, 200, path_);
    // The operator without a tenant means it as well; an API key brings its own.
    assert.equal((await caller.as(token({ roles: ['operator'] })).query('{ tenant { tenantId } }')).tenant.tenantId, 'shop');
    // An issuer that is not marked asserts the role in vain.
    const vain = await caller.as(token({ iss: 'https://other.example', roles: ['operator', 'admin'] })).post('{ tenants { nodes { tenantId } } }');
    assert.equal(vain.json.errors[0].extensions.code, 'FORBIDDEN');
    const made = await caller.query('mutation { createApiKey(input: { name: "k", permissions: ["get_order"] }) { key } }');
    assert.equal((await caller.connection.data(made.createApiKey.key, '{ tenant { tenantId } }')).tenant.tenantId, 'shop');
    caller.close();
  });
  // Settings of the tenant that nobody configured stay through a restart.
  await fine(data, 'tenant', 'update', 'shop', '--limit', 'streams=2');
  await withServer({ data, dev: false, config }, async (server) => {
    assert.match(await fine(server.data, 'tenant', 'show', 'shop'), /^limit streams +2$/m);
  });
});

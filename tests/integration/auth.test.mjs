// Who may call: tokens of issuers from the configuration, and every way in which a token is not good enough.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Caller, Connection, basket } from './lib/client.mjs';
import { Server, curl, sleep } from './lib/server.mjs';
import { keys, now, sign } from './lib/tokens.mjs';

const rsa = keys('rsa'), otherRsa = keys('rsa'), ec = keys('ec');
const secret = 'a secret of thirty-two bytes or more, for tests';
let server, connection;

before(async () => {
  server = await Server.start({ dev: false, config: {
    issuers: [
      { issuer: 'https://login.example/shop', audience: ['orders', 'more'], algorithms: ['RS256', 'RS512'], keys: [{ kid: 'one', key_file: rsa.file }],
        tenants: ['shop', 'annex'], roles: ['customer', 'staff'], claims: { roles: ['realm_access.roles', 'roles'] } },
      { issuer: 'https://ec.example', audience: 'orders', algorithms: ['ES256'], key: ec.open, tenants: ['rival'], roles: '*' },
      { issuer: 'office', audience: 'orders', algorithms: ['HS256'], hmac_secret: secret, tenants: '*', roles: ['operator', 'staff'], operator: true },
    ],
    tenants: [{ name: 'shop' }, { name: 'annex' }, { name: 'rival' }, { name: 'closed', status: 'suspended' }],
  } });
  connection = new Connection(server);
});
after(async () => {
  connection.close();
  await server.stop();
});

const claims = (parts = {}) => ({ iss: 'https://login.example/shop', aud: 'orders', sub: 'sue', tenant_id: 'shop', roles: ['staff'], iat: now(), exp: now() + 600, ...parts });
const good = (parts, header) => sign('RS256', rsa.secret, claims(parts), header);
const viewer = '{ viewer { subject displayName roles tenant { tenantId } } }';

// What the server says to a token: 'fine', or the status and code of the refusal.
async function told(token, headers = {}) {
  const answer = await connection.post(token, viewer, undefined, headers);
  if (answer.status === 200 && !answer.json.errors) return 'fine';
  if (answer.status === 401) {
    assert.equal(answer.json.errors[0].extensions.code, 'UNAUTHENTICATED');
    assert.match(answer.headers['www-authenticate'], /^Bearer /);
    assert.equal(answer.json.data, undefined);
  }
  return `${answer.status} ${answer.json.errors[0].extensions.code}: ${answer.json.errors[0].message}`;
}

test('good tokens of each issuer', async () => {
  assert.deepEqual((await connection.data(good({ name: 'Sue Storm' }, { kid: 'one' }), viewer)).viewer,
    { subject: 'sue', displayName: 'Sue Storm', roles: ['staff'], tenant: { tenantId: 'shop' } });
  assert.equal(await told(good()), 'fine');
  assert.equal(await told(sign('RS512', rsa.secret, claims({ aud: ['x', 'more'] }))), 'fine');
  assert.equal(await told(sign('ES256', ec.secret, claims({ iss: 'https://ec.example', tenant_id: 'rival' }))), 'fine');
  assert.equal(await told(sign('HS256', secret, claims({ iss: 'office' }))), 'fine');
  assert.equal(await told(good({ roles: undefined, realm_access: { roles: ['staff', 'customer'] } })), 'fine');
  assert.equal(await told(good({ exp: now() - 30 })), 'fine', 'within the skew of a minute');
  const lower = await connection.post(null, viewer, undefined, { authorization: `bearer ${good()}` });
  assert.equal(lower.status, 200);
});

test('no token, and no token at all', async () => {
  const none = await connection.post(null, viewer);
  assert.equal(none.status, 401);
  assert.equal(none.headers['www-authenticate'], 'Bearer realm="liteoms"');
  for (const value of ['garbage', 'Bearer', 'Bearer ', 'Bearer a.b.c', 'Bearer ....', `Basic ${Buffer.from('a:b').toString('base64')}`,
    `Bearer ${'x'.repeat(20000)}`, `Bearer ${good()} ${good()}`]) {
    const answer = await connection.post(null, viewer, undefined, { authorization: value });
    assert.equal(answer.status, 401, value.slice(0, 40));
  }
  const cookie = await connection.post(null, viewer, undefined, { cookie: `token=${good()}; authorization=Bearer ${good()}` });
  assert.equal(cookie.status, 401);
  assert.equal((await curl(`${server.url}/graphql?query=%7B__typename%7D&access_token=${good()}`)).status, 401);
  assert.equal((await curl(`${server.url}/graphql`, '-H', 'content-type: application/json', '-H', `Authorization: Bearer ${good()}`, '-H', 'Authorization: Bearer x',
    '-d', '{"query":"{__typename}"}')).status, 401);
});

test('tokens that are not good enough', async () => {
  const parts = good().split('.');
  const bad = {
    expired: good({ exp: now() - 120 }),
    'without expiry': good({ exp: undefined }),
    'expiry as text': good({ exp: 'tomorrow' }),
    'not yet valid': good({ nbf: now() + 300 }),
    'issued in the future': good({ iat: now() + 300 }),
    'wrong issuer': good({ iss: 'https://evil.example' }),
    'no issuer': good({ iss: undefined }),
    "another issuer's name": good({ iss: 'https://ec.example' }),
    'wrong audience': good({ aud: 'others' }),
    'no audience': good({ aud: undefined }),
    'no subject': good({ sub: undefined }),
    'a subject too long': good({ sub: 's'.repeat(200) }),
    'another key': sign('RS256', otherRsa.secret, claims()),
    'another kid': good({}, { kid: 'two' }),
    'an algorithm that is not listed': sign('RS384', rsa.secret, claims()),
    'alg none': sign('none', '', claims()),
    'alg NONE with a signature': sign('NONE', '', claims()) + parts[2],
    'alg none with the signature of another': `${sign('none', '', claims())}${parts[2]}`,
    'the public key as an HMAC secret': sign('HS256', rsa.open, claims()),
    'the public key without its line end as an HMAC secret': sign('HS256', rsa.open.trim(), claims()),
    "HS256 by the other issuer's secret": sign('HS256', secret, claims()),
    'a critical extension': good({}, { crit: ['b64'], b64: false }),
    'a changed payload': `${parts[0]}.${Buffer.from(JSON.stringify(claims({ sub: 'eve' }))).toString('base64url')}.${parts[2]}`,
    'a cut signature': `${parts[0]}.${parts[1]}.${parts[2].slice(0, -4)}`,
    'no signature': `${parts[0]}.${parts[1]}.`,
    'two parts': `${parts[0]}.${parts[1]}`,
    'ES256 by RSA': sign('RS256', rsa.secret, claims({ iss: 'https://ec.example', tenant_id: 'rival' }), { alg: 'ES256' }),
  };
  for (const [name, token] of Object.entries(bad)) assert.match(await told(token), /^401 /, name);
  assert.ok(server.events('http.token_refused').length >= 20);
  assert.ok(!server.log.includes(parts[1]), 'no token is logged');
  const expired = await connection.post(bad.expired, viewer);
  assert.match(expired.headers['www-authenticate'], /error="invalid_token"/);
});

test('a token that expires while the connection is open is refused from then on', async () => {
  const token = good({ exp: now() - 58 }); // two more seconds of skew
  assert.equal(await told(token), 'fine');
  await sleep(3200);
  assert.match(await told(token), /^401 /);
});

test('the tenants and roles that an issuer may assert', async () => {
  assert.match(await told(good({ tenant_id: 'rival' })), /FORBIDDEN/);
  assert.match(await told(good({ tenant_id: 'no-such' })), /FORBIDDEN/);
  assert.match(await told(good({ tenant_id: undefined })), /FORBIDDEN/);
  assert.match(await told(sign('ES256', ec.secret, claims({ iss: 'https://ec.example', tenant_id: 'shop' }))), /FORBIDDEN/);
  const roles = async (token) => (await connection.data(token, viewer)).viewer.roles;
  assert.deepEqual(await roles(good({ roles: ['operator', 'admin', 'staff'] })), ['staff']);
  assert.deepEqual(await roles(sign('ES256', ec.secret, claims({ iss: 'https://ec.example', tenant_id: 'rival', roles: ['operator', 'admin'] }))), ['admin']);
  // Without the role operator, the mark of the issuer is worth nothing.
  assert.match(await told(good({ roles: ['operator'] }), { 'x-tenant-id': 'rival' }), /FORBIDDEN/);
  const operator = sign('HS256', secret, claims({ iss: 'office', tenant_id: undefined, roles: ['operator'] }));
  assert.equal(await told(operator, { 'x-tenant-id': 'rival' }), 'fine');
  assert.equal(await told(operator, { 'x-tenant-id': 'shop' }), 'fine');
  assert.match(await told(operator), /TENANT_REQUIRED/);
});

test('several tenants in a token: the request names one', async () => {
  for (const tenants of [['shop', 'annex'], { shop: {}, annex: {} }]) {
    const token = good({ tenant_id: tenants });
    assert.match(await told(token), /TENANT_REQUIRED/);
    assert.equal(await told(token, { 'x-tenant-id': 'annex' }), 'fine');
    assert.match(await told(token, { 'x-tenant-id': 'rival' }), /FORBIDDEN/);
    const data = await connection.data(token, '{ tenant(tenantId: "annex") { tenantId } }');
    assert.equal(data.tenant.tenantId, 'annex');
    const two = await connection.post(token, '{ tenant(tenantId: "annex") { tenantId } }', undefined, { 'x-tenant-id': 'shop' });
    assert.equal(two.json.errors[0].extensions.code, 'FORBIDDEN');
  }
  // Only those that the issuer may assert are left of a token's tenants.
  const { tenant } = await connection.data(good({ tenant_id: ['rival', 'shop'] }), '{ tenant { tenantId } }');
  assert.equal(tenant.tenantId, 'shop');
  const mutation = await connection.data(good({ tenant_id: ['shop', 'annex'] }),
    'mutation($input: CreateOrderInput!) { createOrder(input: $input) { created } }', { input: basket({ tenantId: 'annex' }) });
  assert.equal(mutation.createOrder.created, true);
});

test('a suspended tenant: reads only', async () => {
  const office = new Caller(server, sign('HS256', secret, claims({ iss: 'office', tenant_id: 'closed' })));
  assert.deepEqual((await office.query('{ tenant { status } orders { nodes { id } } }')), { tenant: { status: 'SUSPENDED' }, orders: { nodes: [] } });
  await office.refused('TENANT_SUSPENDED', 'createOrder', basket());
  office.close();
});

test('single-tenant mode: no claim means the tenant', async () => {
  const single = await Server.start({ dev: false, config: { single_tenant: 'shop', tenants: [{ name: 'shop' }, { name: 'rival' }],
    issuers: [{ issuer: 'login', audience: 'orders', algorithms: ['HS256'], hmac_secret: secret, tenants: ['shop'], roles: '*' }] } });
  const other = new Connection(single);
  const token = (parts) => sign('HS256', secret, claims({ iss: 'login', tenant_id: undefined, ...parts }));
  assert.equal((await other.data(token(), '{ tenant { tenantId } }')).tenant.tenantId, 'shop');
  for (const [parts, headers] of [[{ tenant_id: 'rival' }, {}], [{}, { 'x-tenant-id': 'rival' }], [{ tenant_id: [] }, {}]]) {
    const answer = await other.post(token(parts), '{ tenant { tenantId } }', undefined, headers);
    assert.equal(answer.json.errors?.[0].extensions.code, 'FORBIDDEN', JSON.stringify(parts) + answer.body);
  }
  other.close();
  await single.stop();
});

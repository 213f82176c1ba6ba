// Tokens of a real OpenID Connect provider whose keys the server fetches itself: logging in, rotation, every trick with
// keys that a stranger may try, and a provider that fails in every way.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';
import { after, before, test } from 'node:test';

import WebSocket from 'ws';

import { Caller, Connection, basket } from './lib/client.mjs';
import { Idp, privateJwk, publicJwk, publicPem, signWith } from './lib/oidc.mjs';
import { Server, certificate, sleep, until, withServer } from './lib/server.mjs';
import { now, sign } from './lib/tokens.mjs';

const viewer = '{ viewer { subject roles tenant { tenantId } } }';
const one = privateJwk('RSA', 'one'), curve = privateJwk('EC', 'curve');
let shop, office, server, connection;

const shopIssuer = (idp, more = {}) => ({ issuer: idp.url, audience: 'orders', algorithms: ['RS256', 'ES256'], discovery: true,
  tenants: ['shop'], roles: ['staff', 'customer'], jwks_refetch_interval_s: 1, ...more });
const config = (...issuers) => ({ shards: 2, issuers, tenants: [{ name: 'shop' }, { name: 'rival' }] });

before(async () => {
  shop = await Idp.start({ keys: [one], claims: { tenant_id: 'shop', realm_access: { roles: ['staff', 'operator'] } } });
  office = await Idp.start({ keys: [privateJwk('EC', 'one')], alg: 'ES256', claims: { tenant_id: 'rival', roles: ['operator'] } });
  server = await Server.start({ dev: false, config: config(shopIssuer(shop),
    { issuer: office.url, audience: 'orders', algorithms: ['ES256'], jwks_url: `${office.url}/jwks`, tenants: ['rival'], roles: ['operator'], operator: true, jwks_refetch_interval_s: 1 }) });
  connection = new Connection(server);
});
after(async () => {
  connection.close();
  await server.stop();
  await Promise.all([shop.stop(), office.stop()]);
});

const claims = (parts = {}) => ({ iss: shop.url, aud: 'orders', sub: 'sue', tenant_id: 'shop', roles: ['staff'], iat: now(), exp: now() + 600, ...parts });

// What the server says to a token: 'fine', or status, code and message.
async function told(token, at = connection) {
  const answer = await at.post(token, viewer);
  if (answer.status === 200 && !answer.json.errors) return 'fine';
  assert.equal(answer.json.data ?? null, null);
  if (answer.status === 401) assert.match(answer.headers['www-authenticate'], /^Bearer /);
  if (answer.status === 503) assert.match(answer.headers['retry-after'], /^\d+$/);
  return `${answer.status} ${answer.json.errors[0].extensions.code}: ${answer.json.errors[0].message}`;
}
const unknown = /^401 UNAUTHENTICATED: .*key is not one that its issuer publishes/, badly = /^401 UNAUTHENTICATED: .*signature is not valid/,
  algorithm = /^401 UNAUTHENTICATED: .*algorithm is not accepted/, busy = /^503 BUSY: /;

test('a person and a machine log in and call; nested claims', async () => {
  const { access_token: person, id_token: id } = await shop.logIn('ann');
  assert.deepEqual((await connection.data(person, viewer)).viewer, { subject: 'ann', roles: ['staff'], tenant: { tenantId: 'shop' } });
  const caller = new Caller(server, person);
  const order = await caller.does('createOrder', basket());
  assert.equal((await caller.order(order.orderId)).stage, 'CONFIRMED');
  caller.close();
  assert.equal((await connection.data(await shop.machine(), viewer)).viewer.subject, 'backend');
  assert.match(await told(id), /^401 .*not meant for this server/, 'an ID token is for its client');
  // Another issuer, the same kid, another kind of key.
  assert.equal((await connection.data(await office.machine(), viewer)).viewer.tenant.tenantId, 'rival');
});

test('an issuer asserts what is not its own', async () => {
  // The provider says `operator`; the configuration does not let it.
  assert.deepEqual((await connection.data(await shop.machine(), viewer)).viewer.roles, ['staff']);
  const rival = signWith(one, claims({ tenant_id: 'rival' }));
  assert.match(await told(rival), /FORBIDDEN: /);
  const header = await connection.post(await shop.machine(), viewer, undefined, { 'x-tenant-id': 'rival' });
  assert.ok(header.json.errors, header.body);
  // The office's key does not speak for the shop, nor the shop's for the office.
  assert.match(await told(signWith(one, claims({ iss: office.url }), { alg: 'RS256' })), algorithm);
  assert.match(await told(signWith(office.keys[0], claims())), badly);
});

test('algorithms: none, and the public key as a secret', async () => {
  const pem = publicPem(one);
  for (const secret of [pem, pem.trim(), JSON.stringify(publicJwk(one)), publicJwk(one).n]) {
    for (const alg of ['HS256', 'HS384', 'HS512']) assert.match(await told(sign(alg, secret, claims(), { kid: 'one' })), algorithm);
  }
  const [head, body] = [{ alg: 'none', kid: 'one' }, claims()].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
  assert.match(await told(`${head}.${body}.`), /^401/);
  assert.match(await told(`${head}.${body}.AAAA`), algorithm);
  const pss = crypto.createPrivateKey({ key: one, format: 'jwk' });
  const text = `${Buffer.from(JSON.stringify({ alg: 'PS256', kid: 'one' })).toString('base64url')}.${body}`;
  const signature = crypto.sign('sha256', Buffer.from(text), { key: pss, padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
  assert.match(await told(`${text}.${signature.toString('base64url')}`), algorithm);
  assert.match(await told(signWith(privateJwk('EC', 'one'), claims())), badly, 'the kid of a key of another kind');
});

test('tricks with the kid, and with keys in the token', async () => {
  const other = privateJwk('RSA', 'one');
  assert.match(await told(signWith(other, claims())), badly, 'the right kid, another key');
  assert.equal(await told(signWith(one, claims(), { kid: undefined })), 'fine', 'no kid: the one key');
  for (const kid of ['../../../../etc/passwd', '/dev/null', 'file:///etc/passwd', "x' OR '1'='1", 'ONE', ' one', '', 'x'.repeat(256)]) {
    const began = Date.now();
    assert.match(await told(signWith(one, claims(), { kid })), unknown, kid.slice(0, 20));
    assert.ok(Date.now() - began < 4000);
  }
  assert.match(await told(signWith(one, claims(), { kid: 'x'.repeat(257) })), badly, 'too long to be one');
  for (const kid of [7, null, ['one'], { one: 1 }, true, 'one\u0000']) assert.match(await told(signWith(one, claims(), { kid })), /^401 .*not a valid JSON Web Token/, JSON.stringify(kid));
  for (const typ of ['JWT', 'jwt', 'at+jwt', 'application/at+jwt', undefined]) assert.equal(await told(signWith(one, claims({ sub: `typ-${typ}` }), { typ })), 'fine', typ);
  for (const typ of ['logout+jwt', 'dpop+jwt', '', 7, null]) assert.match(await told(signWith(one, claims(), { typ })), /^401 .*not a valid JSON Web Token/, `${typ}`);
  const twice = (header) => {
    const text = `${Buffer.from(header).toString('base64url')}.${Buffer.from(JSON.stringify(claims())).toString('base64url')}`;
    return `${text}.${crypto.sign('sha256', Buffer.from(text), crypto.createPrivateKey({ key: one, format: 'jwk' })).toString('base64url')}`;
  };
  assert.match(await told(twice('{"alg":"RS256","kid":"one","kid":"two"}')), /^401 .*not a valid JSON Web Token/);
  // Keys that a token brings along, or points to, are nobody's.
  let lured = 0;
  const lure = await Idp.start({ keys: [other] });
  lure.fail = () => { lured++; return false; };
  for (const header of [{ jwk: publicJwk(other) }, { jku: `${lure.url}/jwks` }, { x5u: `${lure.url}/jwks` }, { x5c: ['AAAA'] }]) {
    assert.match(await told(signWith(other, claims(), header)), badly);
    assert.match(await told(signWith(other, claims(), { ...header, kid: `lure-${Math.random()}` })), unknown);
  }
  assert.equal(lured, 0);
  await lure.stop();
});

test('expired, too early, another audience: refused, and never a reason to fetch', async () => {
  const asked = shop.asked.jwks;
  const gone = privateJwk('RSA', 'gone');
  assert.match(await told(signWith(one, claims({ exp: now() - 120 }))), /has expired/);
  assert.match(await told(signWith(one, claims({ nbf: now() + 600 }))), /not valid yet/);
  assert.match(await told(signWith(one, claims({ aud: 'other' }))), /not meant for this server/);
  for (const parts of [{ exp: now() - 120 }, { aud: 'other' }, { exp: undefined }]) assert.match(await told(signWith(gone, claims(parts))), badly);
  assert.equal(shop.asked.jwks, asked);
  shop.options.audience = 'elsewhere';
  assert.match(await told(await shop.machine()), /not meant for this server/);
  shop.options.audience = 'orders';
});

test('rotation: a new key counts at once, an old one no more when it is withdrawn', async () => {
  const old = await shop.machine(), two = privateJwk('RSA', 'two');
  assert.equal(await told(old), 'fine');
  shop.rotate(two, one); // the new one signs
  const [asked, fresh] = [shop.asked.jwks, await shop.machine()];
  assert.deepEqual(await Promise.all(Array.from({ length: 40 }, () => told(fresh))), Array(40).fill('fine'), 'they waited, and went on');
  assert.ok(shop.asked.jwks - asked <= 2, `${shop.asked.jwks - asked} fetches for 40 requests`);
  assert.equal(await told(old), 'fine', 'both are published');
  shop.rotate(two);
  await sleep(1100);
  assert.match(await told(signWith(two, claims(), { kid: `made-up-${Math.random()}` })), unknown); // makes it look again
  await until(async () => (await told(old)).startsWith('401'), 3000, 'the withdrawn key');
  assert.match(await told(old), unknown, 'though the token was cached');
  assert.equal(await told(fresh), 'fine');
  // To the curve, without a restart.
  shop.options.alg = 'ES256';
  shop.rotate(curve);
  assert.equal(await told(await shop.machine()), 'fine');
  shop.options.alg = 'RS256';
  shop.rotate(one);
  await sleep(1100);
  // Its kid was looked for and not found a moment ago: it is seen when somebody asks for another.
  assert.match(await told(signWith(one, claims(), { kid: `made-up-${Math.random()}` })), unknown);
  await until(async () => (await told(await shop.machine())) === 'fine', 5000, 'the old key again');
  assert.ok(server.events('jwks.keys_changed').length >= 4);
});

test('made-up kids: few fetches, and users are not kept from calling', async () => {
  const asked = shop.asked.jwks, began = Date.now(), token = await shop.machine();
  assert.equal(await told(token), 'fine');
  const flood = Array.from({ length: 1500 }, (_, i) => told(signWith(one, claims(), { kid: `flood-${i}` })));
  const slowest = [];
  for (let i = 0; i < 20; i++) {
    const sent = Date.now();
    assert.equal(await told(token), 'fine');
    slowest.push(Date.now() - sent);
    await sleep(20);
  }
  const answers = await Promise.all(flood);
  for (const answer of answers) assert.match(answer, /^(401|503) /);
  assert.ok(answers.some((answer) => unknown.test(answer)));
  const seconds = (Date.now() - began) / 1000;
  assert.ok(shop.asked.jwks - asked <= seconds + 2, `${shop.asked.jwks - asked} fetches in ${seconds} s`);
  const repeated = Date.now();
  assert.match(await told(signWith(one, claims(), { kid: `once-${repeated}` })), unknown);
  const known = shop.asked.jwks;
  for (let i = 0; i < 20; i++) assert.match(await told(signWith(one, claims(), { kid: `once-${repeated}` })), unknown);
  await sleep(1500);
  assert.ok(shop.asked.jwks - known <= 1, 'each shard looks once for a kid that is not there');
});

test('a WebSocket, an EventSource with its ticket, and a mutation wait for the key as well', async () => {
  const keys = ['ws', 'ticket', 'write', 'operation'].map((kid) => privateJwk('RSA', kid));
  const publish = async (key) => { shop.rotate(key, one); await sleep(1100); return signWith(key, claims()); };
  const token = await publish(keys[0]);
  const ws = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const heard = [];
  ws.on('message', (text) => heard.push(JSON.parse(text)));
  await new Promise((resolve) => ws.on('open', resolve));
  ws.send(JSON.stringify({ type: 'connection_init', payload: { Authorization: `Bearer ${token}` } }));
  await until(() => heard.some((message) => message.type === 'connection_ack'), 8000, 'the acknowledgement');
  ws.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: '{ viewer { subject } }' } }));
  await until(() => heard.some((message) => message.type === 'next'), 8000, 'the answer');
  // A client that goes away while it waits.
  const fresh = await publish(keys[3]);
  const gone = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  await new Promise((resolve) => gone.on('open', resolve));
  gone.send(JSON.stringify({ type: 'connection_init', payload: { Authorization: `Bearer ${fresh}` } }));
  gone.terminate();
  // A bad one is closed with 4403.
  const bad = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  await new Promise((resolve) => bad.on('open', resolve));
  bad.send(JSON.stringify({ type: 'connection_init', payload: { Authorization: `Bearer ${signWith(one, claims(), { kid: `bad-${Date.now()}` })}` } }));
  const [code, reason] = await new Promise((resolve) => bad.on('close', (...end) => resolve(end)));
  assert.equal(code, 4403, String(reason));
  ws.close();

  const ticketed = await publish(keys[1]);
  const { streamTicket } = await connection.data(ticketed, 'mutation { streamTicket(input: {}) { ticket } }');
  const answer = await fetch(`${server.url}/graphql?${new URLSearchParams({ query: '{ viewer { subject } }', ticket: streamTicket.ticket })}`);
  assert.deepEqual((await answer.json()).data, { viewer: { subject: 'sue' } });

  // Twenty creations with one key of idempotency, all of which wait: one order.
  const writer = await publish(keys[2]), input = basket();
  const made = await Promise.all(Array.from({ length: 20 }, () => connection.data(writer,
    'mutation($input: CreateOrderInput!) { createOrder(input: $input) { created order { orderId } userErrors { code } } }', { input }, { 'idempotency-key': 'the-one' })));
  assert.equal(new Set(made.map((data) => data.createOrder.order.orderId)).size, 1);
  // And one whose client goes away while it waits makes none.
  const leaver = new Connection(server), key = privateJwk('RSA', 'leaver'), reference = `gone-${Date.now()}`;
  shop.fail = (request, response) => { setTimeout(() => { shop.fail = null; shop.callback(request, response); }, 1500); return true; };
  const left = leaver.post(await publish(key), 'mutation($input: CreateOrderInput!) { createOrder(input: $input) { created } }', { input: basket({ externalRef: reference }) });
  await sleep(300);
  leaver.destroy();
  await left;
  await until(async () => (await told(signWith(key, claims()))) === 'fine', 8000, 'its key');
  const page = await connection.data(signWith(key, claims()), 'query($ref: String!) { orders(filter: { externalRef: [$ref] }) { nodes { orderId } } }', { ref: reference });
  assert.equal(page.orders.nodes.length, 0);
  shop.rotate(one);
});

test('metrics and the log tell how it goes, and no secret', async () => {
  const label = `issuer="${shop.url}"`;
  assert.ok(await server.metric('liteoms_jwks_fetches_total', label) >= 5);
  assert.ok(await server.metric('liteoms_jwks_unknown_kids_total', label) > 100);
  assert.equal(await server.metric('liteoms_jwks_fetch_failures_total', `issuer="${office.url}"`), 0);
  assert.equal(await server.metric('liteoms_jwks_keys', `issuer="${office.url}"`), 1);
  assert.ok(await server.metric('liteoms_jwks_age_seconds', label) < 600);
  assert.ok(!/eyJ[A-Za-z0-9_-]{10}/.test(server.log), 'a token is in the log');
});

test('a provider that goes away while its keys are known', async () => {
  const idp = await Idp.start({ keys: [one], claims: { tenant_id: 'shop', roles: ['staff'] } });
  await withServer({ dev: false, config: config(shopIssuer(idp)) }, async (own) => {
    const at = new Connection(own), token = await idp.machine(), mine = (parts, header) => signWith(one, claims({ iss: idp.url, ...parts }), header);
    assert.equal(await told(token, at), 'fine');
    await idp.down();
    await sleep(1100);
    assert.equal(await told(mine({ sub: 'new' }), at), 'fine', 'a token that was not cached');
    const asked = mine({}, { kid: 'later' });
    assert.match(await told(asked, at), busy, 'nobody can tell');
    const began = Date.now();
    assert.match(await told(asked, at), busy);
    assert.ok(Date.now() - began < 1000, 'told at once while it is known to be down');
    assert.equal(await told(mine({ sub: 'still' }), at), 'fine');
    assert.ok(own.events('jwks.fetch_failed').length >= 1);
    assert.equal(await own.metric('liteoms_jwks_keys'), 1);
    idp.keys = [privateJwk('RSA', 'later')];
    idp.make();
    await idp.up();
    await until(async () => (await told(await idp.machine(), at)) === 'fine', 10000, 'the provider again');
    at.close();
  });
  await idp.stop();
});

test('a provider that is down when the server starts', async () => {
  const idp = await Idp.start({ keys: [one], claims: { tenant_id: 'shop', roles: ['staff'] } });
  const token = await idp.machine();
  await idp.down();
  await withServer({ dev: false, config: config(shopIssuer(idp), shopIssuer(shop)) }, async (own) => {
    const at = new Connection(own);
    assert.ok(own.startMs < 8000, `${own.startMs} ms`);
    assert.match(await told(token, at), busy);
    assert.equal(await told(signWith(one, claims()), at), 'fine', 'the other issuer');
    await idp.up();
    await until(async () => (await told(token, at)) === 'fine', 10000, 'its keys');
    at.close();
  });
  await idp.stop();
});

test('a provider that hangs: the start does not wait for it, nor do others, nor the stop', async () => {
  const idp = await Idp.start({ keys: [one], claims: { tenant_id: 'shop', roles: ['staff'] } });
  idp.fail = () => true; // never answers
  await withServer({ dev: false, config: config(shopIssuer(idp), shopIssuer(shop)) }, async (own) => {
    const at = new Connection(own), token = signWith(one, claims({ iss: idp.url }));
    assert.ok(own.startMs < 12000, `${own.startMs} ms`);
    const [waits, began] = [told(token, at), Date.now()];
    const sent = Date.now();
    assert.equal(await told(signWith(one, claims()), at), 'fine', 'the other issuer');
    assert.ok(Date.now() - sent < 1000);
    assert.match(await waits, busy);
    assert.ok(Date.now() - began < 9000);
    // One that comes late is not in vain.
    idp.fail = (request, response) => { setTimeout(() => idp.callback(request, response), 1500); return true; };
    await until(async () => (await told(token, at)) === 'fine', 20000, 'the slow keys');
    idp.fail = () => true;
    const last = told(signWith(privateJwk('RSA', 'last'), claims({ iss: idp.url })), at);
    await sleep(200);
    const stopped = Date.now();
    own.child.kill('SIGTERM');
    assert.match(await last, busy, 'answered when the server stops');
    await own.exited;
    assert.ok(Date.now() - stopped < 6000, `${Date.now() - stopped} ms to stop`);
    at.close();
    own.stop = async () => assert.equal(await own.exited, 0, own.log.slice(-4000));
  });
  await idp.stop();
});

test('documents that are none: the keys that are known go on', async () => {
  const idp = await Idp.start({ keys: [one], claims: { tenant_id: 'shop', roles: ['staff'] } });
  const answer = (status, body, headers = {}) => (request, response) => { response.writeHead(status, headers); response.end(body); return true; };
  const keys = (...list) => JSON.stringify({ keys: list });
  const flawed = { ...publicJwk(one), kid: 'flawed' };
  const bodies = {
    garbage: answer(200, 'not json at all'), empty: answer(200, ''), truncated: answer(200, '{"keys":[{"kty":"RSA"'), list: answer(200, '[]'),
    'no keys': answer(200, '{"jwks":[]}'), 'keys of a wrong type': answer(200, '{"keys":{"a":1}}'), nested: answer(200, '['.repeat(100000)),
    binary: answer(200, Buffer.from([0xff, 0xfe, 0, 1])), '500': answer(500, 'no'), '404': answer(404, keys(publicJwk(one))), '204': answer(204),
    redirect: answer(302, '', { location: `${shop.url}/jwks` }), huge: answer(200, keys(...Array(3000).fill({ ...flawed, x: 'y'.repeat(1000) }))),
    'too many': answer(200, keys(...Array.from({ length: 33 }, (_, i) => ({ ...flawed, kid: `${i}` })))), 'huge head': answer(200, '{}', { 'x-long': 'z'.repeat(80 << 10) }),
    'endless': (request, response) => { response.writeHead(200); const timer = setInterval(() => response.write('x'.repeat(65536)), 1); response.on('close', () => clearInterval(timer)); return true; },
    'cut off': (request, response) => { response.writeHead(200, { 'content-length': 1000 }); response.write('{"keys":['); setTimeout(() => response.destroy(), 50); return true; },
    'reset': (request) => { request.socket.destroy(); return true; },
  };
  await withServer({ dev: false, config: config(shopIssuer(idp, { discovery: undefined, jwks_url: `${idp.url}/jwks` })) }, async (own) => {
    const at = new Connection(own);
    const mine = (jwk, header) => signWith(jwk, claims({ iss: idp.url, sub: crypto.randomUUID() }), header);
    assert.equal(await told(mine(one), at), 'fine');
    for (const [name, fail] of Object.entries(bodies)) {
      const failed = await own.metric('liteoms_jwks_fetch_failures_total');
      idp.fail = fail;
      await until(async () => { assert.match(await told(mine(one, { kid: `look-${Math.random()}` }), at), /^(503|401) /); await sleep(100); return await own.metric('liteoms_jwks_fetch_failures_total') > failed; }, 8000, name);
      assert.equal(await told(mine(one), at), 'fine', name);
    }
    // Keys that must not count, beside one that does.
    const hmac = crypto.randomBytes(32), two = privateJwk('RSA', 'two'), weak = crypto.generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({ format: 'jwk' });
    idp.fail = answer(200, keys(7, null, [], {}, { kty: 'oct', k: hmac.toString('base64url'), kid: 'oct', alg: 'HS256' }, { ...publicJwk(weak), kid: 'weak', kty: 'RSA', n: weak.n, e: weak.e },
      { ...publicJwk(curve), kid: 'enc', use: 'enc' }, { ...publicJwk(curve), kid: 'ops', use: undefined, key_ops: ['encrypt'] }, { ...publicJwk(curve), kid: 'off', x: publicJwk(curve).y },
      { ...publicJwk(one), kid: 'ps', alg: 'PS256' }, { ...publicJwk(two), kid: 'two' }, { ...publicJwk(one), kid: 'two' }, { ...one, kid: 'private' }));
    await until(async () => (await told(mine(two), at)) === 'fine', 8000, 'the good key among bad ones');
    assert.equal(await told(mine(one, { kid: 'two' }), at), 'fine', 'two keys of one kid');
    for (const [jwk, kid] of [[one, 'ps'], [one, 'private'], [curve, 'enc'], [curve, 'ops'], [one, 'one']]) {
      assert.match(await told(mine(jwk, { kid }), at), /^401 /, kid);
    }
    assert.match(await told(sign('HS256', hmac, claims({ iss: idp.url }), { kid: 'oct' }), at), algorithm);
    assert.match(await told(signWith({ ...weak, kty: 'RSA', kid: 'weak', alg: 'RS256' }, claims({ iss: idp.url })), at), /^401 /);
    // An issuer that publishes no key any more withdraws them all.
    idp.fail = answer(200, keys());
    await sleep(1100);
    await told(mine(two, { kid: 'look again' }), at);
    await until(async () => (await told(mine(two), at)).startsWith('401'), 5000, 'the empty set');
    at.close();
  });
  await idp.stop();
});

test('discovery documents that mislead', async () => {
  const idp = await Idp.start({ keys: [one], claims: { tenant_id: 'shop', roles: ['staff'] } });
  const documents = [{ issuer: shop.url, jwks_uri: `${idp.url}/jwks` }, { issuer: `${idp.url}/`, jwks_uri: `${idp.url}/jwks` }, { issuer: idp.url },
    { issuer: idp.url, jwks_uri: 'file:///etc/passwd' }, { issuer: idp.url, jwks_uri: 'http://192.0.2.1/jwks' }, { issuer: idp.url, jwks_uri: 7 }, []];
  await withServer({ dev: false, config: config(shopIssuer(idp)) }, async (own) => {
    const at = new Connection(own), mine = (header) => signWith(one, claims({ iss: idp.url, sub: crypto.randomUUID() }), header);
    for (const document of documents) {
      const failed = await own.metric('liteoms_jwks_fetch_failures_total');
      idp.fail = (request, response) => { response.end(JSON.stringify(document)); return true; };
      await until(async () => { await told(mine({ kid: `look-${Math.random()}` }), at); await sleep(100); return await own.metric('liteoms_jwks_fetch_failures_total') > failed; }, 8000, JSON.stringify(document));
      assert.equal(await told(mine(), at), 'fine');
    }
    at.close();
  });
  await idp.stop();
});

test('over TLS only an authority that is trusted counts', async () => {
  const trusted = certificate(), other = certificate();
  const provider = https.createServer({ cert: fs.readFileSync(trusted.cert), key: fs.readFileSync(trusted.key) },
    (request, response) => response.end(JSON.stringify({ keys: [publicJwk(one)] })));
  await new Promise((resolve) => { provider.listen(0, '127.0.0.1', resolve); });
  const url = `https://127.0.0.1:${provider.address().port}/keys`;
  const from = (issuer, more) => ({ issuer, audience: 'orders', algorithms: ['RS256'], jwks_url: url, tenants: ['shop'], roles: ['staff'], ...more });
  await withServer({ dev: false, config: config(from('trusting', { jwks_ca_file: trusted.cert }), from('system'), from('another', { jwks_ca_file: other.cert })) }, async (own) => {
    const at = new Connection(own);
    assert.equal(await told(signWith(one, claims({ iss: 'trusting' })), at), 'fine');
    for (const iss of ['system', 'another']) {
      assert.match(await told(signWith(one, claims({ iss })), at), busy, iss);
      assert.match(own.events('jwks.fetch_failed').find((event) => event.issuer === iss).reason, /certificate/i);
    }
    at.close();
  });
  await new Promise((resolve) => { provider.closeAllConnections(); provider.close(resolve); });
});

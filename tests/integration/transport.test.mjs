// The wire: TLS with HTTP/2 by ALPN and a GraphQL client of npm, clear text in its three ways, GraphQL over HTTP, pages of
// other origins.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import { after, before, test } from 'node:test';
import tls from 'node:tls';

import { gql } from 'graphql-request';

import { Caller, Connection, basket, storefront } from './lib/client.mjs';
import { Server, certificate, curl, sleep, until, withServer } from './lib/server.mjs';

let server, staff;
before(async () => {
  server = await Server.start();
  staff = new Caller(server);
});
after(async () => {
  staff.close();
  await server.stop();
});

const json = ['-H', 'Content-Type: application/json'];
const bearer = (who = staff) => ['-H', `Authorization: Bearer ${who.token}`];
const body = (query, more = {}) => JSON.stringify({ query, ...more });
const ask = (...args) => curl(...json, ...bearer(), `${server.url}/graphql`, ...args);

test('over TLS: h2 by ALPN, HTTP/1.1 for who wants it, and a GraphQL client of npm', async () => {
  const { cert, key } = certificate();
  await withServer({ args: ['--tls-cert', cert, '--tls-key', key, '--shards', '2'] }, async (secure) => {
    assert.match(secure.url, /^https:/);
    const offered = async (protocols) => {
      const socket = tls.connect({ port: secure.port, host: '127.0.0.1', servername: 'localhost', ca: fs.readFileSync(cert), ALPNProtocols: protocols });
      await new Promise((resolve, reject) => { socket.on('secureConnect', resolve); socket.on('error', reject); });
      socket.destroy();
      return [socket.alpnProtocol, socket.authorized, socket.getProtocol()];
    };
    assert.deepEqual((await offered(['h2', 'http/1.1'])).slice(0, 2), ['h2', true]);
    assert.deepEqual((await offered(['http/1.1'])).slice(0, 2), ['http/1.1', true]);
    const token = secure.token();
    const common = [...json, '-H', `Authorization: Bearer ${token}`, '-d', body('{ tenant { tenantId } }'), '--cacert', cert,
      '--resolve', `localhost:${secure.port}:127.0.0.1`, `https://localhost:${secure.port}/graphql`];
    for (const [option, version] of [['--http2', '2'], ['--http1.1', '1.1']]) {
      const answer = await curl(option, ...common);
      assert.deepEqual([answer.status, answer.version, answer.body], [200, version, '{"data":{"tenant":{"tenantId":"demo"}}}']);
    }
    await assert.rejects(curl('--tls-max', '1.1', ...common));
    await assert.rejects(curl(`http://127.0.0.1:${secure.port}/healthz`));
    // What a storefront does: places an order, pays it and reads it, with a client library.
    const { client, close } = storefront(secure, token, cert, { 'x-trace': '1' });
    const { createOrder } = await client.request(gql`mutation Place($input: CreateOrderInput!) {
      createOrder(input: $input) { created order { orderId finalAmount { amount } } userErrors { code } } }`, { input: basket() });
    assert.deepEqual([createOrder.created, createOrder.order.finalAmount.amount], [true, '30.00']);
    const { orderId } = createOrder.order;
    await Promise.all(Array.from({ length: 100 }, (_, i) => client.request(gql`mutation($input: AddNoteInput!) { addNote(input: $input) {
      userErrors { code } } }`, { input: { orderId, note: `n${i}` } })));
    const { getOrder } = await client.request(gql`query($id: ID!) { getOrder(orderId: $id) { version notes { text } } }`, { id: orderId });
    assert.deepEqual([getOrder.version, getOrder.notes.length], [101, 100]);
    await assert.rejects(client.request('{ nothing }'), (error) => error.response.status === 400);
    await close();
  });
});

test('in clear text: HTTP/1.1, h2c by prior knowledge and by upgrade', async () => {
  for (const [option, version] of [['--http1.0', '1.1'], ['--http1.1', '1.1'], ['--http2-prior-knowledge', '2'], ['--http2', '2']]) {
    const answer = await ask(option, '-d', body('{ __typename }'));
    assert.deepEqual([answer.status, answer.version, answer.body], [200, version, '{"data":{"__typename":"Query"}}'], option);
  }
});

test('GraphQL over HTTP: GET for queries, media types, what is answered to what', async () => {
  const url = `${server.url}/graphql`;
  const get = (parameters, ...args) => curl('-G', ...bearer(), ...Object.entries(parameters).flatMap(([name, value]) => ['--data-urlencode', `${name}=${value}`]), url, ...args);
  let answer = await get({ query: 'query A { __typename } query B($n: Int) { orders(first: $n) { nodes { id } } }', operationName: 'B', variables: '{"n":1}' });
  assert.equal(answer.status, 200);
  assert.equal(JSON.parse(answer.body).data.orders.nodes.length, 1);
  answer = await get({ query: 'mutation { addNote(input: { orderId: "x", note: "y" }) { replayed } }' });
  assert.deepEqual([answer.status, answer.headers.allow], [405, 'POST']);
  for (const parameters of [{}, { query: '{' , variables: '{}' }, { query: '{ __typename }', variables: '[' }, { query: '{ __typename }', variables: '[]' }])
    assert.ok([400, 200].includes((await get(parameters)).status));
  assert.equal((await get({ query: '{ __typename }', variables: '[' })).status, 400);
  const typed = async (accept, query = '{ __typename }') => {
    const got = await ask('-H', `Accept: ${accept}`, '-d', body(query));
    return [got.status, got.headers['content-type']?.split(';')[0]];
  };
  assert.deepEqual(await typed('application/graphql-response+json'), [200, 'application/graphql-response+json']);
  assert.deepEqual(await typed('application/graphql-response+json, application/json;q=0.9'), [200, 'application/graphql-response+json']);
  assert.deepEqual(await typed('application/json'), [200, 'application/json']);
  assert.deepEqual(await typed('*/*'), [200, 'application/json']);
  assert.deepEqual(await typed('text/html'), [406, 'application/json']);
  // q=0 is "not acceptable", and the most specific range counts.
  for (const none of ['application/json;q=0', 'application/json; q=0.000, application/graphql-response+json;Q=0', '*/*;q=0', 'application/*;q=0, */*', 'application/json;charset=utf-8;q=0'])
    assert.deepEqual(await typed(none), [406, 'application/json'], none);
  assert.deepEqual(await typed('application/graphql-response+json;q=0, application/json'), [200, 'application/json']);
  assert.deepEqual(await typed('application/graphql-response+json;q=0, */*'), [200, 'application/json']);
  assert.deepEqual(await typed('application/json;q=0, */*'), [200, 'application/graphql-response+json']);
  assert.deepEqual(await typed('application/*;q=0, application/json;q=0.001'), [200, 'application/json']);
  // A document that cannot be run: 400 in the new type, 200 in plain JSON.
  assert.deepEqual(await typed('application/graphql-response+json', '{ nothing }'), [400, 'application/graphql-response+json']);
  assert.deepEqual(await typed('application/json', '{ nothing }'), [200, 'application/json']);
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'application/jsonx', ''])
    assert.equal((await curl('-H', `Content-Type:${type ? ` ${type}` : ''}`, ...bearer(), url, '-d', body('{ __typename }'))).status, 415, type);
  assert.equal((await curl('-H', 'Content-Type: application/json; charset=utf-8', ...bearer(), url, '-d', body('{ __typename }'))).status, 200);
});

test('requests per second of a tenant', async () => {
  const shards = 2, rate = 20;
  const options = { args: ['--shards', `${shards}`], config: { tenants: [{ name: 'demo', limits: { requests_per_second: rate } }, { name: 'rival' }] } };
  await withServer(options, async (limited) => {
    const connection = new Connection(limited);
    const token = limited.token('staff'), rival = limited.token('staff', 'staff', { tenant: 'rival' });
    // Several roots are one request.
    const burst = (count, who) => Promise.all(Array.from({ length: count }, () => connection.post(who, '{ viewer { subject } other: viewer { subject } }')));
    const began = performance.now();
    const answers = await burst(200, token);
    const seconds = (performance.now() - began) / 1000;
    const fine = answers.filter((answer) => answer.status === 200);
    // One connection is on one shard: half the rate at once, and half of it a second.
    assert.ok(fine.length >= rate / shards && fine.length <= Math.ceil(rate / shards * (1 + seconds)), `${fine.length} in ${seconds} s`);
    for (const answer of answers.filter((one) => one.status !== 200)) {
      assert.deepEqual([answer.status, answer.json.errors[0].extensions.code, answer.json.data], [429, 'THROTTLED', undefined]);
      assert.equal(answer.headers['retry-after'], '1');
      assert.match(answer.json.errors[0].message, /'demo'.*20 requests a second/);
    }
    // Nothing of a refused mutation is done, nobody else is slowed, and after the wait it goes on.
    const create = 'mutation($input: CreateOrderInput!) { createOrder(input: $input) { created } }';
    await sleep(1000);
    const had = (await connection.data(token, '{ ordersCount { count } }')).ordersCount.count;
    const made = await Promise.all(Array.from({ length: 60 }, () => connection.post(token, create, { input: basket() })));
    const created = made.filter((answer) => answer.json.data?.createOrder.created).length;
    assert.ok(created > 0 && created < 60 && made.every((answer) => answer.json.data?.createOrder.created || answer.status === 429));
    assert.ok((await burst(100, rival)).every((answer) => answer.status === 200));
    await sleep(1000);
    assert.equal((await connection.data(token, '{ ordersCount { count } }')).ordersCount.count, had + created);
    await sleep(1000);
    assert.deepEqual((await burst(rate / shards, token)).map((answer) => answer.status), Array(rate / shards).fill(200));
    connection.close();
  });
});

test('pages of other origins: preflight, headers, the tenants\' own origins', async () => {
  const origins = { dev: false, config: {
    issuers: [{ issuer: 'i', audience: 'a', algorithms: ['HS256'], hmac_secret: 'x'.repeat(32), tenants: '*', roles: '*' }],
    tenants: [{ name: 'shop', cors_origins: ['https://shop.example', 'https://admin.shop.example:8443'] }, { name: 'rival', cors_origins: ['https://rival.example'] }] } };
  const { sign, now } = await import('./lib/tokens.mjs');
  const token = (tenant) => sign('HS256', 'x'.repeat(32), { iss: 'i', aud: 'a', sub: 's', roles: ['staff'], tenant_id: tenant, exp: now() + 600 });
  await withServer(origins, async (strict) => {
    const preflight = (origin, method = 'POST') => curl('-X', 'OPTIONS', '-H', `Origin: ${origin}`, '-H', `Access-Control-Request-Method: ${method}`,
      '-H', 'Access-Control-Request-Headers: authorization,content-type,idempotency-key', `${strict.url}/graphql`);
    for (const origin of ['https://shop.example', 'https://admin.shop.example:8443', 'https://rival.example']) {
      const answer = await preflight(origin);
      assert.equal(answer.status, 204);
      assert.equal(answer.headers['access-control-allow-origin'], origin);
      const allowed = answer.headers['access-control-allow-headers'].toLowerCase().split(/, */);
      for (const header of ['authorization', 'content-type', 'idempotency-key', 'last-event-id', 'traceparent']) assert.ok(allowed.includes(header), header);
      assert.match(answer.headers['access-control-allow-methods'], /POST/);
      assert.equal(answer.headers['access-control-allow-credentials'], undefined);
      assert.match(answer.headers.vary, /Origin/);
    }
    for (const origin of ['https://evil.example', 'http://shop.example', 'https://shop.example.evil', 'null', 'https://shop.example:444']) {
      const answer = await preflight(origin);
      assert.equal(answer.status, 403, origin);
      assert.equal(answer.headers['access-control-allow-origin'], undefined);
    }
    const post = (origin, tenant, query = '{ tenant { tenantId } }') => curl(...json, '-H', `Authorization: Bearer ${token(tenant)}`, '-H', `Origin: ${origin}`, `${strict.url}/graphql`, '-d', body(query));
    let answer = await post('https://shop.example', 'shop');
    assert.deepEqual([answer.status, answer.headers['access-control-allow-origin']], [200, 'https://shop.example']);
    assert.match(answer.headers['access-control-expose-headers'], /retry-after/i);
    answer = await post('https://rival.example', 'shop');
    assert.equal(answer.status, 403);
    assert.equal(JSON.parse(answer.body).errors[0].extensions.code, 'ORIGIN_NOT_ALLOWED');
    answer = await post('https://rival.example', 'shop', 'mutation { createOrder(input: { customerDetails: { name: "x" }, lineItems: [] }) { created } }');
    assert.equal(answer.status, 403);
    assert.equal((await post('https://rival.example', 'rival')).status, 200);
    assert.equal((await post('https://evil.example', 'shop')).status, 403);
    // A page can read why its token was refused.
    answer = await curl(...json, '-H', 'Origin: https://shop.example', `${strict.url}/graphql`, '-d', '{}');
    assert.deepEqual([answer.status, answer.headers['access-control-allow-origin']], [401, 'https://shop.example']);
  });
  // With --dev every page may.
  const answer = await curl('-X', 'OPTIONS', '-H', 'Origin: http://localhost:3000', '-H', 'Access-Control-Request-Method: POST', `${server.url}/graphql`);
  assert.equal(answer.status, 204);
  assert.ok(['*', 'http://localhost:3000'].includes(answer.headers['access-control-allow-origin']));
});

test('many requests on one connection, answered as they come', async () => {
  const connection = new Connection(server);
  const answers = await Promise.all(Array.from({ length: 300 }, (_, i) => connection.post(staff.token, `query Q${i % 50} { a${i}: __typename }`)));
  answers.forEach((answer, i) => assert.equal(answer.body, `{"data":{"a${i}":"Query"}}`));
  assert.ok(!connection.goaway);
  connection.close();
});

test('clients over TLS that reset their connection leave nothing behind', async () => {
  const { cert, key } = certificate();
  await withServer({ args: ['--tls-cert', cert, '--tls-key', key, '--shards', '1'] }, async (secure) => {
    for (const [protocol, wait] of [['h2', 0], ['h2', 50], ['http/1.1', 0], ['http/1.1', 50]])
      await Promise.all(Array.from({ length: 20 }, () => new Promise((resolve) => {
        const raw = net.connect(secure.port, '127.0.0.1');
        const socket = tls.connect({ socket: raw, rejectUnauthorized: false, ALPNProtocols: [protocol] });
        raw.on('error', () => {});
        socket.on('error', () => {});
        socket.on('secureConnect', () => setTimeout(() => { raw.resetAndDestroy(); resolve(); }, wait));
      })));
    // The one that asks is there itself.
    await until(async () => await secure.metric('liteoms_http_connections') === 1, 5000, 'the connections to go');
    const began = Date.now();
    secure.child.kill('SIGTERM');
    assert.equal(await secure.exited, 0, secure.log);
    assert.ok(Date.now() - began < 5000, 'the drain waited for connections that are gone');
  });
});

// What documents may run and how much they may ask: persisted queries as Apollo's clients send them, the operator's
// allow-list, the introspection switch, arrays of requests, cost with its budgets, and the fixed limits with their
// messages.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { test } from 'node:test';

import { Caller, basket } from './lib/client.mjs';
import { Server, curl, fresh, run, sleep, until, withServer } from './lib/server.mjs';

const sha256 = (text) => crypto.createHash('sha256').update(text).digest('hex');
const hashed = (document) => ({ persistedQuery: { version: 1, sha256Hash: sha256(document) } });
const code = (answer) => answer.json.errors?.[0]?.extensions.code;
const message = (answer) => answer.json.errors?.[0]?.message;
const GRAPHQL = 'application/graphql-response+json';

// A GET with its parameters; objects as JSON.
async function get(caller, parameters, headers = {}) {
  const query = new URLSearchParams(Object.entries(parameters).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]));
  const answer = await caller.connection.send({ ':method': 'GET', ':path': `/graphql?${query}`, authorization: `Bearer ${caller.token}`, ...headers });
  answer.json = JSON.parse(answer.body);
  return answer;
}

// ---- automatic persisted queries ----

test('a document is registered by its hash, found by POST and GET, and told to the other shards', async () => {
  await withServer({ args: ['--shards', '3'] }, async (server) => {
    const staff = new Caller(server);
    const document = 'query Q($n: Int!) { __typename orders(first: $n) { pageInfo { hasNextPage } } }';
    const variables = { n: 1 };
    // First the hash alone, as Apollo Client does it: 200, whatever the media type, with the code that it looks for.
    for (const accept of ['*/*', 'application/json', GRAPHQL]) {
      const answer = await staff.post({ extensions: hashed(document), variables }, undefined, { accept });
      assert.deepEqual([answer.status, message(answer), code(answer)], [200, 'PersistedQueryNotFound', 'PERSISTED_QUERY_NOT_FOUND']);
      assert.ok(!('data' in answer.json));
    }
    // Then both: it runs, and is registered.
    const first = await staff.post({ query: document, extensions: hashed(document), variables });
    assert.deepEqual(first.json, { data: { __typename: 'Query', orders: { pageInfo: { hasNextPage: true } } } });
    // From then on the hash alone, also on other connections, which land on other shards.
    await until(async () => await server.metric('liteoms_persisted_queries') === 3, 5000, 'the other shards to know it');
    for (let i = 0; i < 12; i++) {
      const other = new Caller(server);
      assert.deepEqual((await other.post({ extensions: hashed(document), variables, operationName: 'Q' })).json, first.json);
      assert.deepEqual((await get(other, { extensions: hashed(document), variables })).json, first.json);
      other.close();
    }
    // A hash in capitals is the same one; variables of another kind are refused as ever.
    assert.deepEqual((await staff.post({ extensions: { persistedQuery: { version: 1, sha256Hash: sha256(document).toUpperCase() } }, variables })).json, first.json);
    assert.equal(code(await staff.post({ extensions: hashed(document), variables: { n: 'x' } })), 'BAD_USER_INPUT');
    await until(async () => await server.metric('liteoms_persisted_query_hits_total') === 26, 5000, 'the hits');
    assert.equal(await server.metric('liteoms_persisted_query_misses_total'), 3);
    assert.equal(await server.metric('liteoms_persisted_queries_registered_total'), 1);
    assert.ok(await server.metric('liteoms_persisted_query_bytes') > 3 * document.length);
    staff.close();
  });
});

test('a wrong hash is never registered, nor is a document that cannot run', async () => {
  await withServer({ args: ['--shards', '1'] }, async (server) => {
    const staff = new Caller(server);
    const document = '{ __typename }', other = '{ a: __typename }';
    let answer = await staff.post({ query: document, extensions: hashed(other) });
    assert.deepEqual([answer.status, code(answer)], [400, 'BAD_USER_INPUT']);
    assert.match(message(answer), /^provided sha does not match query/);
    assert.equal(code(await staff.post({ extensions: hashed(other) })), 'PERSISTED_QUERY_NOT_FOUND');
    answer = await staff.post({ query: '{ nothing }', extensions: hashed('{ nothing }') });
    assert.equal(code(answer), 'GRAPHQL_VALIDATION_FAILED');
    assert.equal(code(await staff.post({ extensions: hashed('{ nothing }') })), 'PERSISTED_QUERY_NOT_FOUND');
    for (const persistedQuery of [{ version: 2, sha256Hash: sha256(document) }, { sha256Hash: sha256(document) }, { version: 1 }, { version: 1, sha256Hash: 'abc' },
      { version: 1, sha256Hash: `${sha256(document).slice(1)}g` }, { version: 1, sha256Hash: 7 }, 'x', 7, [], {}]) {
      answer = await staff.post({ extensions: { persistedQuery } });
      assert.deepEqual([answer.status, code(answer)], [400, 'BAD_USER_INPUT'], JSON.stringify(persistedQuery));
    }
    // null is none: then the document is missing.
    answer = await staff.post({ extensions: { persistedQuery: null } });
    assert.deepEqual([answer.status, code(answer)], [400, 'BAD_REQUEST']);
    // A mutation by its hash needs POST like any other.
    const mutation = 'mutation { __typename }';
    assert.equal((await staff.post({ query: mutation, extensions: hashed(mutation) })).body, '{"data":{"__typename":"Mutation"}}');
    assert.equal((await get(staff, { extensions: hashed(mutation) })).status, 405);
    // Without a token nobody learns whether a hash is known.
    assert.equal((await staff.connection.post(undefined, { extensions: hashed(mutation) })).status, 401);
    staff.close();
  });
});

test('the store is bounded: what went for room is registered again', async () => {
  await withServer({ args: ['--shards', '2'], config: { graphql: { persisted_queries: 8 } } }, async (server) => {
    const staff = new Caller(server);
    const documents = Array.from({ length: 40 }, (_, i) => `{ a${i}: __typename }`);
    for (const query of documents) assert.equal((await staff.post({ query, extensions: hashed(query) })).status, 200);
    await until(async () => await server.metric('liteoms_persisted_query_evictions_total') >= 60, 5000, 'evictions on both shards');
    assert.equal(await server.metric('liteoms_persisted_queries'), 16);
    assert.equal(code(await staff.post({ extensions: hashed(documents[0]) })), 'PERSISTED_QUERY_NOT_FOUND');
    assert.equal((await staff.post({ extensions: hashed(documents[39]) })).body, '{"data":{"a39":"Query"}}');
    assert.equal((await staff.post({ query: documents[0], extensions: hashed(documents[0]) })).status, 200);
    assert.equal((await staff.post({ extensions: hashed(documents[0]) })).body, '{"data":{"a0":"Query"}}');
    staff.close();
  });
});

test('switched off: clients are told so, and their text runs', async () => {
  await withServer({ config: { graphql: { persisted_queries: 0 } } }, async (server) => {
    const staff = new Caller(server);
    const answer = await staff.post({ extensions: hashed('{ __typename }') });
    assert.deepEqual([answer.status, message(answer), code(answer)], [200, 'PersistedQueryNotSupported', 'PERSISTED_QUERY_NOT_SUPPORTED']);
    assert.equal((await staff.post({ query: '{ __typename }', extensions: hashed('{ __typename }') })).body, '{"data":{"__typename":"Query"}}');
    staff.close();
  });
});

// ---- the operator's list ----

test('with an allow-list only its documents run, by hash or by text', async () => {
  const listed = ['query A { __typename }', 'query B($id: ID!) { getOrder(orderId: $id) { stage } }', 'mutation M { __typename }'];
  const file = fresh('.json');
  fs.writeFileSync(file, JSON.stringify(Object.fromEntries(listed.map((text) => [sha256(text), text]))));
  await withServer({ config: { graphql: { allow_list: file } }, args: ['--shards', '2'] }, async (server) => {
    const staff = new Caller(server);
    for (let round = 0; round < 2; round++) {
      assert.equal((await staff.post({ query: listed[0] })).body, '{"data":{"__typename":"Query"}}');
      assert.equal((await staff.post({ extensions: hashed(listed[0]) })).body, '{"data":{"__typename":"Query"}}');
      assert.equal((await get(staff, { extensions: hashed(listed[1]), variables: { id: 'ORD-NONE' } })).body, '{"data":{"getOrder":null}}');
      assert.equal((await staff.post({ query: listed[2], extensions: hashed(listed[2]) })).body, '{"data":{"__typename":"Mutation"}}');
      // Not a blank more, not another hash, not a registration.
      for (const refused of [{ query: `${listed[0]} ` }, { query: '{ __typename }' }, { extensions: hashed('{ __typename }') },
        { query: '{ __typename }', extensions: hashed('{ __typename }') }, { query: '{ nonsense' }]) {
        const answer = await staff.post(refused);
        assert.deepEqual([answer.status, code(answer)], [403, 'PERSISTED_QUERY_REQUIRED'], JSON.stringify(refused));
        assert.match(message(answer), /allow-list/);
      }
    }
    assert.equal(await server.metric('liteoms_persisted_queries'), 0);
    staff.close();
  });
});

test('an allow-list that is wrong stops the start with one line that says what', async () => {
  const file = fresh('.json'), config = fresh('.json');
  fs.writeFileSync(config, JSON.stringify({ graphql: { allow_list: file } }));
  const start = async (content) => {
    if (content !== undefined) fs.writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
    const answer = await run('serve', '--dev', '--data', fresh('-data'), '--listen', '127.0.0.1:0', '--config', config);
    assert.notEqual(answer.code, 0);
    return answer.stderr;
  };
  assert.match(await start(undefined), /'graphql\.allow_list' cannot be read/);
  assert.match(await start('{"a"'), /'graphql\.allow_list' is no JSON.*line 1/);
  assert.match(await start([]), /'graphql\.allow_list' must be an object/);
  assert.match(await start({}), /with at least one/);
  assert.match(await start({ abc: '{ __typename }' }), /'abc'.*no SHA-256/);
  assert.match(await start({ [sha256('x')]: '{ __typename }' }), /not its SHA-256/);
  assert.match(await start({ [sha256('x')]: 7 }), /no document/);
  const old = '{ fieldOfYesterday }';
  assert.match(await start({ [sha256(old)]: old }), new RegExp(`${sha256(old)} cannot run: .*fieldOfYesterday`));
});

test('introspection can be switched off', async () => {
  await withServer({ config: { graphql: { introspection: false } } }, async (server) => {
    const staff = new Caller(server);
    for (const query of ['{ __schema { queryType { name } } }', '{ a: __typename b: __type(name: "Order") { name } }', 'query { ...F } fragment F on Query { __schema { description } }']) {
      const answer = await staff.post(query, undefined, { accept: GRAPHQL });
      assert.deepEqual([answer.status, code(answer)], [400, 'INTROSPECTION_DISABLED'], query);
      assert.ok(!('data' in answer.json));
    }
    assert.equal((await staff.post('{ __typename }')).body, '{"data":{"__typename":"Query"}}');
    // What @skip leaves out was not asked.
    assert.equal((await staff.post('query($no: Boolean!) { __typename __schema @skip(if: $no) { description } }', { no: true })).body, '{"data":{"__typename":"Query"}}');
    staff.close();
  });
});

// ---- arrays ----

test('arrays are refused unless the configuration allows them', async () => {
  await withServer({}, async (server) => {
    const staff = new Caller(server);
    const answer = await staff.post([{ query: '{ __typename }' }]);
    assert.deepEqual([answer.status, code(answer)], [400, 'BATCH_NOT_SUPPORTED']);
    assert.match(message(answer), /batch_max/);
    staff.close();
  });
});

test('arrays are answered in order, each request with its own errors', async () => {
  await withServer({ config: { graphql: { batch_max: 10 } } }, async (server) => {
    const staff = new Caller(server);
    const post = async (items, headers) => {
      const answer = await staff.post(items, undefined, headers);
      answer.json ??= JSON.parse(answer.body);
      return answer;
    };
    let answer = await post([{ query: '{ a: __typename }' }, { query: '{ nothing }' }, 7, { query: 'query($id: ID!) { getOrder(orderId: $id) { stage } }' }, { variables: {} },
      { query: 'query A { a: __typename } query B { b: __typename }', operationName: 'B' }, { query: '{' }, { query: '{ c: __typename }', extensions: { cost: true } }]);
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.json.map((one) => one.data ?? code({ json: one })),
      [{ a: 'Query' }, 'GRAPHQL_VALIDATION_FAILED', 'BAD_REQUEST', 'BAD_USER_INPUT', 'BAD_REQUEST', { b: 'Query' }, 'GRAPHQL_PARSE_FAILED', { c: 'Query' }]);
    assert.deepEqual(answer.json[7].extensions, { cost: { requested: 0, throttle: null } });
    // One after the other: the second sees what the first did.
    const input = basket();
    const create = { query: 'mutation($input: CreateOrderInput!) { createOrder(input: $input) { created order { orderId version } } }', variables: { input } };
    const find = { query: 'query($by: OrderBy!) { order(by: $by) { version } }', variables: { by: { externalRef: { source: 'api', ref: input.externalRef } } } };
    answer = await post([find, create, find, create]);
    assert.deepEqual(answer.json.map((one) => one.data.order ?? one.data.createOrder?.created ?? null), [null, true, { version: 1 }, false]);
    const { orderId } = answer.json[1].data.createOrder.order;
    const note = (text, extra = {}) => ({ query: 'mutation($input: AddNoteInput!) { addNote(input: $input) { replayed userErrors { code } order { version } } }', variables: { input: { orderId, note: text, ...extra } } });
    answer = await post([note('one'), note('two'), note('three')]);
    assert.deepEqual(answer.json.map((one) => one.data.addNote.order.version), [2, 3, 4]);
    // The header names one mutation: of two it would be a guess which.
    answer = await post([note('four'), note('five')], { 'idempotency-key': 'k1' });
    assert.deepEqual([answer.status, code(answer)], [400, 'BAD_REQUEST']);
    assert.match(message(answer), /Idempotency-Key/);
    for (const replayed of [false, true]) {
      answer = await post([find, note('four')], { 'idempotency-key': 'k1' });
      assert.deepEqual([answer.json[0].data.order.version, answer.json[1].data.addNote], [replayed ? 5 : 4, { replayed, userErrors: [], order: { version: 5 } }]);
    }
    answer = await post([note('five', { idempotencyKey: 'k2' }), note('five', { idempotencyKey: 'k2' })]);
    assert.deepEqual(answer.json.map((one) => one.data.addNote.replayed), [false, true]);
    // Registered documents work in arrays as well.
    const document = '{ p: __typename }';
    answer = await post([{ extensions: hashed(document) }, { query: document, extensions: hashed(document) }, { extensions: hashed(document) }]);
    assert.equal(code({ json: answer.json[0] }), 'PERSISTED_QUERY_NOT_FOUND');
    assert.deepEqual(answer.json[1].data, { p: 'Query' });
    staff.close();
  });
});

test('limits hold for an array as for one request', async () => {
  await withServer({ config: { graphql: { batch_max: 3, cost_max: 100 } } }, async (server) => {
    const staff = new Caller(server);
    const page = (first) => ({ query: `{ orders(first: ${first}) { nodes { stage } } }` });
    let answer = await staff.post(Array.from({ length: 4 }, () => page(1)));
    assert.deepEqual([answer.status, code(answer)], [400, 'LIMIT_EXCEEDED']);
    assert.match(message(answer), /4 requests; 3 are the most/);
    answer = await staff.post([]);
    assert.deepEqual([answer.status, code(answer)], [400, 'BAD_REQUEST']);
    // 1 + first each: 3 × 31 is 93, 3 × 34 is 102.
    assert.equal(JSON.parse((await staff.post([page(30), page(30), page(30)])).body).length, 3);
    answer = await staff.post([page(33), page(33), page(33)], undefined, { accept: GRAPHQL });
    assert.deepEqual([answer.status, code(answer)], [400, 'MAX_COST_EXCEEDED']);
    assert.match(message(answer), /102.*100/);
    const wide = (count) => ({ query: `{ ${Array.from({ length: count }, (_, i) => `a${i}: __typename`).join(' ')} b: viewer { __typename } }` });
    const roots = (count) => ({ query: `{ ${Array.from({ length: count }, (_, i) => `a${i}: __type(name: "X") { name }`).join(' ')} }` });
    assert.equal((await staff.post([roots(25), roots(25)])).status, 200);
    answer = await staff.post([roots(25), roots(26)]);
    assert.equal(code(answer), 'LIMIT_EXCEEDED');
    assert.match(message(answer), /51 root fields; 50 are the most/);
    assert.equal((await staff.post([wide(40)])).status, 200);
    answer = await staff.post([{ query: 'subscription { tenantEvents { cursor } }' }]);
    assert.deepEqual([answer.status, code(answer)], [400, 'BAD_REQUEST']);
    assert.match(message(answer), /subscription/);
    staff.close();
  });
});

// ---- cost ----

test('what documents cost, told when asked', async () => {
  await withServer({}, async (server) => {
    const staff = new Caller(server);
    const cost = async (query, variables) => {
      const answer = await staff.post({ query, variables, extensions: { cost: true } });
      assert.equal(answer.json.extensions.cost.throttle, null);
      return answer.json.extensions.cost.requested;
    };
    for (const [query, variables, expected] of [
      ['{ __typename }', {}, 0],
      ['{ getOrder(orderId: "ORD-1") { stage version } }', {}, 1],
      ['{ getOrder(orderId: "ORD-1") { finalAmount { amount } customerDetails { name } } }', {}, 3],
      ['{ getOrder(orderId: "ORD-1") { lineItems { productSku productPrice { amount } } } }', {}, 1 + 3 * 2],
      ['{ orders { nodes { stage } } }', {}, 1 + 20],
      ['{ orders(first: 50) { nodes { stage finalAmount { amount } lineItems { productSku } } } }', {}, 251],
      ['{ orders(last: 7) { nodes { stage } pageInfo { hasNextPage } } }', {}, 1 + 7 + 1],
      ['{ orders(first: 5) { edges { cursor node { stage } } nodes { stage } } }', {}, 1 + 5 * 2 + 5],
      ['query($n: Int) { orders(first: $n) { nodes { stage } } }', { n: 9 }, 10],
      ['query($n: Int) { orders(first: $n) { nodes { stage } } }', {}, 21],
      ['query($n: Int = 4) { orders(first: $n) { nodes { stage } } }', {}, 5],
      ['query($n: Int, $m: Int) { orders(first: $n) { nodes { events(first: $m) { nodes { at } } lineItems { productSku } } } }', { n: 10, m: 3 }, 1 + 10 * (1 + (1 + 3) + 3)],
      ['query($n: Int, $with: Boolean!) { orders(first: $n) { nodes { stage finalAmount @include(if: $with) { amount } } } }', { n: 10, with: true }, 21],
      ['query($n: Int, $with: Boolean!) { orders(first: $n) { nodes { stage finalAmount @include(if: $with) { amount } } } }', { n: 10, with: false }, 11],
      ['{ node(id: "x") { id ... on Order { finalAmount { amount } lineItems { productSku } } ... on OrderEvent { actor { kind } } } }', {}, 1 + 1 + 3],
      ['{ a: orders(first: 2) { nodes { stage } } b: orders(first: 3) { nodes { stage } } }', {}, 3 + 4],
    ]) assert.equal(await cost(query, variables), expected, query);
    // Nobody who did not ask is told, and what is no `true` is no question.
    for (const extensions of [undefined, {}, { cost: false }, { cost: 1 }, { cost: null }])
      assert.equal((await staff.post({ query: '{ __typename }', extensions })).body, '{"data":{"__typename":"Query"}}');
    assert.equal((await get(staff, { query: '{ __typename }', extensions: { cost: true } })).body, '{"data":{"__typename":"Query"},"extensions":{"cost":{"requested":0,"throttle":null}}}');
    const metrics = (await curl(`${server.url}/metrics`)).body;
    assert.match(metrics, /# TYPE liteoms_graphql_cost histogram/);
    await until(async () => await server.metric('liteoms_graphql_cost_count') >= 20, 5000, 'the costs');
    assert.ok(await server.metric('liteoms_graphql_cost_sum') > 251);
    assert.equal(await server.metric('liteoms_graphql_cost_bucket', 'le="+Inf"'), await server.metric('liteoms_graphql_cost_count'));
    staff.close();
  });
});

test('a request that costs too much is refused with its cost', async () => {
  await withServer({ config: { graphql: { cost_max: 50 } } }, async (server) => {
    const staff = new Caller(server);
    const query = 'query($n: Int!) { orders(first: $n) { nodes { stage } } }';
    assert.ok((await staff.post(query, { n: 49 })).json.data);
    for (const [accept, status] of [['application/json', 200], [GRAPHQL, 400]]) {
      const answer = await staff.post(query, { n: 50 }, { accept });
      assert.deepEqual([answer.status, answer.json.errors[0].extensions], [status, { code: 'MAX_COST_EXCEEDED', cost: 51, maxCost: 50 }]);
      assert.match(message(answer), /costs 51.*50/);
      assert.ok(!('data' in answer.json));
    }
    // Numbers that would overflow are large, not small.
    const deep = `query($n: Int!) { orders(first: $n) { nodes { ${'events(first: $n) { nodes { order { '.repeat(9)} stage ${'} } }'.repeat(9)} } } }`;
    const answer = await staff.post(deep, { n: 2147483647 });
    assert.equal(code(answer), 'MAX_COST_EXCEEDED');
    assert.ok(answer.json.errors[0].extensions.cost >= 1e12);
    staff.close();
  });
});

test('budgets of a subject and of a tenant: 429 with Retry-After, others go on', async () => {
  const graphql = { subject_cost_bucket: 1000, subject_cost_restore: 1, cost_bucket: 2500, cost_restore: 1, batch_max: 5 };
  await withServer({ args: ['--shards', '1'], config: { graphql, tenants: [{ name: 'other' }] } }, async (server) => {
    const ann = new Caller(server, 'staff', 'ann'), bob = ann.as('staff', 'bob'), far = ann.as('staff', 'ann', { tenant: 'other' });
    // Costs 1 + first × 10.
    const query = (first) => `{ orders(first: ${first}) { nodes { ${'abcdefghi'.split('').map((name) => `${name}: finalAmount { amount }`).join(' ')} } } }`;
    const ask = (caller, first) => caller.post({ query: query(first), extensions: { cost: true } });
    const near = (value, expected) => assert.ok(value >= expected && value < expected + 60, `${value} is about ${expected}`);
    let answer = await ask(ann, 60);
    assert.deepEqual(answer.json.extensions.cost, { requested: 601, throttle: { max: 1000, available: 399, restoreRate: 1 } });
    answer = await ask(ann, 80);
    assert.deepEqual([answer.status, code(answer)], [429, 'THROTTLED']);
    near(801 - 399 - Number(answer.headers['retry-after']), 0);
    assert.match(message(answer), /costs 801, the subject 'ann' has \d+ left: nothing was done; retry in \d+ s/);
    assert.equal(answer.json.extensions.cost.requested, 801);
    near(answer.json.extensions.cost.throttle.available, 399);
    // The refusal took nothing: a cheap one still fits. bob has a bucket of his own.
    assert.equal((await ask(ann, 39)).status, 200);
    assert.equal((await ask(bob, 80)).status, 200);
    // With a third they have nearly emptied the tenant's, and a fourth finds little there.
    assert.equal((await ask(ann.as('staff', 'cid'), 59)).status, 200);
    answer = await ask(ann.as('staff', 'dan'), 90);
    assert.equal(answer.status, 429);
    assert.match(message(answer), /the tenant 'demo' has/);
    assert.equal(answer.json.extensions.cost.throttle.max, 2500);
    // Another tenant has its own, also for the same name.
    answer = await ask(far, 10);
    assert.equal(answer.json.extensions.cost.throttle.available, 899);
    // What could never fit is refused for good, not put off.
    answer = await ask(bob, 100);
    assert.deepEqual([answer.status, code(answer)], [200, 'MAX_COST_EXCEEDED']);
    // Of an array all is taken or nothing.
    const item = { query: query(20), extensions: { cost: true } };
    answer = await far.post([item, item, item]);
    const costs = JSON.parse(answer.body).map((one) => one.extensions.cost);
    costs.forEach((cost) => { assert.equal(cost.requested, 201); near(cost.throttle.available, 899 - 603); });
    answer = await far.post([item, item, item]);
    assert.deepEqual([answer.status, code(answer), answer.json.extensions.cost.requested], [429, 'THROTTLED', 603]);
    near(answer.json.extensions.cost.throttle.available, 899 - 603);
    await until(async () => await server.metric('liteoms_graphql_throttled_total') === 3, 5000, 'the counter');
    ann.close();
  });
  // Who waits as long as told is let in.
  await withServer({ args: ['--shards', '2'], config: { graphql: { subject_cost_bucket: 100, subject_cost_restore: 200 } } }, async (server) => {
    const ann = new Caller(server, 'staff', 'ann');
    const ask = () => ann.post('{ orders(first: 99) { nodes { stage } } }');
    assert.equal((await ask()).status, 200);
    const answer = await ask();
    assert.equal(answer.status, 429);
    // On one connection, so on one shard of the two: half of the rate.
    assert.equal(answer.json.extensions.cost.throttle.restoreRate, 100);
    assert.equal(answer.headers['retry-after'], '1');
    await sleep(1000);
    assert.equal((await ask()).status, 200);
    ann.close();
  });
});

test('budgets that make no sense stop the start', async () => {
  const start = async (graphql) => {
    const config = fresh('.json');
    fs.writeFileSync(config, JSON.stringify({ graphql }));
    const answer = await run('serve', '--dev', '--data', fresh('-data'), '--listen', '127.0.0.1:0', '--config', config);
    assert.notEqual(answer.code, 0);
    return answer.stderr;
  };
  assert.match(await start({ cost_bucket: 5 }), /'graphql\.cost_restore' is required with 'cost_bucket'/);
  assert.match(await start({ subject_cost_restore: 5 }), /'graphql\.subject_cost_bucket' is required/);
  assert.match(await start({ batch_max: 101 }), /'graphql\.batch_max' must be a whole number from 0 to 100/);
  assert.match(await start({ introspektion: false }), /did you mean 'introspection'/);
});

// ---- the fixed limits ----

test('documents that are too much say of what', async () => {
  await withServer({}, async (server) => {
    const staff = new Caller(server);
    const nested = (levels) => `{ orders { nodes { ${'events { nodes { order { '.repeat(levels)} id ${'} } }'.repeat(levels)} } } }`;
    for (const [what, query, says] of [
      ['depth', nested(12), /32 levels|deeper than 32|depth/i],
      ['aliases', `{ orders(first: 1) { nodes { ${Array.from({ length: 201 }, (_, i) => `a${i}: id`).join(' ')} } } }`, /200 aliases/],
      ['root fields', `{ ${Array.from({ length: 51 }, (_, i) => `a${i}: __type(name: "X") { name }`).join(' ')} }`, /50 root fields/],
      ['tokens', `{ orders(filter: { externalRef: [${'"x" '.repeat(10001)}] }) { nodes { id } } }`, /10000 tokens/],
      ['size', `{ __typename } ${'#'.repeat(128 * 1024)}`, /larger than 131072 bytes/],
    ])
      for (const [accept, status] of [['application/json', 200], [GRAPHQL, 400]]) {
        const answer = await staff.post(query, undefined, { accept });
        assert.deepEqual([answer.status, code(answer)], [status, 'LIMIT_EXCEEDED'], `${what}: ${answer.body.slice(0, 300)}`);
        assert.match(message(answer), says, what);
        assert.ok(!('data' in answer.json), what);
      }
    // Just below each of them it runs.
    assert.equal((await staff.post(`{ orders(first: 1) { nodes { ${Array.from({ length: 200 }, (_, i) => `a${i}: id`).join(' ')} } } }`)).json.errors, undefined);
    assert.equal((await staff.post(`{ ${Array.from({ length: 50 }, (_, i) => `a${i}: __type(name: "X") { name }`).join(' ')} }`)).json.errors, undefined);
    assert.equal((await staff.post(`{ __typename } ${'#'.repeat(127 * 1024)}`)).json.errors, undefined);
    staff.close();
  });
});

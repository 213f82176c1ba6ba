// GraphQL over HTTP by its own suite: the server audits of npm graphql-http, every one of them, over HTTP/1.1 and
// HTTP/2, with and without TLS, and with other spellings of the same Accept headers. No audit is excused: one that is
// not "ok" fails, also where it is only a recommendation. What the suite leaves open (it marks audits as to be written)
// is tested below it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http2 from 'node:http2';
import { after, before, test } from 'node:test';

import { serverAudits } from 'graphql-http';
import { Agent, Response, fetch } from 'undici';

import { Connection } from './lib/client.mjs';
import { Server, certificate } from './lib/server.mjs';

const AUDITS = 61;

let plain, secure, ca;
before(async () => {
  const pair = certificate();
  ca = fs.readFileSync(pair.cert);
  plain = await Server.start();
  secure = await Server.start({ args: ['--tls-cert', pair.cert, '--tls-key', pair.key] });
});
after(async () => {
  await plain.stop();
  await secure.stop();
});

// fetch() over clear-text HTTP/2 with prior knowledge, as far as the audits use it.
function h2cFetch(server) {
  const session = http2.connect(server.url);
  const ask = (url, { method = 'GET', headers = {}, body } = {}) => new Promise((resolve, reject) => {
    const { pathname, search } = new URL(url);
    const stream = session.request({ ':method': method, ':path': pathname + search, ...headers }, { endStream: body === undefined });
    let head;
    const chunks = [];
    stream.on('response', (fields) => { head = fields; });
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('error', reject);
    stream.on('end', () => resolve(new Response(Buffer.concat(chunks), {
      status: head[':status'],
      headers: Object.entries(head).filter(([name]) => !name.startsWith(':')).map(([name, value]) => [name, String(value)]),
    })));
    if (body !== undefined) stream.end(body);
  });
  return { ask, close: async () => session.close() };
}

function undiciFetch(server, options) {
  const dispatcher = new Agent(options);
  return { ask: (url, init) => fetch(url, { ...init, dispatcher }), close: () => dispatcher.close() };
}

const ways = {
  'HTTP/1.1': () => [plain, undiciFetch(plain, { allowH2: false })],
  'HTTP/2 in clear text': () => [plain, h2cFetch(plain)],
  'HTTP/1.1 over TLS': () => [secure, undiciFetch(secure, { allowH2: false, connect: { ca } })],
  'HTTP/2 over TLS': () => [secure, undiciFetch(secure, { allowH2: true, connect: { ca } })],
};

// The audits' Accept headers, and what else says the same.
const same = {
  'as they are': {},
  'with parameters': {
    'application/json': 'application/json; charset=utf-8; q=1.0',
    'application/graphql-response+json': 'application/graphql-response+json;charset="UTF-8"',
    '*/*': '*/*;q=0.8',
  },
  'among others': {
    'application/json': 'text/html, application/xml;q=0.9, application/json;q=0.8, application/graphql-response+json;q=0.7, text/event-stream;q=0.1',
    'application/graphql-response+json': 'application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed',
    '*/*': 'text/html, image/avif, */*;q=0.1',
  },
  'in capitals, with what is not wanted': {
    'application/json': 'APPLICATION/GRAPHQL-RESPONSE+JSON;q=0,APPLICATION/JSON',
    'application/graphql-response+json': 'Application/GraphQL-Response+JSON , Application/JSON ; q=0.0',
    '*/*': 'application/*',
  },
};

for (const [way, make] of Object.entries(ways)) {
  for (const [spelling, accepts] of Object.entries(same)) {
    test(`the ${AUDITS} audits over ${way}, Accept headers ${spelling}`, async () => {
      const [server, carrier] = make();
      const authorization = `Bearer ${server.token()}`;
      const url = `${server.url.replace('127.0.0.1', 'localhost')}/graphql`;
      const fetchFn = (to, init = {}) => {
        const headers = { ...init.headers, authorization };
        if (accepts[headers.accept]) headers.accept = accepts[headers.accept];
        return carrier.ask(to, { ...init, headers });
      };
      const audits = serverAudits({ url, fetchFn });
      assert.equal(audits.length, AUDITS);
      const failed = [];
      for (const audit of audits) {
        const result = await audit.fn();
        if (spelling === 'as they are') console.log(`${result.status.padEnd(6)} ${result.id} ${result.name}`);
        if (result.status !== 'ok') failed.push(`${result.status} ${result.id} ${result.name}: ${result.reason}`);
      }
      await carrier.close();
      assert.deepEqual(failed, []);
    });
  }
}

// ---- what the audits leave open ----

async function ask(init, { path = '/graphql', server = plain } = {}) {
  const answer = await fetch(server.url + path, {
    method: 'POST', ...init,
    headers: { authorization: `Bearer ${server.token()}`, 'content-type': 'application/json', ...init.headers },
  });
  const text = await answer.text();
  return { status: answer.status, type: answer.headers.get('content-type'), headers: answer.headers, text, json: text.startsWith('{') ? JSON.parse(text) : undefined };
}
const document = (query, more = {}) => JSON.stringify({ query, ...more });
const GRAPHQL = 'application/graphql-response+json';
const code = (answer) => answer.json.errors[0].extensions.code;

test('an answer with data is 200, also when the data is null or in part', async () => {
  for (const accept of ['application/json', GRAPHQL]) {
    // A field error below a nullable field.
    let answer = await ask({ headers: { accept }, body: document('{ getOrder(orderId: "ORD-1", atVersion: 0) { stage } }') });
    assert.deepEqual([answer.status, answer.type], [200, `${accept}; charset=utf-8`]);
    assert.deepEqual(answer.json.data, { getOrder: null });
    assert.equal(answer.json.errors.length, 1);
    // One that reaches a root field that cannot be null: "data" is null, and there.
    answer = await ask({ headers: { accept }, body: document('{ orders(after: "nonsense") { nodes { stage } } }') });
    assert.equal(answer.status, 200);
    assert.equal(answer.json.data, null);
    assert.ok('data' in answer.json);
  }
});

test('a document that cannot run: 400 for graphql-response+json, 200 for JSON, never data', async () => {
  const faults = {
    syntax: document('{'),
    validation: document('{ nothing }'),
    'no such operation': document('query A { __typename }', { operationName: 'B' }),
    'which operation': document('query A { __typename } query B { __typename }'),
    variable: document('query($id: ID!) { getOrder(orderId: $id) { stage } }', { variables: {} }),
  };
  for (const [what, body] of Object.entries(faults))
    for (const [accept, status] of [['application/json', 200], [GRAPHQL, 400]]) {
      const answer = await ask({ headers: { accept }, body });
      assert.deepEqual([answer.status, answer.type], [status, `${accept}; charset=utf-8`], what);
      assert.ok(!('data' in answer.json), what);
      assert.ok(code(answer), what);
    }
});

test('a request that is none: 400 in the type that was asked for', async () => {
  const faults = ['', 'null', '[', '7', '"{ __typename }"', '{"query":null}', '{"query":["{ __typename }"]}', '{"query":"{ __typename }","variables":[]}',
    '{"query":"{ __typename }","extensions":"x"}', '{"query":"{ __typename }","operationName":{}}'];
  for (const body of faults)
    for (const accept of ['application/json', GRAPHQL]) {
      const answer = await ask({ headers: { accept }, body });
      assert.deepEqual([answer.status, answer.type, code(answer)], [400, `${accept}; charset=utf-8`, 'BAD_REQUEST'], body);
    }
  for (const query of ['variables=%5B%5D', 'variables=7', 'variables=%7B', 'extensions=%5B%5D', 'extensions=%22x%22', 'extensions=nonsense']) {
    const answer = await ask({ method: 'GET', headers: { accept: GRAPHQL } }, { path: `/graphql?query=%7B__typename%7D&${query}` });
    assert.deepEqual([answer.status, answer.type, code(answer)], [400, `${GRAPHQL}; charset=utf-8`, 'BAD_REQUEST'], query);
  }
  for (const query of ['variables=', 'variables=null', 'extensions=', 'extensions=null', 'extensions=%7B%7D', 'operationName=']) {
    const answer = await ask({ method: 'GET', headers: { accept: GRAPHQL } }, { path: `/graphql?query=%7B__typename%7D&${query}` });
    assert.equal(answer.text, '{"data":{"__typename":"Query"}}', query);
  }
});

test('406, 415, 405 and 401 say what would be right', async () => {
  const body = document('{ __typename }');
  let answer = await ask({ headers: { accept: 'text/html' }, body });
  assert.equal(answer.status, 406);
  assert.match(answer.json.errors[0].message, /application\/json.*application\/graphql-response\+json/);
  answer = await ask({ headers: { accept: 'application/json;q=0, application/graphql-response+json;q=0' }, body });
  assert.equal(answer.status, 406);
  for (const type of ['text/plain', 'application/graphql', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/jsonp']) {
    answer = await ask({ headers: { 'content-type': type }, body });
    assert.equal(answer.status, 415, type);
    assert.match(answer.json.errors[0].message, /application\/json/);
  }
  for (const charset of ['iso-8859-1', 'utf-16', '"latin1"']) {
    answer = await ask({ headers: { 'content-type': `application/json; charset=${charset}` }, body });
    assert.deepEqual([answer.status, code(answer)], [415, 'UNSUPPORTED_MEDIA_TYPE'], charset);
    assert.match(answer.json.errors[0].message, /UTF-8/);
  }
  for (const charset of ['utf-8', 'UTF-8', '"utf-8"', 'utf8'])
    assert.equal((await ask({ headers: { 'content-type': `application/json; charset=${charset}` }, body })).status, 200, charset);
  for (const method of ['PUT', 'PATCH', 'DELETE']) {
    answer = await ask({ method, body });
    assert.equal(answer.status, 405, method);
    assert.match(answer.headers.get('allow'), /GET.*POST/, method);
  }
  answer = await ask({ method: 'GET', headers: { accept: GRAPHQL } }, { path: '/graphql?query=mutation%7B__typename%7D' });
  assert.deepEqual([answer.status, answer.type, answer.headers.get('allow'), code(answer)], [405, `${GRAPHQL}; charset=utf-8`, 'POST', 'METHOD_NOT_ALLOWED']);
  // The operation that would run counts, not what else the document holds.
  answer = await ask({ method: 'GET' }, { path: `/graphql?query=${encodeURIComponent('query Q { __typename } mutation M { __typename }')}&operationName=Q` });
  assert.equal(answer.status, 200);
  answer = await ask({ headers: { authorization: 'Bearer nonsense', accept: GRAPHQL }, body });
  assert.equal(answer.status, 401);
});

test('text that is not UTF-8 is refused, not guessed', async () => {
  const connection = new Connection(plain);
  const answer = await connection.send({
    ':method': 'POST', ':path': '/graphql', 'content-type': 'application/json', authorization: `Bearer ${plain.token()}`,
  }, Buffer.from('{"query":"{ __type(name: \\"\xff\\") { name } }"}', 'latin1'));
  assert.equal(answer.status, 400, answer.body);
  connection.close();
});

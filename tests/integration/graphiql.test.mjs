// The page /graphiql in a real browser that can reach nothing but this machine: the editors, a query, a mutation, a
// subscription across a restart, and what it is without development mode.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';

import { Browser } from './lib/browser.mjs';
import { Caller, basket } from './lib/client.mjs';
import { Server } from './lib/server.mjs';

let server, browser;
before(async () => {
  server = await Server.start();
  browser = await Browser.start();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const editor = (name) => `document.querySelector('.graphiql-${name} .CodeMirror').CodeMirror`;
const answer = `document.querySelector('.result-window .CodeMirror').CodeMirror.getValue()`;
const click = (label) => browser.evaluate(`document.querySelector('[aria-label^="${label}"]').click()`);

test('the page loads with a token, and takes the schema with it', async () => {
  await browser.open(`${server.url}/graphiql`);
  await browser.waits(`${editor('query-editor')}.getValue().includes('query Orders')`, 'the query editor');
  const headers = await browser.evaluate(`[...document.querySelectorAll('.graphiql-editor-tool .CodeMirror')].map((one) => one.CodeMirror.getValue()).join('')`);
  assert.match(headers, /^\{\s*"Authorization": "Bearer ey[\w.-]+"\s*\}$/);
  await browser.waits(`${editor('query-editor')}.options.lint?.schema?.getQueryType()?.name === 'Query'`, 'the schema');
  assert.match(await browser.evaluate('document.body.innerText'), /Development mode/);
});

test('the default query runs', async () => {
  await click('Execute query');
  await browser.waits(`${answer}.includes('"pageInfo"')`, 'the answer');
  const { data } = JSON.parse(await browser.evaluate(answer));
  assert.equal(data.orders.nodes.length, 3);
  assert.match(data.orders.nodes[0].orderId, /^ORD-/);
});

// The editor knows its operation a moment after it has its text.
async function tab(at, operation) {
  await browser.evaluate(`document.querySelectorAll('.graphiql-tab-button')[${at}].click()`);
  await browser.waits(`${editor('query-editor')}.operationName === '${operation}'`, operation);
}

test('a mutation runs, twice with one outcome', async () => {
  await tab(1, 'Place');
  for (const created of [true, false]) {
    await click('Execute query');
    await browser.waits(`${answer}.includes('"created": ${created}')`, `created: ${created}`);
  }
});

test('a subscription shows what happens, across restarts, until it is stopped', async () => {
  const staff = new Caller(server);
  await tab(2, 'Watch');
  await click('Execute query');
  await browser.waits(`${answer}.includes('"event": null')`, 'the first checkpoint');
  await staff.does('createOrder', basket({ externalRef: 'PAGE-1' }));
  await browser.waits(`${answer}.includes('"command": "createOrder"')`, 'the event');
  const first = JSON.parse(await browser.evaluate(answer)).data.tenantEvents;
  assert.match(first.event.order.orderId, /^ORD-/);
  staff.close();

  // An orderly end and a sudden one; each time something happens before the page is back.
  for (const [end, command, input] of [['stop', 'placeHold', { reason: 'a restart' }], ['kill', 'addNote', { note: 'a crash' }]]) {
    await server[end]();
    server = await Server.start({ data: server.data, args: ['--listen', `127.0.0.1:${server.port}`] });
    const other = new Caller(server);
    await other.does(command, { orderId: first.event.order.orderId, ...input });
    other.close();
    await browser.waits(`${answer}.includes('"command": "${command}"')`, `what came after ${end}`);
  }
  await click('Stop query');
  await browser.waits(`document.querySelector('[aria-label^="Execute query"]') !== null`, 'the end');
});

test('no request has left for another host, and nothing was refused', async () => {
  const hosts = new Set(browser.requests.filter((url) => !url.startsWith('data:') && !url.startsWith('blob:')).map((url) => new URL(url).origin));
  assert.deepEqual([...hosts], [server.url]);
  assert.ok(browser.requests.length >= 6, browser.requests.join('\n'));
  const complaints = browser.complaints.filter((text) => !/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET/.test(text)); // we took the server away
  assert.deepEqual(complaints, []);
});

test('a page of another origin gets no token', async () => {
  const stranger = await Server.start();
  const given = await browser.evaluate(`fetch('${stranger.url}/graphiql/token').then((answer) => answer.text(), (error) => String(error))`);
  assert.doesNotMatch(given, /ey/);
  await stranger.stop();
});

test('without development mode the page is off, and switched on it has no token', async () => {
  const issuers = [{ issuer: 'office', audience: 'orders', algorithms: ['HS256'], hmac_secret: 'a secret of thirty-two bytes or more, for tests', tenants: '*', roles: '*' }];
  const off = await Server.start({ dev: false, config: { issuers } });
  for (const path of ['/graphiql', '/graphiql/token', '/graphiql/page.js']) assert.equal((await fetch(off.url + path)).status, 404);
  await off.stop();

  const on = await Server.start({ dev: false, config: { issuers, graphiql: true } });
  assert.deepEqual(await (await fetch(`${on.url}/graphiql/token`)).json(), { token: null, reason: '' });
  await browser.open(`${on.url}/graphiql`);
  await browser.waits(`document.body.innerText.includes('Requests need a token')`, 'the hint');
  await browser.waits(`${answer}.includes('UNAUTHENTICATED')`, 'the refusal');
  await on.stop();
});
execFileSync('chromium', ['--version'], { stdio: 'ignore' });

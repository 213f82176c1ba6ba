// A real browser: a page of another origin reads streams by EventSource with a ticket, by fetch with a token, and by
// WebSocket. The page reports to the test's own server when it has seen what it waits for.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { Caller, basket } from './lib/client.mjs';
import { Server, fresh, until } from './lib/server.mjs';

let server, staff, pages, origin;
const reports = [];

const page = (script) => `<!doctype html><meta charset="utf-8"><title>reader</title><script type="module">
const report = (kind, value) => fetch('/report', { method: 'POST', body: JSON.stringify({ kind, value }) });
window.onerror = (message) => report('error', String(message));
window.onunhandledrejection = (event) => report('error', String(event.reason));
${script}</script>`;

before(async () => {
  pages = http.createServer((request, response) => {
    if (request.method === 'POST') {
      let body = '';
      request.on('data', (text) => { body += text; });
      request.on('end', () => { reports.push(JSON.parse(body)); response.end('{}'); });
      return;
    }
    response.setHeader('content-type', 'text/html');
    response.end(page(scripts[new URL(request.url, 'http://x').pathname.slice(1)] ?? ''));
  });
  await new Promise((resolve) => pages.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${pages.address().port}`;
  server = await Server.start({ config: { tenants: [{ name: 'shop', cors_origins: [origin] }] }, dev: true });
  staff = new Caller(server, 'staff', 'sam', { tenant: 'shop' });
});
after(async () => {
  pages.close();
  pages.closeAllConnections();
  staff.close();
  await server.stop();
});

const scripts = {};

// Opens the page in a browser of its own and ends that.
async function browse(name, script, use) {
  scripts[name] = script;
  reports.length = 0;
  const browser = spawn('chromium', ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-dev-shm-usage',
    '--disable-background-networking', '--disable-component-update', '--disable-sync', `--user-data-dir=${fresh('-profile')}`, '--remote-debugging-port=0',
    `${origin}/${name}`], { stdio: 'ignore', detached: true });
  const ended = new Promise((resolve) => browser.on('close', resolve));
  try {
    await use();
    assert.deepEqual(reports.filter((report) => report.kind === 'error'), []);
  } finally {
    try { process.kill(-browser.pid, 'SIGKILL'); } catch { browser.kill('SIGKILL'); }
    await ended;
  }
}
const reported = (kind, count = 1) => until(() => reports.filter((report) => report.kind === kind).length >= count
  || reports.some((report) => report.kind === 'error'), 60000, `${kind}: ${JSON.stringify(reports)}`);
const subscription = 'subscription { tenantEvents { cursor event { command } } }';

test('EventSource with a ticket', async () => {
  await browse('eventsource', `
    const answer = await fetch('${server.url}/graphql', { method: 'POST', headers: { 'content-type': 'application/json', authorization: 'Bearer ${staff.token}' },
      body: JSON.stringify({ query: 'mutation { streamTicket { ticket } }' }) });
    const { ticket } = (await answer.json()).data.streamTicket;
    const source = new EventSource('${server.url}/graphql?query=' + encodeURIComponent('${subscription}') + '&ticket=' + ticket);
    source.addEventListener('next', (event) => {
      const item = JSON.parse(event.data).data.tenantEvents;
      report(item.event ? 'event' : 'checkpoint', { command: item.event?.command, same: event.lastEventId === item.cursor });
    });`, async () => {
    await reported('checkpoint');
    await staff.does('createOrder', basket());
    await reported('event');
    assert.deepEqual(reports.find((report) => report.kind === 'event').value, { command: 'createOrder', same: true });
  });
});

test('fetch with a token, read as it comes', async () => {
  await browse('fetch', `
    const answer = await fetch('${server.url}/graphql', { method: 'POST', headers: { 'content-type': 'application/json', accept: 'text/event-stream',
      authorization: 'Bearer ${staff.token}' }, body: JSON.stringify({ query: '${subscription}' }) });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ''; ;) {
      const { value, done } = await reader.read();
      if (done) break;
      text += value;
      for (let at; (at = text.indexOf('\\n\\n')) >= 0; text = text.slice(at + 2)) {
        const data = text.slice(0, at).match(/^data: (.*)$/m)?.[1];
        if (data) report(JSON.parse(data).data.tenantEvents.event ? 'event' : 'checkpoint', 0);
      }
    }`, async () => {
    await reported('checkpoint');
    await staff.does('createOrder', basket());
    await staff.does('createOrder', basket());
    await reported('event', 2);
  });
});

test('WebSocket', async () => {
  await browse('websocket', `
    const socket = new WebSocket('${server.url.replace('http', 'ws')}/graphql', 'graphql-transport-ws');
    socket.onopen = () => socket.send(JSON.stringify({ type: 'connection_init', payload: { Authorization: 'Bearer ${staff.token}' } }));
    socket.onclose = (event) => report('closed', event.code);
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === 'connection_ack') socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: '${subscription}' } }));
      if (message.type === 'next') report(message.payload.data.tenantEvents.event ? 'event' : 'checkpoint', 0);
    };`, async () => {
    await reported('checkpoint');
    await staff.does('createOrder', basket());
    await reported('event');
  });
});

test('a page that the tenant does not know is told so', async () => {
  const stranger = await Server.start({ dev: false, config: {
    issuers: [{ issuer: 'office', audience: 'orders', algorithms: ['HS256'], hmac_secret: 'a secret of thirty-two bytes or more, for tests', tenants: '*', roles: '*' }],
    tenants: [{ name: 'shop', cors_origins: ['https://shop.example'] }] } });
  await browse('stranger', `
    try { await fetch('${stranger.url}/graphql', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }); report('answered', 0); }
    catch (error) { report('refused', String(error)); }`, () => reported('refused'));
  await stranger.stop();
});
execFileSync('chromium', ['--version'], { stdio: 'ignore' });

// The program as a process: how it starts, refuses to start, reports on itself and ends.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';

import { Caller, Connection, basket } from './lib/client.mjs';
import { readToEnd } from './lib/raw_h2.mjs';
import { Server, certificate, curl, fresh, program, run, sleep, until, withServer } from './lib/server.mjs';

// Starts what must refuse: exit status 1 and one line on standard error, beside the log's lines.
async function refuses(args, line) {
  const answer = await run('serve', ...args);
  assert.equal(answer.code, 1, `${args.join(' ')}: ${answer.code} ${answer.stderr}`);
  const lines = answer.stderr.trim().split('\n').filter((one) => !one.startsWith('{'));
  assert.equal(lines.length, 1, answer.stderr);
  assert.match(lines[0], /^liteoms: /);
  assert.match(lines[0], line);
  assert.doesNotMatch(answer.stdout, /ready/);
}

const configured = (value) => {
  const file = fresh('.json');
  fs.writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value));
  return ['--dev', '--data', fresh('-data'), '--listen', '127.0.0.1:0', '--config', file];
};
const anywhere = ['--listen', '127.0.0.1:0'];

test('a port in use, a second process on the same data', () => withServer({}, async (server) => {
  await refuses(['--dev', '--data', fresh('-data'), '--listen', `127.0.0.1:${server.port}`], new RegExp(`127\\.0\\.0\\.1:${server.port}.*in use|another process`));
  await refuses(['--dev', '--data', server.data, ...anywhere], /data.*(another|in use|runs)/i);
  const verify = await run('verify', '--data', server.data);
  assert.equal(verify.code, 1);
  assert.match(verify.stderr, /^liteoms: [^\n]+\n$/);
  // Neither harmed the one that runs.
  const staff = new Caller(server);
  await staff.does('createOrder', basket());
  staff.close();
}));

test('folders that cannot be used', async () => {
  const file = fresh('-file');
  fs.writeFileSync(file, 'not a folder');
  await refuses(['--dev', '--data', file, ...anywhere], /data/);
  await refuses(['--dev', '--data', path.join(file, 'below'), ...anywhere], /data/);
  await refuses(['--dev', '--data', path.join(fresh('-missing'), 'deep', 'er'), ...anywhere], /cannot be made.*No such file/);
  const closed = fresh('-closed');
  fs.mkdirSync(closed, { mode: 0o000 });
  if (process.getuid() !== 0) await refuses(['--dev', '--data', closed, ...anywhere], /Permission denied/);
  await refuses(['--dev', '--data', '/proc/liteoms', ...anywhere], /cannot be made/);
});

test('a store that is damaged is refused, not repaired in silence', async () => {
  const data = fresh('-data');
  await withServer({ data }, async (server) => {
    const staff = new Caller(server);
    await staff.does('createOrder', basket());
    staff.close();
  });
  const key = path.join(data, 'store.key');
  const right = fs.readFileSync(key);
  fs.rmSync(key);
  await refuses(['--dev', '--data', data, ...anywhere], /key/);
  fs.writeFileSync(key, 'short', { mode: 0o600 });
  await refuses(['--dev', '--data', data, ...anywhere], /key/);
  fs.writeFileSync(key, right, { mode: 0o600 });
  const manifest = fs.readdirSync(path.join(data, 'log')).find((name) => name.startsWith('MANIFEST'));
  const whole = fs.readFileSync(path.join(data, 'log', manifest));
  fs.writeFileSync(path.join(data, 'log', manifest), Buffer.concat([whole.subarray(0, 20), Buffer.from('damage'), whole.subarray(26)]));
  await refuses(['--dev', '--data', data, ...anywhere], /./);
  fs.writeFileSync(path.join(data, 'log', manifest), whole);
  await withServer({ data }, async () => {});
});

test('keys and certificates that are none', async () => {
  const { cert, key } = certificate();
  const other = certificate();
  const text = fresh('.pem');
  fs.writeFileSync(text, 'not a key\n');
  const data = () => ['--dev', '--data', fresh('-data'), ...anywhere];
  await refuses([...data(), '--tls-cert', cert, '--tls-key', '/nowhere.pem'], /'\/nowhere\.pem'.*No such file/);
  await refuses([...data(), '--tls-cert', cert, '--tls-key', text], /key/);
  await refuses([...data(), '--tls-cert', text, '--tls-key', key], /certificate/);
  await refuses([...data(), '--tls-cert', cert, '--tls-key', other.key], /key/);
  const half = await run('serve', ...data(), '--tls-cert', cert);
  assert.equal(half.code, 2);
  assert.match(half.stderr, /^liteoms: .*--tls-cert and --tls-key/);
});

test('configurations that are wrong name the key, and the nearest valid one', async () => {
  await refuses(configured({ lisen: 'x' }), /lisen.*listen/);
  await refuses(configured({ limits: { body_byte: 1 } }), /body_byte.*body_bytes/);
  await refuses(configured({ limits: { body_bytes: 'many' } }), /body_bytes/);
  await refuses(configured({ limits: { body_bytes: 1e12 } }), /body_bytes/);
  await refuses(configured({ log_level: 'loud' }), /log_level/);
  await refuses(configured('{ "dev": true,\n  "dev" }'), /line 2/);
  await refuses(configured({ issuers: [{ issuer: 'x' }] }), /issuers/);
  await refuses(configured({ issuers: [{ issuer: 'x', audience: 'a', algorithms: ['none'], key: 'x', tenants: '*', roles: '*' }] }), /none/);
  await refuses(configured({ issuers: [{ issuer: 'x', audience: 'a', algorithms: ['HS256'], hmac_secret: 'short', tenants: '*', roles: '*' }] }), /32/);
  await refuses(configured({ issuers: [{ issuer: 'x', audience: 'a', algorithms: ['RS256'], key: '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n', tenants: '*', roles: '*' }] }), /key/);
  await refuses(configured({ tenants: [{ name: 'Not A Name' }] }), /tenants\[0\]/);
  await refuses(configured({ tenants: [{ name: 'a', colour: 'red' }] }), /colour/);
  await refuses(configured({ tenants: [{ name: 'a', rolemap: [{ role: 'x', permission: 'get_ordr' }] }] }), /get_ordr.*get_order/);
  await refuses(configured({ tenants: [{ name: 'a', workflow: { steps: [{ stage: 'NOWHERE', stepName: 's', activityStatus: 'A', sequence: 1 }] } }] }), /NOWHERE|stage/);
  await refuses(['--dev', '--data', fresh('-data'), ...anywhere, '--config', '/nowhere.json'], /'?\/nowhere\.json'?.*No such file/);
  await refuses(['--data', fresh('-data'), ...anywhere], /issuer.*--dev/);
  await refuses(['--dev', '--data', fresh('-data'), '--listen', 'nonsense'], /nonsense/);
  await refuses(['--dev', '--data', fresh('-data'), '--listen', '127.0.0.1:99999'], /99999/);
});

test('a configuration that is refused leaves nothing behind', async () => {
  for (const [config, line] of [[{ tenants: [{ name: 'a', rolemap: [{ role: 'x', permission: 'get_ordr' }] }] }, /tenants\[0\].*get_order/],
    [{ tenants: [{ name: 'a' }, { name: 'b', limits: { open_orders: -5 } }] }, /tenants\[1\].*limits\.open_orders must be/]]) {
    const args = configured(config);
    await refuses(args, line);
    assert.equal(fs.existsSync(args[args.indexOf('--data') + 1]), false);
  }
  const data = fresh('-data');
  await refuses(['--data', data, ...anywhere], /issuer.*--dev/);
  assert.equal(fs.existsSync(data), false);
});

test('the command line', async () => {
  for (const [args, code, line] of [[['sevre'], 2, /'sevre'; did you mean 'serve'/], [['serve', '--sharsd', '2'], 2, /--sharsd/], [['serve', '--shards', 'two'], 2, /two/], [['serve', 'x'], 2, /'x'/],
    [['token', '--tenant', 'a'], 2, /required/], [['verify', '--data', '/nowhere'], 1, /\/nowhere/], [[], 2, /usage/]]) {
    const answer = await run(...args);
    assert.equal(answer.code, code, `${args}: ${answer.stderr}`);
    assert.match(answer.stderr, line);
  }
  for (const args of [['--help'], ['serve', '--help'], ['token', '--help'], ['import', '--help'], ['verify', '--help'], ['tenant', '--help'], ['apikey', '--help']]) {
    const answer = await run(...args);
    assert.equal(answer.code, 0);
    assert.match(answer.stdout, /usage: liteoms/);
  }
  assert.match((await run('--version')).stdout, /^liteoms \d+\.\d+\.\d+\n$/);
});

test('healthz, readyz, metrics', () => withServer({ args: ['--shards', '2'] }, async (server) => {
  assert.deepEqual([(await curl(`${server.url}/healthz`)).body, (await curl(`${server.url}/readyz`)).body], ['ok\n', 'ready\n']);
  const staff = new Caller(server);
  const { orderId } = await staff.does('createOrder', basket());
  for (let i = 0; i < 10; i++) await staff.does('addNote', { orderId, note: `${i}`, idempotencyKey: `${i}` });
  await staff.command('addNote', { orderId, note: '1', idempotencyKey: '1' });
  await staff.refused('WRONG_STAGE', 'confirmOrder', { orderId });
  staff.close();
  const { body, headers } = await curl(`${server.url}/metrics`);
  assert.match(headers['content-type'], /^text\/plain; version=0\.0\.4/);
  const names = new Set();
  for (const line of body.trimEnd().split('\n')) {
    if (line.startsWith('# ')) { assert.match(line, /^# (HELP|TYPE) [a-z_]+ \S/); continue; }
    const match = line.match(/^([a-z_]+)(\{[^}]*\})? (-?[0-9.e+]+|NaN|\+Inf)$/);
    assert.ok(match, line);
    names.add(match[1]);
    if (match[1].startsWith('liteoms_engine_')) continue; // as the engine names them
    assert.ok(body.includes(`# TYPE ${match[1].replace(/_(bucket|sum|count)$/, '')} `) || body.includes(`# TYPE ${match[1]} `), line);
  }
  for (const name of ['liteoms_http_requests_total', 'liteoms_http_request_duration_seconds_bucket', 'liteoms_mailbox_depth', 'liteoms_actors_live', 'liteoms_plan_cache_hits_total'])
    assert.ok(names.has(name), name);
  assert.ok([...names].some((name) => name.startsWith('liteoms_commit_batch_units')) && [...names].some((name) => name.startsWith('liteoms_commit_sync_seconds')));
  await until(async () => await server.metric('liteoms_commands_accepted_total') >= 11, 5000, 'the counters');
  assert.equal(await server.metric('liteoms_commands_replayed_total'), 1);
  assert.ok(await server.metric('liteoms_commands_refused_total') >= 1);
  assert.ok(await server.metric('liteoms_plan_cache_hits_total') >= 10);
  assert.ok(await server.metric('liteoms_http_requests_total', 'route="/graphql",code="2xx"') >= 13);
}));

test('SIGTERM: what is in flight is answered, then exit status 0', async () => {
  for (const signal of ['SIGTERM', 'SIGINT']) {
    const server = await Server.start({ args: ['--shards', '2'], config: { limits: { drain_grace_ms: 300 } } });
    const staff = new Caller(server);
    const { orderId } = await staff.does('createOrder', basket());
    const idle = net.connect(server.port, '127.0.0.1');
    const silent = readToEnd(idle, 10000);
    // A request whose body is not complete yet when the signal comes.
    const late = net.connect(server.port, '127.0.0.1');
    const answer = readToEnd(late, 10000);
    const text = JSON.stringify({ query: `mutation { addNote(input: { orderId: "${orderId}", note: "late" }) { userErrors { code } order { version } } }` });
    late.write(`POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${staff.token}\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text.slice(0, 20)}`);
    const busy = Promise.all(Array.from({ length: 200 }, (_, i) => staff.command('addNote', { orderId, note: `${i}` }, { select: 'version' })));
    await sleep(50);
    server.child.kill(signal);
    await sleep(100);
    const ready = await curl(`${server.url}/readyz`);
    assert.deepEqual([ready.status, ready.body], [503, 'draining\n']);
    late.write(text.slice(20));
    assert.match((await answer).toString(), /HTTP\/1\.1 200[\s\S]*"userErrors":\[\]/);
    assert.ok((await busy).every((payload) => payload.result.success));
    assert.notEqual(await silent, null);
    assert.equal(await server.exited, 0, server.log);
    assert.ok(staff.connection.goaway);
    // What was answered is there.
    const again = await Server.start({ data: server.data });
    const reader = new Caller(again);
    assert.equal((await reader.order(orderId, 'version')).version, 202);
    reader.close();
    await again.stop();
    await again.verify();
  }
});

test('SIGTERM while clients never stop: ends in time, and what was acknowledged is there', async () => {
  const server = await Server.start({ config: { limits: { drain_timeout_ms: 3000 } } });
  const staff = new Caller(server);
  const { orderId } = await staff.does('createOrder', basket());
  let acknowledged = 0, on = true;
  const clients = Array.from({ length: 4 }, () => new Connection(server));
  const work = clients.map(async (client) => {
    while (on) {
      const answer = await client.post(staff.token, `mutation { addNote(input: { orderId: "${orderId}", note: "n" }) { userErrors { code } } }`);
      if (answer.json?.data?.addNote.userErrors.length === 0) acknowledged++;
      else if (answer.status === 0) return;
    }
  });
  await sleep(300);
  const began = Date.now();
  server.child.kill('SIGTERM');
  assert.equal(await server.exited, 0, server.log);
  assert.ok(Date.now() - began < 6000);
  on = false;
  await Promise.all(work);
  staff.connection.destroy();
  assert.ok(acknowledged > 10);
  const again = await Server.start({ data: server.data });
  const reader = new Caller(again);
  assert.equal((await reader.order(orderId, 'version')).version, acknowledged + 1);
  reader.close();
  await again.stop();
});

test('what was there is there after a restart: orders, keys, tenants, holds and their timers', async () => {
  const data = fresh('-data');
  let order;
  await withServer({ data, args: ['--shards', '2'] }, async (server) => {
    const staff = new Caller(server);
    order = await staff.does('createOrder', basket());
    await staff.does('addNote', { orderId: order.orderId, note: 'kept', idempotencyKey: 'k' });
    order = await staff.does('placeHold', { orderId: order.orderId, reason: 'short', expiresAt: new Date(Date.now() + 1500).toISOString() });
    staff.close();
  });
  // Another number of shards must not matter.
  await withServer({ data, args: ['--shards', '3'] }, async (server) => {
    const staff = new Caller(server);
    assert.equal((await staff.query('{ ordersCount { count } }')).ordersCount.count, 4);
    const now = await until(async () => {
      const seen = await staff.order(order.orderId);
      return seen.holds[0].releasedAt && seen;
    }, 10000, 'the hold to expire after the restart');
    assert.equal(now.version, order.version + 1);
    assert.deepEqual(now.notes, order.notes);
    assert.equal((await staff.command('addNote', { orderId: order.orderId, note: 'kept', idempotencyKey: 'k' })).replayed, true);
    staff.close();
  });
});

test('the ready line comes when requests are answered, and the demo command of it works', async () => {
  await withServer({}, async (server) => {
    const [command] = server.output.match(/^curl .*$/m);
    const [, token] = server.output.match(/^TOKEN=(\S+)$/m);
    const answer = spawnSync('sh', ['-c', command], { env: { ...process.env, TOKEN: token }, encoding: 'utf8' });
    const { createOrder } = JSON.parse(answer.stdout).data;
    assert.deepEqual([createOrder.created, createOrder.order.stage, createOrder.order.finalAmount.amount], [true, 'CONFIRMED', '15.00']);
  });
  assert.ok(fs.existsSync(program));
});

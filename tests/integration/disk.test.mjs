// A full disk: new commands are refused before the write with a clear error, reads go on, and writes resume when there is
// room. On a small tmpfs, which only root may mount; elsewhere the test is skipped.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import { Caller, basket } from './lib/client.mjs';
import { Server, curl, fresh, until, withServer } from './lib/server.mjs';

function mount(size) {
  const where = fresh('-mount');
  fs.mkdirSync(where);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', where], { stdio: 'pipe' });
  } catch (error) {
    return { skip: `a tmpfs cannot be mounted here: ${String(error.stderr ?? error.message).trim()}` };
  }
  const unmount = () => execFileSync('umount', ['-l', where]);
  process.once('exit', unmount);
  return { where, unmount: () => { process.removeListener('exit', unmount); unmount(); } };
}

const free = (where) => { const info = fs.statfsSync(where); return info.bavail * info.bsize; };

test('a full disk', async (context) => {
  let server, staff;
  const disk = mount('320m');
  if (disk.skip) { context.skip(disk.skip); return; }
  context.after(async () => {
    if (!server.gone) await server.kill();
    staff.connection.destroy();
    disk.unmount();
  });
  // On top of the reserve the server keeps room for what is in flight, and its log is allocated ahead.
  const reserve = 64 << 20;
  const options = { data: path.join(disk.where, 'data'), config: { limits: { disk_reserve_bytes: reserve } } };
  server = await Server.start(options);
  staff = new Caller(server);
  const { orderId } = await staff.does('createOrder', basket());
  let accepted = 1;
  const ballast = path.join(disk.where, 'ballast');
  const add = (note) => staff.command('addNote', { orderId, note, idempotencyKey: note }, { select: 'version' });

  // Somebody else fills the disk to below the reserve.
  const fill = () => fs.writeFileSync(ballast, Buffer.alloc(Math.max(0, free(disk.where) - (reserve >> 1)), 1));
  fill();
  const refused = await until(async () => {
    const payload = await add(`fills ${accepted}`);
    if (payload.result.success) accepted++;
    return payload.userErrors.length && payload;
  }, 20000, 'a refusal');
  assert.deepEqual([refused.userErrors[0].code, refused.replayed], ['BUSY', false]);
  assert.match(refused.userErrors[0].message, /disk/i);
  // Nothing is changed by what is refused, and reads go on.
  for (let i = 0; i < 20; i++) assert.equal((await add(`refused ${i}`)).userErrors[0].code, 'BUSY');
  const made = await staff.command('createOrder', basket(), { select: 'orderId' });
  assert.equal(made.userErrors[0].code, 'BUSY');
  assert.equal((await staff.order(orderId, 'version')).version, accepted);
  assert.equal((await staff.query('{ orders { nodes { id } } tenantEventLog { nodes { id } } ordersCount { count } }')).ordersCount.count, 4);
  assert.equal((await curl(`${server.url}/healthz`)).status, 200);
  const ready = await curl(`${server.url}/readyz`);
  assert.deepEqual([ready.status, /disk/.test(ready.body)], [503, true]);
  assert.equal(await server.metric('liteoms_store_refusing'), 1);
  assert.ok(server.log.includes('disk'), 'the log says so');
  // With room again, writes resume by themselves; the same keys are taken.
  fs.rmSync(ballast);
  await until(async () => (await add('refused 0')).result.success, 20000, 'writes to resume');
  accepted++;
  for (let i = 1; i < 20; i++) {
    const payload = await add(`refused ${i}`);
    assert.deepEqual([payload.userErrors, payload.replayed, payload.order.version], [[], false, ++accepted]);
  }
  await until(async () => (await curl(`${server.url}/readyz`)).status === 200, 10000, 'readyz');
  // Full while commands come from many at once, and nearly to the last byte.
  const storm = (count) => Promise.all(Array.from({ length: count }, (_, i) => add(`storm ${accepted} ${i}`)));
  const large = 'x'.repeat(3900);
  fill();
  const outcomes = await Promise.all(Array.from({ length: 400 }, (_, i) => staff.command('addNote', { orderId, note: `${i} ${large}` }, { select: 'version' })));
  accepted += outcomes.filter((payload) => payload.result.success).length;
  assert.ok(outcomes.every((payload) => payload.result.success || payload.userErrors[0].code === 'BUSY'));
  assert.equal((await staff.order(orderId, 'version')).version, accepted);
  // A start on a full disk reads as well, and a stop is clean.
  staff.close();
  await server.stop();
  // A tenant's new settings wait for room; what is stored goes on.
  const changed = { ...options, config: { ...options.config, tenants: [{ name: 'demo', currency: 'NOK' }, { name: 'newcomer' }] } };
  const newcomer = async () => { const { status, json } = await staff.as('staff', 'staff', { tenant: 'newcomer' }).post('{ viewer { subject } }'); return json?.errors?.[0].extensions.code ?? status; };
  const currency = async () => (await staff.query('{ viewer { tenant { defaultCurrency } } }')).viewer.tenant.defaultCurrency;
  server = await Server.start(changed);
  staff = new Caller(server);
  assert.deepEqual(server.events('server.tenant_kept').map((event) => event.tenant), ['demo']);
  assert.deepEqual(server.events('server.tenant_missing').map((event) => event.tenant), ['newcomer']);
  assert.equal(await currency(), null);
  assert.equal(await newcomer(), 'FORBIDDEN');
  assert.equal((await staff.order(orderId, 'version')).version, accepted);
  assert.equal((await storm(10)).filter((payload) => payload.result.success).length, 0);
  fs.rmSync(ballast);
  await until(async () => (await add('after all')).result.success, 20000, 'writes to resume after the restart');
  assert.equal((await staff.order(orderId, 'version')).version, ++accepted);
  staff.close();
  await server.stop();
  server = await Server.start(changed);
  staff = new Caller(server);
  assert.deepEqual([await currency(), await newcomer()], ['NOK', 200]);
  assert.deepEqual([...server.events('server.tenant_kept'), ...server.events('server.tenant_missing')], []);
  staff.close();
  await server.stop();
  await server.verify();
});

test('a first start on a full disk: it serves, and the next one with room makes what is missing', async (context) => {
  const disk = mount('200m');
  if (disk.skip) { context.skip(disk.skip); return; }
  context.after(() => disk.unmount());
  const ballast = path.join(disk.where, 'ballast');
  fs.writeFileSync(ballast, Buffer.alloc(free(disk.where) - (60 << 20), 1));
  const options = { data: path.join(disk.where, 'data'), config: { limits: { disk_reserve_bytes: 64 << 20 } } };
  const orders = async (server) => {
    const staff = new Caller(server);
    const { status, json } = await staff.post('{ ordersCount { count } }');
    staff.close();
    return json?.data?.ordersCount.count ?? json?.errors?.[0].extensions.code ?? status;
  };
  await withServer(options, async (server) => {
    assert.deepEqual(server.events('server.tenant_missing').map((event) => event.tenant), ['demo']);
    assert.equal(server.events('server.no_samples').length, 1);
    assert.equal(await orders(server), 'FORBIDDEN');
  });
  fs.rmSync(ballast);
  await withServer(options, async (server) => assert.equal(await orders(server), 3));
});

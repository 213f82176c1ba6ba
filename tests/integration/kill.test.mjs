// kill -9 at random moments under load, again and again on one data folder (LITEOMS_KILL_ROUNDS times; `make kill-test`).
//
// Every command carries a word of its own in its text, and an idempotency key. After each crash the tenants' event logs
// are read on from where the last check ended, and hold the clients to this:
// - the word of an acknowledged command is there exactly once, with the version that was acknowledged;
// - the word of a command whose answer was lost is there once or not at all, and its repeat with the same key is accepted,
//   says `replayed` exactly when it was there, and leaves it there once;
// - sequences and versions of an order have no gap, commits of a tenant only grow, nothing that was read has vanished;
// - states agree with events; `liteoms verify` finds no difference, before the restart and at the end.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Connection, basket } from './lib/client.mjs';
import { Server, fresh, run, sleep } from './lib/server.mjs';

const rounds = Number(process.env.LITEOMS_KILL_ROUNDS ?? 6);
const seed = Number(process.env.LITEOMS_KILL_SEED ?? Date.now() % 1e6);
const connections = 6, writersEach = 8, readersEach = 2, startMsMax = 20000;
const tenants = ['first', 'second'];

// A small generator (mulberry32), so that a seed names the choices, if not the timing.
let state = seed;
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];

// What the clients know of one tenant.
class World {
  constructor(tenant) {
    this.tenant = tenant;
    this.orders = []; // { orderId, seen: the highest version that anybody read, version, sequence: as of the last check }
    this.byId = new Map();
    this.acked = new Map(); // word → { orderId, version, command }
    this.unknown = new Map(); // word → { name, input }
    this.found = new Map(); // word → how often the log has it
    this.cursor = '0';
    this.commit = 0n;
    this.events = 0;
  }

  meet(orderId, version) {
    let order = this.byId.get(orderId);
    if (!order) {
      order = { orderId, seen: 0, version: 0, sequence: 0, holds: [] };
      this.byId.set(orderId, order);
      this.orders.push(order);
    }
    order.seen = Math.max(order.seen, version);
    return order;
  }
}

const worlds = tenants.map((tenant) => new World(tenant));
let words = 0;
const counts = { acked: 0, unknown: 0, refused: 0, repeatsMade: 0, repeatsReplayed: 0, startMs: [] };

const typeOf = (name) => `${name[0].toUpperCase()}${name.slice(1)}Input`;

// Sends a command; 'acked', 'refused' or 'unknown' (nobody can say).
async function send(client, world, word, name, input, byHeader) {
  const keyed = byHeader ? input : { ...input, idempotencyKey: word };
  const answer = await client.connection.post(client.tokens[world.tenant],
    `mutation($input: ${typeOf(name)}!) { ${name}(input: $input) { replayed userErrors { code message }
      order { orderId version holds { holdId releasedAt } } } }`, { input: keyed }, byHeader ? { 'idempotency-key': word } : {});
  const payload = answer.json?.data?.[name];
  if (!payload) {
    assert.ok(answer.status === 0 || answer.status === 503 || answer.error, `${name}: ${answer.status} ${answer.body}`);
    return { outcome: 'unknown' };
  }
  const code = payload.userErrors[0]?.code;
  if (code === 'OUTCOME_UNKNOWN') return { outcome: 'unknown' };
  if (code) return { outcome: 'refused', code, payload };
  return { outcome: 'acked', payload };
}

function choose(world, word) {
  const order = world.orders.length && (random() < 0.3 ? world.orders[below(Math.min(3, world.orders.length))] : pick(world.orders));
  const kind = random();
  if (!order || kind < 0.2) return ['createOrder', { ...basket(), externalRef: word, customerDetails: { name: word } }];
  const { orderId } = order;
  if (kind < 0.6) return ['addNote', { orderId, note: word }];
  if (kind < 0.8) return ['recordPayment', { orderId, amount: { amount: '0.01', currency: 'USD' }, provider: 'p', transactionId: word }];
  const hold = order.holds.find((one) => !one.taken);
  if (!hold && kind < 0.9) return ['placeHold', { orderId, reason: word, blocks: ['markAsCompleted'] }];
  if (!hold) return ['addNote', { orderId, note: word, visibleToCustomer: true }];
  hold.taken = true;
  return ['releaseHold', { orderId, holdId: hold.holdId, reason: word }];
}

async function writer(client, running) {
  while (running()) {
    const world = pick(worlds);
    const word = `word-${++words}.`;
    const [name, input] = choose(world, word);
    const byHeader = random() < 0.3;
    const { outcome, payload, code } = await send(client, world, word, name, input, byHeader);
    if (outcome === 'acked') {
      counts.acked++;
      assert.equal(payload.replayed, false);
      const order = world.meet(payload.order.orderId, payload.order.version);
      for (const hold of payload.order.holds)
        if (!hold.releasedAt && !order.holds.some((one) => one.holdId === hold.holdId)) order.holds.push({ holdId: hold.holdId });
      world.acked.set(word, { orderId: payload.order.orderId, version: payload.order.version, command: name });
    } else if (outcome === 'unknown') {
      counts.unknown++;
      world.unknown.set(word, { name, input, byHeader });
      if (client.connection.session.destroyed || client.connection.session.closed) return;
    } else {
      counts.refused++;
      assert.ok(code === 'BUSY' || code === 'LIMIT_EXCEEDED' || name === 'releaseHold', `${name}: ${code}`);
      await sleep(5);
    }
  }
}

// Whatever a reader has been shown must survive.
async function reader(client, running) {
  while (running()) {
    const world = pick(worlds);
    const token = client.tokens[world.tenant];
    const one = world.orders.length ? pick(world.orders).orderId : 'ORD-00000000000000000000000000';
    const answer = await client.connection.post(token, random() < 0.7
      ? `{ getOrder(orderId: "${one}") { orderId version } }`
      : '{ orders(first: 30) { nodes { orderId version } } tenantEventLog(first: 1) { nodes { cursor } } }');
    const data = answer.json?.data;
    if (!data) return;
    for (const order of data.orders?.nodes ?? [data.getOrder])
      if (order) world.meet(order.orderId, order.version);
    await sleep(2);
  }
}

async function load(server, ms) {
  let on = true;
  const running = () => on;
  const tokens = Object.fromEntries(tenants.map((tenant) => [tenant, server.token('staff', 'load', { tenant, ttl: 10 * 3600 })]));
  const clients = Array.from({ length: connections }, () => ({ connection: new Connection(server), tokens }));
  let fault;
  const work = clients.flatMap((client) => [
    ...Array.from({ length: writersEach }, () => writer(client, running)),
    ...Array.from({ length: readersEach }, () => reader(client, running))])
    .map((one) => one.catch((error) => { fault ??= error; on = false; }));
  await sleep(ms);
  return async () => {
    on = false;
    await Promise.all(work);
    clients.forEach((client) => client.connection.destroy());
    if (fault) throw fault;
  };
}

// Reads the tenant's log from the last check on.
async function readLog(client, world) {
  const token = client.tokens[world.tenant];
  for (let more = true; more;) {
    const { tenantEventLog: { nodes, pageInfo } } = await client.connection.data(token,
      `query($after: String) { tenantEventLog(first: 200, after: $after) { nodes { cursor sequence version commit command type change
        order { orderId version } } pageInfo { hasNextPage endCursor } } }`, { after: world.cursor });
    for (const event of nodes) {
      const order = world.meet(event.order.orderId, 0);
      assert.equal(event.order.version, event.version);
      assert.ok(BigInt(event.commit) >= world.commit, `commits ${world.commit}, then ${event.commit}`);
      world.commit = BigInt(event.commit);
      assert.equal(event.sequence, order.sequence + 1, `${order.orderId}: event ${event.sequence} after ${order.sequence}`);
      assert.ok(event.version === order.version || event.version === order.version + 1,
        `${order.orderId}: version ${event.version} after ${order.version}`);
      order.sequence = event.sequence;
      order.version = event.version;
      world.events++;
      // A command's first event carries its word; what follows in the same version is its consequence.
      const [word] = JSON.stringify(event.change).match(/word-\d+\./) ?? [];
      if (!word || world.found.get(word)?.version === event.version) continue;
      assert.ok(!world.found.has(word), `${word} is there twice: ${JSON.stringify([world.found.get(word), event])}`);
      world.found.set(word, { orderId: order.orderId, version: event.version, command: event.command });
    }
    world.cursor = pageInfo.endCursor ?? world.cursor;
    more = pageInfo.hasNextPage;
  }
}

function checkAcked(world) {
  for (const [word, acked] of world.acked) {
    const found = world.found.get(word);
    assert.ok(found, `${word} (${JSON.stringify(acked)}) was acknowledged and is lost`);
    assert.deepEqual(found, acked, word);
  }
  for (const order of world.orders)
    assert.ok(order.version >= order.seen, `${order.orderId}: version ${order.seen} was shown, now it is ${order.version}`);
}

// Repeats what got no answer; afterwards everything is acknowledged.
async function repeatUnknown(client, world) {
  for (const [word, { name, input, byHeader }] of world.unknown) {
    const was = world.found.get(word);
    const { outcome, payload, code } = await send(client, world, word, name, input, byHeader);
    if (outcome === 'refused' && name === 'releaseHold') continue;
    assert.equal(outcome, 'acked', `${word} ${name} ${code} ${JSON.stringify(payload)}`);
    assert.equal(payload.replayed, Boolean(was), `${word} ${name}: replayed`);
    counts[was ? 'repeatsReplayed' : 'repeatsMade']++;
    world.acked.set(word, was ?? { orderId: payload.order.orderId, version: payload.order.version, command: name });
  }
  world.unknown.clear();
}

// The state of an order tells what its events tell.
async function checkState(client, world, order) {
  const { getOrder } = await client.connection.data(client.tokens[world.tenant], `{ getOrder(orderId: "${order.orderId}") {
    version notes { text } payments { transactionId } events(first: 200) { nodes { sequence } } } }`);
  assert.equal(getOrder.version, order.version, order.orderId);
  const mine = [...world.found].filter(([, at]) => at.orderId === order.orderId);
  const texts = (command) => mine.filter(([, at]) => at.command === command).map(([word]) => word).sort();
  assert.deepEqual(getOrder.notes.map((note) => note.text).sort(), texts('addNote'), order.orderId);
  assert.deepEqual(getOrder.payments.map((payment) => payment.transactionId).sort(), texts('recordPayment'), order.orderId);
  assert.deepEqual(getOrder.events.nodes.map((event) => event.sequence), Array.from({ length: Math.min(200, order.sequence) }, (_, i) => i + 1));
}

async function checkCount(client, world) {
  let count = 0, after = null, more = true;
  while (more) {
    const { orders } = await client.connection.data(client.tokens[world.tenant], `query($after: String) {
      orders(first: 200, after: $after) { nodes { orderId version } pageInfo { hasNextPage endCursor } } }`, { after });
    for (const node of orders.nodes) assert.equal(node.version, world.byId.get(node.orderId)?.version, node.orderId);
    count += orders.nodes.length;
    ({ hasNextPage: more, endCursor: after } = orders.pageInfo);
  }
  assert.equal(count, world.orders.length);
}

async function check(server, all) {
  const tokens = Object.fromEntries(tenants.map((tenant) => [tenant, server.token('staff', 'load', { tenant, ttl: 10 * 3600 })]));
  const client = { connection: new Connection(server), tokens };
  for (const world of worlds) {
    await readLog(client, world);
    checkAcked(world);
    await repeatUnknown(client, world);
    await readLog(client, world);
    checkAcked(world);
    const sample = all ? world.orders : world.orders.filter((_, i) => i < 3 || random() < 0.1);
    for (const order of sample) await checkState(client, world, order);
    await checkCount(client, world);
    if (!all) world.acked.clear(); // checked; the found ones stay, for words that come again
  }
  client.connection.close();
}

async function verifyAfterCrash(data) {
  const answer = await run('verify', '--data', data);
  assert.equal(answer.code, 0, answer.stdout + answer.stderr);
  assert.match(answer.stdout, / 0 differences\n$/);
}

test(`${rounds} rounds of kill -9, seed ${seed}`, { timeout: (rounds + 3) * 60000 }, async (context) => {
  const data = fresh('-data');
  const options = { data, config: { tenants: tenants.map((name) => ({ name })), log_level: 'warn' }, args: ['--shards', '2'] };
  let server;
  for (let round = 1; round <= rounds; round++) {
    const how = round > 1 && random() < 0.15 ? 'at start' : random() < 0.15 ? 'while draining' : 'under load';
    if (how === 'at start') {
      const starting = Server.start(options).catch(() => null);
      await sleep(below(400));
      const started = await Promise.race([starting, sleep(0)]);
      for (const child of Server.running()) child.kill('SIGKILL');
      await (started?.exited ?? starting.then((one) => one?.exited));
    } else {
      server = await Server.start(options);
      counts.startMs.push(server.startMs);
      assert.ok(server.startMs < startMsMax, `ready after ${server.startMs} ms`);
      if (round > 1) await check(server, false);
      const end = await load(server, 100 + below(900));
      if (how === 'while draining') {
        server.child.kill('SIGTERM');
        await sleep(below(150));
      }
      await server.kill();
      await end();
      assert.doesNotMatch(server.log, /"level":"error"|ERROR: |runtime error/, server.log);
    }
    await verifyAfterCrash(data);
    if (round % 10 === 0) console.log(`# round ${round}: ${JSON.stringify({ ...counts, startMs: Math.max(...counts.startMs) | 0 })}`);
  }
  server = await Server.start(options);
  counts.startMs.push(server.startMs);
  await check(server, true);
  await server.stop();
  const report = await server.verify();
  const orders = worlds.reduce((sum, world) => sum + world.orders.length, 0);
  const startMs = `${Math.min(...counts.startMs) | 0} to ${Math.max(...counts.startMs) | 0}`;
  context.diagnostic(`${counts.acked} acknowledged, ${counts.unknown} without an answer (${counts.repeatsReplayed} were there, `
    + `${counts.repeatsMade} were not), ${counts.refused} refused; ${orders} orders, ${report.units} units; ready in ${startMs} ms`);
  assert.ok(counts.acked > rounds * 5 && orders > 0);
});

// A disk that fails below the real program: a sync, or the write before it, of the log fails in the middle of load.
//
// Who was in flight is told OUTCOME_UNKNOWN and to retry with the same key, nobody is told anything else that may turn out
// untrue; the process stops with exit status 1 and says why in one line. After a start without the fault every acknowledged
// command is there once, what was unknown is there once or not at all, its retry with the same key says which of both, and
// afterwards it is there once; `liteoms verify` finds no difference.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';

import { Connection, basket } from './lib/client.mjs';
import { Server, fresh, run, sleep } from './lib/server.mjs';

const library = process.env.LITEOMS_DISK_FAULT;
assert.ok(library && fs.existsSync(library), 'LITEOMS_DISK_FAULT names the preloaded library (tests/integration/fault)');
const wal = '*/log/*.log';
const writers = 24;

// A server whose disk fails once arm() is called. A sanitizer wants to come first among the libraries; here we do.
async function startFaulty(data, fault, files) {
  const trigger = fresh('-trigger');
  const server = await Server.start({ data, args: ['--shards', '2'], command: ['env', `LD_PRELOAD=${library}`,
    `ASAN_OPTIONS=${[process.env.ASAN_OPTIONS, 'verify_asan_link_order=0'].filter(Boolean).join(':')}`,
    `LITEOMS_FAULT=${fault}`, `LITEOMS_FAULT_FILES=${files}`, `LITEOMS_FAULT_TRIGGER=${trigger}`] });
  return { server, arm: () => fs.writeFileSync(trigger, '') };
}

const typeOf = (name) => `${name[0].toUpperCase()}${name.slice(1)}Input`;
async function send(connection, token, { name, input, word }) {
  const answer = await connection.post(token, `mutation($input: ${typeOf(name)}!) { ${name}(input: $input) { replayed
    userErrors { code message } order { orderId version } } }`, { input: { ...input, idempotencyKey: word } });
  return { ...answer, payload: answer.json?.data?.[name] };
}

// A stream that was refused, or never sent, was not looked at (RFC 9113 section 8.7).
const refusedStream = 7;
const wasRefused = (answer) => answer.code === refusedStream || answer.error?.code === 'ERR_HTTP2_GOAWAY_SESSION';

// Places orders and notes until the server goes away. What each got: acked, unknown, untaken (nothing was changed), lost (nobody says).
async function load(server, arm) {
  const token = server.token();
  const connections = Array.from({ length: 4 }, () => new Connection(server));
  const got = { acked: [], unknown: [], untaken: [], lost: [], shown: new Map() };
  let words = 0;
  const write = async (connection) => {
    let orderId;
    while (!server.gone && !connection.session.destroyed) {
      const word = `word-${++words}.`;
      const command = !orderId || Math.random() < 0.3 ? { word, name: 'createOrder', input: { ...basket(), externalRef: word } }
        : { word, name: 'addNote', input: { orderId, note: word } };
      const answer = await send(connection, token, command);
      const error = answer.payload?.userErrors[0];
      if (answer.payload && !error) {
        got.acked.push({ ...command, ...answer.payload.order });
        ({ orderId } = answer.payload.order);
      } else if (error?.code === 'OUTCOME_UNKNOWN') {
        assert.equal(answer.status, 200);
        assert.match(error.message, /retry with the same idempotency key/);
        got.unknown.push(command);
      } else if (wasRefused(answer)) {
        got.untaken.push({ ...command, why: 'refused stream' });
        return;
      } else if (answer.status === 0) {
        got.lost.push(command);
        return;
      } else {
        assert.ok(error?.code === 'BUSY' || answer.status === 503, answer.body);
        got.untaken.push({ ...command, why: answer.body });
        await sleep(5);
      }
    }
  };
  // What a reader is shown is durable, however the write ends.
  const read = async (connection) => {
    while (!server.gone && !connection.session.destroyed) {
      const one = got.acked[Math.floor(Math.random() * got.acked.length)];
      const answer = one && await connection.post(token, `{ getOrder(orderId: "${one.orderId}") { version } }`);
      const version = answer?.json?.data?.getOrder?.version;
      if (version) got.shown.set(one.orderId, Math.max(version, got.shown.get(one.orderId) ?? 0));
      await sleep(1);
    }
  };
  const work = [...Array.from({ length: writers }, (_, i) => write(connections[i % 4])), ...connections.map(read)];
  await sleep(400);
  arm();
  await Promise.all(work);
  connections.forEach((connection) => connection.destroy());
  return got;
}

// The tenant's event log: word → [{ orderId, version }].
async function readWords(connection, token) {
  const found = new Map();
  for (let after = null, more = true; more;) {
    const { tenantEventLog: { nodes, pageInfo } } = await connection.data(token, `query($after: String) { tenantEventLog(first: 200, after: $after) {
      nodes { version change order { orderId } } pageInfo { hasNextPage endCursor } } }`, { after });
    for (const { version, change, order } of nodes) {
      const [word] = JSON.stringify(change).match(/word-\d+\./) ?? [];
      const places = found.get(word) ?? [];
      // The events of one command stand in one version.
      if (word && !places.some((one) => one.orderId === order.orderId && one.version === version)) found.set(word, [...places, { orderId: order.orderId, version }]);
    }
    ({ hasNextPage: more, endCursor: after } = pageInfo);
  }
  return found;
}

function checkStop(server, code) {
  assert.equal(code, 1, server.log.slice(-4000));
  assert.doesNotMatch(server.log, /ERROR: |runtime error|Assertion|terminate called/);
  // One event says that it stops and one has the disk's own words; one line, for people, ends the run.
  assert.deepEqual(server.events('store.failed').map((event) => event.level), ['error'], server.log);
  const [reason, ...more] = server.events('store.engine_error');
  assert.match(reason.error, /IO error: .*(Input\/output error|No space left)/);
  assert.deepEqual(more, []);
  assert.deepEqual(server.events('server.stopping').map((event) => event.reason), ['a write failed']);
  const plain = server.log.split('\n').filter((line) => line.startsWith('liteoms: '));
  assert.equal(plain.length, 1, server.log);
  assert.match(plain[0], /a write to the store .*failed.*unknown/);
}

async function recover(data, got) {
  const again = await Server.start({ data });
  const connection = new Connection(again);
  const token = again.token();
  const before = await readWords(connection, token);
  for (const { word, orderId, version } of got.acked) assert.deepEqual(before.get(word), [{ orderId, version }], `${word} was acknowledged`);
  for (const { word, why } of got.untaken) assert.equal(before.get(word), undefined, `${word} was said to have changed nothing: ${why}`);
  for (const [orderId, version] of got.shown) {
    const { getOrder } = await connection.data(token, `{ getOrder(orderId: "${orderId}") { version } }`);
    assert.ok(getOrder.version >= version, `${orderId}: version ${version} was shown, now it is ${getOrder.version}`);
  }
  // Retried as they were told, twice: one outcome.
  const outcomes = { made: 0, replayed: 0 };
  for (const command of [...got.unknown, ...got.lost]) {
    const was = before.get(command.word);
    assert.ok(!was || was.length === 1, command.word);
    for (const replayed of [Boolean(was), true]) {
      const { payload, body } = await send(connection, token, command);
      assert.deepEqual([payload?.userErrors, payload?.replayed], [[], replayed], `${command.word} ${body}`);
    }
    outcomes[was ? 'replayed' : 'made']++;
  }
  const after = await readWords(connection, token);
  for (const { word } of [...got.acked, ...got.unknown, ...got.lost]) assert.equal(after.get(word)?.length, 1, word);
  connection.close();
  await again.stop();
  await again.verify();
  return outcomes;
}

for (const [fault, what] of [['sync', 'the record is on the disk, its sync fails'], ['lost', 'the record is lost, and its sync fails'],
  ['torn', 'half of the record is on the disk, its sync fails'], ['ENOSPC', 'the write fails: no space'], ['EIO', 'the write fails: an error of the device']]) {
  test(what, { timeout: 120000 }, async (context) => {
    const data = fresh('-data');
    const { server, arm } = await startFaulty(data, fault, wal);
    const began = performance.now();
    const got = await load(server, arm);
    checkStop(server, await server.exited);
    assert.ok(performance.now() - began < 15000);
    assert.ok(got.acked.length > writers && got.unknown.length > 0, JSON.stringify([got.acked.length, got.unknown.length]));
    assert.deepEqual(got.lost, [], 'everybody who was in flight is answered before the process ends');
    // What failed can be looked at without repair, and holds nothing against itself.
    const looked = await run('verify', '--data', data);
    assert.deepEqual([looked.code, / 0 differences\n$/.test(looked.stdout)], [0, true], looked.stdout + looked.stderr);
    const outcomes = await recover(data, got);
    context.diagnostic(`${got.acked.length} acknowledged, ${got.unknown.length} told unknown, ${got.lost.length} without an answer, `
      + `${got.untaken.length} refused; of the unknown ${outcomes.replayed} were there, ${outcomes.made} were not`);
    if (fault === 'sync') assert.ok(outcomes.replayed > 0, 'a record that reached the disk is there');
    if (fault !== 'sync') assert.equal(outcomes.replayed, 0, 'a record that did not reach the disk is not there');
  });
}

// kill -9 while batches are on their way and while an export is read. Apart from batch and export, which run under
// ThreadSanitizer as well: it misjudges how RocksDB, which is not instrumented, opens a folder again.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Caller, basket } from './lib/client.mjs';
import { Server, curl, fresh, run, sleep } from './lib/server.mjs';

const document = `mutation($input: CreateOrdersInput!) { createOrders(input: $input) { result { success }
  results { created replayed order { orderId externalRef version } userErrors { code } } } }`;
const ids = (text) => text.split('\n').filter(Boolean).map((line) => JSON.parse(line)).filter((line) => line.orderId).map((line) => line.orderId);

test('kill -9 in the middle of batches, then the same again: nothing twice, nothing lost', async () => {
  const data = fresh('-data');
  const batches = Array.from({ length: 30 }, (_, b) => Array.from({ length: 40 }, (__, i) =>
    basket({ externalRef: `K-${b}-${i}`, idempotencyKey: `K-${b}-${i}`, placedAt: '2024-01-01T00:00:00Z' })));
  let one = await Server.start({ data, args: ['--shards', '2'] });
  let caller = new Caller(one);
  const acked = new Map();
  const runs = batches.map(async (orders) => {
    const answer = await caller.post(document, { input: { orders } });
    for (const result of answer.json?.data?.createOrders.results ?? [])
      if (result.order) acked.set(result.order.externalRef, result.order.orderId);
  });
  await Promise.race(runs);
  await one.kill();
  await Promise.all(runs);
  caller.connection.destroy();
  await one.verify();
  one = await Server.start({ data, args: ['--shards', '2'] });
  caller = new Caller(one);
  let madeNow = 0, replayed = 0;
  for (const orders of batches) {
    const { results, result } = (await caller.query(document, { input: { orders } })).createOrders;
    assert.equal(result.success, true);
    for (const [i, item] of results.entries()) {
      assert.equal(item.order.version, 1);
      if (acked.has(orders[i].externalRef)) {
        assert.equal(item.replayed, true, orders[i].externalRef);
        assert.equal(item.order.orderId, acked.get(orders[i].externalRef));
      }
      if (item.replayed) replayed++; else madeNow++;
    }
  }
  assert.equal(madeNow + replayed, 1200);
  assert.ok(acked.size >= 40 && replayed >= acked.size, `${acked.size} acknowledged, ${replayed} replayed`);
  const refs = new Set();
  for (let after_ = null, page; ;) {
    page = (await caller.query(`query($after: String) { orders(first: 200, after: $after, filter: { placedAt: { from: "2024-01-01T00:00:00Z", to: "2024-01-02T00:00:00Z" } }) {
      nodes { externalRef } pageInfo { hasNextPage endCursor } } }`, { after: after_ })).orders;
    for (const node of page.nodes) {
      assert.ok(!refs.has(node.externalRef), node.externalRef);
      refs.add(node.externalRef);
    }
    if (!page.pageInfo.hasNextPage) break;
    after_ = page.pageInfo.endCursor;
  }
  assert.equal(refs.size, 1200);
  caller.close();
  await one.stop();
  await one.verify();
});

test('a server that is killed while it exports: the client goes on when it is back', async () => {
  const data = fresh('-data');
  let one = await Server.start({ data, args: ['--listen', '127.0.0.1:0'] });
  const caller = new Caller(one, 'admin', 'boss', { tenant: 'demo' });
  for (let b = 0; b < 3; b++)
    await caller.query(document, { input: { orders: Array.from({ length: 200 }, () => basket({ placedAt: '2024-01-01T00:00:00Z' })) } });
  caller.close();
  const token = one.token('admin', 'boss', { tenant: 'demo' }), port = one.port;
  const expected = ids((await curl('-H', `authorization: Bearer ${token}`, `${one.url}/export/orders.jsonl`)).body);
  const running = run('export', '--tenant', 'demo', '--token', token, '--url', one.url, '--quiet');
  await sleep(60);
  await one.kill();
  await sleep(300);
  one = await Server.start({ data, args: ['--listen', `127.0.0.1:${port}`] });
  const answer = await running;
  assert.equal(answer.code, 0, answer.stderr);
  assert.deepEqual(ids(answer.stdout), expected);
  await one.stop();
});

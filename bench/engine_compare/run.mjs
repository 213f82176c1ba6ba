// Requests per second and core of liteoms, mercurius (with JIT) and graphql-yoga: one document, the same orders, the same
// protocol, in one run: HTTP/2 in clear text, and HTTP/1.1, where Node is at its best. Each server is one process on core 0, the client is on core 1; slices of
// each alternate, and the ratios are medians over rounds, so that what else the machine does meets all alike. Every
// answer is compared byte for byte. The servers are busy one at a time; a rate is by the processor time that the server
// took, so a client that cannot keep one busy does not count for or against it.
//
//   node run.mjs     COMPARE_ROUNDS (5), COMPARE_SECONDS (2) a slice, COMPARE_ORDERS (500), COMPARE_PROTOCOLS (h2c,http1),
//                    BUILD (build), COMPARE_JSON
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import http2 from 'node:http2';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const repository = path.resolve(here, '../..');
const build = path.resolve(repository, process.env.BUILD ?? 'build');
const rounds = Number(process.env.COMPARE_ROUNDS ?? 5);
const seconds = Number(process.env.COMPARE_SECONDS ?? 2);
const count = Number(process.env.COMPARE_ORDERS ?? 500);
const output = process.env.COMPARE_JSON ?? path.join(build, 'engine_compare.json');
const WARM_UP = 0.3;
// The same number of requests in flight.
const protocols = { h2c: { connections: 32, streams: 4 }, http1: { connections: 128, streams: 0 } };
const chosen = (process.env.COMPARE_PROTOCOLS ?? 'h2c,http1').split(',');

// An order as a shop's page shows it.
const fields = `orderId version externalRef source placedAt stage fulfillmentStatus paymentStatus currency dateCreated dateModified
  totalAmount { amount currency } taxAmount { amount } finalAmount { amount currency }
  customerDetails { customerId name email } destination { street city postal country }
  lineItems { lineItemId productSku productName vendor { vendorId } orderQuantity productPrice { amount currency } totalAmount { amount } }
  shippingDetails { method deliveryTime cost { amount } }`.replace(/\s+/g, ' ');
const document = `query Order($id: ID!) { getOrder(orderId: $id) { ${fields} } }`;

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'liteoms-compare-'));
const children = [];
process.on('exit', () => {
  children.forEach((child) => child.kill('SIGKILL'));
  fs.rmSync(folder, { recursive: true, force: true });
});
const file = (name, text) => { fs.writeFileSync(path.join(folder, name), text); return path.join(folder, name); };

// Starts a server on core 0 and waits for what `ready` finds in its output.
function start(command, args, ready) {
  const child = spawn('taskset', ['-c', '0', command, ...args], { cwd: here, stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NODE_ENV: 'production' } });
  children.push(child);
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (more) => {
      text += more;
      const found = text.match(ready);
      if (found) resolve({ pid: child.pid, port: Number(found[1]), http1: found[2] && Number(found[2]) });
    });
    child.on('exit', (code) => reject(new Error(`${command} ended: ${code}`)));
  });
}

function client(port, token) {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  const ask = (body) => new Promise((resolve, reject) => {
    const stream = session.request({ ':method': 'POST', ':path': '/graphql', 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) });
    let text = '';
    stream.setEncoding('utf8');
    stream.on('data', (more) => { text += more; });
    stream.on('end', () => resolve(text));
    stream.on('error', reject);
    stream.end(body);
  });
  return { ask, close: () => session.close() };
}

// The orders, made through the API, and the answers of liteoms, which are everybody's.
async function prepare(liteoms) {
  const { ask, close } = client(liteoms.port, liteoms.token);
  const create = 'mutation($input: CreateOrderInput!) { createOrder(input: $input) { order { orderId } userErrors { message } } }';
  const bodies = [], answers = [], orders = [];
  for (let i = 0; i < count; i++) {
    const input = {
      externalRef: `COMPARE-${i}`,
      customerDetails: { customerId: `c${i % 50}`, name: `Customer ${i % 50}`, email: `c${i % 50}@example.com` },
      destination: { street: `${i} High Street`, city: 'London', postal: 'N1 9GU', country: 'GB' },
      lineItems: ['TEA', 'CUP', 'POT'].map((sku, line) => ({
        productSku: `${sku}-${i}`, productName: `${sku} number ${i}`, vendor: { vendorId: `v${line}` }, orderQuantity: 1 + (i + line) % 4,
        productPrice: { amount: `${3 + line}.${10 + i % 90}`, currency: 'GBP' },
      })),
      shippingDetails: { method: 'parcel', deliveryTime: 'two days', cost: '4.99' },
    };
    const made = JSON.parse(await ask(JSON.stringify({ query: create, variables: { input } })));
    if (!made.data?.createOrder.order) throw new Error(JSON.stringify(made));
    const body = JSON.stringify({ query: document, variables: { id: made.data.createOrder.order.orderId } });
    const answer = await ask(body);
    bodies.push(body);
    answers.push(answer);
    orders.push(JSON.parse(answer).data.getOrder);
  }
  close();
  return { bodies: file('bodies', `${bodies.join('\n')}\n`), answers: file('answers', `${answers.join('\n')}\n`), orders: file('orders.json', JSON.stringify(orders)), bytes: answers[0].length };
}

// Processor seconds of a process so far, all threads.
function cpu(pid) {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
  return (Number(stat[11]) + Number(stat[12])) / 100;
}

function slice(server, protocol, data, duration) {
  const { connections, streams } = protocols[protocol];
  const before = cpu(server.pid);
  const args = [server[protocol] ?? server.port, server.token ?? '', data.bodies, data.answers, connections, streams, WARM_UP, duration].map(String);
  const result = JSON.parse(execFileSync('taskset', ['-c', '1', path.join(build, 'bench/liteoms-replay'), ...args], { encoding: 'utf8' }));
  const used = cpu(server.pid) - before;
  // The warm-up is in the processor time: the same share of it is taken off.
  const busy = used * (result.seconds / (result.seconds + WARM_UP));
  return { rate: result.answers / result.seconds, perCore: result.answers / busy, p50: result.p50_us, p99: result.p99_us };
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

const liteomsBinary = path.join(build, 'liteoms');
const store = path.join(folder, 'data');
const liteoms = await start(liteomsBinary, ['serve', '--dev', '--data', store, '--listen', '127.0.0.1:0', '--shards', '1'], /ready on \S+:(\d+)\n/);
liteoms.token = execFileSync(liteomsBinary, ['token', '--tenant', 'demo', '--sub', 'bench', '--role', 'admin', '--data', store], { encoding: 'utf8' }).trim();
const data = await prepare(liteoms);
const sdl = file('schema.graphql', execFileSync(liteomsBinary, ['schema'], { encoding: 'utf8' }));
const peer = (name) => start(process.execPath, ['peer.mjs', name, sdl, data.orders], /^(\d+) (\d+)\n/);
const servers = { liteoms, mercurius: await peer('mercurius'), 'graphql-yoga': await peer('yoga') };

console.log(`one document of ${document.length} bytes, answers of ${data.bytes} bytes, ${count} orders`);
const report = { document: document.length, answer: data.bytes, orders: count, rounds, seconds, node: process.version, protocols: {} };
const cell = (value, width) => String(value).padStart(width);
for (const protocol of chosen) {
  const results = Object.fromEntries(Object.keys(servers).map((name) => [name, []]));
  for (const server of Object.values(servers)) slice(server, protocol, data, seconds); // code gets compiled, caches fill
  for (let round = 0; round < rounds; round++)
    for (const [name, server] of Object.entries(servers)) results[name].push(slice(server, protocol, data, seconds));
  const { connections, streams } = protocols[protocol];
  console.log(`${protocol}: ${connections} connections${streams ? ` with ${streams} streams` : ''}`);
  console.log(`  ${'server'.padEnd(14)}${cell('req/s', 10)}${cell('req/s/core', 12)}${cell('p50 us', 9)}${cell('p99 us', 9)}${cell('liteoms is', 12)}`);
  report.protocols[protocol] = { connections, streams, servers: {} };
  for (const [name, slices] of Object.entries(results)) {
    const ratios = slices.map((one, round) => results.liteoms[round].perCore / one.perCore);
    const one = {
      perSecond: Math.round(median(slices.map((each) => each.rate))), perSecondAndCore: Math.round(median(slices.map((each) => each.perCore))),
      p50_us: median(slices.map((each) => each.p50)), p99_us: median(slices.map((each) => each.p99)),
      liteomsIsFasterBy: Number(median(ratios).toFixed(2)), ratios: ratios.map((each) => Number(each.toFixed(2))),
    };
    report.protocols[protocol].servers[name] = one;
    console.log(`  ${name.padEnd(14)}${cell(one.perSecond, 10)}${cell(one.perSecondAndCore, 12)}${cell(one.p50_us, 9)}${cell(one.p99_us, 9)}${cell(`${one.liteomsIsFasterBy} x`, 12)}`);
  }
}
fs.writeFileSync(output, `${JSON.stringify(report, null, 2)}\n`);
console.log(`written to ${path.relative(repository, output)}`);
process.exit(0);

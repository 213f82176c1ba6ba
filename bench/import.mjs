// Imports: rows of a CSV file of orders a second, by an upload to the server and by `liteoms import`.
//
//   node bench/import.mjs [ROWS [FILE]]      200,000 rows, or those of FILE (in the columns of the map superstore)
//
// A server with one shard is started on a new data folder for each way, and the file sent by one client. What counts is
// rows for each second of CPU of all the server's threads (the client's is told beside it), since what else the machine
// does changes it least; and how far the server's memory grows, told at each tenth of the file.
import { execFile, execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const program = process.env.LITEOMS_BIN ?? path.join(path.dirname(fileURLToPath(import.meta.url)), '../build/liteoms');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'liteoms-import-'));
const file = process.argv[3] ?? path.join(folder, 'orders.csv');
const CHUNK = 1_000_000;

// Two lines an order on average, in the shape of the superstore report.
function generate(rows) {
  const out = fs.openSync(file, 'w');
  fs.writeSync(out, 'Row ID,Order ID,Order Date,Ship Date,Ship Mode,Customer ID,Customer Name,Segment,Country,City,State,Postal Code,'
    + 'Region,Product ID,Category,Sub-Category,Product Name,Sales,Quantity,Discount,Profit\n');
  for (let row = 0, order = 0; row < rows; order++) {
    let text = '';
    for (let line = 0; line <= [0, 1, 2, 1][order % 4] && row < rows; line++, row++) {
      text += `${row + 1},US-2018-${order},${order % 12 + 1}/${order % 28 + 1}/2018,12/30/2018,Standard Class,CG-${order % 9973},Claire Gute,`
        + `Consumer,United States,Henderson,Kentucky,${42420 + order % 500},South,FUR-BO-${(order + line * 7) % 1861},Furniture,Bookcases,`
        + `"Bush Somerset Collection Bookcase, ${order % 97}",${((order % 300 + 1.5) * (line + 1)).toFixed(2)},${line + 1},0,41.9136\n`;
    }
    fs.writeSync(out, text);
  }
  fs.closeSync(out);
}

const stat = (file_) => fs.readFileSync(file_, 'utf8').split(') ')[1].split(' ');
const cpuOf = (pid) => { const s = stat(`/proc/${pid}/stat`); return (Number(s[11]) + Number(s[12])) / 100; };
const rssOf = (pid) => Math.round(Number(fs.readFileSync(`/proc/${pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1]) / 1024);

async function withServer(use) {
  const data = fs.mkdtempSync(path.join(folder, 'data-'));
  const child = spawn(program, ['serve', '--dev', '--data', data, '--listen', '127.0.0.1:0', '--shards', '1'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise((resolve) => child.on('close', resolve));
  try {
    const url = await new Promise((resolve, reject) => {
      let out = '';
      child.stdout.on('data', (text) => { out += text; const ready = out.match(/ready on (\S+)\n/); if (ready) resolve(ready[1]); });
      child.on('close', () => reject(new Error('the server ended')));
    });
    const before = cpuOf(child.pid), began = performance.now();
    const { rows, client, memory } = await use({ url, data, pid: child.pid });
    const seconds = (performance.now() - began) / 1000, server = cpuOf(child.pid) - before;
    return { rows, seconds, server, client, memory };
  } finally {
    child.kill();
    await ended;
    fs.rmSync(data, { recursive: true });
  }
}

async function upload({ url, data, pid }) {
  const token = execFileSync(program, ['token', '--tenant', 'demo', '--sub', 'bench', '--role', 'staff', '--data', data], { encoding: 'utf8' }).trim();
  const headers = { authorization: `Bearer ${token}` };
  const begun = await fetch(`${url}/import`, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: '{"map":"superstore"}' });
  const size = fs.statSync(file).size, input = fs.openSync(file), buffer = Buffer.alloc(CHUNK), memory = [];
  const before = process.cpuUsage();
  let state;
  for (let at = 0; at < size;) {
    const len = fs.readSync(input, buffer, 0, CHUNK, at), last = at + len >= size;
    const answer = await fetch(url + begun.headers.get('location'), { method: 'PATCH', body: buffer.subarray(0, len),
      headers: { ...headers, 'content-type': 'text/csv', 'upload-offset': String(at), 'upload-complete': last ? '?1' : '?0' } });
    const text = await answer.text();
    if (answer.status !== (last ? 200 : 204)) throw new Error(`${answer.status}: ${text}`);
    at += len;
    if (at / size >= (memory.length + 1) / 10) memory.push(rssOf(pid));
    if (last) state = JSON.parse(text);
  }
  fs.closeSync(input);
  if (state.refused || state.created !== state.orders) throw new Error(JSON.stringify(state));
  const used = process.cpuUsage(before);
  return { rows: state.rows, client: (used.user + used.system) / 1e6, memory };
}

async function command({ url, data, pid }) {
  const children = () => { const s = stat('/proc/self/stat'); return (Number(s[13]) + Number(s[14])) / 100; };
  const before = children();
  const { stdout } = await promisify(execFile)(program, ['import', '--tenant', 'demo', '--map', 'superstore', '--url', url, '--data', data, '--quiet', '--batch', '200', file]);
  return { rows: Number(stdout.match(/: ([\d,]+) rows/)[1].replaceAll(',', '')), client: children() - before, memory: [rssOf(pid)] };
}

try {
  if (!process.argv[3]) generate(Number(process.argv[2] ?? 200000));
  for (const [name, way] of [['upload', upload], ['liteoms import', command]]) {
    const { rows, seconds, server, client, memory } = await withServer(way);
    console.log(`${name.padEnd(15)} ${rows} rows in ${seconds.toFixed(1)} s: ${Math.round(rows / server)} rows a CPU second of the server, `
      + `${Math.round(rows / (server + client))} with the client's; server's memory ${memory.join(', ')} MiB`);
  }
} finally {
  fs.rmSync(folder, { recursive: true });
}

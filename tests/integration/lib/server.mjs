// The program under test: started, asked for tokens, stopped. LITEOMS_BIN names the binary.
//
// Every server gets a folder of its own below one temporary folder, which goes when the tests have ended. A stop
// demands exit status 0, which under a sanitizer also means that nothing leaked and nothing was used after it was gone.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const exec = promisify(execFile);

export const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
export const program = process.env.LITEOMS_BIN ?? path.join(repository, 'build-asan/liteoms');
if (!fs.existsSync(program)) {
  console.error(`there is no ${program}: build it, or name another in LITEOMS_BIN`);
  process.exit(1);
}

export const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'liteoms-integration-'));
process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
let names = 0;
// A name in the temporary folder that nobody has used.
export const fresh = (suffix = '') => path.join(folder, `${++names}${suffix}`);

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Runs the program to its end: { code, stdout, stderr }.
export async function run(...args) {
  try {
    return { code: 0, ...await exec(program, args, { maxBuffer: 1 << 26 }) };
  } catch (error) {
    return { code: error.code ?? error.signal, stdout: error.stdout, stderr: error.stderr };
  }
}

// Waits until `check` answers something, up to ms.
export async function until(check, ms, what) {
  const end = Date.now() + ms;
  for (;;) {
    const found = await check();
    if (found) return found;
    assert.ok(Date.now() < end, `waited ${ms} ms for ${what}`);
    await sleep(20);
  }
}

const running = new Set();
const tokens = new Map(); // a data folder's secret stays, and so do its tokens
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

export class Server {
  // The processes that have not ended.
  static running() { return [...running]; }

  // options: data (folder), dev (default true), config (object, written to a file), args, ms (to become ready).
  static async start({ data = fresh('-data'), dev = true, config, args = [], ms = 60000, command = [] } = {}) {
    const server = new Server();
    const all = ['serve', '--data', data, '--listen', '127.0.0.1:0', ...args];
    if (dev) all.push('--dev');
    if (config) {
      const file = fresh('.json');
      fs.writeFileSync(file, JSON.stringify(config));
      all.push('--config', file);
    }
    server.data = data;
    server.began = performance.now();
    const [first, ...rest] = [...command, program, ...all];
    server.child = spawn(first, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(server.child);
    server.log = '';
    server.output = '';
    server.child.stderr.on('data', (text) => { server.log += text; });
    server.exited = new Promise((resolve) => server.child.on('close', (code, signal) => {
      running.delete(server.child);
      server.gone = true;
      resolve(code ?? signal);
    }));
    server.url = await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`not ready after ${ms} ms: ${server.log}`)), ms);
      server.child.stdout.on('data', (text) => {
        server.output += text;
        const ready = server.output.match(/^liteoms: ready on (\S+)\n/m);
        if (ready) { clearTimeout(late); resolve(ready[1]); }
      });
      server.exited.then((code) => { clearTimeout(late); reject(new Error(`exit ${code}: ${server.log}`)); });
    });
    server.startMs = performance.now() - server.began;
    server.port = Number(new URL(server.url).port);
    return server;
  }

  // A development token; the same arguments give the same one.
  token(role = 'staff', sub = role, { tenant = 'demo', ttl = 3600, more = [] } = {}) {
    const key = JSON.stringify([this.data, role, sub, tenant, ttl, more]);
    if (!tokens.has(key)) {
      const roles = [role].flat().flatMap((one) => ['--role', one]);
      const text = execFileSync(program, ['token', '--tenant', tenant, '--sub', sub, ...roles, '--ttl', String(ttl),
        '--data', this.data, ...more], { encoding: 'utf8' });
      tokens.set(key, text.trim());
    }
    return tokens.get(key);
  }

  async stop(signal = 'SIGTERM') {
    this.child.kill(signal);
    const code = await this.exited;
    assert.equal(code, 0, this.log.slice(-8000));
  }

  async kill() {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  // The events of the log with this name.
  events(name) {
    return this.log.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))
      .filter((event) => event.event === name);
  }

  // The sum of a metric's samples; labels: a part of what stands in braces.
  async metric(name, labels = '') {
    const text = (await curl(`${this.url}/metrics`)).body;
    return text.split('\n').filter((line) => (line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      && line.includes(labels)).reduce((sum, line) => sum + Number(line.split(' ').pop()), 0);
  }

  // `liteoms verify` on the stopped server's folder finds nothing.
  async verify() {
    const answer = await run('verify', '--data', this.data);
    assert.equal(answer.code, 0, answer.stdout + answer.stderr);
    const match = answer.stdout.match(/^(\d+) units of work, (\d+) actors, (\d+) keys compared, 0 differences\n$/);
    assert.ok(match, answer.stdout);
    return { units: Number(match[1]), actors: Number(match[2]), keys: Number(match[3]) };
  }
}

export async function withServer(options, use) {
  const server = await Server.start(options);
  try {
    const result = await use(server);
    await server.stop();
    return result;
  } finally {
    if (!server.gone) await server.kill();
  }
}

// curl's view: { status, version, body, headers (lower case) }.
export async function curl(...args) {
  const { stdout } = await exec('curl', ['-sk', '-m', '30', '-D', '-', '-w', '\n%{http_code} %{http_version}', ...args],
    { maxBuffer: 1 << 26 });
  const at = stdout.lastIndexOf('\n');
  const [status, version] = stdout.slice(at + 1).split(' ');
  // Informational answers, and the upgrade's 101, stand before the last one.
  let text = stdout.slice(0, at), head = '';
  while (/^HTTP\/[\d.]+ \d/.test(text)) {
    const end = text.indexOf('\r\n\r\n');
    head = text.slice(0, end);
    text = text.slice(end + 4);
  }
  const headers = {};
  for (const line of head.split('\r\n').slice(1)) {
    const [, name, value] = line.match(/^([^:]+): ?(.*)$/);
    headers[name.toLowerCase()] = value;
  }
  return { body: text, status: Number(status), version, headers };
}

// A self-signed certificate for localhost: { cert, key } as files.
export function certificate() {
  const cert = fresh('-cert.pem'), key = fresh('-key.pem');
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout',
    key, '-out', cert, '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
  { stdio: 'ignore' });
  return { cert, key };
}

// What the scripts that test http_probe share: the program with a certificate, curl, and HTTP/2 by hand.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { promisify } from 'node:util';

export const run = promisify(execFile);
export const program = process.env.HTTP_PROBE;
export const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'http-probe-'));
export const cert = path.join(folder, 'cert.pem');
export const key = path.join(folder, 'key.pem');
execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout',
  key, '-out', cert, '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
{ stdio: 'ignore' });
after(() => fs.rmSync(folder, { recursive: true }));

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Server {
  static async start(...args) {
    const server = new Server();
    server.child = spawn(program, ['127.0.0.1:0', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    server.log = '';
    server.child.stderr.on('data', (data) => { server.log += data; });
    server.exited = new Promise((resolve) => server.child.on('exit', (code, signal) => resolve(code ?? signal)));
    server.url = await new Promise((resolve, reject) => {
      let text = '';
      server.child.stdout.on('data', (data) => {
        text += data;
        if (text.includes('\n')) resolve(text.match(/ready on (\S+)/)[1]);
      });
      server.exited.then((code) => reject(new Error(`exit ${code}: ${server.log}`)));
    });
    server.port = Number(new URL(server.url).port);
    return server;
  }

  async stop() {
    this.child.kill('SIGTERM');
    const code = await this.exited;
    assert.equal(code, 0, this.log);
  }

  // The sum of a metric's samples.
  async metric(name) {
    const { stdout } = await run('curl', ['-sk', `${this.url}/metrics`], { maxBuffer: 1 << 24 });
    return stdout.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .reduce((sum, line) => sum + Number(line.split(' ').pop()), 0);
  }
}

export async function withServer(args, use) {
  const server = await Server.start(...args);
  try {
    await use(server);
    await server.stop();
  } finally {
    server.child.kill('SIGKILL');
  }
}

export async function curl(...args) {
  const { stdout } = await run('curl', ['-sk', '-m', '20', '-w', '\n%{http_code} %{http_version}', ...args],
    { maxBuffer: 1 << 26 });
  const at = stdout.lastIndexOf('\n');
  const [status, version] = stdout.slice(at + 1).split(' ');
  return { body: stdout.slice(0, at), status: Number(status), version };
}

// One HTTP/2 request; resolves with its end, also when it is reset.
export function request(session, headers, body) {
  return new Promise((resolve) => {
    const stream = session.request(headers, { endStream: body === undefined });
    const answer = { body: '', status: 0 };
    stream.on('response', (head) => { answer.status = head[':status']; answer.headers = head; });
    stream.setEncoding('utf8');
    stream.on('data', (data) => { answer.body += data; });
    stream.on('error', () => {});
    stream.on('close', () => resolve({ ...answer, code: stream.rstCode }));
    if (body !== undefined) stream.end(body);
  });
}

export const post = (where) => ({ ':method': 'POST', ':path': where });

// What a socket receives until the other side closes; null when it does not within ms.
export function readToEnd(socket, ms) {
  return new Promise((resolve) => {
    const chunks = [];
    const timer = setTimeout(() => resolve(null), ms);
    socket.on('data', (data) => chunks.push(data));
    socket.on('error', () => {});
    socket.on('close', () => { clearTimeout(timer); resolve(Buffer.concat(chunks)); });
  });
}

export function frame(type, flags, stream, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export const preface = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0)]);
export const DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6, WINDOW_UPDATE = 8, END_STREAM = 1, END_HEADERS = 4;

// :method (GET 0x82, POST 0x83), :scheme http, :path literal, :authority "x"
export function headerBlock(method, where) {
  return Buffer.concat([Buffer.from([method, 0x86, 0x04, where.length]), Buffer.from(where), Buffer.from([0x41, 1, 0x78])]);
}

export async function raw(server) {
  const socket = net.connect(server.port, '127.0.0.1');
  await new Promise((resolve) => socket.on('connect', resolve));
  return socket;
}

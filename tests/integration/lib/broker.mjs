// A real nats-server with JetStream: its own port, its own folder, stopped, killed with -9, started again.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import { AckPolicy, connect, DeliverPolicy, headers, nanos, StringCodec } from 'nats';

import { fresh, sleep } from './server.mjs';

const binary = process.env.NATS_SERVER ?? ['/usr/sbin/nats-server', '/usr/bin/nats-server', '/usr/local/bin/nats-server']
  .find((file) => fs.existsSync(file)) ?? 'nats-server';
const text = StringCodec();

const running = new Set(), clients = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

const freePort = () => new Promise((resolve) => {
  const probe = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => resolve(port));
  });
});

const answers = (port) => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
  socket.on('error', () => resolve(false));
});

export class Broker {
  // more: lines of its configuration; login: options of a client.
  static async make({ more = '', login = {}, max = {} } = {}) {
    const broker = new Broker();
    Object.assign(broker, { port: await freePort(), store: fresh('-jetstream'), more, login, max });
    return broker;
  }

  static async start(options) {
    const broker = await Broker.make(options);
    await broker.start();
    return broker;
  }

  // Those that have not ended, after a test that failed.
  static async killAll() {
    running.forEach((child) => child.kill('SIGKILL'));
    await Promise.all([...clients].map((client) => client.close()));
  }

  get url() { return `nats://127.0.0.1:${this.port}`; }

  async start() {
    const file = fresh('-nats.conf');
    fs.writeFileSync(file, `host: 127.0.0.1\nport: ${this.port}\njetstream { store_dir: "${this.store}" ${this.jetstream ?? ''} }\n${this.more}\n`);
    this.child = spawn(binary, ['-c', file], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.log = '';
    this.child.stderr.on('data', (part) => { this.log += part; });
    running.add(this.child);
    const child = this.child;
    this.exited = new Promise((resolve) => child.on('close', () => { running.delete(child); resolve(); }));
    const end = Date.now() + 20000;
    while (!await answers(this.port)) {
      if (Date.now() > end || this.child.exitCode !== null) throw new Error(`the broker does not start: ${this.log}`);
      await sleep(20);
    }
  }

  async kill() {
    this.child.kill('SIGKILL');
    await this.exited;
    await this.client?.close();
    this.client = undefined;
  }

  async stop() {
    await this.client?.close();
    this.client = undefined;
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGTERM');
      await this.exited;
    }
  }

  wipe() { fs.rmSync(this.store, { recursive: true, force: true }); }

  // A connected client of our own; it reconnects.
  async connect() {
    this.client ??= await connect({ servers: `127.0.0.1:${this.port}`, maxReconnectAttempts: -1, reconnectTimeWait: 100, waitOnFirstConnect: true, ...this.login });
    clients.add(this.client);
    return this.client;
  }

  async manager() { return (await this.connect()).jetstreamManager(); }

  // Publishes; `id` is the message's.
  async publish(subject, payload, id, more = {}) {
    const head = headers();
    if (id) head.set('Nats-Msg-Id', id);
    for (const [name, value] of Object.entries(more)) head.set(name, value);
    return (await this.connect()).jetstream().publish(subject, text.encode(typeof payload === 'string' ? payload : JSON.stringify(payload)), { headers: head });
  }

  // All messages of a stream now, oldest first: [{ seq, subject, id, headers, json }].
  async read(stream, subject) {
    const manager = await this.manager();
    const found = [];
    let made;
    try {
      made = await manager.consumers.add(stream, { ack_policy: AckPolicy.None, deliver_policy: DeliverPolicy.All, inactive_threshold: nanos(10000),
        ...(subject ? { filter_subject: subject } : {}) });
    } catch { return found; }
    const consumer = await (await this.connect()).jetstream().consumers.get(stream, made.name);
    while (found.length < made.num_pending) {
      const part = await consumer.fetch({ max_messages: Math.min(500, made.num_pending - found.length), expires: 5000 });
      for await (const message of part)
        found.push({ seq: message.seq, subject: message.subject, id: message.headers?.get('Nats-Msg-Id'), headers: message.headers, json: message.json() });
    }
    await manager.consumers.delete(stream, made.name).catch(() => {});
    return found;
  }

  async consumer(stream, durable) { return (await this.manager()).consumers.info(stream, durable); }
}

export const certificates = (subject = '/CN=localhost', names = 'DNS:localhost,IP:127.0.0.1') => {
  const cert = fresh('-nats-cert.pem'), key = fresh('-nats-key.pem');
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert,
    '-days', '2', '-subj', subject, '-addext', `subjectAltName=${names}`], { stdio: 'ignore' });
  return { cert, key };
};

export { AckPolicy, nanos };

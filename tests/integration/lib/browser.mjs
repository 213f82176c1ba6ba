// A headless Chromium that reaches this machine only, driven over its debugging protocol: a page, its script, its
// requests and what it complains about.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';

import WebSocket from 'ws';

import { fresh, until } from './server.mjs';

const running = new Set();
process.on('exit', () => running.forEach((browser) => browser.kill('SIGKILL')));

export class Browser {
  static async start() {
    const browser = new Browser();
    browser.profile = fresh('-profile');
    browser.child = spawn('chromium', ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-dev-shm-usage',
      '--disable-background-networking', '--disable-component-update', '--disable-sync', '--window-size=1400,1000',
      '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1', `--user-data-dir=${browser.profile}`, '--remote-debugging-port=0',
      'about:blank'], { stdio: 'ignore', detached: true });
    running.add(browser);
    browser.exited = once(browser.child, 'close');
    const file = `${browser.profile}/DevToolsActivePort`;
    const [port] = await until(() => fs.existsSync(file) && fs.readFileSync(file, 'utf8').match(/^\d+(?=\n)/), 60000, 'the browser');
    const pages = await (await fetch(`http://127.0.0.1:${port}/json/list`)).json();
    await browser.attach(pages.find((page) => page.type === 'page').webSocketDebuggerUrl);
    return browser;
  }

  // `requests` are the URLs asked for, `complaints` what the console and the security policy had to say.
  async attach(url) {
    this.answers = new Map();
    this.requests = [];
    this.complaints = [];
    this.socket = new WebSocket(url, { perMessageDeflate: false });
    await once(this.socket, 'open');
    this.socket.on('message', (text) => this.take(JSON.parse(text)));
    for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await this.send(`${domain}.enable`);
  }

  take({ id, result, error, method, params }) {
    if (id) {
      const { resolve, reject } = this.answers.get(id);
      this.answers.delete(id);
      if (error) reject(new Error(error.message)); else resolve(result);
    } else if (method === 'Network.requestWillBeSent') this.requests.push(params.request.url);
    else if (method === 'Runtime.exceptionThrown') this.complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    else if (method === 'Log.entryAdded' && params.entry.level === 'error') this.complaints.push(`${params.entry.text} ${params.entry.url ?? ''}`);
    else if (method === 'Runtime.consoleAPICalled' && params.type === 'error') this.complaints.push(params.args.map((one) => one.value ?? one.description).join(' '));
  }

  send(method, params = {}) {
    const id = ++this.sent || (this.sent = 1);
    this.socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve, reject) => this.answers.set(id, { resolve, reject }));
  }

  async open(url) {
    const { errorText } = await this.send('Page.navigate', { url });
    assert.equal(errorText, undefined);
  }

  // The value of an expression in the page; promises are waited for.
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    assert.equal(exceptionDetails, undefined, exceptionDetails?.exception?.description);
    return result.value;
  }

  // Waits until the expression is true in the page.
  waits(expression, what = expression, ms = 60000) {
    return until(() => this.evaluate(expression).catch(() => false), ms, what);
  }

  async picture(file) {
    fs.writeFileSync(file, Buffer.from((await this.send('Page.captureScreenshot')).data, 'base64'));
  }

  kill() {
    running.delete(this);
    try { process.kill(-this.child.pid, 'SIGKILL'); } catch { /* it has ended */ }
  }

  async close() {
    this.socket.close();
    this.kill();
    await this.exited;
  }
}

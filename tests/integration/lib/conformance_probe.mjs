// Talks to conformance_probe, which LITEOMS_CONFORMANCE_PROBE names: a line of JSON in, a line out, in order.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import readline from 'node:readline';

export class Probe {
  constructor(program = process.env.LITEOMS_CONFORMANCE_PROBE) {
    this.child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.waiting = [];
    readline.createInterface({ input: this.child.stdout }).on('line', (line) => this.waiting.shift()(line));
    this.ended = new Promise((resolve) => this.child.on('close', (code, signal) => {
      this.waiting.forEach((tell) => tell(`{"died":"${code ?? signal}"}`));
      this.waiting = [];
      resolve(code ?? signal);
    }));
    this.child.stdin.on('error', () => {});
  }

  // The answer as a text.
  ask(question) {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.child.stdin.write(`${JSON.stringify(question)}\n`);
    });
  }

  async load(sdl, data) { return JSON.parse(await this.ask({ sdl, data })).error; }
  async check(query) { return JSON.parse(await this.ask({ query, check: true })); }

  async end() {
    this.child.stdin.end();
    assert.equal(await this.ended, 0);
  }
}

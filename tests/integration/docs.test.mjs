// docs/storefront.md stays true: its scripts are run, in their order, against a server in development mode, and the
// answers that it shows must come.
//
// A fence of `sh` or `js` is a script; the fence of `json` or `text` right behind it is what it prints, with … for
// what differs. What the line of a fence says more: `stream`, it does not end, and is ended when what is shown has come;
// `browser`, it runs in a page of Chromium. Shell scripts keep each other's variables and functions; scripts in
// JavaScript begin with the page's first.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Browser } from './lib/browser.mjs';
import { Caller, basket } from './lib/client.mjs';
import { Server, fresh, program, repository, sleep, until } from './lib/server.mjs';

const WAIT_MS = 60000;
const page = fs.readFileSync(path.join(repository, 'docs/storefront.md'), 'utf8');

// { language, kind, text, shown, line } of each script.
function scripts() {
  const fences = [...page.matchAll(/^```(\w+)(?: (\w+))?\n([^]*?)^```$/gm)].map((match) => ({
    language: match[1], kind: match[2], text: match[3], from: match.index, to: match.index + match[0].length,
    line: page.slice(0, match.index).split('\n').length }));
  return fences.filter((fence) => ['sh', 'js'].includes(fence.language)).map((fence) => {
    const next = fences[fences.indexOf(fence) + 1];
    const shown = next && ['json', 'text'].includes(next.language) && page.slice(fence.to, next.from).trim() === '';
    return { ...fence, shown: shown ? next.text : undefined };
  });
}

// What is shown, as a pattern: … stands for anything in its line, and on a line of its own for any lines.
const literal = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const pattern = (shown) => new RegExp(shown.trim().split('\n').map((line) => (line === '…' ? '[^]*?' : line.split('…').map(literal).join('.*?'))).join('\n'));

let server, staff, folder, busy = true, work;
before(async () => {
  server = await Server.start();
  staff = new Caller(server);
  folder = fresh('-docs');
  fs.mkdirSync(folder);
  fs.symlinkSync(path.join(repository, 'tests/integration/node_modules'), path.join(folder, 'node_modules'));
});
after(async () => {
  busy = false;
  await work;
  staff?.close();
  await server?.stop();
});

// Where the page names the reader's server, program and data, the test's stand.
const own = (text) => text.replaceAll('http://127.0.0.1:8080', server.url).replaceAll('build/liteoms', program).replaceAll('build/dev-data', server.data);

// Runs a command until it ends, or until what is shown has come.
async function run(command, args, env, { shown, kind }) {
  const child = spawn(command, args, { cwd: folder, env: { ...process.env, ...env }, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '', faults = '', code;
  child.stdout.on('data', (text) => { output += text.toString().replaceAll('\r', ''); });
  child.stderr.on('data', (text) => { faults += text; });
  const ended = new Promise((resolve) => child.on('close', (status) => { code = status; resolve(); }));
  const come = () => shown && pattern(shown).test(output);
  try {
    const end = Date.now() + WAIT_MS;
    while (code === undefined && !(kind === 'stream' && come()) && Date.now() < end) await sleep(20);
    assert.ok(!shown || come(), `shown:\n${shown}\nprinted:\n${output}\n${faults}`);
    if (kind === 'stream') assert.equal(code, undefined, `it has ended: ${output}\n${faults}`);
    else assert.equal(code, 0, `${output}\n${faults}`);
    assert.equal(faults, '');
  } finally {
    if (code === undefined) process.kill(-child.pid, 'SIGKILL');
    await ended;
  }
}

const kept = () => path.join(folder, 'kept.sh');
async function shell(script) {
  const file = path.join(folder, `line-${script.line}.sh`);
  const keep = script.kind ? '' : `\ndeclare -f >${kept()}; declare -p URL TOKEN PLACE NOTE ID 2>/dev/null >>${kept()} || true\n`;
  fs.writeFileSync(file, `set -eu\n[ ! -f ${kept()} ] || . ${kept()}\n${own(script.text)}${keep}`);
  await run('bash', [file], {}, script);
}

const token = () => fs.readFileSync(kept(), 'utf8').match(/TOKEN="([^"]+)"/)[1];
async function node(script, head) {
  const file = path.join(folder, `line-${script.line}.mjs`);
  fs.writeFileSync(file, script.text === head ? head : `${head}\n${script.text}`);
  await run(process.execPath, [file], { URL: `${server.url}/graphql`, TOKEN: token() }, script);
}

async function browse(script, head) {
  const browser = await Browser.start();
  try {
    await browser.open(`${server.url}/healthz`);
    const values = head.replace(/process\.env\.URL \?\? '[^']*'/, `'${server.url}/graphql'`).replace('process.env.TOKEN', `'${token()}'`);
    await browser.evaluate(`globalThis.printed = ''; console.log = (...words) => { globalThis.printed += words.join(' ') + '\\n'; }; (() => { ${values}\n${script.text} })(); 0`);
    await until(async () => pattern(script.shown).test(await browser.evaluate('printed')), WAIT_MS, script.shown);
    assert.deepEqual(browser.complaints.filter((text) => !text.includes('/favicon.ico')), []);
  } finally {
    await browser.close();
  }
}

const all = scripts();
const head = all.find((script) => script.language === 'js').text;
test('the page has its scripts', () => {
  for (const kind of [undefined, 'stream', 'browser']) assert.ok(all.some((script) => script.kind === kind), String(kind));
  assert.ok(all.length >= 14, String(all.length));
  for (const script of all.filter((one) => one.kind)) assert.ok(script.shown, `line ${script.line} shows nothing`);
});
for (const script of all) {
  test(`line ${script.line}: ${script.language} ${script.kind ?? ''}`, async () => {
    // Something happens while streams are read.
    if (script.kind && !work) work = (async () => { while (busy) { await staff.does('createOrder', basket()); await sleep(100); } })();
    await (script.language === 'sh' ? shell(script) : script.kind === 'browser' ? browse(script, head) : node(script, head));
  });
}

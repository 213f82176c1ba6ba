// GraphQL to the letter, with graphql-js as the judge: documents out of a seed, most of them valid, many of them spoilt in
// one place, must get the same verdict, for the same rules at the same places with the same hints; valid ones must give
// the same bytes of data and the same errors at the same paths. Both over the real server's schema and data, and over
// a schema of everything that the language has (lib/conformance_schema.mjs) by the engine alone (lib/conformance_probe.c).
//
// `make test` runs fixed seeds; `make conformance` many fresh ones. A failure names its seed: run that one again by
// LITEOMS_CONFORMANCE_SEED=seed LITEOMS_CONFORMANCE_ROUNDS=1.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { buildClientSchema, buildSchema, getIntrospectionQuery, getNamedType, isAbstractType, isCompositeType, isRequiredArgument,
  parse, validateSchema } from 'graphql-oracle';

import { Caller, basket } from './lib/client.mjs';
import { Generator, Random, edit, editSchema, write } from './lib/conformance_generate.mjs';
import { classify, difference, failures, judge, mergesTypename, resultDifference, run } from './lib/conformance_oracle.mjs';
import { Probe } from './lib/conformance_probe.mjs';
import { data, sdl } from './lib/conformance_schema.mjs';
import { Server } from './lib/server.mjs';

const first = Number(process.env.LITEOMS_CONFORMANCE_SEED ?? 1);
const rounds = Number(process.env.LITEOMS_CONFORMANCE_ROUNDS ?? 1000);

// Asks `ask(seed)` for every seed, `width` at once; each answers what is wrong, or nothing. The first few are reported.
async function ask(count, width, question) {
  const wrong = [];
  let next = first;
  await Promise.all(Array.from({ length: width }, async () => {
    while (next < first + count && wrong.length < 5) {
      const seed = next++;
      const found = await question(seed);
      if (found) wrong.push(`seed ${seed}: ${found}`);
    }
  }));
  assert.deepEqual(wrong, []);
}

// The document of a seed: two of five are spoilt by edits of tokens, half of the others by wrong choices while they grow.
function documentOf(schema, random, options) {
  const generator = new Generator(schema, random, { chaos: random.pick([0, 0, 0.01, 0.03]), ...options });
  const tokens = generator.document();
  return write(random.chance(0.35) ? edit(tokens, random, generator.names) : tokens, random);
}

function compareVerdicts(schema, text, response, seen) {
  const theirs = judge(schema, text), ours = classify(response);
  if (ours.verdict === 'limit' || ours.errors.some(({ rule }) => rule === 'Scalar')) {
    seen.ours++;
    return '';
  }
  seen[theirs.verdict]++;
  const found = difference(theirs, ours);
  return found && `${found}\n${JSON.stringify(text)}\ntheirs: ${JSON.stringify(theirs.errors)}\nours: ${JSON.stringify(ours.errors)}`;
}

// `ours` counts what only we can refuse: by a limit, or as no value of a custom scalar. A test that only saw one kind of document would say nothing.
function spread(seen, count) {
  if (count < 100) return;
  for (const verdict of ['valid', 'invalid', 'syntax']) assert.ok(seen[verdict] > count / 10, JSON.stringify(seen));
  assert.ok(seen.ours < count / 6, JSON.stringify(seen));
}

// ---- the engine alone ----

const everything = buildSchema(sdl);
let probe;
// ---- introspection ----

const builtin = (name) => name.startsWith('__') || ['String', 'Boolean', 'Int', 'Float', 'ID', 'skip', 'include', 'deprecated', 'specifiedBy', 'oneOf'].includes(name);

// What the two tell, made comparable: types and directives have no order, and what is built in has our own descriptions.
function plain({ __schema: schema }) {
  const sorted = (list) => [...list].sort((a, b) => (a.name < b.name ? -1 : 1));
  const printed = (one) => (one.defaultValue ? { ...one, defaultValue: one.defaultValue.replaceAll('{  }', '{}') } : one);
  const quiet = (value) => {
    if (Array.isArray(value)) return value.map(quiet);
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).filter(([name]) => name !== 'description').map(([name, part]) => [name, quiet(part)]));
  };
  const tidy = (one) => {
    const { possibleTypes } = one;
    const part = builtin(one.name) ? quiet(one) : one;
    return { ...part, ...(one.inputFields ? { inputFields: one.inputFields.map(printed) } : {}),
      ...(one.kind === 'INTERFACE' ? { possibleTypes: sorted(possibleTypes) } : {}), ...(one.locations ? { locations: [...one.locations].sort() } : {}) };
  };
  return { ...schema, types: sorted(schema.types).map(tidy), directives: sorted(schema.directives).map(tidy) };
}

const introspection = getIntrospectionQuery({ descriptions: true, specifiedByUrl: true, directiveIsRepeatable: true, schemaDescription: true,
  inputValueDeprecation: true, oneOf: true });

function sameIntrospection(ours, schema) {
  const a = plain(ours), b = plain(JSON.parse(JSON.stringify(run(schema, parse(introspection), { Query: {} }).data)));
  assert.deepEqual(a.types.map(({ name }) => name), b.types.map(({ name }) => name));
  for (const [i, type] of a.types.entries()) assert.deepEqual(type, b.types[i]);
  assert.deepEqual(a, b);
}

// What the oracle finds wrong with a schema's text; '' when nothing.
function problemOf(text) {
  try {
    return validateSchema(buildSchema(text)).map(({ message }) => message).join(' ');
  } catch (error) {
    return error.message;
  }
}

describe('the engine alone', () => {
  before(async () => {
    probe = new Probe();
    assert.equal(await probe.load(sdl, data), null);
  });
  after(() => probe.end());

  test('verdicts over a schema of everything', async () => {
    const seen = { valid: 0, invalid: 0, syntax: 0, ours: 0 };
    await ask(rounds, 16, async (seed) => {
      const text = documentOf(everything, new Random(seed));
      return compareVerdicts(everything, text, await probe.check(text), seen);
    });
    spread(seen, rounds);
  });

  test('data, errors and their paths over a schema of everything', async () => {
    const theirData = failures(data);
    const seen = { data: 0, errors: 0, refused: 0 };
    await ask(Math.ceil(rounds / 2), 16, async (seed) => {
      const random = new Random(seed ^ 0x5eed);
      const generator = new Generator(everything, random, { depth: 5, meta: false });
      const text = write(generator.document(), random);
      const { verdict, document } = judge(everything, text);
      if (verdict !== 'valid') return '';
      generator.chaos = random.pick([0, 0, 0.05]);
      const variables = generator.variablesOf(document);
      const theirs = run(everything, document, theirData, variables);
      const ours = await probe.ask({ query: text, variables });
      if (mergesTypename({ document }, JSON.parse(ours))) return '';
      seen[!('data' in theirs) ? 'refused' : theirs.errors ? 'errors' : 'data']++;
      const found = resultDifference(theirs, ours);
      return found && `${found}\n${JSON.stringify(text)}\n${JSON.stringify(variables)}\n${ours}`;
    });
    if (rounds >= 100) assert.ok(Object.values(seen).every((count) => count > rounds / 100), JSON.stringify(seen));
  });

  // Texts with one token between braces or as an argument: what is a token, where it is wrong, and what it means.
  const numbers = ['0', '-0', '01', '-01', '00', '1.', '.5', '1.0', '1a', '1_0', '0x1', '0xF', '1e', '1e+', '1e-', '1E5', '1e5.', '1.2.3', '-', '--1', '+1', '-a',
    '1.e1', '1.5e1x', '123', '1.0e10', '-1.0E-10', '9007199254740993', '0.0', '-0.0', '1..2', '1...2', '0b1', '1,2', '1\u00a02', '١'];
  const strings = ['""', '"a"', '"\\""', '"\\\\"', '"\\/"', '"\\b\\f\\n\\r\\t"', '"\\u0041"', '"\\u00e9"', '"\\u004"', '"\\u00g1"', '"\\uD83D\\uDE00"', '"\\uD83D"',
    '"\\uD83D\\u0041"', '"\\uDE00"', '"\\uDE00\\uD83D"', '"\\uD83D \\uDE00"', '"\\u{1F600}"', '"\\u{1f600}"', '"\\u{}"', '"\\u{110000}"', '"\\u{10FFFF}"', '"\\u{D800}"',
    '"\\u{00000000}"', '"\\u{41"', '"\\u{ 41}"', '"\\U0041"', '"\\x41"', '"\\"', '"', '"a\nb"', '"a\rb"', '"a\u2028b"', '"\t"', '"\u0000"', '"\u0007"', '"\u007f"',
    '"é😀"', "'a'", '"a""b"', '"\\u{1F600', '"\\uD83D\\u{DE00}"', '"\\u{D83D}\\u{DE00}"'];
  const blocks = ['""""""', '"""a"""', '""" a """', '"""\n a"""', '"""\n  a\n b\n"""', '"""a\n  b\n   c"""', '"""\n\ta\n\t\tb"""', '"""\n\n\n a\n\n\n"""', '"""a\r\nb\rc\nd"""', '"""  \n  """',
    '"""\\""""""', '"""\\"""a\\""" """', '"""\\n\\u0041"""', '"""a\\"""', '"""a""', '"""""""', '""""""""', '"""a""""', '"""\u0000\u0007"""', '"""\n  a\n\n  b\n \n"""', '"""\n a\n\tb"""',
    '"""😀"""', '"""a', '"""\n\u00a0a\n"""', '"""\\\\"""', '"""a\\"""b"""', '"""\r\n  a\r\n    b\r\n"""'];
  const others = ['', ' ', ',', '\ufeff', '#', '# a\n', '# a\r', '#\u0000\n', '\u0007', '\u00a0', '\u2028', '\u200b', '?', '.', '..', '...', '....', '$', '$a', '@', '@a', '&', '|', ';', '%', '/', '\\', '`',
    'é', 'aé', '😀', 'a😀', '\u0085', '\v', '\f', '{', '}', '!', '=', 'true', 'null', 'on', 'a-b', 'a.b', '\ud7ff', '\uffff', '_', '__a', '\r\n\r\n?', '\n\r?', '\r?', '\t?', ',\ufeff?', '# x\r\n?'];

  test('tokens', async () => {
    for (const token of [...numbers, ...strings, ...blocks, ...others]) {
      for (const [left, right] of [['{', '}'], ['{ echo(any: ', ') }'], ['{ echo(string: ', ') }'], ['{ echo(any: [', ', 1]) }'], ['', ' { number }'], ['{ number }', ''], ['\r\n{ number\n', '}']]) {
        const text = left + token + right;
        const theirs = judge(everything, text);
        const raw = await probe.ask({ query: text });
        const wrong = difference(theirs, classify(JSON.parse(raw)), { hints: false })
          || (theirs.verdict === 'valid' ? resultDifference(run(everything, theirs.document, data), raw) : '');
        assert.equal(wrong, '', `${JSON.stringify(text)} ${raw} ${JSON.stringify(theirs.errors)}`);
      }
    }
  });

  test('lone surrogates and bytes that are no UTF-8 reach no document', async () => {
    for (const text of ['{"query":"{ a \\ud800 }"}', '{"query":"\\udc00{a}"}']) {
      const answer = await new Promise((resolve) => {
        probe.waiting.push(resolve);
        probe.child.stdin.write(`${text}\n`);
      });
      assert.deepEqual(JSON.parse(answer), { error: 'the line is no JSON' });
    }
  });

  test('schemas that are none', async () => {
    const other = new Probe();
    const seen = { fine: 0, wrong: 0 };
    try {
      await ask(Math.ceil(rounds / 2), 4, async (seed) => {
        const text = editSchema(sdl, new Random(seed ^ 0x5d1));
        if (/directive @ (skip|include|deprecated|specifiedBy|oneOf)\b/.test(text)) return ''; // ours stay as they are specified
        const theirs = problemOf(text), ours = await other.load(text, {});
        seen[theirs ? 'wrong' : 'fine']++;
        // Root fields are the host's to dispatch: nothing else has their type.
        if (!!theirs === !!ours || / cannot have the root type /.test(ours)) return '';
        return `theirs: ${theirs}, ours: ${ours}\n${text}`;
      });
    } finally {
      await other.end();
    }
    if (rounds >= 100) assert.ok(Math.min(seen.fine, seen.wrong) > rounds / 50, JSON.stringify(seen));
  });

  test('introspection of a schema of everything', async () => {
    sameIntrospection(JSON.parse(await probe.ask({ query: introspection })).data, everything);
    // Without what is deprecated, which is the default.
    const query = `{ __schema { directives { name args { name } } types { name fields { name args { name } } inputFields { name } enumValues { name } } } }`;
    const theirs = run(everything, parse(query), { Query: {} });
    assert.deepEqual(plain(JSON.parse(await probe.ask({ query })).data), plain(JSON.parse(JSON.stringify(theirs.data))));
  });
});

// ---- the server ----

let server, staff, schema, calls;
// Orders in several states.
async function fill() {
  for (let i = 0; i < 3; i++) {
    const { orderId } = await staff.does('createOrder', basket({ externalRef: `C-${i}`, placedAt: `2026-01-0${i + 1}T00:00:00Z` }));
    await staff.does('addNote', { orderId, note: `note "${i}" é😀\n` });
    if (i === 1) await staff.does('placeHold', { orderId, reason: 'check' });
    if (i === 2) await staff.does('cancelOrder', { orderId, cancellationReason: 'done' });
  }
}

// Everything that can be selected on a type without going around in circles.
function exhaustive(type, above = []) {
  if (isAbstractType(type)) return `{ __typename ${schema.getPossibleTypes(type).map((one) => `... on ${one.name} ${exhaustive(one, above)}`).join(' ')} }`;
  const parts = Object.values(type.getFields()).filter((field) => selectable(field) && !above.includes(getNamedType(field.type)))
    .map((field) => (isCompositeType(getNamedType(field.type)) ? `${field.name} ${exhaustive(getNamedType(field.type), [...above, type])}` : field.name));
  return `{ __typename ${parts.join(' ')} }`;
}

// What an admin may read, and what reads the same twice (usage counts the requests of the last minute).
const selectable = (field) => !field.args.some(isRequiredArgument) && !/Needs the permission manage_tenant/.test(field.description ?? '');

// Root fields with arguments, and what they answer in full: the data that the oracle executes on.
async function readAll() {
  const { nodes } = (await staff.query('{ orders(first: 3) { nodes { id orderId } } }')).orders;
  const texts = [...nodes.flatMap(({ orderId, id }) => [`getOrder(orderId: "${orderId}")`, `getOrder(atVersion: 1 orderId: "${orderId}")`,
    `getOrderByOrderId(orderId: "${orderId}")`, `order(by: { orderId: "${orderId}" })`, `node(id: "${id}")`]),
  'getOrder(orderId: "ORD-1")', 'node(id: "x")', 'orders', 'orders(first: 2)', 'orders(last: 1)', 'orders(first: 1 filter: { stage: [CANCELLED] })', 'ordersCount',
  'tenantEventLog(first: 3)', 'viewer', 'tenant', 'tenant(tenantId: "demo")'];
  const found = [];
  for (const text of texts) {
    const name = text.match(/^\w+/)[0];
    const type = getNamedType(schema.getQueryType().getFields()[name].type);
    const select = name === 'node' ? exhaustive(schema.getType('Order')).replace(/^{/, '{ __typename ... on Order {').concat(' }') : exhaustive(type);
    const value = (await staff.query(`{ ${text} ${select} }`))[name];
    let key;
    run(schema, parse(`{ ${text} { __typename } }`), { Query: {} }, undefined, undefined, (field, args) => { key = field + JSON.stringify(args); });
    found.push({ name, key, value, tokens: text.slice(name.length).match(/"[^"]*"|\w+|[^\s]/g) ?? [] });
  }
  return found;
}

// Selects only what was read: known root fields, no arguments below them, no way back to an order.
class Reader extends Generator {
  field(type, depth, root) {
    if (type !== this.schema.getQueryType()) return super.field(type, depth, root);
    const { name, tokens } = this.random.pick(calls);
    const field = type.getFields()[name];
    const alias = `${name}_${this.random.below(1000)}`;
    return [alias, ':', name, ...tokens, ...this.directivesAt('FIELD', 0.1), ...this.set(getNamedType(field.type), depth - 1)];
  }

  alias(field) { return `${field.name}_${this.random.below(1000000)}`; }

  args(defs, seed) { return seed === 'skip' || seed === 'include' ? super.args(defs, seed) : []; }

  fieldsOf(type) {
    return super.fieldsOf(type).filter((field) => selectable(field) && !(type.name === 'OrderEvent' && field.name === 'order')
      && !(type.name === 'Viewer' && field.name === 'tenant'));
  }
}

describe('the server', () => {
  before(async () => {
    // Between two requests lie minutes of comparing on a busy machine.
    server = await Server.start({ args: ['--shards', '2'], config: { limits: { idle_timeout_ms: 3600000 } } });
    staff = new Caller(server, 'admin'); // who may read everything
    schema = buildClientSchema(await staff.query(introspection));
    await fill();
    calls = await readAll();
  });
  after(async () => {
    staff.close();
    await server.stop();
  });

  test('introspection of the server', async () => {
    sameIntrospection(await staff.query(introspection), buildSchema((await import('node:fs')).readFileSync(
      new URL('../../http/schema.graphql', import.meta.url), 'utf8')));
  });

  test('verdicts of the server', async () => {
    const seen = { valid: 0, invalid: 0, syntax: 0, ours: 0 };
    const count = Math.ceil(rounds / 2);
    await ask(count, 16, async (seed) => {
      const text = documentOf(schema, new Random(seed ^ 0xface));
      const { json, status, body } = await staff.connection.post(staff.token, { query: text, operationName: 'nothing has this name' });
      if (!json) return `status ${status} ${body} ${JSON.stringify(text)}`;
      const errors = json.errors.filter(({ message }) => message !== 'The document has no operation of that name.');
      return compareVerdicts(schema, text, { errors }, seen);
    });
    spread(seen, count);
  });

  test('data of the server, byte for byte', async () => {
    let compared = 0;
    await ask(Math.ceil(rounds / 5), 8, async (seed) => {
      const random = new Random(seed ^ 0xda7a);
      const generator = new Reader(schema, random, { depth: 6, width: 6, kinds: ['query'], meta: false });
      const text = write(generator.document(), random);
      const { verdict, document } = judge(schema, text);
      if (verdict !== 'valid') return '';
      const variables = generator.variablesOf(document);
      const theirs = run(schema, document, { Query: {} }, variables, undefined, (field, args) => calls.find(({ key }) => key === field + JSON.stringify(args))?.value
        ?? null);
      const { body } = await staff.post(text, variables);
      if (body.includes('"LIMIT_EXCEEDED"')) return ''; // more aliases than we allow
      compared++;
      const found = !mergesTypename({ document }, JSON.parse(body)) && resultDifference(theirs, body, { parallel: true });
      return found && `${found}\n${JSON.stringify(text)}\n${JSON.stringify(variables)}\n${body}`;
    });
    if (rounds >= 100) assert.ok(compared > rounds / 10, `only ${compared} documents were compared`);
  });
});

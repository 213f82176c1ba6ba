// Documents out of a seed: grammar-based and schema-aware, mostly valid, wrong on purpose where `chaos` says so, and
// edits of finished ones. A document is an array of tokens until it is written, with all that may stand between tokens.
import { getNamedType, getNullableType, isAbstractType, isCompositeType, isEnumType, isInputObjectType, isInputType, isListType, isNonNullType,
  isRequiredArgument, isRequiredInputField, isScalarType, isUnionType, typeFromAST } from 'graphql-oracle';

// A random number generator of 32 bits of state (splitmix32).
export class Random {
  constructor(seed) { this.state = seed >>> 0; }

  next() {
    this.state = (this.state + 0x9e3779b9) >>> 0;
    let z = this.state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }

  below(n) { return this.next() % n; }
  chance(p) { return this.next() / 2 ** 32 < p; }
  pick(list) { return list[this.below(list.length)]; }
}

const strings = ['""', '"plain"', '"a \\"b\\" \\\\ \\n"', '"\\u00e9\\u{1F600}\\uD83D\\uDE00"', '"""block"""', '"""\n   a\n     b\n  """', '"é😀"',
  '"#,{"', '"""\\""" " """', '"2026-01-01T00:00:00Z"', '"USD"', '"12.50"', '"ORD-1"', '"""\r\n\r\n  x\r  y\n"""'];
const ints = ['0', '-0', '1', '7', '-12', '2147483647', '-2147483648'];
const floats = ['0.5', '-1.25', '1e3', '1.5E-2', '3', '-0.0'];

export class Generator {
  // options: chaos (probability of a wrong choice at each step), depth and width of selections, kinds of operations, meta
  // (whether __schema and __type are selected).
  constructor(schema, random, { chaos = 0, depth = 4, kinds, width = 4, meta = true } = {}) {
    Object.assign(this, { schema, random, chaos, depth, width, meta });
    this.types = Object.values(schema.getTypeMap());
    this.composites = this.types.filter(isCompositeType);
    this.inputs = this.types.filter(isInputType);
    this.directives = schema.getDirectives();
    this.names = [...new Set(this.types.flatMap((type) => [type.name,
      ...Object.keys(type.getFields?.() ?? {}), ...(type.getValues?.() ?? []).map((value) => value.name)]))];
    this.kinds = kinds ?? ['query', 'query', 'query', schema.getMutationType() && 'mutation', schema.getSubscriptionType() && 'subscription']
      .filter(Boolean);
  }

  wrong() { return this.chaos > 0 && this.random.chance(this.chaos); }

  document() {
    const { random } = this;
    this.fragments = [];
    this.variableCount = 0;
    this.budget = 60;
    this.variables = new Map();
    const kind = random.pick(this.kinds);
    const operations = [this.operation(kind, random.chance(0.6) || this.wrong() ? this.name('Op') : undefined)];
    if (this.wrong()) operations.push(this.operation(random.pick(this.kinds), random.chance(0.5) ? this.name('Op') : undefined));
    const definitions = [...operations];
    for (const fragment of this.fragments) definitions.splice(random.below(definitions.length + 1), 0, fragment.tokens);
    if (this.wrong()) definitions.push(this.fragment(random.pick(this.composites), 1).tokens);
    return definitions.flat();
  }

  name(prefix) { return `${prefix}${this.random.below(3)}`; }

  describe(tokens) { return this.random.chance(0.05) ? [this.random.pick(strings), ...tokens] : tokens; }

  operation(kind, name) {
    const { random } = this;
    const root = { query: this.schema.getQueryType(), mutation: this.schema.getMutationType(), subscription: this.schema.getSubscriptionType() }[kind];
    const directives = this.directivesAt(kind.toUpperCase(), 0.15);
    const width = kind === 'subscription' && !this.wrong() ? 1 : this.width;
    const set = root ? this.set(root, this.depth, { width, root: kind }) : ['{', 'a', '}'];
    const definitions = this.defineVariables();
    if (!name && kind === 'query' && definitions.length === 0 && directives.length === 0 && random.chance(0.7)) return set;
    return this.describe([kind, ...(name ? [name] : []), ...definitions, ...directives, ...set]);
  }

  defineVariables() {
    const { random } = this;
    const all = [...this.variables.values()];
    if (this.wrong()) all.push({ name: this.name('unused'), type: this.wrong() ? random.pick(this.types).name : random.pick(this.inputs).name });
    if (this.wrong() && all.length) all.splice(random.below(all.length), 1);
    if (this.wrong() && all.length) all.push(random.pick(all));
    if (all.length === 0) return [];
    return ['(', ...all.flatMap((variable) => this.describe(['$', variable.name, ':', ...typeTokens(variable.type),
      ...(variable.initial ? ['=', ...variable.initial] : []), ...this.directivesAt('VARIABLE_DEFINITION', 0.05, true)])), ')'];
  }

  set(type, depth, { width = this.width, root } = {}) {
    const { random } = this;
    const tokens = ['{'];
    const count = 1 + random.below(width);
    for (let i = 0; i < count; i++) tokens.push(...this.selection(type, depth, root));
    if (this.wrong() && this.wrong()) tokens.splice(1);
    return [...tokens, '}'];
  }

  selection(type, depth, root) {
    const { random } = this;
    const sub = root === 'subscription';
    if (random.chance(sub ? 0.1 : 0.2) && depth > 0) return this.spread(type, depth, root);
    return this.field(type, depth, root);
  }

  // A type that may overlap with `type`.
  related(type) {
    const { random } = this;
    if (this.wrong()) return random.pick(this.wrong() ? this.types : this.composites);
    if (isAbstractType(type)) {
      const possible = this.schema.getPossibleTypes(type);
      const one = random.pick(possible);
      return random.pick([type, one, one, ...one.getInterfaces()]);
    }
    return random.pick([type, type, ...type.getInterfaces()]);
  }

  spread(type, depth, root) {
    const { random } = this;
    const on = this.related(type);
    const directives = (place) => (root === 'subscription' && !this.wrong() ? [] : this.directivesAt(place, 0.2));
    if (random.chance(0.5)) {
      const condition = on === type && random.chance(0.4) ? [] : ['on', on.name];
      const inner = isCompositeType(on) ? this.set(on, depth - 1, { root, width: root === 'subscription' ? 1 : this.width }) : ['{', 'a', '}'];
      return ['...', ...condition, ...directives('INLINE_FRAGMENT'), ...inner];
    }
    const known = this.fragments.filter((fragment) => fragment.on === on && fragment.done);
    let fragment;
    if (known.length && random.chance(0.5)) fragment = random.pick(known);
    else if (this.wrong() && this.fragments.length) fragment = random.pick(this.fragments);
    else fragment = this.fragment(on, depth - 1, root);
    const name = this.wrong() ? this.typo(fragment.name) : fragment.name;
    return ['...', name, ...directives('FRAGMENT_SPREAD')];
  }

  fragment(on, depth, root) {
    const fragment = { name: `F${this.fragments.length}`, on, done: false, tokens: [] };
    if (this.wrong()) fragment.name = this.name('F');
    this.fragments.push(fragment);
    const inner = isCompositeType(on) ? this.set(on, depth, { root, width: root === 'subscription' ? 1 : this.width }) : ['{', 'a', '}'];
    fragment.tokens = this.describe(['fragment', fragment.name, 'on', on.name, ...this.directivesAt('FRAGMENT_DEFINITION', 0.1), ...inner]);
    fragment.done = true;
    return fragment;
  }

  field(type, depth, root) {
    const { random } = this;
    const meta = this.meta && type === this.schema.getQueryType() && random.chance(0.08) ? random.pick(['__schema', '__type']) : undefined;
    const fields = this.fieldsOf(type);
    let field = meta ? this.schema.getField(type, meta) : random.pick(fields);
    this.budget--;
    if (isUnionType(type) || (!meta && random.chance(0.07) && (root !== 'subscription' || this.wrong()))) field = this.schema.getField(type, '__typename');
    // Deep places take leaves, as far as there are any.
    for (let i = 0; i < 6 && (depth <= 0 || this.budget < 0) && isCompositeType(getNamedType(field.type)); i++) field = random.pick(fields);
    const leaf = !isCompositeType(getNamedType(field.type));
    if (!leaf && (depth <= 0 || this.budget < -40)) field = this.schema.getField(type, root === 'subscription' ? fields[0].name : '__typename');
    const composite = isCompositeType(getNamedType(field.type));
    const name = this.wrong() ? (random.chance(0.5) ? this.typo(field.name) : random.pick(this.names)) : field.name;
    const alias = random.chance(0.25) ? [this.alias(field), ':'] : [];
    const directives = root === 'subscription' && !this.wrong() ? [] : this.directivesAt('FIELD', 0.12);
    const set = composite !== this.wrong() ? this.set(composite ? getNamedType(field.type) : type, depth - 1) : [];
    return [...alias, name, ...this.args(field.args, `${field.name}`), ...directives, ...set];
  }

  // What may be selected on a type.
  fieldsOf(type) { return Object.values(type.getFields?.() ?? {}); }

  // Names of which some collide.
  alias(field) { return this.random.chance(0.8) ? `${field.name}_${this.random.below(1000)}` : this.random.pick(['a', 'b', 'id', 'name', field.name]); }

  args(defs, seed) {
    const { random } = this;
    let given = defs.filter((def) => (isRequiredArgument(def) ? !this.wrong() : random.chance(seed.startsWith('echo') ? 0.3 : 0.25)));
    if (this.wrong() && given.length) given = [...given, random.pick(given)];
    if (this.wrong()) given = [...given, { name: this.typo(random.pick(defs)?.name ?? random.pick(this.names)), type: random.pick(this.inputs) }];
    if (random.chance(0.3)) given = [...given].reverse();
    if (given.length === 0) return [];
    return ['(', ...given.flatMap((def) => [def.name, ':', ...this.value(def.type, { place: def })]), ')'];
  }

  directivesAt(place, p, constant = false) {
    const { random } = this;
    if (!random.chance(p)) return [];
    let known = this.directives.filter((directive) => directive.locations.includes(place));
    if (this.wrong()) known = this.directives;
    if (known.length === 0) return [];
    const tokens = [];
    for (let i = random.below(2); i >= 0; i--) {
      const directive = random.pick(known);
      if (tokens.includes(directive.name) && !directive.isRepeatable && !this.wrong()) continue;
      const was = this.constant;
      this.constant = constant;
      tokens.push('@', this.wrong() ? this.typo(directive.name) : directive.name, ...this.args(directive.args, directive.name));
      this.constant = was;
    }
    return tokens;
  }

  // ---- values ----

  variable(type, place, oneOf) {
    const { random } = this;
    const text = this.wrong() ? random.pick(this.inputs).name : String(type);
    const existing = [...this.variables.values()].filter((variable) => variable.type === text || variable.type === `${text}!`);
    if (existing.length && random.chance(0.4)) return ['$', random.pick(existing).name];
    const variable = { name: `v${this.variableCount++}`, type: text, of: type };
    if (!isNonNullType(type) && (oneOf || random.chance(0.25)) && !this.wrong()) variable.type = `${text}!`;
    else if (isNonNullType(type) && random.chance(0.3)) {
      // Nullable where a default makes it good.
      variable.type = String(type.ofType);
      if (!(place?.defaultValue !== undefined || place?.default !== undefined) || random.chance(0.5)) variable.initial = this.constantValue(type);
    }
    if (!variable.initial && random.chance(0.25)) variable.initial = this.constantValue(isNonNullType(type) || variable.type.endsWith('!') ? getNullableType(type) : type, variable.type.endsWith('!'));
    this.variables.set(variable.name, variable);
    return ['$', variable.name];
  }

  constantValue(type, notNull) {
    const was = this.constant;
    this.constant = true;
    let value = this.value(type, {});
    for (let i = 0; notNull && value[0] === 'null' && i < 20; i++) value = this.value(type, {});
    if (notNull && value[0] === 'null' && !this.wrong()) value = this.literal(getNamedType(type));
    this.constant = was;
    return value;
  }

  value(type, { place, oneOf, depth = 0 } = {}) {
    const { random } = this;
    if (!this.constant && random.chance(0.25)) return this.variable(type, place, oneOf);
    if (this.wrong()) return this.value(random.pick(this.inputs), { depth: depth + 1 });
    if (isNonNullType(type)) return this.wrong() ? ['null'] : this.value(type.ofType, { place, oneOf: true, depth });
    if (!oneOf && random.chance(0.08)) return ['null'];
    if (isListType(type)) {
      if (random.chance(0.15)) return this.value(type.ofType, { oneOf: true, depth: depth + 1 });
      const items = [];
      for (let i = random.below(depth > 4 ? 1 : 3); i > 0; i--) items.push(...this.value(type.ofType, { depth: depth + 1 }));
      return ['[', ...items, ']'];
    }
    return isInputObjectType(type) ? this.object(type, depth) : this.literal(type);
  }

  object(type, depth) {
    const { random } = this;
    const fields = Object.values(type.getFields());
    let given;
    if (type.isOneOf && !this.wrong()) {
      // Towards a leaf when it is deep.
      const leaves = fields.filter((field) => !isInputObjectType(getNamedType(field.type)));
      given = [random.pick(depth > 3 && leaves.length ? leaves : fields)];
    } else {
      given = fields.filter((field) => (isRequiredInputField(field) ? !this.wrong()
        : random.chance(depth > 3 ? 0.02 : Math.min(0.35, 4 / fields.length))));
    }
    if (this.wrong() && given.length) given = [...given, random.pick(given)];
    if (this.wrong()) given = [...given, { name: this.typo(random.pick(fields).name), type: random.pick(this.inputs) }];
    return ['{', ...given.flatMap((field) => [field.name, ':', ...this.value(field.type, { place: field, oneOf: type.isOneOf, depth: depth + 1 })]), '}'];
  }

  literal(type) {
    const { random } = this;
    if (isEnumType(type)) {
      const name = random.pick(type.getValues()).name;
      return [this.wrong() ? this.typo(name) : name];
    }
    if (isInputObjectType(type)) return this.object(type, 4);
    switch (isScalarType(type) ? type.name : '') {
      case 'Int': return [this.wrong() ? random.pick(['2147483648', '-2147483649', '1.0', '1e2', '99999999999999999999']) : random.pick(ints)];
      case 'Float': return [this.wrong() ? random.pick(['true', '"1"']) : random.pick([...floats, ...ints])];
      case 'Boolean': return [random.pick(['true', 'false'])];
      case 'ID': return [random.pick([...ints, '"b1"', '"Order"', '"ORD-1"', '99999999999999999999'])];
      case 'String': return [random.pick(strings)];
      case 'Anything': case 'JSON': return this.anything(0);
      case 'Decimal': return [random.pick(['"12.50"', '7', '0.25', '"1"'])];
      case 'DateTime': return ['"2026-01-01T00:00:00Z"'];
      case 'CurrencyCode': return ['"USD"'];
      default: return [random.pick(strings)];
    }
  }

  // ---- the values of variables in a request, as JSON ----

  variablesOf(document, operationName) {
    const { random } = this;
    const operation = document.definitions.find(({ kind, name }) => kind === 'OperationDefinition' && (!operationName || name?.value === operationName));
    const values = {};
    for (const { variable, type, defaultValue } of operation?.variableDefinitions ?? []) {
      if (random.chance(defaultValue ? 0.4 : type.kind === 'NonNullType' ? 0.02 : 0.3)) continue;
      values[variable.name.value] = this.json(typeFromAST(this.schema, type));
    }
    if (random.chance(0.1)) values.other = 1;
    return values;
  }

  json(type, depth = 0, notNull = false) {
    const { random } = this;
    if (this.wrong()) return this.json(random.pick(this.inputs), depth + 1);
    if (isNonNullType(type)) return this.wrong() ? null : this.json(type.ofType, depth, true);
    if (!notNull && random.chance(0.1)) return null;
    if (isListType(type)) {
      if (random.chance(0.2)) return this.json(type.ofType, depth + 1, true);
      return Array.from({ length: random.below(depth > 4 ? 1 : 3) }, () => this.json(type.ofType, depth + 1));
    }
    if (isInputObjectType(type)) return this.jsonObject(type, depth);
    if (isEnumType(type)) return this.wrong() ? this.typo(random.pick(type.getValues()).name) : random.pick(type.getValues()).name;
    switch (type.name) {
      case 'Int': return this.wrong() ? random.pick([2147483648, 1.5, -2147483649, '1', true]) : random.pick([0, 1, -7, 2147483647, -2147483648]);
      case 'Float': return this.wrong() ? random.pick(['1', true, {}]) : random.pick([0, 1.5, -2e-7, 7]);
      case 'Boolean': return this.wrong() ? random.pick([0, 'true']) : random.chance(0.5);
      case 'ID': return this.wrong() ? random.pick([1.5, true]) : random.pick(['x', 7, '', 'b1', 123456789012]);
      case 'String': return this.wrong() ? random.pick([1, false, ['s', 't']]) : random.pick(['', 'text', 'é😀\n"', '\u0000\u001f\u007f\u2028']);
      case 'Anything': return random.pick([1, 'x', [1, [null]], { a: { b: true } }, false, 0.5]);
      default: return 'x';
    }
  }

  jsonObject(type, depth) {
    const { random } = this;
    const fields = Object.values(type.getFields());
    const leaves = fields.filter((field) => !isInputObjectType(getNamedType(field.type)));
    let given = type.isOneOf && !this.wrong() ? [random.pick(depth > 3 && leaves.length ? leaves : fields)]
      : fields.filter((field) => (isRequiredInputField(field) ? !this.wrong() : random.chance(depth > 3 ? 0.05 : 0.4)));
    if (random.chance(0.3)) given = given.reverse();
    const entries = given.map((field) => [field.name, this.json(field.type, depth + 1, type.isOneOf)]);
    if (this.wrong()) entries.push([this.typo(random.pick(fields).name), 1]);
    return Object.fromEntries(entries);
  }

  anything(depth) {
    const { random } = this;
    if (!this.constant && random.chance(0.05)) return this.variable(this.schema.getType('Anything') ?? this.schema.getType('JSON'));
    switch (random.below(depth > 2 ? 5 : 7)) {
      case 0: return [random.pick(ints)];
      case 1: return [random.pick(floats)];
      case 2: return [random.pick(strings)];
      case 3: return [random.pick(['true', 'false', 'null'])];
      case 4: return [random.pick(['ENUM', 'on', 'query'])];
      case 5: return ['[', ...this.anything(depth + 1), ...(random.chance(0.5) ? this.anything(depth + 1) : []), ']'];
      default: return ['{', 'a', ':', ...this.anything(depth + 1), ...(random.chance(0.5) ? ['b', ':', ...this.anything(depth + 1)] : []), '}'];
    }
  }

  typo(name) {
    const { random } = this;
    const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789';
    let text = name;
    for (let i = random.below(2); i >= 0; i--) {
      const at = 1 + random.below(Math.max(1, text.length - 1));
      switch (random.below(5)) {
        case 0: text = text.slice(0, at) + text.slice(at + 1); break;
        case 1: text = text.slice(0, at) + random.pick(letters) + text.slice(at); break;
        case 2: text = text.slice(0, at) + random.pick(letters) + text.slice(at + 1); break;
        case 3: text = text.slice(0, at - 1) + (text[at] ?? '') + text[at - 1] + text.slice(at + 1); break;
        default: text = random.chance(0.5) ? text.toUpperCase() : text.toLowerCase();
      }
    }
    return /^[_A-Za-z]/.test(text) ? text : `x${text}`;
  }
}

const typeTokens = (text) => text.match(/[A-Za-z0-9_]+|[[\]!]/g);

// ---- edits of a finished document ----

const soup = ['{', '}', '(', ')', '[', ']', ':', '$', '@', '...', '!', '=', '|', '&', 'on', 'query', 'mutation', 'subscription', 'fragment', 'null', 'true',
  'type', 'extend', 'schema', 'id', '__typename', '0', '-1', '1.5', '"s"', '"""b"""', '01', '1.', '.5', '1a', '0x1', '1e', '"open', '"\\q"', '"\\uD800"', '"\\u{110000}"',
  '"""open', '\u0007', '\u00a0', '?', "'a'", '-', '..', '"\\uD83D\\uDE00"', '1.2.3', '1_0', '\\', '"a\nb"', '"\\u12"', '"\\uDE00\\uD83D"', '00', '-01', '$$', '#', 'é', '😀'];

export function edit(tokens, random, names) {
  const out = [...tokens];
  for (let i = random.below(2); i >= 0; i--) {
    const at = random.below(out.length), other = random.below(out.length);
    switch (random.below(9)) {
      case 0: out.splice(at, 1); break;
      case 1: out.splice(at, 0, out[at]); break;
      case 2: [out[at], out[other]] = [out[other], out[at]]; break;
      case 3: out.splice(at, 0, random.pick(soup)); break;
      case 4: out[at] = random.pick(soup); break;
      case 5: out.splice(at, 1 + random.below(6)); break;
      case 6: out.splice(at, 0, ...out.slice(other, other + 1 + random.below(8))); break;
      case 7: out[at] = random.pick(names); break;
      default: out.splice(at); break;
    }
    if (out.length === 0) out.push('{');
  }
  return out;
}

const tokensOf = (text) => text.match(/"""[\s\S]*?"""|"(?:\\.|[^"\\])*"|\.\.\.|-?\d+(?:\.\d+)?|[A-Za-z_0-9]+|[^\s,]/g);

// A schema's text with one thing in it changed.
export function editSchema(text, random) {
  const tokens = tokensOf(text);
  const places = (wanted) => tokens.flatMap((token, i) => (wanted.test(token) ? [i] : []));
  const name = /^[A-Za-z_]\w*$/;
  const names = [...new Set(tokens.filter((token) => name.test(token)))];
  switch (random.below(6)) {
    case 0: return edit(tokens, random, names).join(' ');
    case 1: case 2: tokens[random.pick(places(name))] = random.pick(names); break;
    case 3: tokens.splice(random.pick(places(name)), 0, ...random.pick([['!'], ['@', 'deprecated'], ['@', 'once'], ['@', 'schemaOnly'], ['@', 'oneOf'], ['@', 'mark']])); break;
    case 4: tokens.splice(random.pick(places(/^[![\]=@]$/)), 1 + random.below(3)); break;
    default: tokens.splice(random.pick(places(name)), 1, random.pick(['__x', 'extend', '[', '=', 'null', '{', 'Int', 'Query', 'implements', '&']));
  }
  return tokens.join(' ');
}

// The text, with what may stand between tokens between them.
export function write(tokens, random) {
  const odd = random.chance(0.2);
  let text = odd && random.chance(0.3) ? '\ufeff' : '', last = '';
  for (const token of tokens) {
    const tight = !odd && (/^[)\]:!}(]$/.test(token) || /^[([$@!{]$/.test(last) || token === '...' || last === '...');
    const touching = /[A-Za-z0-9_"]$/.test(last) && /^[A-Za-z0-9_"]/.test(token);
    if (odd && last && (touching || random.chance(0.7)))
      text += random.pick([' ', '\n', '\t', ',', ' , ', '\r\n', '\r', '# note\n', '#é😀\r', '\ufeff', '\n\n  ']);
    else if (last && (touching || !tight)) text += random.chance(0.2) ? '\n' : ' ';
    text += token;
    last = token;
  }
  return text;
}

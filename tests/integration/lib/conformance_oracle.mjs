// What graphql-js says of a document, and what we say, in one form: a verdict and the rules that were broken, where.
import { TypeInfo, VariablesInAllowedPositionRule, __Directive, __DirectiveLocation, __Schema, execute, getLocation, getNamedType, isInputType, parse, specifiedDirectives, specifiedRules, typeFromAST,
  validate, visit, visitWithTypeInfo } from 'graphql-oracle';

Array.prototype.toSorted ??= function toSorted(compare) { return [...this].sort(compare); }; // what 17 asks of Node 20, for Node 18

// The oracle knows what came after September 2025: directives that are deprecated themselves, and places for more directives.
for (const later of ['FRAGMENT_VARIABLE_DEFINITION', 'DIRECTIVE_DEFINITION']) {
  __DirectiveLocation._values = __DirectiveLocation.getValues().filter(({ name }) => name !== later);
  __DirectiveLocation._nameLookup = undefined;
  __DirectiveLocation._valueLookup = undefined;
  for (const directive of specifiedDirectives) directive.locations = directive.locations.filter((name) => name !== later);
}
delete __Directive.getFields().isDeprecated;
delete __Directive.getFields().deprecationReason;
__Schema.getFields().directives.args.length = 0;

// Variables where they stand in an operation or fragment (section 5.8.5). The oracle's own list forgets the defaults of
// places in fragments, and that a place in a required @oneOf object is one too.
function usages(context, definition) {
  const found = [], info = new TypeInfo(context.getSchema());
  visit(definition, visitWithTypeInfo(info, {
    VariableDefinition: () => false,
    Variable(node, key, parent) {
      found.push({ node, type: info.getInputType(), defaultValue: info.getDefaultValue(),
        parentType: parent.kind === 'ObjectField' ? getNamedType(info.getParentInputType()) : undefined });
    },
  }));
  return found;
}

// By the formal algorithm of section 5.8.5 a default also lets a nullable variable stand in a @oneOf object; the oracle
// takes only non-null ones there.
const lenient = ({ message, nodes }) => / must be non-nullable to be used for OneOf /.test(message)
  && nodes[0].defaultValue && nodes[0].defaultValue.kind !== 'NullValue';
// A variable of an output type is wrong once, wherever it is used.
const wrongType = (schema, { nodes }) => !isInputType(typeFromAST(schema, nodes[0].type));

// Each rule with its name on the errors that it reports.
const named = specifiedRules.filter((rule) => !/Stream/.test(rule.name)).map((rule) => (context) => {
  const own = Object.create(context);
  own.getVariableUsages = (definition) => usages(context, definition);
  own.reportError = (error) => {
    if (rule === VariablesInAllowedPositionRule && (lenient(error) || wrongType(context.getSchema(), error))) return;
    error.rule = rule.name.replace(/Rule$/, '');
    context.reportError(error);
  };
  return rule(own);
});

export function judge(schema, text) {
  let document;
  try {
    document = parse(text);
  } catch (error) {
    return { verdict: 'syntax', errors: [{ rule: 'Syntax', message: error.message, locations: error.locations }] };
  }
  const errors = validate(schema, document, named, { maxErrors: 1000 });
  return { verdict: errors.length ? 'invalid' : 'valid', document,
    errors: errors.map(({ rule, message, locations }) => ({ rule, message, locations })) };
}

// Our messages by the rule that they speak of. Others are those of custom scalars, which the oracle takes any value for.
const rules = [
  ['UniqueArgumentNames', /^Argument ".*" of .* is given twice\.$/],
  ['KnownArgumentNames', /^There is no argument "/],
  ['ProvidedRequiredArguments', /^Argument ".*" of type ".*" of .* is required\.$/],
  ['KnownDirectives', /^Unknown directive "@|^Directive "@.*" cannot stand on /],
  ['UniqueDirectivesPerLocation', /^Directive "@.*" is given twice\.$/],
  ['FieldsOnCorrectType', /^Type ".*" has no field "/],
  ['ScalarLeafs', /^Field ".*" of type ".*" (has no fields to select|needs a selection of fields)/],
  ['PossibleFragmentSpreads', /^A fragment on ".*" can never apply to /],
  ['KnownTypeNames', /^Unknown type "/],
  ['FragmentsOnCompositeTypes', /^A fragment cannot be on "/],
  ['KnownFragmentNames', /^Unknown fragment "/],
  ['UniqueFragmentNames', /^There are two fragments "/],
  ['NoUnusedFragments', /^Fragment ".*" is never used\.$/],
  ['NoFragmentCycles', /^Fragment ".*" spreads itself/],
  ['LoneAnonymousOperation', /^An operation without a name must be the only one\.$/],
  ['UniqueOperationNames', /^There are two operations "/],
  ['ExecutableDefinitions', /^A type system definition cannot be executed\.$/],
  ['NoOperation', /^The document holds no operation\.$/],
  ['KnownOperationTypes', /^This service has no \w+ operations\.$/],
  ['SingleFieldSubscriptions', /root of a subscription|^A subscription('s| must)/],
  ['UniqueInputFieldNames', /^Input field ".*" is given twice\.$/],
  ['VariablesAreInputTypes', /^Variable "\$.*" cannot have the type /],
  ['UniqueVariableNames', /^There are two variables "\$/],
  ['NoUndefinedVariables', /^Variable "\$.*" is not defined/],
  ['NoUnusedVariables', /^Variable "\$.*" is never used/],
  ['VariablesInAllowedPosition', /^Variable "\$.*" of type ".*" is used where /],
  ['OverlappingFieldsCanBeMerged', /^Fields ".*" cannot be merged: /],
  ['MaxIntrospectionDepth', /^Introspection asks for more than /],
  ['ValuesOfCorrectType', /^Expected |^Exactly one field of |^Field ".*" of ".*" must not be null\.$|" is no field of "|^Field ".*" of type ".*" of ".*" is required\.$/],
];

export function classify(response) {
  const errors = (response.errors ?? []).map(({ message, locations, extensions }) => {
    const code = extensions?.code;
    if (code === 'GRAPHQL_PARSE_FAILED') return { rule: 'Syntax', message, locations };
    const rule = rules.find(([, text]) => text.test(message))?.[0] ?? (code === 'GRAPHQL_VALIDATION_FAILED' ? 'Scalar' : code);
    return { rule, message, locations, code };
  });
  let verdict = errors.length ? 'invalid' : 'valid';
  if (errors.some((error) => error.rule === 'Syntax')) verdict = 'syntax';
  else if (errors.some((error) => error.code === 'LIMIT_EXCEEDED' && error.rule !== 'MaxIntrospectionDepth')) verdict = 'limit';
  return { verdict, errors };
}

// (Theirs compares what was written, with its quotes and brackets, where an enum's value should stand.)
const hint = (message) => (/^Enum ".*" cannot represent non-enum value: ["[{]|^Expected a value of the enum \w+, found ("|a list|an object)/.test(message) ? '' : message).match(/ Did you mean ([^?]*)\?/)?.[1] ?? '';
const quoted = (text) => [...text.matchAll(/"([^"]*)"/g)].map((match) => match[1]).join(' ');
const at = (location) => (location ? `${location.line}:${location.column}` : '-');

// One line for each broken rule at one place; theirs has no hints for directives. How many pairs of one group conflict is nobody's business: a rule counts
// once for a place.
function lines({ errors }, { hints }) {
  return [...new Set(errors.map((error) => `${error.rule} ${at(error.locations?.[0])} ${hints && error.rule !== 'KnownDirectives' ? quoted(hint(error.message)) : ''}`))].sort();
}

// The oracle does not know the type of __typename when it asks what can be merged: String! and an enum under one name
// pass. By section 5.3.2 they do not.
export function mergesTypename({ document }, { errors = [] }) {
  const places = new Set();
  visit(document, { Field({ name, loc }) { if (name.value === '__typename') places.add(at(getLocation(loc.source, loc.start))); } });
  return errors.length > 0 && errors.every(({ message, locations }) => /cannot be merged: their types differ/.test(message)
    && locations.some((location) => places.has(at(location))));
}

// What differs between the two, as a text; '' when nothing does.
export function difference(theirs, ours, { hints = true } = {}) {
  if (theirs.verdict === 'valid' && mergesTypename(theirs, ours)) return '';
  if (theirs.verdict !== ours.verdict) return `verdict ${theirs.verdict}, ours ${ours.verdict}`;
  const last = ['OverlappingFieldsCanBeMerged', 'MaxIntrospectionDepth'];
  const broken = (rule) => [theirs, ours].every(({ errors }) => errors.some((error) => error.rule === rule));
  // Which of two of one name is meant is anybody's choice, and so is what is wrong with it then.
  const unclear = ['NoOperation', ...(broken('UniqueInputFieldNames') ? ['ValuesOfCorrectType'] : []),
    ...(broken('UniqueVariableNames') ? ['VariablesInAllowedPosition', 'VariablesAreInputTypes'] : [])];
  const rest = (list) => list.filter(({ rule }) => !last.includes(rule) && !unclear.includes(rule));
  // What can be merged, and how deep introspection goes, we ask last, of documents without other faults, and tell the
  // first place; the oracle tells the pairs and the root.
  if (!theirs.errors.some(({ rule }) => !last.includes(rule)))
    return ours.errors.every(({ rule }) => theirs.errors.some((error) => error.rule === rule)) ? '' : 'another rule';
  if (broken('UniqueFragmentNames')) return '';
  const a = lines({ errors: rest(theirs.errors) }, { hints }), b = lines({ errors: rest(ours.errors) }, { hints });
  if (a.length > 16 || b.length > 16) return ''; // we stop at some number of errors
  if (a.join('\n') === b.join('\n')) return '';
  const only = (one, other) => one.filter((line) => !other.includes(line));
  return `only theirs: ${JSON.stringify(only(a, b))}; only ours: ${JSON.stringify(only(b, a))}`;
}

// ---- execution ----

// The data's marks as graphql-js knows them: a failure is an Error where a value should be.
export function failures(value) {
  if (Array.isArray(value)) return value.map(failures);
  if (value === null || typeof value !== 'object') return value;
  if ('!error' in value) return new Error(value['!error']);
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, failures(member)]));
}

// `root(field, args)` answers root fields, where the data does not.
export function run(schema, document, data, variables, operationName, rootValueOf) {
  const operation = document.definitions.find(({ kind, name }) => kind === 'OperationDefinition' && (!operationName || name?.value === operationName));
  const type = schema.getQueryType();
  const root = { query: 'Query', mutation: 'Mutation', subscription: 'Subscription' }[operation?.operation ?? 'query'];
  return execute({ schema, document, rootValue: data[root] ?? {}, variableValues: variables, operationName,
    fieldResolver(parent, args, context, { fieldName, parentType }) {
      if (rootValueOf && parentType === type) return rootValueOf(fieldName, args);
      return fieldName.startsWith('echo') ? JSON.stringify(args) : parent[fieldName];
    } });
}

// What differs between their result and our response text; '' when nothing does.
export function resultDifference(theirs, text, { parallel = false } = {}) {
  const ours = JSON.parse(text);
  // Where a null decides which root fields there are, nothing is executed: the oracle has an error of execution, we refuse.
  if (theirs.data === null && !('data' in ours) && /decides @skip or @include/.test(ours.errors[0].message)) return '';
  if (('data' in theirs) !== ('data' in ours))
    return `data: theirs ${'data' in theirs}, ours ${'data' in ours}: ${JSON.stringify([theirs.errors, ours.errors])}`;
  if (!('data' in theirs)) { // refused: for the same variables
    const names = (errors) => [...new Set(errors.map(({ message, locations }) =>
      `${message.match(/"?\$(\w+)/)?.[1]} ${at(locations?.[0])}`))].sort().join();
    return names(theirs.errors) === names(ours.errors) ? '' : `refused: theirs ${names(theirs.errors)}, ours ${names(ours.errors)}`;
  }
  const echo = (name, value) => (typeof value === 'string' && value.startsWith('{"') ? JSON.stringify(JSON.parse(value)) : value);
  const data = JSON.stringify(theirs.data);
  if (data !== JSON.stringify(ours.data, echo)) return `data: theirs ${data}, ours ${JSON.stringify(ours.data)}`;
  if (!text.startsWith(`{"data":${data}`) && !data.includes('{\\"')) return `bytes: theirs ${data}, ours ${text}`;
  const places = (errors = []) => errors.map(({ path, locations }) => `${path?.join('.')} ${at(locations?.[0])}`);
  const a = places(theirs.errors), b = places(ours.errors);
  // When all data is null, the oracle stopped at the first reason; a server has asked its other root fields already.
  if (parallel && theirs.data === null && a.every((place) => b.includes(place))) return '';
  return a.join() === b.join() ? '' : `errors: theirs ${a}; ours ${b}`;
}

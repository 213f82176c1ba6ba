// A schema with everything that the language has, also what ours has no use for, and data for it with holes and
// failures in it. conformance_probe.c says what the data's marks mean.
export const sdl = `
"""
A library
  of things.
"""
schema { query: Query mutation: Mutation subscription: Subscription }

"Marks, again and again."
directive @mark(note: String, level: Int! = 1, by: Pick) repeatable on
  QUERY | MUTATION | SUBSCRIPTION | FIELD | FRAGMENT_DEFINITION | FRAGMENT_SPREAD | INLINE_FRAGMENT | VARIABLE_DEFINITION
directive @once(kind: Kind, range: Range) on FIELD | QUERY | FRAGMENT_SPREAD | VARIABLE_DEFINITION
directive @schemaOnly(reason: String) on OBJECT | FIELD_DEFINITION | ARGUMENT_DEFINITION | ENUM_VALUE | INPUT_OBJECT

scalar Stamp @specifiedBy(url: "https://example.org/stamp")
scalar Anything

"What a thing is."
enum Kind { BOOK "A toy." TOY PLANT @deprecated(reason: "Not sold.") book2 book10 }

interface Node { id: ID! }
interface Named { name: String title(short: Boolean = false): String }
interface Resource implements Node & Named {
  id: ID!
  name: String
  title(short: Boolean = false): String
  owner: Person
}
type Person implements Node & Named @schemaOnly(reason: "x") {
  id: ID!
  name: String
  title(short: Boolean = false, long: String): String
  age: Int
  friends: [Person]
  favourite: Thing
  best: Person!
  mail: String! @deprecated
}
type Book implements Resource & Node & Named {
  id: ID!
  name: String!
  title(short: Boolean = false): String
  owner: Person
  pages: Int!
  kinds: [Kind!]!
  chapters: [[Chapter!]]!
  sequel: Book
  price: Float
}
type Toy implements Node & Resource & Named {
  id: ID!
  name: String
  title(short: Boolean = false): String
  owner: Person!
  size: Float
  parts: [Toy!]!
  maybe: [Toy!]
  stamp: Stamp
  pages: String
}
type Chapter { number: Int! heading: String words: [String] }
type Plant { latin: String! height: Int price: Float }
union Thing = Book | Toy | Plant
union Living = Person | Plant
union Lonely = Chapter

input Range { from: Int! = 1 to: Int inner: Range kinds: [Kind!] = [BOOK] note: String = "a\\nb" @deprecated(reason: "none") }
input Deep { range: Range = { from: 3, inner: { to: 4 } } ranges: [Range!] = [{ to: 1 }, {}] need: Boolean! matrix: [[Int!]!] }
input Pick @oneOf { id: ID name: String range: Range picks: [Pick!] kind: Kind }

type Query {
  node(id: ID): Node
  nodes: [Node]
  named: Named
  resource: Resource
  resources: [Resource!]!
  things: [Thing]
  thing: Thing
  living: [Living!]
  lonely: Lonely
  person: Person
  mustPerson: Person!
  book: Book!
  toy: Toy
  grid: [[Thing!]]
  kinds: [Kind!]
  number: Int
  failing: Person
  failingLeaf: String!
  missing: String!
  echo(int: Int, float: Float, string: String, boolean: Boolean, id: ID, kind: Kind, stamp: Stamp, any: Anything,
    ints: [Int!], matrix: [[Int]], range: Range, ranges: [Range], pick: Pick, deep: Deep, need: Int! = 7): String
  echoNeed(int: Int!, range: Range!, pick: Pick!, kinds: [Kind!]! = [TOY], old: String @deprecated(reason: "gone")): String
  echoKinds(list: [Kind!]!, id: ID! = "x", float: Float = 1.5, any: Anything = { a: [1, { b: null }] }): String!
}
type Mutation { echoFirst(pick: Pick!, note: String = "n"): String echoSecond(ids: [ID!]): String rename(name: String!): Person }
type Subscription { changed(id: ID, pick: Pick): Thing added(kinds: [Kind!] = [BOOK]): Book! counted: Int }
`;

const chapter = (number, heading, words) => ({ __typename: 'Chapter', number, heading, words });
const plant = { __typename: 'Plant', latin: 'Ficus', height: 12, price: 3.25 };
const bare = { __typename: 'Plant', latin: null, height: null };
const toyLeaf = { __typename: 'Toy', id: 't9', name: null, title: 'Leaf "toy"', owner: null, size: 0.5, parts: [], maybe: null, stamp: '2020' };
const amy = { __typename: 'Person', id: 'p3', name: 'Amy', title: null, age: 7, friends: [], favourite: null, best: null, mail: 'amy@x' };
const bob = { __typename: 'Person', id: 'p2', name: 'B\u00f6b \ud83d\ude00', title: 'Mr', age: null, friends: [amy, null], favourite: plant, best: amy, mail: null };
const ann = { __typename: 'Person', id: 'p1', name: 'Ann', title: 'Dr', age: 44, friends: [bob, { '!error': 'no such friend' }, amy], favourite: toyLeaf,
  best: bob, mail: { '!error': 'mail is down' } };
const toy = { __typename: 'Toy', id: 't1', name: 'Car', title: '', owner: ann, size: -1e21, parts: [toyLeaf], maybe: [toyLeaf, null], stamp: null, pages: 'none' };
const sequel = { __typename: 'Book', id: 'b2', name: null, title: 'Two', owner: null, pages: 9, kinds: ['BOOK'], chapters: [null, [chapter(1, null, ['a', null])]], sequel: null, price: 0 };
const book = { __typename: 'Book', id: 'b1', name: 'One', title: 'The \\ "one"\n', owner: bob, pages: 100, kinds: ['BOOK', 'TOY'],
  chapters: [[chapter(1, 'I', []), chapter(2, null, ['x'])], [], [chapter(null, 'III', null)]], sequel, price: 12.5 };

export const data = {
  Query: {
    node: book, nodes: [book, null, toy, ann, { '!error': 'lost node' }, sequel], named: toy, resource: toy, resources: [book, toy, sequel],
    things: [plant, book, null, toy, bare], thing: plant, living: [plant, ann], lonely: chapter(5, 'alone', ['y']), person: ann, mustPerson: bob,
    book, toy, grid: [[plant, book], null, [toy, null], []], kinds: ['TOY', 'book10'], number: -5, failing: { '!error': 'person failed' },
    failingLeaf: { '!error': 'leaf failed' }, missing: null,
  },
  Mutation: { rename: ann },
  Subscription: { changed: book, added: sequel, counted: 3 },
};

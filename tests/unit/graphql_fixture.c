/* The shop: schema, data, resolvers, and a driver that runs a request as a host would. */
#include "tests/unit/graphql_fixture.h"

#include <stdio.h>

#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

const char gqf_sdl[] =
    "\"A shop for tests.\"\n"
    "schema { query: Query mutation: Mutation subscription: Subscription }\n"
    "\"Marks things.\"\n"
    "directive @tag(\"The mark.\" name: String!, weight: Int = 1) repeatable on OBJECT | FIELD | QUERY\n"
    "directive @once(note: String) on FIELD | QUERY | VARIABLE_DEFINITION | FRAGMENT_SPREAD\n"
    "\"An amount such as \\\"1.50\\\".\"\n"
    "scalar Money @specifiedBy(url: \"https://example.org/money\")\n"
    "scalar Any\n"
    "interface Node { id: ID! }\n"
    "interface Named implements Node { id: ID! name: String }\n"
    "\"How large a toy is.\"\n"
    "enum Size { SMALL LARGE \"Very large.\" HUGE @deprecated(reason: \"Use LARGE.\") }\n"
    "type Shelf implements Node & Named @tag(name: \"a\") @tag(name: \"b\") {\n"
    "  id: ID!\n"
    "  name: String\n"
    "  items(first: Int = 3, sizes: [Size!]): [Item!]!\n"
    "  spare: [Item]\n"
    "  rows: [[Item!]]!\n"
    "  best: Item\n"
    "  must: Book!\n"
    "}\n"
    "\"\"\"\n"
    "A book\n"
    "  with pages.\n"
    "\"\"\"\n"
    "type Book implements Node & Named {\n"
    "  id: ID!\n"
    "  name: String\n"
    "  pages: Int!\n"
    "  tags: [String!]!\n"
    "  price(currency: String! = \"EUR\", factor: Int): Money\n"
    "  shelf: Shelf\n"
    "  next: Book\n"
    "  broken: String!\n"
    "  fails: String\n"
    "  old(gone: Int @deprecated(reason: \"Not read.\")): String @deprecated\n"
    "}\n"
    "type Toy implements Node & Named { id: ID! name: String! size: Size! next: Toy parts: [Toy!] broken: "
    "Int! }\n"
    "type Lost implements Node { id: ID! }\n"
    "union Item = Book | Toy\n"
    "input Range { from: Int! = 1, to: Int, inner: Range, sizes: [Size!] = [SMALL] }\n"
    "input Pick @oneOf { id: ID range: Range name: String }\n"
    "type Query {\n"
    "  node(id: ID!): Node\n"
    "  nodes: [Node]!\n"
    "  named: Named\n"
    "  shelf: Shelf\n"
    "  shelves: [Shelf!]!\n"
    "  best: Item\n"
    "  must: Shelf!\n"
    "  toy: Toy\n"
    "  hello(name: String = \"you\"): String!\n"
    "  missing: String!\n"
    "  echo(int: Int, float: Float, string: String, boolean: Boolean, id: ID, size: Size, money: Money, any: "
    "Any,\n"
    "    list: [Int!], matrix: [[Int]], range: Range, ranges: [Range!], pick: Pick, need: Int! = 7): String\n"
    "  need(int: Int!, range: Range!): String\n"
    "}\n"
    "type Mutation { rename(id: ID!, name: String!): Book add(pick: Pick!): Int }\n"
    "type Subscription { changed(id: ID): Book other: Book }\n";

/* ---- data ---- */

struct thing {
    const char *type, *id, *name;
    int pages;
    const struct thing *next;
};

static const struct thing toy_block = {"Toy", "t2", "Block", 0, NULL};
static const struct thing toy_car = {"Toy", "t1", "Car", 0, &toy_block};
static const struct thing book_b = {"Book", "b2", NULL, 20, NULL};
static const struct thing book_a = {"Book", "b1", "A \"quoted\" book", 10, &book_b};
static const struct thing toy_nameless = {"Toy", "t3", NULL, 0, NULL};
static const struct thing shelf = {"Shelf", "s1", "Top", 0, NULL};
static const struct thing lost = {"Nothing", "x1", NULL, 0, NULL};

static const struct thing *const things[] = {&book_a, &toy_car, &book_b};
static const struct thing *const spares[] = {&toy_nameless, NULL, &book_a};
static const struct thing *const all[] = {&shelf, &book_a, NULL, &toy_car, &lost};
static const struct thing *const shelves[] = {&shelf, &shelf};

const void *gqf_toy(void)
{
    return &toy_car;
}

const void *gqf_shelf(void)
{
    return &shelf;
}

const void *const *gqf_books(void)
{
    static const void *const books[] = {&book_a, &book_b};

    return books;
}

static struct gqf *fixture(const struct gql_exec *x)
{
    return gql_exec_host(x);
}

/* ---- resolvers ---- */

static bool thing_id(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    fixture(x)->resolved++;
    oms_json_write_string(out, oms_str_of(((const struct thing *)parent)->id));
    return true;
}

static bool thing_name(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    const struct thing *thing = parent;

    fixture(x)->resolved++;
    if (!thing->name)
        return false;
    oms_json_write_string(out, oms_str_of(thing->name));
    return true;
}

static bool book_pages(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    fixture(x)->resolved++;
    oms_buf_append_i64(out, ((const struct thing *)parent)->pages);
    return true;
}

static bool book_tags(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    (void)x;
    (void)parent;
    oms_buf_append_lit(out, "[\"x\",\"y\"]");
    return true;
}

static bool book_price(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    const struct oms_value *currency = gql_arg(x, "currency"), *factor = gql_arg(x, "factor");
    char *text = oms_arena_alloc(gql_exec_arena(x), 64);

    (void)parent;
    OMS_ASSERT(text);
    snprintf(text, 64, "%lld", factor && factor->kind == OMS_VALUE_INT ? (long long)factor->integer : 1);
    oms_buf_append_char(out, '[');
    oms_json_write_string(out, oms_str_of(text));
    oms_buf_append_char(out, ',');
    oms_json_write_string(out, currency->text);
    oms_buf_append_char(out, ']');
    return true;
}

static bool thing_broken(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    (void)x;
    (void)parent;
    oms_buf_append_lit(out, "half a val"); /* must not be seen */
    return false;
}

static bool book_fails(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    (void)parent;
    gql_fail(x, "OUT_OF_INK", "No ink for %d pages.", 3);
    oms_buf_append_lit(out, "1");
    return true;
}

static bool toy_size(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    (void)x;
    (void)parent;
    oms_buf_append_lit(out, "\"LARGE\"");
    return true;
}

static const void *thing_next(struct gql_exec *x, const void *parent)
{
    (void)x;
    return ((const struct thing *)parent)->next;
}

static const void *to_shelf(struct gql_exec *x, const void *parent)
{
    (void)x;
    (void)parent;
    return &shelf;
}

static const void *to_nothing(struct gql_exec *x, const void *parent)
{
    (void)x;
    (void)parent;
    return NULL;
}

static const void *to_car(struct gql_exec *x, const void *parent)
{
    (void)x;
    (void)parent;
    return &toy_car;
}

static const void *item_of(struct gql_exec *x, const void *context, size_t index)
{
    (void)x;
    return ((const struct thing *const *)context)[index];
}

static bool shelf_items(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    const struct oms_value *first = gql_arg(x, "first");
    size_t count = OMS_COUNT_OF(things);

    (void)parent;
    if (first && first->kind == OMS_VALUE_INT && first->integer >= 0 && (size_t)first->integer < count)
        count = (size_t)first->integer;
    *out = (struct gql_list){count, item_of, things};
    return true;
}

static bool shelf_spare(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    (void)x;
    (void)parent;
    *out = (struct gql_list){OMS_COUNT_OF(spares), item_of, spares};
    return true;
}

static const void *row_of(struct gql_exec *x, const void *context, size_t index)
{
    static const struct gql_list rows[] = {{2, item_of, things}, {2, item_of, spares}, {0, item_of, NULL}};

    (void)x;
    (void)context;
    return index < 3 ? &rows[index] : NULL;
}

static bool shelf_rows(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    (void)x;
    (void)parent;
    *out = (struct gql_list){4, row_of, NULL};
    return true;
}

static bool toy_parts(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    (void)x;
    (void)parent;
    (void)out;
    return false;
}

static const char *thing_type(struct gql_exec *x, const void *value)
{
    (void)x;
    return ((const struct thing *)value)->type;
}

/* Money is text; "bad" is refused. */
static bool money_coerce(struct oms_value *value, struct oms_arena *arena, struct oms_str *message)
{
    (void)arena;
    if (value->kind == OMS_VALUE_NUMBER)
        value->kind = OMS_VALUE_STRING;
    if (value->kind != OMS_VALUE_STRING)
        return false;
    if (oms_str_eq_c(value->text, "bad")) {
        *message = OMS_STR("This is bad money.");
        return false;
    }
    return true;
}

/* ---- roots ---- */

enum root {
    ROOT_NODE,
    ROOT_NODES,
    ROOT_NAMED,
    ROOT_SHELF,
    ROOT_SHELVES,
    ROOT_BEST,
    ROOT_NULL,
    ROOT_TOY,
    ROOT_HELLO,
    ROOT_ECHO,
    ROOT_BOOK
};

static const enum root roots[] = {ROOT_NODE, ROOT_NODES, ROOT_NAMED, ROOT_SHELF, ROOT_SHELVES, ROOT_BEST,
                                  ROOT_NULL, ROOT_TOY,   ROOT_HELLO, ROOT_ECHO,  ROOT_BOOK};

#define ROOT(name, what)                                                                                     \
    {                                                                                                        \
        .field = name, .kind = GQL_ROOT, .resolve.host = &roots[what]                                        \
    }
#define LEAF(name, function)                                                                                 \
    {                                                                                                        \
        .field = name, .kind = GQL_LEAF, .resolve.leaf = function                                            \
    }
#define OBJECT(name, function)                                                                               \
    {                                                                                                        \
        .field = name, .kind = GQL_OBJECT, .resolve.object = function                                        \
    }
#define LIST(name, function)                                                                                 \
    {                                                                                                        \
        .field = name, .kind = GQL_LIST, .resolve.list = function                                            \
    }

static const struct gql_binding bindings[] = {
    ROOT("Query.node", ROOT_NODE),
    ROOT("Query.nodes", ROOT_NODES),
    ROOT("Query.named", ROOT_NAMED),
    ROOT("Query.shelf", ROOT_SHELF),
    ROOT("Query.shelves", ROOT_SHELVES),
    ROOT("Query.best", ROOT_BEST),
    ROOT("Query.must", ROOT_SHELF),
    ROOT("Query.toy", ROOT_TOY),
    ROOT("Query.hello", ROOT_HELLO),
    ROOT("Query.missing", ROOT_NULL),
    ROOT("Query.echo", ROOT_ECHO),
    ROOT("Query.need", ROOT_ECHO),
    ROOT("Mutation.rename", ROOT_BOOK),
    ROOT("Mutation.add", ROOT_NULL),
    ROOT("Subscription.changed", ROOT_BOOK),
    ROOT("Subscription.other", ROOT_BOOK),
    LEAF("Shelf.id", thing_id),
    LEAF("Shelf.name", thing_name),
    LIST("Shelf.items", shelf_items),
    LIST("Shelf.spare", shelf_spare),
    LIST("Shelf.rows", shelf_rows),
    OBJECT("Shelf.best", to_car),
    OBJECT("Shelf.must", to_nothing),
    LEAF("Book.id", thing_id),
    LEAF("Book.name", thing_name),
    {.field = "Book.pages", .kind = GQL_LEAF, .flags = GQL_NEEDS_STORE, .resolve.leaf = book_pages},
    LEAF("Book.tags", book_tags),
    LEAF("Book.price", book_price),
    OBJECT("Book.shelf", to_shelf),
    OBJECT("Book.next", thing_next),
    LEAF("Book.broken", thing_broken),
    LEAF("Book.fails", book_fails),
    LEAF("Book.old", thing_name),
    LEAF("Toy.id", thing_id),
    LEAF("Toy.name", thing_name),
    LEAF("Toy.size", toy_size),
    OBJECT("Toy.next", thing_next),
    LIST("Toy.parts", toy_parts),
    LEAF("Toy.broken", thing_broken),
    LEAF("Lost.id", thing_id),
};

static const struct gql_type_binding types[] = {
    {"Node", thing_type}, {"Named", thing_type}, {"Item", thing_type}};
static const struct gql_scalar_binding scalars[] = {{"Money", money_coerce}};

struct gql_schema_config gqf_config(const char *sdl)
{
    return (struct gql_schema_config){
        .sdl = oms_str_of(sdl),
        .bindings = bindings,
        .binding_count = OMS_COUNT_OF(bindings),
        .types = types,
        .type_count = OMS_COUNT_OF(types),
        .scalars = scalars,
        .scalar_count = OMS_COUNT_OF(scalars),
    };
}

/* ---- the driver ---- */

void gqf_init(struct gqf *f)
{
    struct gql_schema_config config = gqf_config(gqf_sdl);
    struct oms_error error = {OMS_OK, ""};

    *f = (struct gqf){.schema = NULL};
    if (gql_schema_create(&config, &f->schema, &error) != OMS_OK) {
        fprintf(stderr, "%s\n", error.message);
        OMS_UNREACHABLE();
    }
    oms_arena_init(&f->arena, 4096, 4u << 20);
    oms_buf_init(&f->out, 4u << 20);
}

void gqf_fini(struct gqf *f)
{
    gql_schema_destroy(f->schema);
    oms_arena_fini(&f->arena);
    oms_buf_fini(&f->out);
}

struct gqf gqf_shop;

int gqf_set_up(void **state)
{
    (void)state;
    gqf_init(&gqf_shop);
    return 0;
}

int gqf_tear_down(void **state)
{
    (void)state;
    gqf_fini(&gqf_shop);
    return 0;
}

static const struct thing *find_thing(const struct oms_value *id)
{
    for (size_t i = 0; id && i < OMS_COUNT_OF(all); i++) {
        if (all[i] && oms_str_eq_c(id->text, all[i]->id))
            return all[i];
    }
    return NULL;
}

static enum gql_outcome execute_root(struct gqf *f, const struct gql_request *request, size_t i,
                                     struct oms_buf *out, struct gql_errors *errors)
{
    const struct gql_root *root = gql_request_root(request, i);
    struct gql_list list = {0, item_of, NULL};
    const void *value = NULL;
    struct oms_str json;
    struct oms_buf text, quoted;
    enum gql_outcome outcome;

    if (!root->host)
        return gql_execute_meta(request, i, out, errors);
    oms_buf_init(&text, 4u << 20);
    oms_buf_init(&quoted, 8u << 20);
    switch (*(const enum root *)root->host) {
    case ROOT_NODE:
        value = find_thing(oms_value_get(root->args, "id"));
        break;
    case ROOT_NODES:
        list = (struct gql_list){OMS_COUNT_OF(all), item_of, all};
        value = &list;
        break;
    case ROOT_SHELVES:
        list = (struct gql_list){OMS_COUNT_OF(shelves), item_of, shelves};
        value = &list;
        break;
    case ROOT_SHELF:
        value = &shelf;
        break;
    case ROOT_TOY:
    case ROOT_NAMED:
        value = &toy_car;
        break;
    case ROOT_BEST:
    case ROOT_BOOK:
        value = &book_a;
        break;
    case ROOT_NULL:
        break;
    case ROOT_HELLO:
    case ROOT_ECHO:
        oms_value_write_json(root->args, &text);
        oms_json_write_string(&quoted, oms_buf_str(&text));
        json = oms_buf_str(&quoted);
        value = &json;
        break;
    }
    outcome = gql_execute(request, i, value, f, out, errors);
    oms_buf_fini(&text);
    oms_buf_fini(&quoted);
    return outcome;
}

void gqf_execute(struct gqf *f, const struct gql_request *request, struct gql_errors *errors)
{
    size_t count = gql_request_root_count(request);
    struct gql_root_result results[OMS_GQL_ROOT_FIELDS_MAX];
    struct oms_buf parts[OMS_GQL_ROOT_FIELDS_MAX];

    OMS_ASSERT(count <= OMS_GQL_ROOT_FIELDS_MAX);
    for (size_t i = 0; i < count; i++) {
        oms_buf_init(&parts[i], 1u << 20);
        results[i].outcome = execute_root(f, request, i, &parts[i], errors);
        OMS_ASSERT((results[i].outcome == GQL_ROOT_NULL) == (parts[i].len == 0));
        results[i].json = oms_buf_str(&parts[i]);
    }
    gql_respond(request, results, errors, &f->out);
    for (size_t i = 0; i < count; i++)
        oms_buf_fini(&parts[i]);
}

void gqf_run_bytes(struct gqf *f, struct oms_str document, struct oms_str variables, struct oms_str operation)
{
    struct gql_prepared *prepared = NULL;
    struct gql_request *request;
    struct gql_errors errors;
    struct oms_json_error json_error;
    struct oms_value value = {.kind = OMS_VALUE_NULL};

    oms_arena_reset(&f->arena);
    oms_buf_reset(&f->out);
    f->resolved = 0;
    gql_errors_init(&errors, &f->arena);
    if (oms_str_present(variables) && oms_json_parse(variables, 64, &f->arena, &value, &json_error) != OMS_OK)
        value.kind = OMS_VALUE_NULL;
    if (gql_prepare(f->schema, document, &prepared, &errors) != OMS_OK) {
        OMS_ASSERT(errors.count > 0);
        gql_respond(NULL, NULL, &errors, &f->out);
        return;
    }
    OMS_ASSERT(errors.count == 0);
    if (gql_bind(prepared, operation, &value, &f->arena, &request, &errors) == OMS_OK) {
        gqf_execute(f, request, &errors);
    } else {
        OMS_ASSERT(errors.count > 0);
        gql_respond(NULL, NULL, &errors, &f->out);
    }
    gql_prepared_release(prepared);
}

const char *gqf_run(struct gqf *f, const char *document, const char *variables, const char *operation)
{
    gqf_run_bytes(f, oms_str_of(document), oms_str_of(variables), oms_str_of(operation));
    oms_buf_append_char(&f->out, '\0');
    return f->out.data;
}

const char *gqf_problems(struct gqf *f, const char *document)
{
    struct gql_prepared *prepared = NULL;
    struct gql_errors errors;

    oms_arena_reset(&f->arena);
    oms_buf_reset(&f->out);
    gql_errors_init(&errors, &f->arena);
    if (gql_prepare(f->schema, oms_str_of(document), &prepared, &errors) == OMS_OK)
        gql_prepared_release(prepared);
    for (size_t i = 0; i < errors.count; i++) {
        if (i > 0)
            oms_buf_append_char(&f->out, '\n');
        oms_buf_append_str(&f->out, errors.items[i].message);
    }
    oms_buf_append_char(&f->out, '\0');
    return f->out.data;
}

const char *gqf_schema_problem(const char *sdl)
{
    static struct oms_error error;
    struct gql_schema_config config = gqf_config(sdl);
    struct gql_schema *schema;

    if (gql_schema_create(&config, &schema, &error) != OMS_OK)
        return error.message;
    gql_schema_destroy(schema);
    return "";
}

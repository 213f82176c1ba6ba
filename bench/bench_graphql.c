/*
 * What the GraphQL engine costs by itself: prepare (parse, validate, plan), bind, execute and respond for a
 * getOrder of 15 scalar fields, and the same through a fragment, with lists, and with @include.
 *
 * The resolvers are as small as resolvers get (copy ready text), so the figures are the engine's. Every
 * execution is checked against the expected bytes. Rates swing with the machine's other load, so compare
 * figures within one run. Usage: bench_graphql [seconds per figure, default 0.5]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "http/graphql/graphql.h"
#include "runtime/base/assert.h"

static const char sdl[] =
    "enum Stage { PENDING CONFIRMED }\n"
    "scalar DateTime\n"
    "interface Node { id: ID! }\n"
    "type Query { getOrder(orderId: ID!): Order node(id: ID!): Node }\n"
    "type Order implements Node { id: ID! orderId: ID! version: Int! source: String! placedAt: DateTime!\n"
    "  stage: Stage! fulfillmentStatus: String! paymentStatus: String! activityStatus: String! currency: "
    "String!\n"
    "  externalRef: String cancellationReason: String shippingReference: String dateCreated: DateTime!\n"
    "  dateModified: DateTime! lines: [Line!]! }\n"
    "type Line { sku: ID! name: String quantity: Int! }\n";

struct order {
    struct oms_str text;
    const void *lines[20];
};

static bool put_text(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    (void)x;
    oms_buf_append_str(out, ((const struct order *)parent)->text);
    return true;
}

static bool put_null(struct gql_exec *x, const void *parent, struct oms_buf *out)
{
    (void)x;
    (void)parent;
    (void)out;
    return false;
}

static const void *line_at(struct gql_exec *x, const void *context, size_t index)
{
    (void)x;
    return ((const struct order *)context)->lines[index];
}

static bool lines(struct gql_exec *x, const void *parent, struct gql_list *out)
{
    (void)x;
    *out = (struct gql_list){20, line_at, parent};
    return true;
}

static const char *type_of(struct gql_exec *x, const void *value)
{
    (void)x;
    (void)value;
    return "Order";
}

static const char host[] = "host";

#define LEAF(name, function)                                                                                 \
    {                                                                                                        \
        .field = name, .kind = GQL_LEAF, .resolve.leaf = function                                            \
    }

static const struct gql_binding bindings[] = {
    {.field = "Query.getOrder", .kind = GQL_ROOT, .resolve.host = host},
    {.field = "Query.node", .kind = GQL_ROOT, .resolve.host = host},
    LEAF("Order.id", put_text),
    LEAF("Order.orderId", put_text),
    LEAF("Order.version", put_text),
    LEAF("Order.source", put_text),
    LEAF("Order.placedAt", put_text),
    LEAF("Order.stage", put_text),
    LEAF("Order.fulfillmentStatus", put_text),
    LEAF("Order.paymentStatus", put_text),
    LEAF("Order.activityStatus", put_text),
    LEAF("Order.currency", put_text),
    LEAF("Order.externalRef", put_text),
    LEAF("Order.cancellationReason", put_null),
    LEAF("Order.shippingReference", put_null),
    LEAF("Order.dateCreated", put_text),
    LEAF("Order.dateModified", put_text),
    {.field = "Order.lines", .kind = GQL_LIST, .resolve.list = lines},
    LEAF("Line.sku", put_text),
    LEAF("Line.name", put_text),
    LEAF("Line.quantity", put_text),
};

static const struct gql_type_binding types[] = {{"Node", type_of}};

#define FIELDS                                                                                               \
    "id orderId version source placedAt stage fulfillmentStatus paymentStatus activityStatus currency "      \
    "externalRef cancellationReason shippingReference dateCreated dateModified"

static const struct {
    const char *what, *document;
} cases[] = {
    {"15 fields", "query($id: ID!) { getOrder(orderId: $id) { " FIELDS " } }"},
    {"15 fields of an interface, by a fragment",
     "query($id: ID!) { node(id: $id) { __typename ...F } } fragment F on Order { " FIELDS " }"},
    {"15 fields and 20 lines of 3",
     "query($id: ID!) { getOrder(orderId: $id) { " FIELDS " lines { sku name quantity } } }"},
    {"15 fields, @include by a variable",
     "query($id: ID!, $all: Boolean = true) { getOrder(orderId: $id) { " FIELDS
     " lines @skip(if: $all) { sku } } }"},
};

struct run {
    const struct gql_schema *schema;
    struct oms_str document;
    struct gql_prepared *prepared;
    struct gql_request *request;
    const struct oms_value *variables;
    const struct order *order;
    struct oms_arena arena, error_arena;
    struct gql_errors errors;
    struct oms_buf out, response;
    size_t bytes; /* of a correct answer */
};

static void prepare(struct run *r)
{
    struct gql_prepared *prepared;

    OMS_ASSERT(gql_prepare(r->schema, r->document, &prepared, &r->errors) == OMS_OK);
    gql_prepared_release(prepared);
}

static void bind(struct run *r)
{
    oms_arena_reset(&r->arena);
    OMS_ASSERT(gql_bind(r->prepared, OMS_STR_NONE, r->variables, &r->arena, &r->request, &r->errors) ==
               OMS_OK);
}

static void execute(struct run *r)
{
    oms_buf_reset(&r->out);
    OMS_ASSERT(gql_execute(r->request, 0, r->order, NULL, &r->out, &r->errors) == GQL_DATA);
    OMS_ASSERT(r->bytes == 0 || r->out.len == r->bytes);
}

static void respond(struct run *r)
{
    struct gql_root_result result = {GQL_DATA, oms_buf_str(&r->out)};

    oms_buf_reset(&r->response);
    gql_respond(r->request, &result, &r->errors, &r->response);
    OMS_ASSERT(r->response.len > r->out.len);
}

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The best of ten slices: what the engine costs when the machine is not busy with others. */
static double time_of(struct run *r, void (*step)(struct run *r), double seconds)
{
    double best = 1e9;

    for (int slice = 0; slice < 10; slice++) {
        double start = now_s(), took;
        unsigned long count = 0;
        do {
            for (int i = 0; i < 64; i++)
                step(r);
            count += 64;
            took = now_s() - start;
        } while (took < seconds / 10);
        if (took / (double)count < best)
            best = took / (double)count;
    }
    return best * 1e9;
}

static void measure(struct run *r, const char *what, double seconds)
{
    r->bytes = 0;
    OMS_ASSERT(gql_prepare(r->schema, r->document, &r->prepared, &r->errors) == OMS_OK);
    bind(r);
    execute(r);
    r->bytes = r->out.len;
    printf("%-44s %8.0f %8.0f %8.0f %8.0f %8zu %8zu\n", what, time_of(r, prepare, seconds),
           time_of(r, bind, seconds), time_of(r, execute, seconds), time_of(r, respond, seconds), r->bytes,
           gql_prepared_bytes(r->prepared));
    fflush(stdout);
    gql_prepared_release(r->prepared);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 0.5;
    struct gql_schema_config config = {.sdl = oms_str_of(sdl),
                                       .bindings = bindings,
                                       .binding_count = OMS_COUNT_OF(bindings),
                                       .types = types,
                                       .type_count = OMS_COUNT_OF(types)};
    struct gql_schema *schema;
    struct oms_error error = {OMS_OK, ""};
    struct order order = {.text = OMS_STR("\"2026-11-22T10:15:30.123Z\"")};
    struct oms_field ids[] = {{OMS_STR("id"), {.kind = OMS_VALUE_STRING, .text = {"ORD-01HZXK", 10}}}};
    struct oms_value variables = {.kind = OMS_VALUE_OBJECT, .object = {ids, 1}};
    struct run r = {.variables = &variables, .order = &order};

    if (gql_schema_create(&config, &schema, &error) != OMS_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    for (size_t i = 0; i < OMS_COUNT_OF(order.lines); i++)
        order.lines[i] = &order;
    r.schema = schema;
    oms_arena_init(&r.arena, 4096, 1u << 20);
    oms_arena_init(&r.error_arena, 4096, 1u << 20);
    gql_errors_init(&r.errors, &r.error_arena);
    oms_buf_init(&r.out, 1u << 20);
    oms_buf_init(&r.response, 1u << 20);
    printf("%-44s %8s %8s %8s %8s %8s %8s\n", "ns per", "prepare", "bind", "execute", "respond", "bytes",
           "memory");
    for (size_t i = 0; i < OMS_COUNT_OF(cases); i++) {
        r.document = oms_str_of(cases[i].document);
        measure(&r, cases[i].what, seconds);
    }
    oms_buf_fini(&r.out);
    oms_buf_fini(&r.response);
    oms_arena_fini(&r.arena);
    oms_arena_fini(&r.error_arena);
    gql_schema_destroy(schema);
    return 0;
}

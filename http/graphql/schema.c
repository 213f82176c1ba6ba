/*
 * Making and destroying a schema: parse the prelude and the SDL, build the types, check them, bind the
 * resolvers. Each step stops the work when it found errors; the first error goes to the caller with its line
 * and column.
 */
#include "http/graphql/errors.h"
#include "http/graphql/memory.h"
#include "http/graphql/parser.h"
#include "http/graphql/types.h"
#include "runtime/base/alloc.h"
#include "runtime/base/prng.h"

static bool gql_schema_load(struct gql_schema *schema, const struct gql_schema_config *config,
                            struct gql_errors *errors)
{
    struct gql_document *prelude, *document;

    if (gql_parse(gql_prelude(), 0, &schema->arena, &prelude, errors) != OMS_OK)
        OMS_UNREACHABLE();
    if (gql_parse(schema->source, 0, &schema->arena, &document, errors) != OMS_OK)
        return false;
    if (document->operations || document->fragments) {
        gql_errors_add(errors, GQL_CODE_VALIDATE, "A schema holds type system definitions only.");
        return false;
    }
    return gql_schema_build(schema, prelude, document, errors) && gql_schema_check(schema, errors) &&
           gql_schema_bind(schema, config, errors) && gql_schema_check_values(schema, document, errors);
}

enum oms_status gql_schema_create(const struct gql_schema_config *config, struct gql_schema **out,
                                  struct oms_error *error)
{
    struct gql_schema *schema = oms_calloc(1, sizeof(*schema));
    struct oms_arena error_arena;
    struct gql_errors errors;
    bool ok;

    oms_random_bytes(&schema->key, sizeof(schema->key));
    oms_arena_init(&schema->arena, 64u << 10, GQL_ARENA_UNBOUNDED);
    oms_arena_init(&error_arena, 4096, 1u << 20);
    gql_errors_init(&errors, &error_arena);
    schema->source = oms_str_copy(&schema->arena, config->sdl);
    ok = gql_schema_load(schema, config, &errors);
    if (ok) {
        *out = schema;
    } else {
        const struct gql_error *first = &errors.items[0];
        OMS_ASSERT(errors.count > 0);
        if (first->line)
            (void)oms_error_set(error, OMS_INVALID, "schema, line %u, column %u: %.*s", first->line,
                                first->column, OMS_STR_ARG(first->message));
        else
            (void)oms_error_set(error, OMS_INVALID, "schema: %.*s", OMS_STR_ARG(first->message));
        gql_schema_destroy(schema);
    }
    oms_arena_fini(&error_arena);
    return ok ? OMS_OK : OMS_INVALID;
}

void gql_schema_destroy(struct gql_schema *schema)
{
    if (!schema)
        return;
    oms_arena_fini(&schema->arena);
    oms_free(schema);
}

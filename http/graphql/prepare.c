/* From text to gql_prepared: limits, parse, validate, plan every operation with everything included. */
#include "http/graphql/coerce.h"
#include "http/graphql/errors.h"
#include "http/graphql/memory.h"
#include "http/graphql/parser.h"
#include "http/graphql/request.h"
#include "http/graphql/validate.h"
#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"

/* Defaults of variables are constants: coerced once. */
static void gql_prepare_defaults(struct gql_prepared *prepared, struct gql_operation_ast *operation)
{
    struct gql_coercion c;

    for (struct gql_variable *variable = operation->variables; variable; variable = variable->next) {
        struct oms_value *value;
        if (!variable->initial)
            continue;
        value = GQL_NEW(&prepared->arena, struct oms_value);
        gql_coercion_init(&c, &prepared->arena, NULL, NULL);
        /* Validated; NULL stays for a scalar whose binding gives two answers, and then the variable is
         * required. */
        if (gql_coerce_literal(&c, variable->initial, variable->resolved, value))
            variable->initial_value = value;
    }
}

static enum oms_status gql_prepare_plans(struct gql_prepared *prepared, struct gql_errors *errors)
{
    prepared->bytes = sizeof(*prepared) + prepared->arena.used;
    for (struct gql_operation_ast *o = prepared->document->operations; o; o = o->next) {
        enum oms_status status;
        gql_prepare_defaults(prepared, o);
        status = gql_plan_create(prepared->schema, prepared->document, o, NULL, NULL, &o->plan, errors);
        if (status != OMS_OK)
            return status;
        /* A variant is no larger than the plan that includes everything. */
        prepared->bytes +=
            (o->plan->arena.used + sizeof(*o->plan)) * (o->mask_count ? 1 + OMS_GQL_VARIANTS_MAX : 1);
        if (prepared->bytes > OMS_GQL_PREPARED_BYTES_MAX) {
            gql_errors_add(errors, GQL_CODE_LIMIT, "The document's plans take more than %u bytes.",
                           OMS_GQL_PREPARED_BYTES_MAX);
            return OMS_LIMIT;
        }
    }
    return OMS_OK;
}

static enum oms_status gql_prepare_document(struct gql_prepared *prepared, struct oms_str document,
                                            struct gql_errors *errors)
{
    struct oms_str source;
    enum oms_status status;

    if (document.len > OMS_GQL_DOCUMENT_BYTES_MAX) {
        gql_errors_add(errors, GQL_CODE_LIMIT, "The document is larger than %u bytes.",
                       OMS_GQL_DOCUMENT_BYTES_MAX);
        return OMS_LIMIT;
    }
    source = oms_str_copy(&prepared->arena, oms_str_present(document) ? document : OMS_STR(""));
    status = gql_parse(source, OMS_GQL_TOKENS_MAX, &prepared->arena, &prepared->document, errors);
    if (status == OMS_OK)
        status = gql_validate(prepared->schema, prepared->document, &prepared->arena, errors);
    if (status == OMS_OK)
        status = gql_prepare_plans(prepared, errors);
    return status;
}

enum oms_status gql_prepare(const struct gql_schema *schema, struct oms_str document,
                            struct gql_prepared **out, struct gql_errors *errors)
{
    struct gql_prepared *prepared = oms_calloc(1, sizeof(*prepared));
    enum oms_status status;

    prepared->schema = schema;
    prepared->holds = 1;
    oms_arena_init(&prepared->arena, 4096, GQL_ARENA_UNBOUNDED);
    status = gql_prepare_document(prepared, document, errors);
    if (status == OMS_OK)
        *out = prepared;
    else
        gql_prepared_release(prepared);
    return status;
}

size_t gql_prepared_bytes(const struct gql_prepared *prepared)
{
    return prepared->bytes;
}

void gql_prepared_hold(struct gql_prepared *prepared)
{
    OMS_ASSERT(prepared->holds > 0);
    prepared->holds++;
}

void gql_prepared_release(struct gql_prepared *prepared)
{
    OMS_ASSERT(prepared->holds > 0);
    if (--prepared->holds > 0)
        return;
    for (struct gql_operation_ast *o = prepared->document ? prepared->document->operations : NULL; o;
         o = o->next) {
        gql_plan_destroy(o->plan);
        while (o->variants) {
            struct gql_plan *next = o->variants->next;
            gql_plan_destroy(o->variants);
            o->variants = next;
        }
    }
    oms_arena_fini(&prepared->arena);
    oms_free(prepared);
}

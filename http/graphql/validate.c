/* The order of validation, and the walk over what an operation reaches. */
#include "http/graphql/validate.h"

#include "runtime/base/alloc.h"

static void gql_scope_init(struct gql_scope *scope)
{
    *scope = (struct gql_scope){.usages = NULL};
    scope->usages_end = &scope->usages;
    scope->spreads_end = &scope->spreads;
}

static void gql_validate_operation(struct gql_validator *v, struct gql_operation_ast *operation)
{
    static const enum gql_location places[] = {GQL_AT_QUERY, GQL_AT_MUTATION, GQL_AT_SUBSCRIPTION};

    gql_scope_init(&operation->scope);
    gql_validate_variable_defs(v, operation);
    v->scope = &operation->scope;
    gql_validate_directives(v, operation->directives, places[operation->kind]);
    gql_validate_set(v, operation->set, operation->root);
    v->scope = NULL;
}

static void gql_validate_fragment(struct gql_validator *v, struct gql_fragment *fragment)
{
    gql_scope_init(&fragment->scope);
    v->scope = &fragment->scope;
    gql_validate_directives(v, fragment->directives, GQL_AT_FRAGMENT_DEFINITION);
    gql_validate_set(v, fragment->set, fragment->condition);
    v->scope = NULL;
}

struct gql_reach_stack {
    struct gql_scope **items;
    size_t count, cap;
};

static void gql_reach_push(struct gql_reach_stack *stack, struct gql_scope *scope)
{
    if (stack->count == stack->cap) {
        stack->cap = stack->cap ? stack->cap * 2 : 16;
        stack->items = oms_reallocarray(stack->items, stack->cap, sizeof(*stack->items));
    }
    stack->items[stack->count++] = scope;
}

void gql_each_reached(struct gql_validator *v, struct gql_scope *scope,
                      void (*visit)(struct gql_validator *v, struct gql_scope *scope, void *context),
                      void *context)
{
    struct gql_reach_stack stack = {NULL, 0, 0};

    v->document->stamp++;
    gql_reach_push(&stack, scope);
    while (stack.count > 0) {
        struct gql_scope *next = stack.items[--stack.count];
        visit(v, next, context);
        for (const struct gql_spread_ref *ref = next->spreads; ref; ref = ref->next) {
            if (ref->fragment->stamp == v->document->stamp)
                continue;
            ref->fragment->stamp = v->document->stamp;
            gql_reach_push(&stack, &ref->fragment->scope);
        }
    }
    oms_free(stack.items);
}

static void gql_validate_all(struct gql_validator *v)
{
    struct gql_document *document = v->document;

    gql_validate_operations(v);
    gql_validate_fragment_names(v);
    for (struct gql_operation_ast *operation = document->operations; operation; operation = operation->next)
        gql_validate_operation(v, operation);
    for (struct gql_fragment *fragment = document->fragments; fragment; fragment = fragment->next)
        gql_validate_fragment(v, fragment);
    gql_validate_fragment_use(v);
    gql_validate_variable_use(v);
    gql_validate_subscriptions(v);
    gql_validate_limits(v);
    /* The last rule needs definitions for all fields and fragments without cycles. */
    if (!v->failed)
        gql_validate_merge(v);
}

enum oms_status gql_validate(const struct gql_schema *schema, struct gql_document *document,
                             struct oms_arena *arena, struct gql_errors *errors)
{
    struct oms_arena scratch;
    struct gql_validator v = {.schema = schema,
                              .document = document,
                              .source = document->source,
                              .arena = arena,
                              .scratch = &scratch,
                              .errors = errors};

    oms_arena_init(&scratch, 4096, GQL_ARENA_UNBOUNDED);
    gql_validate_all(&v);
    oms_arena_fini(&scratch);
    if (!v.failed)
        return OMS_OK;
    return v.limited ? OMS_LIMIT : OMS_INVALID;
}

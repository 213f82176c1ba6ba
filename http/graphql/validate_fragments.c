/* Section 5.5: names and types of fragments, all used, no cycles. */
#include "http/graphql/validate.h"
#include "runtime/base/alloc.h"

void gql_validate_fragment_names(struct gql_validator *v)
{
    gql_map_init(&v->document->fragments_by_name, v->arena, &v->schema->key);
    for (struct gql_fragment *f = v->document->fragments; f; f = f->next) {
        struct gql_fragment *other = gql_map_add(&v->document->fragments_by_name, f->name, f);
        if (other)
            gql_error_also(
                GQL_VALIDATE_ERROR(v, other->name_at, "There are two fragments \"%.*s\".", GQL_NAME(f->name)),
                v->source, f->name_at);
        f->condition = gql_schema_type(v->schema, f->on);
        if (!f->condition || f->condition->hidden) {
            GQL_VALIDATE_ERROR(
                v, f->on_at, "Unknown type \"%.*s\".%s", GQL_NAME(f->on),
                gql_did_you_mean(v->errors, f->on, v->schema->type_count, gql_schema_type_name_at, v->schema)
                    .text);
            f->condition = NULL;
        } else if (!gql_is_composite(f->condition)) {
            GQL_VALIDATE_ERROR(v, f->on_at, "A fragment cannot be on \"%.*s\": it has no fields.",
                               GQL_NAME(f->on));
            f->condition = NULL;
        }
    }
}

static void gql_mark_used(struct gql_validator *v, struct gql_scope *scope, void *context)
{
    (void)v;
    (void)context;
    for (const struct gql_spread_ref *ref = scope->spreads; ref; ref = ref->next)
        ref->fragment->used = true;
}

/* ---- cycles: depth-first search, a fragment on the path is grey ---- */

enum { GQL_WHITE, GQL_GREY, GQL_BLACK };

struct gql_cycle_step {
    struct gql_fragment *fragment;
    const struct gql_spread_ref *next;
    uint32_t at; /* of the spread that the path goes on by */
};

/* `ref`, in the last fragment of the path, leads back into it. */
static void gql_report_cycle(struct gql_validator *v, const struct gql_cycle_step *path, size_t depth,
                             const struct gql_spread_ref *ref)
{
    size_t first = depth - 1;
    struct gql_error *error;

    while (path[first].fragment != ref->fragment)
        first--;
    error = GQL_VALIDATE_ERROR(v, path[first].at, "Fragment \"%.*s\" spreads itself%s.",
                               GQL_NAME(ref->fragment->name), first == depth - 1 ? "" : " through others");
    if (first < depth - 1)
        gql_error_also(error, v->source, ref->at);
}

static void gql_find_cycles(struct gql_validator *v, struct gql_fragment *start, struct gql_cycle_step *path)
{
    size_t depth = 0;

    path[depth++] = (struct gql_cycle_step){start, start->scope.spreads, 0};
    start->state = GQL_GREY;
    while (depth > 0) {
        struct gql_cycle_step *top = &path[depth - 1];
        const struct gql_spread_ref *ref = top->next;
        if (!ref) {
            top->fragment->state = GQL_BLACK;
            depth--;
            continue;
        }
        top->next = ref->next;
        top->at = ref->at;
        if (ref->fragment->state == GQL_GREY) {
            gql_report_cycle(v, path, depth, ref);
        } else if (ref->fragment->state == GQL_WHITE) {
            ref->fragment->state = GQL_GREY;
            path[depth++] = (struct gql_cycle_step){ref->fragment, ref->fragment->scope.spreads, 0};
        }
    }
}

void gql_validate_fragment_use(struct gql_validator *v)
{
    struct gql_cycle_step *path;

    for (struct gql_operation_ast *o = v->document->operations; o; o = o->next)
        gql_each_reached(v, &o->scope, gql_mark_used, NULL);
    for (const struct gql_fragment *f = v->document->fragments; f; f = f->next) {
        const struct gql_fragment *first = gql_map_get(&v->document->fragments_by_name, f->name);
        if (!first->used) /* of several with one name the first is used */
            GQL_VALIDATE_ERROR(v, f->at, "Fragment \"%.*s\" is never used.", GQL_NAME(f->name));
    }
    path = oms_reallocarray(NULL, (size_t)v->document->fragment_count + 1, sizeof(*path));
    for (struct gql_fragment *f = v->document->fragments; f; f = f->next) {
        if (f->state == GQL_WHITE)
            gql_find_cycles(v, f, path);
    }
    oms_free(path);
}

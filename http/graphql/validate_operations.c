/* Section 5.1.1 and 5.2: executable definitions only, names of operations, root types, one subscription root.
 */
#include "http/graphql/validate.h"

static void gql_validate_names(struct gql_validator *v)
{
    struct gql_map names;

    gql_map_init(&names, v->scratch, &v->schema->key);
    for (struct gql_operation_ast *o = v->document->operations; o; o = o->next) {
        struct gql_operation_ast *other;
        if (!oms_str_present(o->name)) {
            if (v->document->operation_count > 1)
                GQL_VALIDATE_ERROR(v, o->at, "An operation without a name must be the only one.");
            continue;
        }
        other = gql_map_add(&names, o->name, o);
        if (other)
            gql_error_also(GQL_VALIDATE_ERROR(v, other->name_at, "There are two operations \"%.*s\".",
                                              GQL_NAME(o->name)),
                           v->source, o->name_at);
    }
}

void gql_validate_operations(struct gql_validator *v)
{
    for (const struct gql_def *def = v->document->definitions; def; def = def->next)
        GQL_VALIDATE_ERROR(v, def->at, "A type system definition cannot be executed.");
    if (!v->document->operations)
        GQL_VALIDATE_ERROR(v, 0, "The document holds no operation.");
    for (struct gql_operation_ast *o = v->document->operations; o; o = o->next) {
        o->root = v->schema->roots[o->kind];
        if (!o->root)
            GQL_VALIDATE_ERROR(v, o->at, "This service has no %s operations.", gql_operation_word(o->kind));
    }
    gql_validate_names(v);
}

/* ---- section 5.2.4.1 ---- */

/* Where to go on when a fragment's set is done. */
struct gql_root_place {
    struct gql_root_place *up;
    const struct gql_selection *next;
};

/* The set of a fragment that applies to `root`; NULL when it does not, or was seen. */
static const struct gql_set *gql_root_set(struct gql_validator *v, const struct gql_selection *s,
                                          const struct gql_type *root)
{
    const struct gql_type *condition = s->condition;

    if (s->kind == GQL_SELECT_SPREAD) {
        if (!s->fragment || s->fragment->stamp == v->document->stamp)
            return NULL;
        s->fragment->stamp = v->document->stamp;
        condition = s->fragment->condition;
        if (!condition)
            return NULL; /* of an unknown type */
    } else if (oms_str_present(s->name) && !condition) {
        return NULL;
    }
    if (condition && (!gql_is_composite(condition) || !gql_may_be(condition, root)))
        return NULL;
    return s->kind == GQL_SELECT_SPREAD ? s->fragment->set : s->set;
}

/* What a walk over the root fields found. */
struct gql_roots {
    struct gql_map keys;               /* response names */
    const struct gql_applied *decides; /* the first @skip or @include */
};

static const struct gql_applied *gql_find_applied(const struct gql_selection *s,
                                                  const struct gql_directive *directive)
{
    const struct gql_applied *applied = s->directives;

    while (applied && !oms_str_eq(applied->name, directive->name))
        applied = applied->next;
    return applied;
}

static void gql_find_condition(struct gql_validator *v, const struct gql_selection *s,
                               struct gql_roots *roots)
{
    if (roots->decides || !s->conditional)
        return;
    roots->decides = gql_find_applied(s, v->schema->skip);
    if (!roots->decides)
        roots->decides = gql_find_applied(s, v->schema->include);
}

static void gql_check_root(struct gql_validator *v, const struct gql_selection *s, struct gql_roots *roots)
{
    if (s->kind != GQL_SELECT_FIELD)
        return;
    if (s->name.len > 2 && s->name.data[0] == '_' && s->name.data[1] == '_')
        GQL_VALIDATE_ERROR(v, s->at, "A subscription's root cannot be the introspection field \"%.*s\".",
                           GQL_NAME(s->name));
    if (!gql_map_get(&roots->keys, s->key) && roots->keys.count == 1)
        GQL_VALIDATE_ERROR(v, s->at, "A subscription must have exactly one root field.");
    gql_map_add(&roots->keys, s->key, (void *)(uintptr_t)s);
}

/* CollectSubscriptionFields: shows `visit` every selection of the root, in the document's order. */
static void gql_each_root(struct gql_validator *v, const struct gql_operation_ast *operation,
                          void (*visit)(struct gql_validator *v, const struct gql_selection *s,
                                        struct gql_roots *roots),
                          struct gql_roots *roots)
{
    struct gql_root_place bottom = {NULL, operation->set->first}, *at = &bottom;

    v->document->stamp++;
    while (at) {
        const struct gql_selection *s = at->next;
        const struct gql_set *inner;
        if (!s) {
            at = at->up;
            continue;
        }
        at->next = s->next;
        visit(v, s, roots);
        inner = s->kind == GQL_SELECT_FIELD ? NULL : gql_root_set(v, s, operation->root);
        if (inner) {
            struct gql_root_place *deeper = GQL_NEW(v->scratch, struct gql_root_place);
            *deeper = (struct gql_root_place){at, inner->first};
            at = deeper;
        }
    }
}

void gql_validate_subscriptions(struct gql_validator *v)
{
    for (const struct gql_operation_ast *o = v->document->operations; o; o = o->next) {
        struct gql_roots roots = {.decides = NULL};
        if (o->kind != GQL_SUBSCRIPTION || !o->root)
            continue;
        gql_map_init(&roots.keys, v->scratch, &v->schema->key);
        gql_each_root(v, o, gql_find_condition, &roots);
        if (roots.decides)
            GQL_VALIDATE_ERROR(v, roots.decides->at,
                               "@skip and @include cannot stand at the root of a subscription.");
        else
            gql_each_root(v, o, gql_check_root, &roots);
    }
}

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
            gql_error_also(
                GQL_VALIDATE_ERROR(v, other->at, "There are two operations \"%.*s\".", GQL_NAME(o->name)),
                v->source, o->at);
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

static bool gql_applies(const struct gql_type *condition, const struct gql_type *root)
{
    return !condition || gql_may_be(condition, root);
}

static void gql_count_roots(struct gql_validator *v, const struct gql_set *set, const struct gql_type *root,
                            struct gql_map *keys)
{
    for (const struct gql_selection *s = set->first; s; s = s->next) {
        if (s->conditional)
            GQL_VALIDATE_ERROR(v, s->at, "@skip and @include cannot stand at the root of a subscription.");
        if (s->kind == GQL_SELECT_INLINE && gql_applies(s->condition, root))
            gql_count_roots(v, s->set, root, keys);
        if (s->kind != GQL_SELECT_FIELD)
            continue;
        if (s->name.len > 2 && s->name.data[0] == '_' && s->name.data[1] == '_')
            GQL_VALIDATE_ERROR(v, s->at, "A subscription's root cannot be the introspection field \"%.*s\".",
                               GQL_NAME(s->name));
        if (!gql_map_get(keys, s->key) && keys->count == 1)
            GQL_VALIDATE_ERROR(v, s->at, "A subscription must have exactly one root field.");
        gql_map_add(keys, s->key, (void *)(uintptr_t)s);
    }
}

/* Fragments that are spread here or in inline fragments, each once. */
static void gql_collect_spreads(struct gql_validator *v, const struct gql_set *set,
                                const struct gql_type *root, struct gql_fragment **pending, uint32_t *count)
{
    for (const struct gql_selection *s = set->first; s; s = s->next) {
        if (s->kind == GQL_SELECT_INLINE && gql_applies(s->condition, root))
            gql_collect_spreads(v, s->set, root, pending, count);
        if (s->kind == GQL_SELECT_SPREAD && s->fragment && s->fragment->stamp != v->document->stamp &&
            gql_applies(s->fragment->condition, root)) {
            s->fragment->stamp = v->document->stamp;
            pending[(*count)++] = s->fragment;
        }
    }
}

void gql_validate_subscriptions(struct gql_validator *v)
{
    for (const struct gql_operation_ast *o = v->document->operations; o; o = o->next) {
        struct gql_fragment **pending;
        uint32_t count = 0;
        struct gql_map keys;
        if (o->kind != GQL_SUBSCRIPTION || !o->root)
            continue;
        pending = GQL_ARRAY(v->scratch, struct gql_fragment *, v->document->fragment_count);
        gql_map_init(&keys, v->scratch, &v->schema->key);
        v->document->stamp++;
        gql_count_roots(v, o->set, o->root, &keys);
        gql_collect_spreads(v, o->set, o->root, pending, &count);
        for (uint32_t i = 0; i < count; i++) {
            gql_count_roots(v, pending[i]->set, o->root, &keys);
            gql_collect_spreads(v, pending[i]->set, o->root, pending, &count);
        }
    }
}

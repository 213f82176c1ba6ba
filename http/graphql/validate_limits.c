/*
 * Limits that are no rules of the specification: aliases, because each one can repeat the work of a field,
 * and lists inside lists of introspection fields, because their product is the size of the answer. Depth and
 * root fields are counted by the planner, which sees fragments expanded.
 */
#include "http/graphql/validate.h"
#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"

static bool gql_is_introspection_list(const struct gql_selection *s)
{
    static const char *const names[] = {"fields", "interfaces", "possibleTypes", "inputFields"};

    if (!s->parent || !s->parent->builtin)
        return false;
    for (size_t i = 0; i < OMS_COUNT_OF(names); i++) {
        if (oms_str_eq_c(s->name, names[i]))
            return true;
    }
    return false;
}

struct gql_listing {
    const struct gql_set *set;
    unsigned lists; /* of __schema or __type above it */
};

/* Looks at one set; what is below it goes to `pending`. False when the limit was reached. */
static bool gql_limit_introspection(struct gql_validator *v, struct gql_listing at,
                                    struct gql_listing *pending, size_t *count)
{
    for (const struct gql_selection *s = at.set->first; s; s = s->next) {
        unsigned below = at.lists + (s->kind == GQL_SELECT_FIELD && gql_is_introspection_list(s));
        if (below > OMS_GQL_INTROSPECTION_LISTS_MAX) {
            GQL_VALIDATE_LIMIT(v, s->at, "Introspection asks for more than %d lists within each other.",
                               OMS_GQL_INTROSPECTION_LISTS_MAX);
            return false;
        }
        if (s->kind == GQL_SELECT_SPREAD) {
            /* Once per number of lists above it; `state` is free after the search for cycles. */
            if (s->fragment->state >> below & 1)
                continue;
            s->fragment->state |= 1u << below;
            pending[(*count)++] = (struct gql_listing){s->fragment->set, below};
        } else if (s->set) {
            pending[(*count)++] = (struct gql_listing){s->set, below};
        }
    }
    return true;
}

static void gql_validate_introspection(struct gql_validator *v)
{
    /* Every set is pending at most once per number of lists, and per operation or fragment that holds it. */
    size_t room = ((size_t)v->document->set_count + 1) * (OMS_GQL_INTROSPECTION_LISTS_MAX + 2), count = 0;
    struct gql_listing *pending = oms_reallocarray(NULL, room, sizeof(*pending));
    bool ok = true;

    for (struct gql_fragment *f = v->document->fragments; f; f = f->next)
        f->state = 0;
    for (const struct gql_operation_ast *o = v->document->operations; o && ok; o = o->next) {
        pending[count++] = (struct gql_listing){o->set, 0};
        while (count > 0 && ok) {
            struct gql_listing at = pending[--count];
            ok = gql_limit_introspection(v, at, pending, &count);
            OMS_ASSERT(count < room);
        }
    }
    oms_free(pending);
}

void gql_validate_limits(struct gql_validator *v)
{
    if (v->document->alias_count > OMS_GQL_ALIASES_MAX)
        GQL_VALIDATE_LIMIT(v, 0, "The document has more than %d aliases.", OMS_GQL_ALIASES_MAX);
    if (!v->failed)
        gql_validate_introspection(v);
}

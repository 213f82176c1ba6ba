/*
 * Fragments are followed with an explicit stack of places to go on from, so that fields keep the document's
 * order. A named fragment counts once per collection, by its stamp.
 */
#include "http/graphql/plan_collect.h"

#include "http/graphql/memory.h"

/* The value of `if`: validation saw a Boolean literal or a variable. */
static bool gql_condition(struct gql_collector *c, const struct gql_applied *applied, bool unknown)
{
    const struct gql_lit *value = applied->args->value;
    struct gql_variable *variable;

    if (value->kind == GQL_LIT_BOOL)
        return value->boolean;
    variable = gql_map_get(&c->operation->by_name, value->text);
    OMS_ASSERT(variable);
    if (c->mask) {
        OMS_ASSERT(variable->mask_index > 0);
        if (c->mask[variable->mask_index - 1] == GQL_MASK_NULL && !c->refused)
            c->refused = value;
        return c->mask[variable->mask_index - 1] == true;
    }
    if (variable->mask_index == 0)
        variable->mask_index = ++*c->mask_count;
    return unknown;
}

/* What one of the two directives says of a selection; `wanted` is the answer that takes it in. */
static bool gql_condition_met(struct gql_collector *c, const struct gql_selection *s,
                              const struct gql_directive *directive, bool wanted)
{
    bool met = true;

    for (const struct gql_applied *applied = s->directives; applied; applied = applied->next) {
        if (oms_str_eq(applied->name, directive->name))
            met &= gql_condition(c, applied, wanted) == wanted;
    }
    return met;
}

/* @skip is asked first: what it leaves out is not asked for @include (section 6.3.2). */
static bool gql_included(struct gql_collector *c, const struct gql_selection *s)
{
    bool met;

    if (!s->conditional)
        return true;
    met = gql_condition_met(c, s, c->schema->skip, false);
    if (!met && c->mask)
        return false;
    return gql_condition_met(c, s, c->schema->include, true) && met;
}

static void gql_collect_set(struct gql_collector *c, struct gql_collected *field, const struct gql_set *set)
{
    if (field->set_count == field->set_cap) {
        const struct gql_set **old = field->sets;
        field->set_cap = field->set_cap ? field->set_cap * 2 : 2;
        field->sets = GQL_ARRAY(c->arena, const struct gql_set *, field->set_cap);
        for (uint32_t i = 0; i < field->set_count; i++)
            field->sets[i] = old[i];
    }
    field->sets[field->set_count++] = set;
}

struct gql_place_to_go {
    struct gql_place_to_go *up;
    const struct gql_selection *next;
};

/* The set that a fragment brings in for `type`, NULL when it does not apply or was seen. */
static const struct gql_set *gql_fragment_set(struct gql_collector *c, const struct gql_selection *s,
                                              const struct gql_type *type)
{
    if (s->kind == GQL_SELECT_INLINE)
        return !s->condition || gql_may_be(s->condition, type) ? s->set : NULL;
    if (s->fragment->stamp == *c->stamp)
        return NULL;
    s->fragment->stamp = *c->stamp;
    return gql_may_be(s->fragment->condition, type) ? s->fragment->set : NULL;
}

struct gql_collecting {
    struct gql_map by_key;
    struct gql_collected *first, **end;
};

static void gql_collect_field(struct gql_collector *c, struct gql_collecting *into,
                              const struct gql_selection *s)
{
    struct gql_collected *field = gql_map_get(&into->by_key, s->key);

    if (!field) {
        field = GQL_NEW(c->arena, struct gql_collected);
        field->first = s;
        gql_map_add(&into->by_key, s->key, field);
        *into->end = field;
        into->end = &field->next;
    }
    if (s->set)
        gql_collect_set(c, field, s->set);
}

struct gql_collected *gql_collect(struct gql_collector *c, const struct gql_type *type,
                                  const struct gql_set **sets, uint32_t count)
{
    struct gql_collecting into = {.first = NULL};

    into.end = &into.first;
    c->refused = NULL;
    gql_map_init(&into.by_key, c->arena, &c->schema->key);
    ++*c->stamp;
    for (uint32_t i = 0; i < count; i++) {
        struct gql_place_to_go bottom = {NULL, sets[i]->first}, *at = &bottom;
        while (at) {
            const struct gql_selection *s = at->next;
            const struct gql_set *inner;
            if (!s) {
                at = at->up;
                continue;
            }
            at->next = s->next;
            c->visits++;
            if (!gql_included(c, s))
                continue;
            if (s->kind == GQL_SELECT_FIELD) {
                gql_collect_field(c, &into, s);
            } else if ((inner = gql_fragment_set(c, s, type)) != NULL) {
                struct gql_place_to_go *deeper = GQL_NEW(c->arena, struct gql_place_to_go);
                *deeper = (struct gql_place_to_go){at, inner->first};
                at = deeper;
            }
        }
    }
    return into.first;
}

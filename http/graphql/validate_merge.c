/*
 * Section 5.3.2, field selection merging, in bounded time.
 *
 * The specification compares all pairs of fields with one response name. Here the fields of a list of
 * selection sets that end up in one place are grouped by response name, and each is compared with the first
 * of its group: both relations are equivalences, so the pairs need no visit. Two questions are asked: shape
 * all fields of a group must have types of the same shape, whatever object they are selected on; strict those
 * that can meet on one object (same parent, or one of the parents abstract) must be the same field with the
 * same arguments. The groups' own selection sets are then merged and asked the same, as work items instead of
 * recursion. An item (question, set of selection sets) is done once. Hostile documents can still make many
 * different items, so the number of fields looked at is limited; honest documents stay far below.
 */
#include "http/graphql/validate.h"

#include <stdlib.h>

#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"

enum gql_question { GQL_ASK_NOTHING = 0, GQL_ASK_SHAPE = 1, GQL_ASK_STRICT = 2, GQL_ASK_BOTH = 3 };

struct gql_merge_item {
    struct gql_merge_item *next; /* in the queue */
    enum gql_question question;
    uint32_t count;
    const struct gql_set *sets[]; /* by id, each once */
};

struct gql_merge_field {
    struct gql_merge_field *next; /* in its group */
    const struct gql_selection *s;
};

struct gql_merge_group {
    struct gql_merge_group *next;
    struct gql_merge_field *fields, **end;
};

struct gql_merger {
    struct gql_validator *v;
    struct oms_arena done_arena; /* items and their keys */
    struct oms_arena work;       /* of one item */
    struct gql_map done;
    struct gql_merge_item *queue, **queue_end;
    struct gql_map groups_by_key;
    struct gql_merge_group *groups, **groups_end;
    uint32_t visits;
};

/* ---- items ---- */

static int gql_compare_sets(const void *a, const void *b)
{
    uint32_t x = (*(const struct gql_set *const *)a)->id, y = (*(const struct gql_set *const *)b)->id;

    return (x > y) - (x < y);
}

/* Queues the question about the sub-selections of `fields`, unless it was asked before. */
static void gql_merge_ask(struct gql_merger *m, enum gql_question question, const struct gql_set **sets,
                          uint32_t count)
{
    struct gql_merge_item *item;
    uint32_t *key, unique = 0;

    if (count == 0)
        return;
    qsort(sets, count, sizeof(*sets), gql_compare_sets);
    key = GQL_ARRAY(&m->done_arena, uint32_t, count + 1);
    item = gql_calloc(&m->done_arena, 1, sizeof(*item) + count * sizeof(*sets));
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && sets[i] == sets[i - 1])
            continue;
        key[1 + unique] = sets[i]->id;
        item->sets[unique++] = sets[i];
    }
    key[0] = (uint32_t)question;
    item->question = question;
    item->count = unique;
    if (gql_map_add(&m->done, oms_str_make(key, (1 + (size_t)unique) * sizeof(*key)), item))
        return;
    *m->queue_end = item;
    m->queue_end = &item->next;
}

/* ---- collecting the fields of an item ---- */

static void gql_merge_add(struct gql_merger *m, const struct gql_selection *s)
{
    struct gql_merge_group *group = gql_map_get(&m->groups_by_key, s->key);
    struct gql_merge_field *field = GQL_NEW(&m->work, struct gql_merge_field);

    if (!group) {
        group = GQL_NEW(&m->work, struct gql_merge_group);
        group->end = &group->fields;
        gql_map_add(&m->groups_by_key, s->key, group);
        *m->groups_end = group;
        m->groups_end = &group->next;
    }
    field->s = s;
    *group->end = field;
    group->end = &field->next;
}

struct gql_merge_pending {
    struct gql_merge_pending *next;
    const struct gql_set *set;
};

static void gql_merge_collect(struct gql_merger *m, const struct gql_merge_item *item)
{
    struct gql_merge_pending *pending = NULL;

    m->v->document->stamp++;
    for (uint32_t i = 0; i < item->count || pending;) {
        const struct gql_set *set;
        if (pending) {
            set = pending->set;
            pending = pending->next;
        } else {
            set = item->sets[i++];
        }
        for (const struct gql_selection *s = set->first; s; s = s->next) {
            struct gql_merge_pending *more;
            m->visits++;
            if (s->kind == GQL_SELECT_FIELD) {
                gql_merge_add(m, s);
                continue;
            }
            if (s->kind == GQL_SELECT_SPREAD && s->fragment->stamp == m->v->document->stamp)
                continue;
            if (s->kind == GQL_SELECT_SPREAD)
                s->fragment->stamp = m->v->document->stamp;
            more = GQL_NEW(&m->work, struct gql_merge_pending);
            more->set = s->kind == GQL_SELECT_SPREAD ? s->fragment->set : s->set;
            more->next = pending;
            pending = more;
        }
    }
}

/* ---- comparing ---- */

/* SameResponseShape without the sub-selections. */
static bool gql_same_shape(const struct gql_typeref *a, const struct gql_typeref *b)
{
    for (; a->kind == b->kind && a->of; b = b->of)
        a = a->of;
    if (a->of || b->of)
        return false;
    if (gql_is_composite(a->named) && gql_is_composite(b->named))
        return true;
    return a->named == b->named;
}

static bool gql_same_literal(const struct gql_lit *a, const struct gql_lit *b)
{
    if (a->kind != b->kind || a->count != b->count)
        return false;
    if (a->kind == GQL_LIT_LIST) {
        const struct gql_lit *x = a->items, *y = b->items;
        for (; x; x = x->next, y = y->next) {
            if (!gql_same_literal(x, y))
                return false;
        }
        return true;
    }
    if (a->kind == GQL_LIT_OBJECT) {
        for (const struct gql_lit_field *x = a->fields; x; x = x->next) {
            const struct gql_lit_field *y = b->fields;
            while (y && !oms_str_eq(x->name, y->name))
                y = y->next;
            if (!y || !gql_same_literal(x->value, y->value))
                return false;
        }
        return true;
    }
    return a->kind == GQL_LIT_BOOL ? a->boolean == b->boolean : oms_str_eq(a->text, b->text);
}

static bool gql_same_args(const struct gql_arg *a, const struct gql_arg *b)
{
    uint32_t count = 0;

    for (const struct gql_arg *x = a; x; x = x->next, count++) {
        const struct gql_arg *y = b;
        while (y && !oms_str_eq(x->name, y->name))
            y = y->next;
        if (!y || !gql_same_literal(x->value, y->value))
            return false;
    }
    for (; b; b = b->next)
        count--;
    return count == 0;
}

static void gql_merge_conflict(struct gql_merger *m, const struct gql_selection *a,
                               const struct gql_selection *b, const char *why)
{
    struct gql_validator *v = m->v;

    gql_error_also(GQL_VALIDATE_ERROR(v, a->at,
                                      "Fields \"%.*s\" cannot be merged: %s. Give one of them an alias.",
                                      GQL_NAME(a->key), why),
                   v->source, b->at);
}

static void gql_merge_shapes(struct gql_merger *m, const struct gql_merge_group *group)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a group has a first field */
    const struct gql_selection *first = group->fields->s;

    for (const struct gql_merge_field *f = group->fields->next; f; f = f->next) {
        if (!gql_same_shape(first->field->type, f->s->field->type))
            gql_merge_conflict(m, first, f->s, "their types differ");
    }
}

/* Fields that can meet with an object of `parent` (NULL: with any) must be the same; `sets` gets their sets.
 */
static uint32_t gql_merge_strict(struct gql_merger *m, const struct gql_merge_group *group,
                                 const struct gql_type *parent, const struct gql_set **sets)
{
    const struct gql_selection *first = NULL;
    uint32_t count = 0;

    for (const struct gql_merge_field *f = group->fields; f; f = f->next) {
        if (parent && f->s->parent->kind == GQL_KIND_OBJECT && f->s->parent != parent)
            continue;
        m->visits++;
        if (f->s->set)
            sets[count++] = f->s->set;
        if (!first)
            first = f->s;
        else if (!oms_str_eq(first->name, f->s->name))
            gql_merge_conflict(m, first, f->s, "they are different fields");
        else if (!gql_same_args(first->args, f->s->args))
            gql_merge_conflict(m, first, f->s, "their arguments differ");
    }
    return count;
}

/* The object types that fields of a group are selected on. */
static uint32_t gql_merge_parents(struct gql_merger *m, const struct gql_merge_group *group,
                                  const struct gql_type ***out)
{
    const struct gql_type **parents;
    uint32_t count = 0, fields = 0, i;

    for (const struct gql_merge_field *f = group->fields; f; f = f->next)
        fields++;
    parents = GQL_ARRAY(&m->work, const struct gql_type *, fields);
    for (const struct gql_merge_field *f = group->fields; f; f = f->next) {
        if (f->s->parent->kind != GQL_KIND_OBJECT)
            continue;
        for (i = 0; i < count && parents[i] != f->s->parent; i++)
            ;
        if (i == count)
            parents[count++] = f->s->parent;
    }
    *out = parents;
    return count;
}

/* Asks about the sub-selections of fields that meet on one object. */
static void gql_merge_group_strict(struct gql_merger *m, const struct gql_merge_group *group,
                                   const struct gql_set **sets)
{
    const struct gql_type **parents;
    uint32_t count = gql_merge_parents(m, group, &parents);

    if (count == 0)
        gql_merge_ask(m, GQL_ASK_STRICT, sets, gql_merge_strict(m, group, NULL, sets));
    for (uint32_t i = 0; i < count; i++)
        gql_merge_ask(m, GQL_ASK_STRICT, sets, gql_merge_strict(m, group, parents[i], sets));
}

static bool gql_merge_one_object(const struct gql_merge_group *group)
{
    const struct gql_type *object = NULL;

    for (const struct gql_merge_field *f = group->fields; f; f = f->next) {
        if (f->s->parent->kind != GQL_KIND_OBJECT)
            continue;
        if (object && object != f->s->parent)
            return false;
        object = f->s->parent;
    }
    return true;
}

static void gql_merge_group_check(struct gql_merger *m, const struct gql_merge_group *group,
                                  enum gql_question question)
{
    const struct gql_set **sets;
    uint32_t count = 0;

    for (const struct gql_merge_field *f = group->fields; f; f = f->next)
        count++;
    sets = GQL_ARRAY(&m->work, const struct gql_set *, count);
    if (question == GQL_ASK_BOTH && gql_merge_one_object(group)) {
        gql_merge_ask(m, GQL_ASK_BOTH, sets, gql_merge_strict(m, group, NULL, sets));
        question = GQL_ASK_NOTHING;
    }
    if (question & GQL_ASK_STRICT)
        gql_merge_group_strict(m, group, sets);
    if (m->v->failed || question == GQL_ASK_STRICT)
        return; /* one reason is enough */
    gql_merge_shapes(m, group);
    if (!(question & GQL_ASK_SHAPE))
        return;
    count = 0;
    for (const struct gql_merge_field *f = group->fields; f; f = f->next) {
        if (f->s->set)
            sets[count++] = f->s->set;
    }
    gql_merge_ask(m, GQL_ASK_SHAPE, sets, count);
}

static void gql_merge_check(struct gql_merger *m, const struct gql_merge_item *item)
{
    oms_arena_reset(&m->work);
    gql_map_init(&m->groups_by_key, &m->work, &m->v->schema->key);
    m->groups = NULL;
    m->groups_end = &m->groups;
    gql_merge_collect(m, item);
    for (const struct gql_merge_group *group = m->groups; group; group = group->next)
        gql_merge_group_check(m, group, item->question);
}

void gql_validate_merge(struct gql_validator *v)
{
    struct gql_merger m = {.v = v};

    oms_arena_init(&m.done_arena, 4096, GQL_ARENA_UNBOUNDED);
    oms_arena_init(&m.work, 4096, GQL_ARENA_UNBOUNDED);
    gql_map_init(&m.done, &m.done_arena, &v->schema->key);
    m.queue_end = &m.queue;
    for (const struct gql_operation_ast *o = v->document->operations; o; o = o->next) {
        const struct gql_set *set = o->set;
        gql_merge_ask(&m, GQL_ASK_BOTH, &set, 1);
    }
    for (const struct gql_merge_item *item = m.queue; item && !v->failed; item = item->next) {
        gql_merge_check(&m, item);
        if (m.visits > OMS_GQL_MERGE_VISITS_MAX)
            GQL_VALIDATE_LIMIT(v, 0, "The document's fields overlap in too many ways.");
    }
    v->document->merge_visits = m.visits;
    oms_arena_fini(&m.done_arena);
    oms_arena_fini(&m.work);
}

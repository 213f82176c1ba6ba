/* Section 5.3.1, 5.3.3 and 5.5.2.3: the walk over selections, which also finds all definitions. */
#include "http/graphql/validate.h"

#include <stdio.h>
#include <stdlib.h>

static void gql_mark_conditions(const struct gql_validator *v, struct gql_selection *s)
{
    for (const struct gql_applied *applied = s->directives; applied; applied = applied->next) {
        if (oms_str_eq(applied->name, v->schema->skip->name) ||
            oms_str_eq(applied->name, v->schema->include->name))
            s->conditional = true;
    }
}

/* ---- unknown fields ---- */

/* A type that has the field, of those that a value of the selected type may be. */
struct gql_bearer {
    const struct gql_type *type;
    uint32_t uses; /* as itself or as an interface of others */
};

/* More used first, an interface before what implements it, then by name. */
static int gql_compare_bearers(const void *a, const void *b)
{
    const struct gql_bearer *x = a, *y = b;

    if (x->uses != y->uses)
        return x->uses > y->uses ? -1 : 1;
    if (x->type->kind == GQL_KIND_INTERFACE && gql_type_implements(y->type, x->type))
        return -1;
    if (y->type->kind == GQL_KIND_INTERFACE && gql_type_implements(x->type, y->type))
        return 1;
    return gql_natural_compare(x->type->name, y->type->name);
}

static void gql_add_bearer(struct gql_bearer *bearers, uint32_t *count, const struct gql_type *type)
{
    uint32_t i = 0;

    while (i < *count && bearers[i].type != type)
        i++;
    if (i == *count)
        bearers[(*count)++] = (struct gql_bearer){type, 0};
    bearers[i].uses++;
}

/* For a field that the interface or union lacks but some of its objects have. */
static struct gql_hint gql_hint_fragment(struct gql_validator *v, struct oms_str field,
                                         const struct gql_type *parent)
{
    struct gql_bearer *bearers = GQL_ARRAY(v->scratch, struct gql_bearer, v->schema->type_count);
    struct oms_str *names = GQL_ARRAY(v->scratch, struct oms_str, v->schema->type_count);
    uint32_t count = 0;

    for (uint32_t i = 0; i < parent->possible_count; i++) {
        const struct gql_type *object = parent->possible[i];
        if (!gql_map_get(&object->members, field))
            continue;
        gql_add_bearer(bearers, &count, object);
        for (uint32_t k = 0; k < object->interface_count; k++) {
            if (gql_map_get(&object->interfaces[k]->members, field))
                gql_add_bearer(bearers, &count, object->interfaces[k]);
        }
    }
    qsort(bearers, count, sizeof(*bearers), gql_compare_bearers);
    for (uint32_t i = 0; i < count; i++)
        names[i] = bearers[i].type->name;
    return gql_hint_of("to use an inline fragment on ", names, count);
}

static void gql_unknown_field(struct gql_validator *v, const struct gql_selection *s,
                              const struct gql_type *parent)
{
    struct gql_hint hint = {""};

    if (gql_is_abstract(parent) && gql_hint_wanted(v->errors))
        hint = gql_hint_fragment(v, s->name, parent);
    if (!hint.text[0])
        hint = gql_did_you_mean(v->errors, s->name, parent->field_count, gql_field_name_at, parent->fields);
    GQL_VALIDATE_ERROR(v, s->at, "Type \"%.*s\" has no field \"%.*s\".%s", GQL_NAME(parent->name),
                       GQL_NAME(s->name), hint.text);
}

/* ---- the walk ---- */

static void gql_validate_field(struct gql_validator *v, struct gql_selection *s,
                               const struct gql_type *parent)
{
    const struct gql_type *type;
    char what[200];

    s->parent = parent;
    s->field = parent ? gql_type_field(v->schema, parent, s->name) : NULL;
    gql_validate_directives(v, s->directives, GQL_AT_FIELD);
    if (!s->field) {
        if (parent)
            gql_unknown_field(v, s, parent);
        gql_validate_untyped_args(v, s->args, "an unknown field");
        if (s->set)
            gql_validate_set(v, s->set, NULL);
        return;
    }
    if (s->args || s->field->arg_count > 0) { /* most fields have none: spare them the formatting */
        snprintf(what, sizeof(what), "field \"%.*s.%.*s\"", GQL_NAME(parent->name), GQL_NAME(s->name));
        gql_validate_args(v, s->field->args, s->field->arg_count, s->args, s->at, what);
    }
    type = s->field->type->named;
    if (!gql_is_composite(type) && s->set) {
        GQL_VALIDATE_ERROR(v, s->set->at, "Field \"%.*s\" of type \"%s\" has no fields to select.",
                           GQL_NAME(s->name), gql_typeref_text(s->field->type).text);
        gql_validate_set(v, s->set, NULL);
    } else if (gql_is_composite(type) && !s->set)
        GQL_VALIDATE_ERROR(
            v, s->at,
            "Field \"%.*s\" of type \"%s\" needs a selection of fields. Did you mean \"%.*s { ... }\"?",
            GQL_NAME(s->name), gql_typeref_text(s->field->type).text, GQL_NAME(s->name));
    else if (s->set)
        gql_validate_set(v, s->set, type);
}

/* Whether a fragment on `type` can ever apply where `parent` is selected. */
static void gql_validate_spread_type(struct gql_validator *v, const struct gql_selection *s,
                                     const struct gql_type *parent, const struct gql_type *type)
{
    if (parent && !gql_types_overlap(v->schema, parent, type))
        GQL_VALIDATE_ERROR(v, s->at, "A fragment on \"%.*s\" can never apply to \"%.*s\".",
                           GQL_NAME(type->name), GQL_NAME(parent->name));
}

static void gql_validate_inline(struct gql_validator *v, struct gql_selection *s,
                                const struct gql_type *parent)
{
    gql_validate_directives(v, s->directives, GQL_AT_INLINE_FRAGMENT);
    if (oms_str_present(s->name)) {
        s->condition = gql_schema_type(v->schema, s->name);
        if (!s->condition || s->condition->hidden) {
            GQL_VALIDATE_ERROR(v, s->name_at, "Unknown type \"%.*s\".%s", GQL_NAME(s->name),
                               gql_did_you_mean(v->errors, s->name, v->schema->type_count,
                                                gql_schema_type_name_at, v->schema)
                                   .text);
            parent = NULL;
        } else if (!gql_is_composite(s->condition)) {
            GQL_VALIDATE_ERROR(v, s->name_at, "A fragment cannot be on \"%.*s\": it has no fields.",
                               GQL_NAME(s->name));
            parent = NULL;
        } else {
            gql_validate_spread_type(v, s, parent, s->condition);
            parent = s->condition;
        }
    }
    gql_validate_set(v, s->set, parent);
}

static void gql_validate_spread(struct gql_validator *v, struct gql_selection *s,
                                const struct gql_type *parent)
{
    struct gql_spread_ref *ref;

    gql_validate_directives(v, s->directives, GQL_AT_FRAGMENT_SPREAD);
    s->fragment = gql_map_get(&v->document->fragments_by_name, s->name);
    if (!s->fragment) {
        GQL_VALIDATE_ERROR(v, s->name_at, "Unknown fragment \"%.*s\".", GQL_NAME(s->name));
        return;
    }
    ref = GQL_NEW(v->scratch, struct gql_spread_ref);
    ref->fragment = s->fragment;
    ref->at = s->at;
    *v->scope->spreads_end = ref;
    v->scope->spreads_end = &ref->next;
    if (s->fragment->condition)
        gql_validate_spread_type(v, s, parent, s->fragment->condition);
}

void gql_validate_set(struct gql_validator *v, struct gql_set *set, const struct gql_type *parent)
{
    for (struct gql_selection *s = set->first; s && !gql_validate_enough(v); s = s->next) {
        gql_mark_conditions(v, s);
        switch (s->kind) {
        case GQL_SELECT_FIELD:
            gql_validate_field(v, s, parent);
            break;
        case GQL_SELECT_INLINE:
            gql_validate_inline(v, s, parent);
            break;
        case GQL_SELECT_SPREAD:
            gql_validate_spread(v, s, parent);
            break;
        }
    }
}

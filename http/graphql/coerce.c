/*
 * Lists and input objects of JSON values and of literals. The two walks are twins: a literal may hold
 * variables, whose values were coerced to a compatible type already and are used as they are.
 */
#include "http/graphql/coerce.h"

#include <stdarg.h>
#include <stdio.h>

#include "http/graphql/errors.h"
#include "runtime/base/assert.h"

void gql_coercion_init(struct gql_coercion *c, struct oms_arena *arena,
                       const struct gql_operation_ast *operation, const struct gql_bound *bound)
{
    c->arena = arena;
    c->operation = operation;
    c->bound = bound;
    c->exhausted = false;
    c->depth = 0;
    c->message[0] = '\0';
}

static bool gql_coerce_fail(struct gql_coercion *c, const char *format, ...) OMS_PRINTF(2, 3);

static bool gql_coerce_fail(struct gql_coercion *c, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(c->message, sizeof(c->message), format, args);
    va_end(args);
    return false;
}

static void *gql_coerce_checked(struct gql_coercion *c, void *memory)
{
    if (!memory) {
        c->exhausted = true;
        gql_coerce_fail(c, "The value is too large.");
    }
    return memory;
}

static void *gql_coerce_memory(struct gql_coercion *c, size_t count, size_t size)
{
    return gql_coerce_checked(c, oms_arena_calloc(c->arena, count ? count : 1, size));
}

/* Not cleared: an object counts the fields that were written. `max` is the schema's, so the product is small.
 */
static struct oms_field *gql_coerce_fields(struct gql_coercion *c, size_t max)
{
    return gql_coerce_checked(c, oms_arena_alloc(c->arena, (max ? max : 1) * sizeof(struct oms_field)));
}

static const struct gql_lit *gql_find_arg(const struct gql_arg *args, struct oms_str name)
{
    for (; args; args = args->next) {
        if (oms_str_eq(args->name, name))
            return args->value;
    }
    return NULL;
}

static bool gql_coerce_enter(struct gql_coercion *c, struct oms_str name, size_t index)
{
    if (c->depth == OMS_GQL_VALUE_DEPTH_MAX)
        return gql_coerce_fail(c, "The value is nested too deeply.");
    c->path[c->depth++] = (struct gql_coercion_step){name, index};
    return true;
}

const char *gql_coercion_place(const struct gql_coercion *c, char out[160])
{
    size_t len = 0;

    out[0] = '\0';
    for (unsigned i = 0; i < c->depth && len < 120; i++) {
        const struct gql_coercion_step *step = &c->path[i];
        int n = oms_str_present(step->name)
                    ? snprintf(out + len, 160 - len, ".%.*s",
                               (int)(step->name.len < 40 ? step->name.len : 40), step->name.data)
                    : snprintf(out + len, 160 - len, "[%zu]", step->index);
        len += (size_t)n;
    }
    return out;
}

/* The part of `lit` that a step of a path leads to: itself where one value stands for a list. */
static const struct gql_lit *gql_coercion_part(const struct gql_lit *lit,
                                               const struct gql_coercion_step *step)
{
    const struct gql_lit *item = lit->items;
    size_t index = step->index;

    for (const struct gql_lit_field *field = lit->fields; field; field = field->next) {
        if (oms_str_present(step->name) && oms_str_eq(field->name, step->name))
            return field->value;
    }
    if (lit->kind != GQL_LIT_LIST || oms_str_present(step->name))
        return lit;
    while (item && index-- > 0)
        item = item->next;
    return item ? item : lit;
}

uint32_t gql_coercion_at(const struct gql_coercion *c, const struct gql_arg *args)
{
    const struct gql_lit *lit = c->depth > 0 ? gql_find_arg(args, c->path[0].name) : NULL;

    if (!lit)
        return args->at;
    for (unsigned i = 1; i < c->depth; i++)
        lit = gql_coercion_part(lit, &c->path[i]);
    return lit->at;
}

static bool gql_coerce_scalar(struct gql_coercion *c, const struct gql_type *type, struct oms_value *value,
                              bool literal)
{
    if (gql_coerce_leaf(type, value, literal, c->arena, c->message))
        return true;
    if (c->arena->exhausted) {
        c->exhausted = true;
        gql_coerce_fail(c, "The value is too large.");
    }
    return false;
}

static struct oms_value gql_null(void)
{
    return (struct oms_value){.kind = OMS_VALUE_NULL};
}

static bool gql_coerce_null(struct gql_coercion *c, const struct gql_typeref *type, struct oms_value *out)
{
    *out = gql_null();
    if (type->kind == GQL_KIND_NON_NULL)
        return gql_coerce_fail(c, "Expected a value of type \"%s\", found null.",
                               gql_typeref_text(type).text);
    return true;
}

/* ---- input objects: `slots` has what was given for each field, which is one kind of the two ---- */

struct gql_slot {
    const struct oms_value *value;
    const struct gql_lit *lit;
};

static bool gql_coerce_slot(struct gql_coercion *c, const struct gql_slot *slot,
                            const struct gql_typeref *type, struct oms_value *out)
{
    return slot->value ? gql_coerce_value(c, slot->value, type, out)
                       : gql_coerce_literal(c, slot->lit, type, out);
}

/* The value that a literal variable has in this request; NULL when it has none. */
static const struct oms_value *gql_bound_value(const struct gql_coercion *c, struct oms_str name)
{
    const struct gql_variable *variable = c->operation ? gql_map_get(&c->operation->by_name, name) : NULL;

    return variable && c->bound && c->bound[variable->index].present ? &c->bound[variable->index].value
                                                                     : NULL;
}

/* Writes one member; leaves it out when there is neither value nor default. */
static bool gql_coerce_member(struct gql_coercion *c, const struct gql_input *input,
                              const struct gql_slot *slot, struct oms_value *object)
{
    struct oms_field *field = &object->object.fields[object->object.count];
    bool given = slot->value || slot->lit;

    if (slot->lit && slot->lit->kind == GQL_LIT_VARIABLE && !gql_bound_value(c, slot->lit->text))
        given = false; /* as if it were not written (section 6.4.1) */
    field->name = input->name;
    if (given) {
        if (!gql_coerce_enter(c, input->name, 0) || !gql_coerce_slot(c, slot, input->type, &field->value))
            return false;
        c->depth--;
    } else if (input->initial_value) {
        field->value = *input->initial_value;
    } else if (input->type->kind == GQL_KIND_NON_NULL) {
        return gql_coerce_fail(c, "\"%.*s\" of type \"%s\" is required.", GQL_NAME(input->name),
                               gql_typeref_text(input->type).text);
    } else {
        return true;
    }
    object->object.count++;
    return true;
}

static bool gql_coerce_one_of(struct gql_coercion *c, const struct gql_type *type,
                              const struct oms_value *object)
{
    if (!type->one_of)
        return true;
    if (object->object.count != 1)
        return gql_coerce_fail(c, "Exactly one field of \"%.*s\" must be given.", GQL_NAME(type->name));
    if (object->object.fields[0].value.kind == OMS_VALUE_NULL)
        return gql_coerce_fail(c, "Field \"%.*s\" of \"%.*s\" must not be null.",
                               GQL_NAME(object->object.fields[0].name), GQL_NAME(type->name));
    return true;
}

static bool gql_coerce_slots(struct gql_coercion *c, const struct gql_type *type,
                             const struct gql_slot *slots, struct oms_value *out)
{
    *out = (struct oms_value){.kind = OMS_VALUE_OBJECT};
    out->object.fields = gql_coerce_fields(c, type->input_count);
    if (!out->object.fields)
        return false;
    for (uint32_t i = 0; i < type->input_count; i++) {
        const struct gql_input *input = &type->inputs[i];
        bool absent = !slots[i].value && !slots[i].lit && !input->initial_value;
        if (absent && input->type->kind != GQL_KIND_NON_NULL)
            continue; /* most fields of large inputs */
        if (!gql_coerce_member(c, input, &slots[i], out))
            return false;
    }
    return gql_coerce_one_of(c, type, out);
}

#define GQL_FIELDS_TRIED 8

/*
 * The input field of that name. Clients write fields about in the schema's order, so those from `*next` on
 * are compared before the name is hashed; `*next` moves behind the one that was found.
 */
static const struct gql_input *gql_coerce_find(struct gql_coercion *c, const struct gql_type *type,
                                               struct oms_str name, uint32_t *next)
{
    const struct gql_input *input = NULL;

    for (uint32_t i = *next; i < type->input_count && i < *next + GQL_FIELDS_TRIED && !input; i++) {
        if (oms_str_eq(type->inputs[i].name, name))
            input = &type->inputs[i];
    }
    if (!input)
        input = gql_type_input(type, name);
    if (input)
        *next = input->index + 1;
    else
        gql_coerce_fail(
            c, "\"%.*s\" is no field of \"%.*s\".%s", GQL_NAME(name), GQL_NAME(type->name),
            gql_did_you_mean(NULL, name, type->input_count, gql_input_name_at, type->inputs).text);
    return input;
}

/* ---- JSON ---- */

static bool gql_coerce_value_object(struct gql_coercion *c, const struct oms_value *in,
                                    const struct gql_type *type, struct oms_value *out)
{
    struct gql_slot *slots;
    uint32_t next = 0;

    if (in->kind != OMS_VALUE_OBJECT)
        return gql_coerce_fail(c, "Expected an object for \"%.*s\".", GQL_NAME(type->name));
    slots = gql_coerce_memory(c, type->input_count, sizeof(*slots));
    if (!slots)
        return false;
    for (size_t i = 0; i < in->object.count; i++) {
        const struct gql_input *input = gql_coerce_find(c, type, in->object.fields[i].name, &next);
        if (!input)
            return false;
        slots[input->index].value = &in->object.fields[i].value;
    }
    return gql_coerce_slots(c, type, slots, out);
}

static bool gql_coerce_value_list(struct gql_coercion *c, const struct oms_value *in,
                                  const struct gql_typeref *item, struct oms_value *out)
{
    /* A single value stands for a list of one (section 3.12). */
    const struct oms_value *items = in->kind == OMS_VALUE_LIST ? in->list.items : in;
    size_t count = in->kind == OMS_VALUE_LIST ? in->list.count : 1;

    *out = (struct oms_value){.kind = OMS_VALUE_LIST};
    out->list.items = gql_coerce_memory(c, count, sizeof(*out->list.items));
    if (!out->list.items)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!gql_coerce_enter(c, OMS_STR_NONE, i) ||
            !gql_coerce_value(c, &items[i], item, &out->list.items[i]))
            return false;
        c->depth--;
    }
    out->list.count = count;
    return true;
}

bool gql_coerce_value(struct gql_coercion *c, const struct oms_value *in, const struct gql_typeref *type,
                      struct oms_value *out)
{
    if (in->kind == OMS_VALUE_NULL)
        return gql_coerce_null(c, type, out);
    if (type->kind == GQL_KIND_NON_NULL)
        type = type->of;
    if (type->kind == GQL_KIND_LIST)
        return gql_coerce_value_list(c, in, type->of, out);
    if (type->kind == GQL_KIND_INPUT)
        return gql_coerce_value_object(c, in, type->named, out);
    *out = *in;
    return gql_coerce_scalar(c, type->named, out, false);
}

/* ---- literals ---- */

/* A literal of a custom scalar, of any shape. */
static bool gql_coerce_free(struct gql_coercion *c, const struct gql_lit *lit, struct oms_value *out)
{
    size_t i = 0;

    *out = gql_null();
    if (lit->kind == GQL_LIT_VARIABLE) {
        const struct oms_value *value = gql_bound_value(c, lit->text);
        if (value)
            *out = *value;
    } else if (lit->kind == GQL_LIT_LIST) {
        out->list.items = gql_coerce_memory(c, lit->count, sizeof(*out->list.items));
        if (!out->list.items)
            return false;
        out->kind = OMS_VALUE_LIST;
        out->list.count = lit->count;
        for (const struct gql_lit *item = lit->items; item; item = item->next) {
            if (!gql_coerce_free(c, item, &out->list.items[i++]))
                return false;
        }
    } else if (lit->kind == GQL_LIT_OBJECT) {
        out->object.fields = gql_coerce_memory(c, lit->count, sizeof(*out->object.fields));
        if (!out->object.fields)
            return false;
        out->kind = OMS_VALUE_OBJECT;
        for (const struct gql_lit_field *field = lit->fields; field; field = field->next) {
            if (field->value->kind == GQL_LIT_VARIABLE && !gql_bound_value(c, field->value->text))
                continue; /* as if it were not written */
            out->object.fields[i].name = field->name;
            if (!gql_coerce_free(c, field->value, &out->object.fields[i++].value))
                return false;
        }
        out->object.count = i;
    } else {
        *out = gql_literal_leaf(lit);
    }
    return true;
}

static bool gql_coerce_literal_list(struct gql_coercion *c, const struct gql_lit *lit,
                                    const struct gql_typeref *item, struct oms_value *out)
{
    const struct gql_lit *each = lit->kind == GQL_LIT_LIST ? lit->items : lit;
    size_t count = lit->kind == GQL_LIT_LIST ? lit->count : 1;

    *out = (struct oms_value){.kind = OMS_VALUE_LIST};
    out->list.items = gql_coerce_memory(c, count, sizeof(*out->list.items));
    if (!out->list.items)
        return false;
    for (size_t i = 0; i < count; i++, each = each->next) {
        if (!gql_coerce_enter(c, OMS_STR_NONE, i) || !gql_coerce_literal(c, each, item, &out->list.items[i]))
            return false;
        c->depth--;
    }
    out->list.count = count;
    return true;
}

static bool gql_coerce_literal_object(struct gql_coercion *c, const struct gql_lit *lit,
                                      const struct gql_type *type, struct oms_value *out)
{
    struct gql_slot *slots;
    uint32_t next = 0;

    if (lit->kind != GQL_LIT_OBJECT)
        return gql_coerce_fail(c, "Expected an object for \"%.*s\".", GQL_NAME(type->name));
    slots = gql_coerce_memory(c, type->input_count, sizeof(*slots));
    if (!slots)
        return false;
    for (const struct gql_lit_field *field = lit->fields; field; field = field->next) {
        const struct gql_input *input = gql_coerce_find(c, type, field->name, &next);
        if (!input)
            return false;
        slots[input->index].lit = field->value;
    }
    return gql_coerce_slots(c, type, slots, out);
}

static bool gql_coerce_variable(struct gql_coercion *c, const struct gql_lit *lit,
                                const struct gql_typeref *type, struct oms_value *out)
{
    const struct oms_value *value = gql_bound_value(c, lit->text);

    if (!value || value->kind == OMS_VALUE_NULL)
        return gql_coerce_null(c, type, out);
    *out = *value;
    return true;
}

bool gql_coerce_literal(struct gql_coercion *c, const struct gql_lit *lit, const struct gql_typeref *type,
                        struct oms_value *out)
{
    if (lit->kind == GQL_LIT_VARIABLE)
        return gql_coerce_variable(c, lit, type, out);
    if (lit->kind == GQL_LIT_NULL)
        return gql_coerce_null(c, type, out);
    if (type->kind == GQL_KIND_NON_NULL)
        type = type->of;
    if (type->kind == GQL_KIND_LIST)
        return gql_coerce_literal_list(c, lit, type->of, out);
    if (type->kind == GQL_KIND_INPUT)
        return gql_coerce_literal_object(c, lit, type->named, out);
    return gql_coerce_free(c, lit, out) && gql_coerce_scalar(c, type->named, out, true);
}

/* ---- arguments (section 6.4.1) ---- */

bool gql_coerce_args(struct gql_coercion *c, const struct gql_input *inputs, uint32_t count,
                     const struct gql_arg *args, struct oms_value *out)
{
    *out = (struct oms_value){.kind = OMS_VALUE_OBJECT};
    out->object.fields = gql_coerce_fields(c, count);
    if (!out->object.fields)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct gql_slot slot = {NULL, gql_find_arg(args, inputs[i].name)};
        if (!gql_coerce_member(c, &inputs[i], &slot, out))
            return false;
    }
    return true;
}

/*
 * Execution (section 6.4): walks a plan and writes JSON as it goes.
 *
 * There is no tree of results. A frame remembers where in the buffer its value began and whether its place
 * may be null; an error at a non-null place cuts the buffer back to the nearest frame whose place may be, and
 * writes null there (section 6.4.4). Frames are an explicit stack whose depth the planner bounded. Resolvers
 * run in the document's order, one after the other, so a mutation's root fields are serial when the host
 * calls them in order.
 */
#include "http/graphql/execute.h"

#include <stdarg.h>
#include <stdio.h>

#include "http/graphql/errors.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"

struct gql_frame {
    const struct gql_step *field; /* the step whose value this is part of */
    size_t start;                 /* where in the buffer the value begins */
    uint8_t is_list;
    uint8_t nullable; /* whether null may stand here */
    uint8_t level;    /* lists around the value */
    union {
        struct {
            const void *value;
            const struct gql_plan_object *object;
            const struct gql_step *next;
        };
        struct {
            struct gql_list list;
            size_t index; /* of the next item */
        };
    };
};

struct gql_exec {
    const struct gql_request *request;
    void *host;
    struct oms_buf *out;
    struct gql_errors *errors;
    const struct gql_step *step; /* being resolved */
    const struct gql_step *root;
    const struct gql_bound_args *slots;
    bool failed; /* by gql_fail, in the resolver that runs or ran last */
    bool root_null;
    uint32_t depth;
    size_t base; /* length of the buffer before */
    struct gql_frame frames[OMS_GQL_STACK_MAX + 1];
};

#define GQL_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* ---- errors ---- */

static bool gql_level_nullable(const struct gql_step *step, unsigned level)
{
    return step->nullable >> level & 1;
}

/* The path of the value that is being made: the root's key, then a key or index per frame. */
static struct oms_str gql_exec_path(const struct gql_exec *x)
{
    struct oms_buf buf;
    struct oms_str path;

    oms_buf_init(&buf, 1u << 20);
    oms_buf_append_char(&buf, '[');
    oms_json_write_string(&buf, x->root->key);
    for (uint32_t i = 0; i < x->depth; i++) {
        const struct gql_frame *frame = &x->frames[i];
        oms_buf_append_char(&buf, ',');
        if (frame->is_list)
            oms_buf_append_u64(&buf, frame->index - 1);
        else
            oms_json_write_string(&buf, frame->next[-1].key);
    }
    oms_buf_append_char(&buf, ']');
    path = oms_str_copy(x->errors->arena, oms_buf_str(&buf));
    oms_buf_fini(&buf);
    return path;
}

/* An error of the value that is being made, which byte `at` of the document brought about. */
static void gql_exec_error(struct gql_exec *x, const char *code, uint32_t at, const char *text)
{
    struct gql_error *error =
        gql_error_at(x->errors, code, x->request->prepared->document->source, at, "%s", text);

    if (error)
        error->path = gql_exec_path(x);
}

void gql_fail(struct gql_exec *x, const char *code, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (!x->failed)
        gql_exec_error(x, code, x->step->at, text);
    x->failed = true;
}

/* ---- null (section 6.4.4) ---- */

/* Cuts back to the nearest place that may be null. */
static void gql_propagate(struct gql_exec *x)
{
    while (x->depth > 0) {
        const struct gql_frame *frame = &x->frames[--x->depth];
        x->out->len = frame->start;
        if (frame->nullable) {
            oms_buf_append_lit(x->out, "null");
            return;
        }
    }
    x->root_null = true;
}

/* The place being filled, which began at `start`, gets no value. */
static void gql_put_null(struct gql_exec *x, size_t start, bool nullable)
{
    char text[256];

    x->out->len = start;
    if (nullable) {
        oms_buf_append_lit(x->out, "null");
    } else {
        if (!x->failed) {
            snprintf(text, sizeof(text), "\"%.*s.%.*s\" cannot be null.",
                     GQL_NAME(x->step->field->parent->name), GQL_NAME(x->step->field->name));
            gql_exec_error(x, GQL_CODE_INTERNAL, x->step->at, text);
        }
        gql_propagate(x);
    }
    x->failed = false;
}

/* ---- values ---- */

static const struct gql_plan_object *gql_choose(struct gql_exec *x, const struct gql_plan_choice *choice,
                                                const void *value)
{
    const char *name = choice->type_of(x, value);

    for (uint32_t i = 0; name && i < choice->count; i++) {
        if (strcmp(choice->objects[i]->type->name.data, name) == 0)
            return choice->objects[i];
    }
    gql_fail(x, GQL_CODE_INTERNAL, "A value of \"%s\" has no type of it.", choice->abstract->name.data);
    return NULL;
}

/*
 * There is no object to open: no value, a failure, or a null where its fields depend on a condition
 * (`refused`, else NULL), which is a failure too.
 */
static void gql_no_object(struct gql_exec *x, const struct gql_step *step, unsigned level,
                          const struct gql_lit *refused)
{
    char text[256];

    if (refused) {
        snprintf(text, sizeof(text), GQL_MASK_PROBLEM, GQL_NAME(refused->text));
        gql_exec_error(x, GQL_CODE_INPUT, refused->at, text);
        x->failed = true;
    }
    gql_put_null(x, x->out->len, gql_level_nullable(step, level));
}

/* Opens the object `value` (NULL: null) of `step` inside `level` lists. */
static void gql_open_object(struct gql_exec *x, const struct gql_step *step, unsigned level,
                            const void *value)
{
    const struct gql_plan_object *object = step->object;
    struct gql_frame *frame;

    if (value && !x->failed && step->choice)
        object = gql_choose(x, step->choice, value);
    if (GQL_UNLIKELY(!value || x->failed || object->refused)) {
        gql_no_object(x, step, level, value && !x->failed ? object->refused : NULL);
        return;
    }
    OMS_ASSERT(x->depth < OMS_GQL_STACK_MAX);
    frame = &x->frames[x->depth++];
    frame->field = step;
    frame->start = x->out->len;
    frame->is_list = false;
    frame->nullable = gql_level_nullable(step, level);
    frame->level = (uint8_t)level;
    frame->value = value;
    frame->object = object;
    frame->next = object->steps;
}

static void gql_open_list(struct gql_exec *x, const struct gql_step *step, unsigned level,
                          const struct gql_list *list)
{
    struct gql_frame *frame;

    if (!list || x->failed) {
        gql_put_null(x, x->out->len, gql_level_nullable(step, level));
        return;
    }
    OMS_ASSERT(x->depth < OMS_GQL_STACK_MAX);
    frame = &x->frames[x->depth++];
    frame->field = step;
    frame->start = x->out->len;
    frame->is_list = true;
    frame->nullable = gql_level_nullable(step, level);
    frame->level = (uint8_t)level;
    frame->list = *list;
    frame->index = 0;
    oms_buf_append_char(x->out, '[');
}

/* A value of a composite type: at `level` lists deep it is a list or an object. */
static void gql_open(struct gql_exec *x, const struct gql_step *step, unsigned level, const void *value)
{
    if (level < step->list_depth)
        gql_open_list(x, step, level, value);
    else
        gql_open_object(x, step, level, value);
}

/* ---- fields ---- */

/* Reports arguments that gql_bind refused. */
static bool gql_args_refused(struct gql_exec *x, const struct gql_step *step)
{
    const struct gql_bound_args *bound;

    if (step->slot == GQL_NO_SLOT)
        return false;
    bound = &x->slots[step->slot];
    if (bound->args)
        return false;
    gql_exec_error(x, GQL_CODE_INPUT, bound->at, bound->problem.data);
    x->failed = true;
    return true;
}

static void gql_leaf_refused(struct gql_exec *x, const struct gql_step *step, size_t start)
{
    gql_put_null(x, start, gql_level_nullable(step, 0));
}

/* Writes the fields of the top frame until one opens a frame of its own or the last is done. */
static void gql_run_object(struct gql_exec *x, struct gql_frame *frame)
{
    const struct gql_step *step, *end = frame->object->steps + frame->object->count;
    const void *value = frame->value;
    struct oms_buf *out = x->out;
    struct gql_list list;
    uint32_t depth = x->depth;
    size_t start;

    for (step = frame->next; step < end; step++) {
        frame->next = step + 1;
        x->step = step;
        oms_buf_append(out, step->lead, step->lead_len);
        start = out->len;
        if (GQL_UNLIKELY(gql_args_refused(x, step))) {
            gql_leaf_refused(x, step, start);
        } else if (step->kind == GQL_LEAF) {
            if (GQL_UNLIKELY(!step->resolve.leaf(x, value, out) || x->failed))
                gql_leaf_refused(x, step, start);
        } else if (step->kind == GQL_OBJECT) {
            gql_open_object(x, step, 0, step->resolve.object(x, value));
        } else {
            gql_open_list(x, step, 0, step->resolve.list(x, value, &list) ? &list : NULL);
        }
        if (x->depth != depth)
            return; /* deeper, or cut back */
    }
    oms_buf_append(out, frame->object->tail, frame->object->tail_len);
    x->depth--;
}

static void gql_run_list(struct gql_exec *x, struct gql_frame *frame)
{
    const void *item;

    if (frame->index == frame->list.count) {
        oms_buf_append_char(x->out, ']');
        x->depth--;
        return;
    }
    if (frame->index > 0)
        oms_buf_append_char(x->out, ',');
    x->step = frame->field;
    frame->index++;
    item = frame->list.item(x, frame->list.context, frame->index - 1);
    gql_open(x, frame->field, frame->level + 1u, item);
}

/* The buffer is full: nothing of the value can be used. */
static void gql_too_large(struct gql_exec *x)
{
    x->depth = 0;
    x->step = x->root;
    x->out->overflow = false;
    x->out->len = x->base;
    gql_exec_error(x, GQL_CODE_LIMIT, x->step->at, "The response is too large.");
    x->failed = true;
    gql_put_null(x, x->base, gql_level_nullable(x->root, 0));
}

static void gql_run(struct gql_exec *x)
{
    while (x->depth > 0) {
        struct gql_frame *frame = &x->frames[x->depth - 1];
        if (frame->is_list)
            gql_run_list(x, frame);
        else
            gql_run_object(x, frame);
        if (GQL_UNLIKELY(x->out->overflow))
            break;
    }
    if (GQL_UNLIKELY(x->out->overflow))
        gql_too_large(x);
}

/* ---- a root field ---- */

static void gql_exec_init(struct gql_exec *x, const struct gql_request *request, size_t index, void *host,
                          struct oms_buf *out, struct gql_errors *errors)
{
    OMS_ASSERT(index < request->plan->root->count);
    x->request = request;
    x->host = host;
    x->out = out;
    x->errors = errors;
    x->root = x->step = &request->plan->root->steps[index];
    x->slots = request->slots;
    x->failed = x->root_null = false;
    x->depth = 0;
    x->base = out->len;
}

static enum gql_outcome gql_exec_end(struct gql_exec *x)
{
    if (x->root_null)
        return GQL_ROOT_NULL;
    return x->out->len - x->base == 4 && memcmp(x->out->data + x->base, "null", 4) == 0 ? GQL_FIELD_NULL
                                                                                        : GQL_DATA;
}

static void gql_exec_root(struct gql_exec *x, const void *value)
{
    const struct oms_str *json = value;

    if (gql_args_refused(x, x->root))
        gql_put_null(x, x->base, gql_level_nullable(x->root, 0));
    else if (x->root->kind != GQL_LEAF)
        gql_open(x, x->root, 0, value);
    else if (json && json->len > 0)
        oms_buf_append_str(x->out, *json);
    else
        gql_put_null(x, x->base, gql_level_nullable(x->root, 0));
    gql_run(x);
}

enum gql_outcome gql_execute(const struct gql_request *request, size_t index, const void *value, void *host,
                             struct oms_buf *out, struct gql_errors *errors)
{
    struct gql_exec x;

    gql_exec_init(&x, request, index, host, out, errors);
    gql_exec_root(&x, value);
    return gql_exec_end(&x);
}

enum gql_outcome gql_execute_meta(const struct gql_request *request, size_t index, struct oms_buf *out,
                                  struct gql_errors *errors)
{
    const struct gql_schema *schema = request->prepared->schema;
    struct gql_exec x;
    const struct oms_value *name;
    const struct gql_type *type;
    struct oms_str json;
    char text[128];
    const void *value = NULL;

    gql_exec_init(&x, request, index, NULL, out, errors);
    switch ((enum gql_meta)x.root->meta) {
    case GQL_META_TYPENAME:
        json = request->plan->root->type->name;
        snprintf(text, sizeof(text), "\"%.*s\"", GQL_NAME(json));
        json = oms_str_of(text);
        value = &json;
        break;
    case GQL_META_SCHEMA:
        value = schema;
        break;
    case GQL_META_TYPE:
        name = request->roots[index].args ? oms_value_get(request->roots[index].args, "name") : NULL;
        type = name ? gql_schema_type(schema, name->text) : NULL;
        value = type && !type->hidden ? &type->ref : NULL;
        break;
    case GQL_META_NONE: /* a field whose arguments were refused */
        OMS_ASSERT(x.root->slot != GQL_NO_SLOT && !request->slots[x.root->slot].args);
        break;
    }
    gql_exec_root(&x, value);
    return gql_exec_end(&x);
}

enum gql_outcome gql_execute_failed(const struct gql_request *request, size_t index, const char *code,
                                    const char *message, struct oms_buf *out, struct gql_errors *errors)
{
    struct gql_exec x;

    gql_exec_init(&x, request, index, NULL, out, errors);
    gql_fail(&x, code, "%s", message);
    gql_put_null(&x, x.base, gql_level_nullable(x.root, 0));
    return gql_exec_end(&x);
}

/* ---- a root field whose objects are executed one by one ---- */

static const struct gql_step *gql_part_step(const struct gql_step *root, const char *field, size_t part)
{
    const struct gql_plan_object *object = root->object;

    for (uint32_t i = 0; object && i < object->count; i++) {
        if (oms_str_eq_c(object->steps[i].field->name, field) && part-- == 0)
            return &object->steps[i];
    }
    return NULL;
}

size_t gql_part_count(const struct gql_request *request, size_t index, const char *field)
{
    size_t count = 0;

    OMS_ASSERT(index < request->plan->root->count);
    while (gql_part_step(&request->plan->root->steps[index], field, count))
        count++;
    return count;
}

size_t gql_exec_part(const struct gql_exec *x)
{
    const struct gql_plan_object *object = x->frames[x->depth - 1].object;
    size_t part = 0;

    for (const struct gql_step *step = object->steps; step < x->step; step++)
        part += step->field == x->step->field;
    return part;
}

/* Below the frames that a whole execution would have there, which make the paths; nothing in them may be
 * null, so that an error which leaves the item leaves all. */
enum gql_outcome gql_execute_part(const struct gql_request *request, size_t index, const char *field,
                                  size_t part, size_t item, const void *value, void *host,
                                  struct oms_buf *out, struct gql_errors *errors)
{
    struct gql_exec x;

    gql_exec_init(&x, request, index, host, out, errors);
    const struct gql_step *step = gql_part_step(x.root, field, part);
    OMS_ASSERT(step && step->list_depth == 1);
    x.frames[0] =
        (struct gql_frame){.field = x.root, .start = x.base, .object = x.root->object, .next = step + 1};
    x.frames[1] = (struct gql_frame){.field = step, .start = x.base, .is_list = true};
    x.frames[1].list = (struct gql_list){.count = item + 1};
    x.frames[1].index = item + 1;
    x.depth = 2;
    x.step = step;
    gql_open_object(&x, step, 1, value);
    while (x.depth > 2 && !out->overflow) {
        struct gql_frame *frame = &x.frames[x.depth - 1];
        if (frame->is_list)
            gql_run_list(&x, frame);
        else
            gql_run_object(&x, frame);
    }
    if (!out->overflow)
        return gql_exec_end(&x);
    out->overflow = false;
    out->len = x.base;
    x.depth = 2;
    gql_exec_error(&x, GQL_CODE_LIMIT, step->at, "The response is too large.");
    return GQL_ROOT_NULL;
}

/* ---- for resolvers ---- */

void *gql_exec_host(const struct gql_exec *x)
{
    return x->host;
}

const struct gql_schema *gql_exec_schema(const struct gql_exec *x)
{
    return x->request->prepared->schema;
}

struct oms_arena *gql_exec_arena(struct gql_exec *x)
{
    return x->errors
        ->arena; /* the host's, recycled with its request: an arena of our own would cost a malloc */
}

const struct gql_field *gql_exec_field(const struct gql_exec *x)
{
    return x->step->field;
}

const struct oms_value *gql_exec_args(const struct gql_exec *x)
{
    const struct gql_step *step = x->step;

    return step->slot == GQL_NO_SLOT ? step->args : x->slots[step->slot].args;
}

const struct oms_value *gql_arg(const struct gql_exec *x, const char *name)
{
    const struct oms_value *args = gql_exec_args(x);

    return args ? oms_value_get(args, name) : NULL;
}

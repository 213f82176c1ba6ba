/*
 * Reading, writing and copying value trees.
 *
 * Walks keep their own stack of open containers, since trees come from strangers: the first frames lie on the
 * C stack, deeper ones on the heap. Objects are searched in order: they are small, and the names are compared
 * by length first.
 */
#include "runtime/base/value.h"

#include "runtime/base/alloc.h"
#include "runtime/base/arena.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/json.h"

#define FRAMES_INLINE 32

struct frame {
    const struct oms_value *from;
    struct oms_value *to; /* of a copy */
    size_t next;          /* index of the child that comes next */
};

struct frames {
    struct frame *items;
    size_t count;
    size_t cap;
    struct frame start[FRAMES_INLINE];
};

static void frames_init(struct frames *frames)
{
    frames->items = frames->start;
    frames->count = 0;
    frames->cap = FRAMES_INLINE;
}

static void frames_fini(struct frames *frames)
{
    if (frames->items != frames->start)
        oms_free(frames->items);
}

static void frames_push(struct frames *frames, const struct oms_value *from, struct oms_value *to)
{
    if (frames->count == frames->cap) {
        struct frame *grown = oms_reallocarray(NULL, frames->cap * 2, sizeof(*grown));
        memcpy(grown, frames->items, frames->count * sizeof(*grown));
        frames_fini(frames);
        frames->items = grown;
        frames->cap *= 2;
    }
    frames->items[frames->count++] = (struct frame){from, to, 0};
}

const struct oms_value *oms_value_get(const struct oms_value *object, const char *name)
{
    if (!object || object->kind != OMS_VALUE_OBJECT)
        return NULL;
    struct oms_str wanted = oms_str_of(name);
    for (size_t i = 0; i < object->object.count; i++)
        if (oms_str_eq(object->object.fields[i].name, wanted))
            return &object->object.fields[i].value;
    return NULL;
}

const struct oms_value *oms_value_get_set(const struct oms_value *object, const char *name)
{
    const struct oms_value *value = oms_value_get(object, name);
    return value && value->kind != OMS_VALUE_NULL ? value : NULL;
}

/* ---- writing ---- */

/* Writes a scalar, or opens a container and pushes it. */
static void write_value(const struct oms_value *value, struct oms_buf *out, struct frames *frames)
{
    switch (value->kind) {
    case OMS_VALUE_NULL:
        oms_buf_append_lit(out, "null");
        return;
    case OMS_VALUE_BOOL:
        oms_buf_append_str(out, value->boolean ? OMS_STR("true") : OMS_STR("false"));
        return;
    case OMS_VALUE_INT:
        oms_buf_append_i64(out, value->integer);
        return;
    case OMS_VALUE_NUMBER:
        oms_buf_append_str(out, value->text);
        return;
    case OMS_VALUE_STRING:
    case OMS_VALUE_ENUM:
        oms_json_write_string(out, value->text);
        return;
    case OMS_VALUE_LIST:
    case OMS_VALUE_OBJECT:
        oms_buf_append_char(out, value->kind == OMS_VALUE_LIST ? '[' : '{');
        frames_push(frames, value, NULL);
        return;
    }
    OMS_UNREACHABLE();
}

void oms_value_write_json(const struct oms_value *value, struct oms_buf *out)
{
    struct frames frames;
    frames_init(&frames);
    write_value(value, out, &frames);
    while (frames.count) {
        struct frame *top = &frames.items[frames.count - 1];
        bool is_list = top->from->kind == OMS_VALUE_LIST;
        size_t count = is_list ? top->from->list.count : top->from->object.count;
        size_t i = top->next++;
        if (i == count) {
            oms_buf_append_char(out, is_list ? ']' : '}');
            frames.count--;
            continue;
        }
        if (i)
            oms_buf_append_char(out, ',');
        if (is_list) {
            write_value(&top->from->list.items[i], out, &frames);
        } else {
            const struct oms_field *field = &top->from->object.fields[i];
            oms_json_write_string(out, field->name);
            oms_buf_append_char(out, ':');
            write_value(&field->value, out, &frames);
        }
    }
    frames_fini(&frames);
}

/* ---- copying ---- */

/* Copies text; an absent text stays absent. */
static bool copy_text(struct oms_str from, struct oms_arena *arena, struct oms_str *to)
{
    *to = oms_str_copy(arena, from);
    return to->data || !from.data;
}

/* Copies a scalar; of a container, makes the array and pushes it so that its children follow. */
static bool copy_value(const struct oms_value *from, struct oms_arena *arena, struct oms_value *to,
                       struct frames *frames)
{
    *to = *from;
    switch (from->kind) {
    case OMS_VALUE_NULL:
    case OMS_VALUE_BOOL:
    case OMS_VALUE_INT:
        return true;
    case OMS_VALUE_NUMBER:
    case OMS_VALUE_STRING:
    case OMS_VALUE_ENUM:
        return copy_text(from->text, arena, &to->text);
    case OMS_VALUE_LIST:
        to->list.items = NULL;
        if (from->list.count == 0)
            return true;
        to->list.items = oms_arena_calloc(arena, from->list.count, sizeof(*to->list.items));
        frames_push(frames, from, to);
        return to->list.items != NULL;
    case OMS_VALUE_OBJECT:
        to->object.fields = NULL;
        if (from->object.count == 0)
            return true;
        to->object.fields = oms_arena_calloc(arena, from->object.count, sizeof(*to->object.fields));
        frames_push(frames, from, to);
        return to->object.fields != NULL;
    }
    OMS_UNREACHABLE();
}

bool oms_value_copy(const struct oms_value *value, struct oms_arena *arena, struct oms_value *out)
{
    struct frames frames;
    frames_init(&frames);
    bool ok = copy_value(value, arena, out, &frames);
    while (ok && frames.count) {
        struct frame *top = &frames.items[frames.count - 1];
        bool is_list = top->from->kind == OMS_VALUE_LIST;
        size_t i = top->next++;
        if (i == (is_list ? top->from->list.count : top->from->object.count)) {
            frames.count--;
            continue;
        }
        if (is_list) {
            ok = copy_value(&top->from->list.items[i], arena, &top->to->list.items[i], &frames);
        } else {
            const struct oms_field *from = &top->from->object.fields[i];
            struct oms_field *to = &top->to->object.fields[i];
            ok = copy_text(from->name, arena, &to->name) &&
                 copy_value(&from->value, arena, &to->value, &frames);
        }
    }
    frames_fini(&frames);
    return ok;
}

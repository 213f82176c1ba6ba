/* Many orders behind one root field. See fan.h. */
#include "http/api/fan.h"

#include <stdio.h>

#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

/* Half of the response is the items'; what is over it is done, but not shown. */
#define ITEMS_BYTES_MAX (OMS_RESPONSE_BYTES_MAX / 2)

/* ---- starting ---- */

static struct api_task *take_item(struct api_fan *fan, size_t index)
{
    struct api_task *head = fan->head, *item = api_task_take(head->request, head->root);
    item->part_of = fan;
    item->item = index;
    item->is_mutation = true;
    api_task_under(item, head->tenant);
    refusal_list_init(&item->refusals, &item->call.arena);
    item->parts = oms_arena_calloc(&item->call.arena, fan->parts + 1, sizeof(item->parts[0]));
    OMS_ASSERT(item->parts); /* a document has so many selections that they fit into a fresh arena */
    return item;
}

/* Takes what the item met over to the head; texts stay the item's, which is recycled with the head. */
static void gather(struct api_fan *fan, const struct api_task *item)
{
    struct gql_errors *to = &fan->head->errors;
    for (size_t i = 0; i < item->errors.count; i++) {
        struct gql_error *error = gql_errors_add(to, item->errors.items[i].code, "%s", "");
        if (error)
            *error = item->errors.items[i];
    }
    to->truncated = to->truncated || item->errors.truncated;
    fan->refused += item->was_refused;
}

static void one_less(struct api_fan *fan)
{
    if (--fan->pending != 0)
        return;
    for (size_t i = 0; i < fan->count; i++)
        gather(fan, fan->items[i]);
    fan->done(fan->head);
}

bool api_fan_start(struct api_task *head, const char *field, const char *input, size_t count,
                   void (*start)(struct api_task *item), void (*done)(struct api_task *head))
{
    struct api_fan *fan =
        oms_arena_calloc(&head->call.arena, 1, sizeof(*fan) + count * sizeof(fan->items[0]));
    if (!fan)
        return false;
    fan->head = head;
    fan->field = field;
    fan->input = input;
    fan->done = done;
    fan->count = count;
    fan->parts = gql_part_count(head->request->gql, head->root, field);
    head->fan = fan;
    fan->pending = count + 1;
    for (size_t i = 0; i < count; i++)
        fan->items[i] = take_item(fan, i);
    for (size_t i = 0; i < count; i++)
        start(fan->items[i]);
    one_less(fan);
    return true;
}

void api_fan_finish(struct api_task *item)
{
    one_less(item->part_of);
}

void api_fan_recycle(struct api_fan *fan)
{
    for (size_t i = 0; i < fan->count; i++)
        api_task_recycle(fan->items[i]);
}

/* ---- executing ---- */

/* An error that is about the item and no field of it. */
static void add_error(struct api_task *item, const char *code, const char *message)
{
    struct gql_error *error =
        gql_errors_add(&item->errors, code, "%s %zu: %s", item->part_of->input, item->item, message);
    char path[192];
    struct oms_str key = item->field->response_key;
    if (!error)
        return;
    int len = snprintf(path, sizeof(path), "[\"%.*s\"]", OMS_STR_ARG(key));
    if (len > 0 && (size_t)len < sizeof(path))
        error->path = oms_str_copy(&item->call.arena, oms_str_of(path));
    error->line = item->field->line;
    error->column = item->field->column;
}

/* "lineItems.0.productSku" → "orders.3.lineItems.0.productSku", and "orders.3" for the item as a whole. */
static struct oms_str item_path(struct api_task *item, struct oms_str field)
{
    char head[64];
    int len = snprintf(head, sizeof(head), "%s.%zu", item->part_of->input, item->item);
    OMS_ASSERT(len > 0 && (size_t)len < sizeof(head));
    bool whole = !oms_str_present(field);
    size_t size = (size_t)len + (whole ? 0 : 1 + field.len);
    char *text = oms_arena_alloc(&item->call.arena, size);
    if (!text)
        return field;
    memcpy(text, head, (size_t)len);
    if (!whole) {
        text[len] = '.';
        memcpy(text + len + 1, field.data, field.len);
    }
    return oms_str_make(text, size);
}

/* The refusals with the paths that they have in the batch. */
static const struct refusal_list *item_refusals(struct api_task *item, const struct refusal_list *refusals)
{
    if (!refusals || !refusals->count)
        return refusals;
    struct refusal_list *list = OMS_ARENA_NEW(&item->call.arena, struct refusal_list);
    struct refusal *copies = oms_arena_calloc(&item->call.arena, refusals->count, sizeof(*copies));
    if (!list || !copies)
        return refusals;
    for (size_t i = 0; i < refusals->count; i++) {
        copies[i] = refusals->items[i];
        copies[i].field = item_path(item, copies[i].field);
    }
    *list = (struct refusal_list){
        .arena = &item->call.arena, .items = copies, .count = refusals->count, .cap = refusals->count};
    return list;
}

/* False when a selection has no value. */
static bool write_parts(struct api_task *item, const struct api_payload *payload)
{
    const struct api_fan *fan = item->part_of;
    struct oms_buf *out = &item->call.out;
    bool all = true;
    size_t ends[OMS_GQL_ALIASES_MAX + 1];
    OMS_ASSERT(fan->parts < OMS_COUNT_OF(ends));
    oms_buf_reset(out);
    for (size_t part = 0; part < fan->parts; part++) {
        enum gql_outcome outcome = gql_execute_part(item->request->gql, item->root, fan->field, part,
                                                    item->item, payload, &item->scene, out, &item->errors);
        all = all && outcome != GQL_ROOT_NULL;
        ends[part] = out->len;
    }
    for (size_t part = 0, start = 0; part < fan->parts; start = ends[part++])
        item->parts[part].json =
            ends[part] > start ? oms_str_make(out->data + start, ends[part] - start) : OMS_STR_NONE;
    return all;
}

void api_fan_execute(struct api_task *item, const struct api_payload *given)
{
    struct api_fan *fan = item->part_of;
    struct oms_buf *out = &item->call.out;
    struct api_payload payload = *given;
    payload.refusals = item_refusals(item, payload.refusals);
    payload.index = item->item;
    item->was_refused = payload.refusals && payload.refusals->count;
    bool fine = write_parts(item, &payload);
    size_t before = atomic_fetch_add_explicit(&fan->bytes, out->len, memory_order_relaxed);
    if (!payload.order || (fine && before + out->len <= ITEMS_BYTES_MAX))
        return;
    if (fine)
        add_error(item, "RESPONSE_TOO_LARGE",
                  "its order is not shown, since the answer would be too large: the outcome stands");
    size_t max = out->max;
    oms_buf_fini(out); /* hundreds of large buffers would be kept until all items are home */
    oms_buf_init(out, max);
    payload.order = NULL;
    (void)write_parts(item, &payload);
}

void api_fan_fault(struct api_task *item, const char *code, const char *message)
{
    struct order_call *call = &item->call;
    bool decided = call->was_frozen && call->result == ORDER_CALL_DONE;
    struct api_payload payload = {.client_mutation_id = item->client_mutation_id,
                                  .refusals = decided ? &call->frozen_refusals : &item->refusals};
    if (decided) {
        payload.replayed = call->replayed;
        payload.created = call->created;
    } else if (!item->refusals.count) {
        refusal_add(&item->refusals, REFUSAL_BUSY, REFUSAL_NO_FIELD, "%s: nothing was changed", message);
    }
    add_error(item, code, message);
    api_fan_execute(item, &payload);
}

/* ---- joining ---- */

bool api_fan_write(const struct gql_exec *x, const struct api_fan *fan, struct oms_buf *out)
{
    size_t part = gql_exec_part(x);
    oms_buf_append_char(out, '[');
    for (size_t i = 0; fan && i < fan->count; i++) {
        struct oms_str json = fan->items[i]->parts[part].json;
        if (!oms_str_present(json))
            return false;
        if (i)
            oms_buf_append_char(out, ',');
        oms_buf_append_str(out, json);
    }
    oms_buf_append_char(out, ']');
    return true;
}

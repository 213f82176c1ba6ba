/*
 * The fold from log records to derived families: what the materialiser writes, what recovery replays and what
 * `liteoms verify` rebuilds, one function for all three.
 *
 * Invariant: for every actor the derived families equal the fold of its records, whatever windows they were
 * folded in. So everything written here depends on the state before and after, never on how many records came
 * at once.
 */
#include "actors/inbox_state.h"
#include "actors/mark.h"
#include "actors/order.h"
#include "actors/order_codec.h"
#include "actors/order_terms.h"
#include "actors/outlet.h"
#include "actors/system.h"
#include "actors/tenant.h"
#include "actors/tenant_counts.h"
#include "actors/unit_meta.h"
#include "actors/upload.h"
#include "runtime/base/assert.h"
#include "storage/keys.h"

/* ---- orders ---- */

static enum oms_status fold_record(struct order *order, const struct store_record *record,
                                   struct oms_arena *scratch)
{
    enum oms_status status = unit_fold(record, SIZE_MAX, scratch, order);
    if (status == OMS_OK && order->version != record->version_to)
        status = OMS_CORRUPT;
    return status;
}

/* Notes lie beside the state, each written once: after a fold the order holds just those that the fold added.
 */
static void put_notes(const struct rt_address *address, const struct order *order, struct oms_buf *bytes,
                      struct store_writes *writes)
{
    for (size_t i = 0; i < order->notes_held; i++) {
        unsigned char key[ORDER_ASIDE_KEY_SIZE];
        oms_buf_reset(bytes);
        order_aside_key(address, ORDER_ASIDE_NOTE, order->notes[i].id, key);
        order_note_encode(&order->notes[i], bytes);
        OMS_ASSERT(!bytes->overflow);
        store_writes_put(writes, STORE_ASIDE, oms_str_make(key, sizeof(key)), oms_buf_str(bytes));
    }
}

static bool destroys(const struct store_record *records, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (records[i].destroys)
            return true;
    return false;
}

static void delete_notes(const struct rt_address *address, const struct order *order,
                         struct store_writes *writes)
{
    for (uint32_t number = 1; number <= order->notes_erased; number++) {
        unsigned char key[ORDER_ASIDE_KEY_SIZE];
        order_aside_key(address, ORDER_ASIDE_NOTE, number, key);
        store_writes_delete(writes, STORE_ASIDE, oms_str_make(key, sizeof(key)));
    }
}

static void put_timer(const struct rt_address *address, struct order_timer before, struct order_timer after,
                      struct store_writes *writes)
{
    unsigned char key[ORDER_TIMER_KEY_SIZE];
    if (before.at == after.at && before.command == after.command && before.part == after.part)
        return;
    if (before.at) {
        order_timer_key(address, &before, key);
        store_writes_delete(writes, STORE_TIMERS, oms_str_make(key, sizeof(key)));
    }
    if (after.at) {
        order_timer_key(address, &after, key);
        store_writes_put(writes, STORE_TIMERS, oms_str_make(key, sizeof(key)), OMS_STR(""));
    }
}

static void emit_term(void *context, bool is_delete, struct oms_str key, struct oms_str value)
{
    struct store_writes *writes = context;
    if (is_delete)
        store_writes_delete(writes, STORE_TERMS, key);
    else
        store_writes_put(writes, STORE_TERMS, key, value);
}

/* What the terms are made of has mostly not changed: then nothing is made. */
static enum oms_status put_terms(struct order_terms *before, struct order_terms *after,
                                 struct store_writes *writes)
{
    if (order_terms_same(before, after))
        return OMS_OK;
    if (!order_terms_build(before) || !order_terms_build(after))
        return OMS_LIMIT;
    order_terms_diff(before, after, emit_term, writes);
    return OMS_OK;
}

static enum oms_status project_order(const struct store_vault *vault, const struct rt_address *address,
                                     struct oms_str base, const struct store_record *records, size_t count,
                                     struct oms_arena *scratch, struct store_writes *writes)
{
    struct order *order = order_create();
    struct order_terms before, after;
    struct order_timer timer_before = {0};
    struct order_origin origin;
    struct tenant_usage delta = {0};
    enum oms_status status = OMS_OK;
    struct oms_buf bytes;

    oms_buf_init(&bytes, ORDER_ARENA_MAX);
    order_terms_init(&before, scratch, vault);
    order_terms_init(&after, scratch, vault);
    bool erased = destroys(records, count); /* it changes what a traced thaw does not read */
    bool traced = oms_str_present(base) && !erased;
    if (oms_str_present(base)) {
        status = traced ? order_thaw_traced(base, order, &origin) : order_thaw(base, order);
        if (status != OMS_OK)
            goto out;
        if (!order_terms_take(order, address->tenant, &before))
            status = OMS_LIMIT;
        timer_before = order_timer_next(order);
        delta.open_orders -= order_live(order);
    }
    for (size_t i = 0; status == OMS_OK && i < count; i++) {
        status = fold_record(order, &records[i], scratch);
        delta.stored_events += (int64_t)records[i].event_count;
    }
    if (status != OMS_OK)
        goto out;

    unsigned char key[STORE_ADDRESS_KEY_SIZE];
    oms_buf_reset(&bytes);
    if (traced)
        order_refreeze(order, &origin, &bytes);
    else
        order_freeze(order, &bytes);
    OMS_ASSERT(!bytes.overflow);
    store_address_key(address, key);
    store_writes_put(writes, STORE_STATE, oms_str_make(key, sizeof(key)), oms_buf_str(&bytes));
    put_notes(address, order, &bytes, writes);
    if (erased)
        delete_notes(address, order, writes);
    put_timer(address, timer_before, order_timer_next(order), writes);
    delta.open_orders += order_live(order);
    tenant_counts_put(address->tenant, delta, writes);
    status =
        order_terms_take(order, address->tenant, &after) ? put_terms(&before, &after, writes) : OMS_LIMIT;
out:
    oms_buf_fini(&bytes);
    order_destroy(order);
    return status;
}

/* ---- tenants and users ---- */

/* A unit holds one event: the whole new version (by tenant.h's or user.h's codec), which is also the state.
 */
static enum oms_status project_version(const struct rt_address *address, const struct store_record *records,
                                       size_t count, struct store_writes *writes)
{
    const struct store_record *last = &records[count - 1];
    unsigned char key[STORE_ADDRESS_KEY_SIZE];
    if (last->event_count != 1)
        return OMS_CORRUPT;
    store_address_key(address, key);
    store_writes_put(writes, STORE_STATE, oms_str_make(key, sizeof(key)), last->events[0]);
    return OMS_OK;
}

/* ---- marks ---- */

/* The same: a unit holds the whole mark. */
static enum oms_status project_mark(const struct rt_address *address, const struct store_record *records,
                                    size_t count, struct store_writes *writes)
{
    struct mark mark;
    const struct store_record *last = &records[count - 1];
    if (last->event_count != 1 || mark_decode(last->events[0], &mark) != OMS_OK ||
        mark.version != last->version_to)
        return OMS_CORRUPT;
    return project_version(address, records, count, writes);
}

/* ---- outlets ---- */

static enum oms_status project_outlet(const struct rt_address *address, struct oms_str base,
                                      const struct store_record *records, size_t count,
                                      struct store_writes *writes)
{
    unsigned char key[STORE_ADDRESS_KEY_SIZE];
    enum oms_status status = OMS_OK;
    struct outlet outlet;
    struct oms_buf bytes;

    outlet_init(&outlet);
    oms_buf_init(&bytes, ORDER_ARENA_MAX);
    if (oms_str_present(base))
        status = outlet_decode(base, &outlet);
    for (size_t i = 0; status == OMS_OK && i < count; i++) {
        bool follows = records[i].event_count == 1 && records[i].version_from == outlet.version;
        status = follows ? outlet_apply(&outlet, records[i].events[0], records[i].time_ms) : OMS_CORRUPT;
        outlet.version = records[i].version_to;
    }
    if (status == OMS_OK) {
        outlet_encode(&outlet, &bytes);
        OMS_ASSERT(!bytes.overflow);
        store_address_key(address, key);
        store_writes_put(writes, STORE_STATE, oms_str_make(key, sizeof(key)), oms_buf_str(&bytes));
    }
    oms_buf_fini(&bytes);
    outlet_fini(&outlet);
    return status;
}

/* ---- inboxes ---- */

/* A lane's timer is due while something waits: whoever wakes it has what waits tried. */
static struct order_timer inbox_timer(const struct inbox *inbox)
{
    int64_t due = inbox_due(inbox);
    return (struct order_timer){.at = due,
                                .command = due ? ORDER_COMMAND_TRACK_SHIPMENT : ORDER_COMMAND_NONE};
}

static enum oms_status fold_inbox(struct inbox *inbox, const struct store_record *record)
{
    enum oms_status status = record->version_from == inbox->version ? OMS_OK : OMS_CORRUPT;
    for (size_t i = 0; status == OMS_OK && i < record->event_count; i++)
        status = inbox_apply(inbox, record->events[i], record->time_ms);
    inbox->version = record->version_to;
    return status;
}

static enum oms_status project_inbox(const struct rt_address *address, struct oms_str base,
                                     const struct store_record *records, size_t count,
                                     struct store_writes *writes)
{
    unsigned char key[STORE_ADDRESS_KEY_SIZE];
    struct order_timer before = {0};
    enum oms_status status = OMS_OK;
    struct tenant_usage delta = {0};
    struct inbox inbox;
    struct oms_buf bytes;

    inbox_init(&inbox);
    oms_buf_init(&bytes, ORDER_ARENA_MAX);
    if (oms_str_present(base)) {
        status = inbox_decode(base, &inbox);
        before = inbox_timer(&inbox);
        delta.webhooks_waiting -= (int64_t)inbox.waiting;
    }
    for (size_t i = 0; status == OMS_OK && i < count; i++)
        status = fold_inbox(&inbox, &records[i]);
    if (status == OMS_OK) {
        inbox_encode(&inbox, &bytes);
        OMS_ASSERT(!bytes.overflow);
        store_address_key(address, key);
        store_writes_put(writes, STORE_STATE, oms_str_make(key, sizeof(key)), oms_buf_str(&bytes));
        put_timer(address, before, inbox_timer(&inbox), writes);
        delta.webhooks_waiting += (int64_t)inbox.waiting;
        tenant_counts_put(address->tenant, delta,
                          writes); /* also nothing, so that windows make no difference */
    }
    oms_buf_fini(&bytes);
    inbox_fini(&inbox);
    return status;
}

/* ---- uploads ---- */

/* Whoever is woken by it looks whether its time is over; any command would do. */
static struct order_timer upload_timer(const struct upload *upload)
{
    return upload->version && !upload->removed
               ? (struct order_timer){.at = upload_expires_at(upload), .command = ORDER_COMMAND_EXPIRE_HOLD}
               : (struct order_timer){0};
}

static void upload_page_key(const struct rt_address *address, uint32_t number,
                            unsigned char key[ORDER_ASIDE_KEY_SIZE])
{
    order_aside_key(address, ORDER_ASIDE_UPLOAD_PAGE, number, key);
}

static enum oms_status fold_upload(const struct rt_address *address, struct upload *upload,
                                   const struct store_record *record, struct store_writes *writes)
{
    enum oms_status status = record->version_from == upload->version ? OMS_OK : OMS_CORRUPT;
    struct oms_str page = OMS_STR_NONE;

    if (status == OMS_OK)
        status = record->event_count == 1 ? upload_take_plain(record->events[0], upload) : OMS_CORRUPT;
    if (status == OMS_OK && oms_str_present(record->personal)) /* else it was removed later */
        status = upload_apply(upload, record->personal, &page);
    if (status == OMS_OK && oms_str_present(page)) {
        unsigned char key[ORDER_ASIDE_KEY_SIZE];
        upload_page_key(address, upload->pages, key);
        store_writes_put(writes, STORE_ASIDE, oms_str_make(key, sizeof(key)), page);
    }
    upload->version = record->version_to;
    upload->changed_at = record->time_ms;
    return status;
}

static void put_upload(const struct rt_address *address, const struct upload *upload,
                       struct store_writes *writes)
{
    unsigned char key[STORE_ADDRESS_KEY_SIZE], page[ORDER_ASIDE_KEY_SIZE];
    struct oms_buf bytes;

    store_address_key(address, key);
    if (upload->removed) {
        store_writes_delete(writes, STORE_STATE, oms_str_make(key, sizeof(key)));
        for (uint32_t number = 1; number <= upload->pages; number++) {
            upload_page_key(address, number, page);
            store_writes_delete(writes, STORE_ASIDE, oms_str_make(page, sizeof(page)));
        }
        return;
    }
    oms_buf_init(&bytes, ORDER_ARENA_MAX);
    upload_encode(upload, &bytes);
    OMS_ASSERT(!bytes.overflow);
    store_writes_put(writes, STORE_STATE, oms_str_make(key, sizeof(key)), oms_buf_str(&bytes));
    oms_buf_fini(&bytes);
}

static enum oms_status project_upload(const struct rt_address *address, struct oms_str base,
                                      const struct store_record *records, size_t count,
                                      struct store_writes *writes)
{
    struct upload upload = {0};
    enum oms_status status = oms_str_present(base) ? upload_decode(base, &upload) : OMS_OK;
    struct order_timer before = upload_timer(&upload);

    for (size_t i = 0; status == OMS_OK && i < count; i++)
        status = fold_upload(address, &upload, &records[i], writes);
    if (status == OMS_OK) {
        put_upload(address, &upload, writes);
        put_timer(address, before, upload_timer(&upload), writes);
    }
    return status;
}

static enum oms_status project(void *context, const struct store_vault *vault, const struct rt_address *actor,
                               struct oms_str base, const struct store_record *records, size_t count,
                               struct oms_arena *scratch, struct store_writes *writes)
{
    (void)context;
    OMS_ASSERT(count > 0);
    switch (actor->kind) {
    case RT_ACTOR_ORDER:
        return project_order(vault, actor, base, records, count, scratch, writes);
    case RT_ACTOR_TENANT:
    case RT_ACTOR_USER:
        return project_version(actor, records, count, writes);
    case RT_ACTOR_MARK:
        return project_mark(actor, records, count, writes);
    case RT_ACTOR_UPLOAD:
        return project_upload(actor, base, records, count, writes);
    case RT_ACTOR_OUTLET:
        return project_outlet(actor, base, records, count, writes);
    case RT_ACTOR_INBOX:
        return project_inbox(actor, base, records, count, writes);
    default:
        return OMS_CORRUPT;
    }
}

struct store_projector actors_projector(void)
{
    return (struct store_projector){.context = NULL, .project = project};
}

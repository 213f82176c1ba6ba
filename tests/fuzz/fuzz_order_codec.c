/*
 * Stored bytes of the domain: events, states, notes, tenants. Whatever decodes must encode again, and decode
 * to the same bytes from then on. The first byte chooses the format.
 */
#include <stdint.h>

#include "actors/order_codec.h"
#include "actors/tenant.h"
#include "runtime/base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is sealed and opened is what it was; numbers of texts that are not there are no texts. */
static void fuzz_sealed(const struct order_event *event, struct oms_str plain, struct oms_arena *arena)
{
    struct order_event opened;
    struct oms_buf sealed, personal, again;

    oms_buf_init(&sealed, 64u << 20);
    oms_buf_init(&personal, 64u << 20);
    oms_buf_init(&again, 64u << 20);
    order_event_seal(event, OMS_STR("customer"), &personal, &sealed);
    if (personal.len) {
        OMS_ASSERT(order_event_open(oms_buf_str(&sealed), oms_buf_str(&personal), arena, &opened) == OMS_OK);
        order_event_encode(&opened, &again);
        OMS_ASSERT(oms_str_eq(oms_buf_str(&again), plain));
        personal.len /= 2;
        (void)!order_event_open(oms_buf_str(&sealed), oms_buf_str(&personal), arena, &opened);
    }
    OMS_ASSERT(order_event_decode(oms_buf_str(&sealed), arena, &opened) == OMS_OK); /* erased */
    oms_buf_fini(&sealed);
    oms_buf_fini(&personal);
    oms_buf_fini(&again);
}

static void fuzz_event(struct oms_str bytes, struct oms_arena *arena)
{
    struct order_event event;
    struct oms_buf first, second;

    if (order_event_decode(bytes, arena, &event) != OMS_OK)
        return;
    oms_buf_init(&first, 64u << 20);
    oms_buf_init(&second, 64u << 20);
    order_event_encode(&event, &first);
    OMS_ASSERT(order_event_decode(oms_buf_str(&first), arena, &event) == OMS_OK);
    order_event_encode(&event, &second);
    OMS_ASSERT(oms_str_eq(oms_buf_str(&first), oms_buf_str(&second)));
    fuzz_sealed(&event, oms_buf_str(&first), arena);
    oms_buf_fini(&first);
    oms_buf_fini(&second);
}

static void fuzz_state(struct oms_str bytes)
{
    struct order *order = order_create(), *again = order_create();
    struct oms_buf first, second;

    oms_buf_init(&first, 64u << 20);
    oms_buf_init(&second, 64u << 20);
    if (order_thaw(bytes, order) == OMS_OK) {
        order_freeze(order, &first);
        OMS_ASSERT(order_thaw(oms_buf_str(&first), again) == OMS_OK);
        order_freeze(again, &second);
        OMS_ASSERT(oms_str_eq(oms_buf_str(&first), oms_buf_str(&second)));
    }
    oms_buf_fini(&first);
    oms_buf_fini(&second);
    order_destroy(order);
    order_destroy(again);
}

static void fuzz_tenant(struct oms_str bytes)
{
    struct tenant_version *tenant, *again;
    struct oms_buf out;

    if (tenant_version_decode(bytes, &tenant) != OMS_OK)
        return;
    oms_buf_init(&out, 64u << 20);
    tenant_version_encode(tenant, &out);
    OMS_ASSERT(tenant_version_decode(oms_buf_str(&out), &again) == OMS_OK);
    OMS_ASSERT(tenant_version_same(tenant, again));
    oms_buf_fini(&out);
    tenant_version_release(tenant);
    tenant_version_release(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct order_note note;
    struct oms_arena arena;
    struct oms_str bytes;

    if (size < 1)
        return 0;
    bytes = oms_str_make(data + 1, size - 1);
    oms_arena_init(&arena, 4096, 64u << 20);
    switch (data[0] & 3) {
    case 0:
        fuzz_event(bytes, &arena);
        break;
    case 1:
        fuzz_state(bytes);
        break;
    case 2:
        (void)!order_note_decode(bytes, &note);
        break;
    default:
        fuzz_tenant(bytes);
    }
    oms_arena_fini(&arena);
    return 0;
}

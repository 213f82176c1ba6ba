/*
 * A signed webhook's payload, and a map for it: reading ends in an update or in refusals, never in both or
 * neither; an update that is stored and read back is the same. The first two bytes choose provider and topic;
 * what follows up to a zero byte is the payload, what is behind it a field map (none: the ready one, or by
 * names).
 */
#include <stdint.h>

#include "http/webhook/payload.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct oms_str header_none(const void *context, const char *name)
{
    (void)name;
    return *(const struct oms_str *)context;
}

/* Any bytes as every header: verifying ends, and ends in no consent. */
static void fuzz_signature(const struct webhook_provider *provider, struct oms_str bytes)
{
    const struct webhook_delivery delivery = {.method = OMS_STR("POST"),
                                              .path = OMS_STR("/"),
                                              .body = bytes,
                                              .header = header_none,
                                              .context = &bytes};
    const struct oms_str secret = OMS_STR("c2VjcmV0");
    struct webhook_verified verified;

    OMS_ASSERT(webhook_verify(provider, &delivery, &secret, 1, 0, 1, &verified) != WEBHOOK_VALID);
}

static const struct field_map *read_map(struct oms_str text, struct oms_arena *arena)
{
    struct oms_value *tree = OMS_ARENA_NEW(arena, struct oms_value);
    const struct field_map *map = NULL;
    struct oms_json_error fault;
    struct oms_error error;

    if (!tree || !text.len || oms_json_parse(text, 32, arena, tree, &fault) != OMS_OK ||
        field_map_compile(tree, arena, &map, &error) != OMS_OK)
        return NULL;
    return map;
}

static void store_and_read(const struct webhook_update *update, struct oms_arena *arena)
{
    struct webhook_update copy;
    struct oms_buf first, second;

    oms_buf_init(&first, 8u << 20);
    oms_buf_init(&second, 8u << 20);
    webhook_update_write(update, &first);
    if (!first.overflow && webhook_update_read(oms_buf_str(&first), arena, &copy) == OMS_OK) {
        webhook_update_write(&copy, &second);
        OMS_ASSERT(oms_str_eq(oms_buf_str(&first), oms_buf_str(&second)));
    }
    oms_buf_fini(&first);
    oms_buf_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct webhook_payload payload;
    struct webhook_update update;
    struct refusal_list refusals;
    struct oms_arena arena;

    if (size < 2)
        return 0;
    const struct webhook_provider *provider = webhook_provider_at(data[0] % 6);
    const struct webhook_topic *topic = webhook_topic_at(data[1] % 7);
    struct oms_str rest = oms_str_make(data + 2, size - 2);
    const char *zero = memchr(rest.data, 0, rest.len);
    struct oms_str body = oms_str_make(rest.data, zero ? (size_t)(zero - rest.data) : rest.len);
    struct oms_str map_text = zero ? oms_str_make(zero + 1, rest.len - body.len - 1) : OMS_STR_NONE;

    fuzz_signature(provider, rest);
    oms_arena_init(&arena, 4096, OMS_REQUEST_ARENA_BYTES_MAX);
    refusal_list_init(&refusals, &arena);
    const struct field_map *map = read_map(zero ? map_text : webhook_ready_map(provider, topic), &arena);
    bool ok = webhook_payload_read(provider, body, &arena, &payload, &refusals);
    OMS_ASSERT(ok == (refusals.count == 0));
    if (ok) {
        ok = webhook_payload_map(&payload, provider, topic, map, &arena, &update, &refusals);
        OMS_ASSERT(ok == (refusals.count == 0));
        if (ok)
            store_and_read(&update, &arena);
    }
    oms_arena_fini(&arena);
    return 0;
}

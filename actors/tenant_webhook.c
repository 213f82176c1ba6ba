/* See tenant_webhook.h. Every fault names its place; a secret is never part of a message. */
#include "actors/tenant_webhook.h"

#include <stdio.h>

#include "runtime/base/arena.h"
#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/limits.h"
#include "runtime/base/value.h"
#include "runtime/base/wire.h"

struct place {
    size_t index;
    struct oms_error *error;
    struct oms_arena *arena;
};

static enum oms_status fault(const struct place *place, const char *key, const char *what)
{
    return oms_error_set(place->error, OMS_INVALID, "webhooks[%zu].%s %s", place->index, key, what);
}

static enum oms_status check_keys(const struct place *place, const struct oms_value *item)
{
    static const char *const known[] = {"provider", "secrets", "max_age_seconds", "topics", "map"};

    if (item->kind != OMS_VALUE_OBJECT)
        return oms_error_set(place->error, OMS_INVALID, "webhooks[%zu] must be an object", place->index);
    for (size_t i = 0; i < item->object.count; i++) {
        struct oms_str name = item->object.fields[i].name;
        bool found = false;

        for (size_t k = 0; k < OMS_COUNT_OF(known); k++)
            found = found || oms_str_eq_c(name, known[k]);
        if (!found) {
            const char *near = oms_str_nearest(name, known, OMS_COUNT_OF(known));

            return oms_error_set(place->error, OMS_INVALID, "webhooks[%zu]: unknown key '%.*s'%s%s%s",
                                 place->index, (int)(name.len < 64 ? name.len : 64), name.data,
                                 near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
        }
    }
    return OMS_OK;
}

static enum oms_status read_texts(const struct place *place, const struct oms_value *item, const char *key,
                                  size_t count_max, size_t bytes_max, const struct oms_str **out,
                                  size_t *count)
{
    const struct oms_value *value = oms_value_get_set(item, key);
    struct oms_str *texts;
    char what[96];

    if (!value)
        return OMS_OK;
    snprintf(what, sizeof what, "must be a list of 1 to %zu texts, each of 1 to %zu bytes", count_max,
             bytes_max);
    if (value->kind != OMS_VALUE_LIST || value->list.count == 0 || value->list.count > count_max)
        return fault(place, key, what);
    texts = oms_arena_calloc(place->arena, value->list.count, sizeof *texts);
    if (!texts)
        return oms_error_set(place->error, OMS_LIMIT, "the webhooks are too large");
    for (size_t i = 0; i < value->list.count; i++) {
        const struct oms_value *text = &value->list.items[i];

        if (text->kind != OMS_VALUE_STRING || text->text.len == 0 || text->text.len > bytes_max)
            return fault(place, key, what);
        texts[i] = oms_str_copy(place->arena, text->text);
    }
    *out = texts;
    *count = value->list.count;
    return OMS_OK;
}

static enum oms_status read_age(const struct place *place, const struct oms_value *item, uint32_t *out)
{
    const struct oms_value *value = oms_value_get_set(item, "max_age_seconds");
    int64_t seconds = 0;

    if (!value)
        return OMS_OK;
    if (value->kind == OMS_VALUE_INT)
        seconds = value->integer;
    else if (value->kind != OMS_VALUE_NUMBER || oms_str_to_i64(value->text, &seconds) != OMS_OK)
        seconds = 0;
    if (seconds < 1 || seconds > OMS_WEBHOOK_AGE_MAX_S)
        return fault(place, "max_age_seconds", "must be a whole number from 1 to 86400");
    *out = (uint32_t)seconds;
    return OMS_OK;
}

static enum oms_status read_map(const struct place *place, const struct oms_value *item, struct oms_str *out)
{
    const struct oms_value *value = oms_value_get_set(item, "map");
    struct oms_buf text;

    if (!value)
        return OMS_OK;
    if (value->kind != OMS_VALUE_OBJECT)
        return fault(place, "map", "must be an object: a map for each topic");
    oms_buf_init(&text, OMS_WEBHOOK_MAP_BYTES_MAX);
    oms_value_write_json(value, &text);
    bool fits = !text.overflow;
    *out = fits ? oms_str_copy(place->arena, oms_buf_str(&text)) : OMS_STR_NONE;
    oms_buf_fini(&text);
    return fits ? OMS_OK : fault(place, "map", "is too large");
}

static enum oms_status read_one(const struct place *place, const struct oms_value *item,
                                struct tenant_webhook *out)
{
    const struct oms_value *provider;
    enum oms_status status = check_keys(place, item);

    if (status != OMS_OK)
        return status;
    provider = oms_value_get_set(item, "provider");
    if (!provider || provider->kind != OMS_VALUE_STRING || provider->text.len == 0 ||
        provider->text.len > OMS_TENANT_NAME_BYTES_MAX)
        return fault(place, "provider", "is required: the name of a provider");
    out->provider = oms_str_copy(place->arena, provider->text);
    if ((status = read_texts(place, item, "secrets", OMS_WEBHOOK_SECRETS_MAX, OMS_NAME_BYTES_MAX,
                             &out->secrets, &out->secret_count)) != OMS_OK ||
        (status = read_texts(place, item, "topics", OMS_WEBHOOK_TOPICS_MAX, OMS_NAME_BYTES_MAX, &out->topics,
                             &out->topic_count)) != OMS_OK ||
        (status = read_age(place, item, &out->max_age_s)) != OMS_OK ||
        (status = read_map(place, item, &out->map)) != OMS_OK)
        return status;
    return out->secret_count ? OMS_OK : fault(place, "secrets", "is required: without one nobody could sign");
}

enum oms_status tenant_webhooks_parse(const struct oms_value *list, struct oms_arena *arena,
                                      const struct tenant_webhook **out, size_t *count,
                                      struct oms_error *error)
{
    struct tenant_webhook *webhooks;

    if (list->kind != OMS_VALUE_LIST || list->list.count > OMS_TENANT_WEBHOOKS_MAX)
        return oms_error_set(error, OMS_INVALID, "webhooks must be a list of at most %d objects",
                             OMS_TENANT_WEBHOOKS_MAX);
    webhooks = oms_arena_calloc(arena, list->list.count + 1, sizeof *webhooks);
    if (!webhooks)
        return oms_error_set(error, OMS_LIMIT, "the webhooks are too large");
    for (size_t i = 0; i < list->list.count; i++) {
        const struct place place = {i, error, arena};
        enum oms_status status = read_one(&place, &list->list.items[i], &webhooks[i]);

        if (status != OMS_OK)
            return status;
        for (size_t k = 0; k < i; k++)
            if (oms_str_eq(webhooks[k].provider, webhooks[i].provider))
                return fault(&place, "provider",
                             "is named twice: one entry holds all its secrets and topics");
    }
    *out = webhooks;
    *count = list->list.count;
    return OMS_OK;
}

/* ---- codec ---- */

enum { HOOK_PROVIDER = 1, HOOK_SECRET = 2, HOOK_MAX_AGE = 3, HOOK_TOPIC = 4, HOOK_MAP = 5 };

void tenant_webhook_encode(const struct tenant_webhook *webhook, struct oms_buf *out)
{
    oms_wire_put_str(out, HOOK_PROVIDER, webhook->provider);
    for (size_t i = 0; i < webhook->secret_count; i++)
        oms_wire_put_str(out, HOOK_SECRET, webhook->secrets[i]);
    if (webhook->max_age_s)
        oms_wire_put_u64(out, HOOK_MAX_AGE, webhook->max_age_s);
    for (size_t i = 0; i < webhook->topic_count; i++)
        oms_wire_put_str(out, HOOK_TOPIC, webhook->topics[i]);
    oms_wire_put_str(out, HOOK_MAP, webhook->map);
}

enum oms_status tenant_webhook_decode(struct oms_str bytes, struct oms_arena *arena,
                                      struct tenant_webhook *out)
{
    struct oms_str *secrets, *topics;
    struct oms_wire wire;

    memset(out, 0, sizeof *out);
    secrets = oms_arena_calloc(arena, OMS_WEBHOOK_SECRETS_MAX, sizeof *secrets);
    topics = oms_arena_calloc(arena, OMS_WEBHOOK_TOPICS_MAX, sizeof *topics);
    if (!secrets || !topics)
        return OMS_LIMIT;
    oms_wire_read(&wire, bytes);
    while (oms_wire_next(&wire)) {
        if (wire.field == HOOK_PROVIDER)
            out->provider = oms_str_copy(arena, wire.bytes);
        else if (wire.field == HOOK_SECRET && out->secret_count < OMS_WEBHOOK_SECRETS_MAX)
            secrets[out->secret_count++] = oms_str_copy(arena, wire.bytes);
        else if (wire.field == HOOK_MAX_AGE)
            out->max_age_s = wire.number <= OMS_WEBHOOK_AGE_MAX_S ? (uint32_t)wire.number : 0;
        else if (wire.field == HOOK_TOPIC && out->topic_count < OMS_WEBHOOK_TOPICS_MAX)
            topics[out->topic_count++] = oms_str_copy(arena, wire.bytes);
        else if (wire.field == HOOK_MAP)
            out->map = oms_str_copy(arena, wire.bytes);
    }
    out->secrets = secrets;
    out->topics = topics;
    return wire.corrupt || !oms_str_present(out->provider) || !out->secret_count ? OMS_CORRUPT : OMS_OK;
}

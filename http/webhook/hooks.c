/* See hooks.h. */
#include "http/webhook/hooks.h"

#include <openssl/crypto.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

#define MAPS_ARENA_MAX (8u << 20)

static size_t topic_count(void)
{
    size_t count = 0;

    while (webhook_topic_at(count))
        count++;
    OMS_ASSERT(count <= 32);
    return count;
}

struct making {
    struct webhook_hooks *hooks;
    const struct tenant_webhook *from;
    size_t index;
    struct oms_error *error;
};

static enum oms_status fault(const struct making *making, const char *key, const char *what)
{
    return oms_error_set(making->error, OMS_INVALID, "webhooks[%zu].%s %s", making->index, key, what);
}

static enum oms_status copy_secrets(const struct making *making, struct webhook_hook *out)
{
    for (size_t i = 0; i < making->from->secret_count; i++) {
        if (!webhook_secret_valid(out->provider, making->from->secrets[i]))
            return fault(making, "secrets",
                         "holds one that this provider's scheme cannot use (a whsec_ secret is base64)");
        out->secrets[out->secret_count++] = oms_str_copy(&making->hooks->arena, making->from->secrets[i]);
    }
    return OMS_OK;
}

/* Topics of orders: what a storefront or a carrier speaks of. Who may do what is for others to tell. */
static uint32_t order_topics(void)
{
    const struct webhook_topic *topic;
    uint32_t bits = 0;

    for (size_t i = 0; (topic = webhook_topic_at(i)); i++)
        if (topic->action != WEBHOOK_SNAPSHOT)
            bits |= 1u << i;
    return bits;
}

/*
 * Without a list: for `wss`, which a tenant's own systems use, all topics; for the other providers those of
 * orders; for the operator the one that finds its tenant.
 */
static enum oms_status read_topics(const struct making *making, bool is_operator, struct webhook_hook *out)
{
    uint32_t tracker = 1u << webhook_topic_index(webhook_topic_find(OMS_STR("shipment_tracker")));

    for (size_t i = 0; i < making->from->topic_count; i++) {
        const struct webhook_topic *topic = webhook_topic_find(making->from->topics[i]);

        if (!topic)
            return oms_error_set(making->error, OMS_INVALID,
                                 "webhooks[%zu].topics names '%.*s', which is none", making->index,
                                 OMS_STR_ARG(making->from->topics[i]));
        out->topics |= 1u << webhook_topic_index(topic);
    }
    if (is_operator && (out->topics & ~tracker))
        return fault(making, "topics", "can only be shipment_tracker for the operator's own account");
    if (!out->topics)
        out->topics = is_operator                                                ? tracker
                      : strcmp(webhook_provider_name(out->provider), "wss") == 0 ? UINT32_MAX
                                                                                 : order_topics();
    return OMS_OK;
}

static enum oms_status compile(const struct making *making, const struct webhook_topic *topic,
                               const struct oms_value *source, struct webhook_hook *out)
{
    struct oms_error inner;
    const struct field_map *map;
    enum oms_status status = field_map_compile(source, &making->hooks->arena, &map, &inner);

    if (status != OMS_OK)
        return oms_error_set(making->error, status, "webhooks[%zu].map for %s: %.300s", making->index,
                             topic->name, inner.message);
    out->maps[webhook_topic_index(topic)] = map;
    return OMS_OK;
}

static enum oms_status compile_text(const struct making *making, const struct webhook_topic *topic,
                                    struct oms_str text, struct webhook_hook *out)
{
    struct oms_value *tree = OMS_ARENA_NEW(&making->hooks->arena, struct oms_value);
    struct oms_json_error at;

    OMS_ASSERT(tree && oms_json_parse(text, OMS_JSON_DEPTH_MAX, &making->hooks->arena, tree, &at) == OMS_OK);
    return compile(making, topic, tree, out);
}

static enum oms_status read_own_maps(const struct making *making, struct webhook_hook *out)
{
    struct oms_value *tree = OMS_ARENA_NEW(&making->hooks->arena, struct oms_value);
    struct oms_str text = oms_str_copy(&making->hooks->arena, making->from->map);
    enum oms_status status = OMS_OK;
    struct oms_json_error at;

    if (!oms_str_present(making->from->map))
        return OMS_OK;
    if (!tree || !oms_str_present(text) ||
        oms_json_parse(text, OMS_JSON_DEPTH_MAX, &making->hooks->arena, tree, &at) != OMS_OK)
        return fault(making, "map", "is no JSON");
    for (size_t i = 0; status == OMS_OK && tree->kind == OMS_VALUE_OBJECT && i < tree->object.count; i++) {
        const struct webhook_topic *topic = webhook_topic_find(tree->object.fields[i].name);

        if (!topic)
            return oms_error_set(
                making->error, OMS_INVALID, "webhooks[%zu].map names '%.*s', which no map serves",
                making->index,
                (int)(tree->object.fields[i].name.len < 64 ? tree->object.fields[i].name.len : 64),
                tree->object.fields[i].name.data);
        status = compile(making, topic, &tree->object.fields[i].value, out);
    }
    return status;
}

static enum oms_status make(const struct making *making, bool is_operator, struct webhook_hook *out)
{
    enum oms_status status = OMS_OK;
    const struct webhook_topic *topic;

    out->provider = webhook_provider_find(making->from->provider);
    if (!out->provider)
        return fault(making, "provider", "must be wss, github, standard, shopify, easypost or stripe");
    if (making->from->max_age_s && !webhook_provider_signs_time(out->provider))
        return fault(making, "max_age_seconds",
                     "means nothing here: this provider's scheme signs no timestamp");
    out->max_age_s = making->from->max_age_s;
    out->maps = oms_arena_calloc(&making->hooks->arena, topic_count(), sizeof(out->maps[0]));
    if (!out->maps)
        return fault(making, "map", "is too large");
    if ((status = copy_secrets(making, out)) != OMS_OK ||
        (status = read_topics(making, is_operator, out)) != OMS_OK)
        return status;
    for (size_t i = 0; status == OMS_OK && (topic = webhook_topic_at(i)); i++) {
        struct oms_str ready = webhook_ready_map(out->provider, topic);

        if (oms_str_present(ready))
            status = compile_text(making, topic, ready, out);
    }
    return status == OMS_OK ? read_own_maps(making, out) : status;
}

enum oms_status webhook_hooks_create(const struct tenant_webhook *from, size_t count, bool is_operator,
                                     struct webhook_hooks **out, struct oms_error *error)
{
    struct webhook_hooks *hooks = oms_calloc(1, sizeof(*hooks));
    enum oms_status status = OMS_OK;

    oms_arena_init(&hooks->arena, 4096, MAPS_ARENA_MAX);
    hooks->items = oms_arena_calloc(&hooks->arena, count + 1, sizeof(hooks->items[0]));
    OMS_ASSERT(hooks->items);
    for (size_t i = 0; status == OMS_OK && i < count; i++) {
        const struct making making = {hooks, &from[i], i, error};

        status = make(&making, is_operator, &hooks->items[hooks->count++]);
    }
    if (status != OMS_OK) {
        webhook_hooks_destroy(hooks);
        hooks = NULL;
    }
    *out = hooks;
    return status;
}

void webhook_hooks_destroy(struct webhook_hooks *hooks)
{
    if (!hooks)
        return;
    for (size_t i = 0; i < hooks->count; i++)
        for (size_t k = 0; k < hooks->items[i].secret_count; k++)
            OPENSSL_cleanse((char *)(uintptr_t)hooks->items[i].secrets[k].data,
                            hooks->items[i].secrets[k].len);
    oms_arena_fini(&hooks->arena);
    oms_free(hooks);
}

const struct webhook_hook *webhook_hooks_find(const struct webhook_hooks *hooks,
                                              const struct webhook_provider *provider)
{
    for (size_t i = 0; hooks && i < hooks->count; i++)
        if (hooks->items[i].provider == provider)
            return &hooks->items[i];
    return NULL;
}

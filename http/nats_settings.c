/* See nats_settings.h. */
#include "http/nats_settings.h"

#include <stdio.h>

#include "actors/tenant.h"
#include "runtime/base/arena.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

static const char *const tls_keys[] = {"ca", "cert", "key", "hostname"};
static const char *const publish_keys[] = {"stream",   "subject_prefix",     "create_stream",
                                           "replicas", "max_age_hours",      "max_bytes",
                                           "enabled",  "duplicate_window_s", "on_stream_lost"};
static const char *const consume_keys[] = {"stream", "durable", "subject",  "topic",
                                           "tenant", "create",  "in_flight"};

const char *const http_nats_setting_keys[] = {"urls",
                                              "credentials_file",
                                              "user",
                                              "password_file",
                                              "token_file",
                                              "nkey",
                                              "nkey_seed_file",
                                              "domain",
                                              "inbox_prefix",
                                              "publish",
                                              "consume",
                                              "tls",
                                              "ca",
                                              "hostname",
                                              "stream",
                                              "subject_prefix",
                                              "create_stream",
                                              "replicas",
                                              "max_age_hours",
                                              "max_bytes",
                                              "enabled",
                                              "durable",
                                              "subject",
                                              "duplicate_window_s",
                                              "on_stream_lost",
                                              "topic",
                                              "tenant",
                                              "in_flight",
                                              "create",
                                              NULL};

#define TOP_KEYS 12 /* the first of them */

/* A text of its own with a NUL, since a C library reads it. */
static void read_text(struct http_settings *settings, const char *key, struct oms_arena *arena,
                      struct oms_str *out)
{
    struct oms_str text = OMS_STR_NONE;

    http_settings_text(settings, key, &text);
    if (oms_str_present(text))
        *out = oms_str_copy(arena, text);
}

static void read_file_name(struct http_settings *settings, const char *key, const char *folder,
                           struct oms_arena *arena, struct oms_str *out)
{
    struct oms_str name = OMS_STR_NONE;

    http_settings_text(settings, key, &name);
    if (!oms_str_present(name))
        return;
    if (name.data[0] == '/' || !folder[0]) {
        *out = oms_str_copy(arena, name);
        return;
    }
    size_t len = strlen(folder) + 1 + name.len;
    char *path = oms_arena_alloc(arena, len + 1);
    OMS_ASSERT(path); /* the arena holds a whole configuration several times */
    snprintf(path, len + 1, "%s/%.*s", folder, OMS_STR_ARG(name));
    *out = oms_str_make(path, len);
}

/* A subject's tokens: no white space, no empty token; wildcards where `wild`. */
static bool subject_valid(struct oms_str subject, bool wild)
{
    bool begins = true;

    for (size_t i = 0; i < subject.len; i++) {
        unsigned char c = (unsigned char)subject.data[i];

        if (c <= ' ' || c == 0x7f || (c == '.' && begins) || (!wild && (c == '*' || c == '>')))
            return false;
        begins = c == '.';
    }
    return subject.len > 0 && subject.len <= OMS_NATS_SUBJECT_BYTES_MAX / 2 && !begins;
}

/* The name of a stream or of a consumer. */
static bool name_valid(struct oms_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.data[i] <= ' ' || strchr(".*>/\\\x7f", name.data[i]))
            return false;
    return name.len > 0 && name.len <= OMS_NATS_NAME_BYTES_MAX;
}

static void read_name(struct http_settings *settings, const char *key, struct oms_arena *arena,
                      struct oms_str *out)
{
    read_text(settings, key, arena, out);
    if (oms_str_present(*out) && !name_valid(*out))
        http_settings_fault(settings, key,
                            "must be 1 to %d characters without white space and none of . * > / \\",
                            OMS_NATS_NAME_BYTES_MAX);
}

static void read_tls(struct http_settings *nats, const char *folder, struct oms_arena *arena,
                     struct http_nats_settings *out)
{
    const struct oms_value *value = http_settings_get(nats, "tls");
    struct http_settings tls;

    if (!value)
        return;
    http_settings_begin(&tls, value, "nats.tls", nats->error);
    http_settings_only(&tls, tls_keys, OMS_COUNT_OF(tls_keys));
    out->tls = true;
    read_file_name(&tls, "ca", folder, arena, &out->tls_ca);
    read_file_name(&tls, "cert", folder, arena, &out->tls_cert);
    read_file_name(&tls, "key", folder, arena, &out->tls_key);
    read_text(&tls, "hostname", arena, &out->tls_hostname);
    if (oms_str_present(out->tls_cert) != oms_str_present(out->tls_key))
        http_settings_fault(&tls, NULL, "needs both 'cert' and 'key', or neither");
    nats->failed = tls.failed;
}

static void read_publish(struct http_settings *nats, struct oms_arena *arena, struct http_nats_settings *out)
{
    static const char *const lost[] = {"republish", "continue"};
    const struct oms_value *value = http_settings_get(nats, "publish");
    struct http_settings publish;

    if (!value)
        return;
    http_settings_begin(&publish, value, "nats.publish", nats->error);
    http_settings_only(&publish, publish_keys, OMS_COUNT_OF(publish_keys));
    http_settings_bool(&publish, "enabled", &out->publish);
    read_name(&publish, "stream", arena, &out->stream);
    read_text(&publish, "subject_prefix", arena, &out->subject_prefix);
    if (!subject_valid(out->subject_prefix, false))
        http_settings_fault(&publish, "subject_prefix",
                            "must be tokens apart by '.', without white space, '*' and '>'");
    http_settings_bool(&publish, "create_stream", &out->create_stream);
    http_settings_unsigned(&publish, "replicas", 1, 5, &out->replicas);
    http_settings_unsigned(&publish, "max_age_hours", 0, 24 * 366 * 100, &out->max_age_hours);
    http_settings_u64(&publish, "max_bytes", 0, UINT64_C(1) << 60, &out->max_bytes);
    http_settings_unsigned(&publish, "duplicate_window_s", 1, 24 * 3600, &out->duplicate_window_s);
    http_settings_word(&publish, "on_stream_lost", lost, OMS_COUNT_OF(lost), &out->on_stream_lost);
    nats->failed = publish.failed;
}

/* A placeholder is a whole token. */
static bool placed(struct oms_str subject, const char *placeholder)
{
    const char *at = strstr(subject.data, placeholder);
    size_t len = strlen(placeholder);

    return at && (at == subject.data || at[-1] == '.') && (at[len] == '\0' || at[len] == '.');
}

static void read_consume(struct http_settings *entry, struct oms_arena *arena, struct http_nats_consume *out)
{
    *out = (struct http_nats_consume){.stream = OMS_STR("LITEOMS_IN"),
                                      .durable = OMS_STR("liteoms"),
                                      .subject = OMS_STR("liteoms.in.{tenant}.{topic}"),
                                      .create = true,
                                      .in_flight = OMS_NATS_IN_FLIGHT};
    http_settings_only(entry, consume_keys, OMS_COUNT_OF(consume_keys));
    read_name(entry, "stream", arena, &out->stream);
    read_name(entry, "durable", arena, &out->durable);
    read_text(entry, "subject", arena, &out->subject);
    read_text(entry, "topic", arena, &out->topic);
    read_text(entry, "tenant", arena, &out->tenant);
    http_settings_bool(entry, "create", &out->create);
    http_settings_unsigned(entry, "in_flight", 1, OMS_NATS_IN_FLIGHT_MAX, &out->in_flight);
    if (!subject_valid(out->subject, true))
        http_settings_fault(entry, "subject", "must be tokens apart by '.', without white space");
    if (!oms_str_present(out->topic) && !placed(out->subject, "{topic}"))
        http_settings_fault(entry, "topic",
                            "is missing: name one, or put {topic} for a whole token of the subject");
    if (oms_str_present(out->tenant) && !tenant_name_valid(out->tenant))
        http_settings_fault(entry, "tenant", "is no tenant's name");
}

static void read_consumes(struct http_settings *nats, struct oms_arena *arena, struct http_nats_settings *out)
{
    const struct oms_value *items = NULL;
    size_t count = 0;

    http_settings_list(nats, "consume", &items, &count);
    if (count > HTTP_NATS_CONSUMERS_MAX) {
        http_settings_fault(nats, "consume", "holds %zu; %d are the most", count, HTTP_NATS_CONSUMERS_MAX);
        return;
    }
    struct http_nats_consume *entries = oms_arena_calloc(arena, count ? count : 1, sizeof(*entries));
    OMS_ASSERT(entries);
    for (size_t i = 0; i < count && !nats->failed; i++) {
        struct http_settings entry;
        char path[160];

        http_settings_path(nats, "consume", (long)i, path);
        http_settings_begin(&entry, &items[i], path, nats->error);
        read_consume(&entry, arena, &entries[i]);
        nats->failed = entry.failed;
        for (size_t k = 0; k < i && !nats->failed; k++)
            if (oms_str_eq(entries[k].stream, entries[i].stream) &&
                oms_str_eq(entries[k].durable, entries[i].durable))
                http_settings_fault(nats, "consume", "names the durable '%.*s' of one stream twice",
                                    OMS_STR_ARG(entries[i].durable));
    }
    out->consume = entries;
    out->consume_count = count;
}

static void read_login(struct http_settings *nats, const char *folder, struct oms_arena *arena,
                       struct http_nats_settings *out)
{
    read_file_name(nats, "credentials_file", folder, arena, &out->credentials_file);
    read_text(nats, "user", arena, &out->user);
    read_file_name(nats, "password_file", folder, arena, &out->password_file);
    read_file_name(nats, "token_file", folder, arena, &out->token_file);
    read_text(nats, "nkey", arena, &out->nkey);
    read_file_name(nats, "nkey_seed_file", folder, arena, &out->nkey_seed_file);
    int ways = oms_str_present(out->credentials_file) + oms_str_present(out->user) +
               oms_str_present(out->token_file) + oms_str_present(out->nkey);
    if (ways > 1)
        http_settings_fault(nats, NULL, "names more than one of credentials_file, user, token_file and nkey");
    if (oms_str_present(out->user) != oms_str_present(out->password_file))
        http_settings_fault(nats, "user", "and 'password_file' go together");
    if (oms_str_present(out->nkey) != oms_str_present(out->nkey_seed_file))
        http_settings_fault(nats, "nkey", "and 'nkey_seed_file' go together");
}

static void read_urls(struct http_settings *nats, struct oms_arena *arena, struct http_nats_settings *out)
{
    const struct oms_str *urls = NULL;
    size_t count = 0;

    http_settings_texts(nats, "urls", arena, &urls, &count);
    if (!nats->failed && (count == 0 || count > OMS_NATS_URLS_MAX)) {
        http_settings_fault(nats, "urls", "must name 1 to %d servers, as \"nats://127.0.0.1:4222\"",
                            OMS_NATS_URLS_MAX);
        return;
    }
    struct oms_str *own = oms_arena_calloc(arena, count ? count : 1, sizeof(*own));
    OMS_ASSERT(own);
    for (size_t i = 0; i < count; i++) {
        own[i] = oms_str_copy(arena, urls[i]);
        if (!oms_str_starts(own[i], OMS_STR("nats://")) && !oms_str_starts(own[i], OMS_STR("tls://")))
            http_settings_fault(nats, "urls", "must begin with nats:// or tls://");
        else if (memchr(own[i].data, '@', own[i].len))
            http_settings_fault(nats, "urls", "must hold no user or password: there are keys for them");
    }
    out->urls = own;
    out->url_count = count;
}

void http_nats_settings_read(struct http_settings *top, const char *folder, struct oms_arena *arena,
                             struct http_nats_settings *settings)
{
    const struct oms_value *value = http_settings_get(top, "nats");
    struct http_settings nats;

    if (!value)
        return;
    *settings = (struct http_nats_settings){.enabled = true,
                                            .inbox_prefix = OMS_STR("_INBOX"),
                                            .publish = true,
                                            .stream = OMS_STR("LITEOMS"),
                                            .subject_prefix = OMS_STR("liteoms.events"),
                                            .create_stream = true,
                                            .replicas = 1,
                                            .duplicate_window_s = 120};
    http_settings_begin(&nats, value, "nats", top->error);
    http_settings_only(&nats, http_nats_setting_keys, TOP_KEYS);
    read_urls(&nats, arena, settings);
    read_tls(&nats, folder, arena, settings);
    read_login(&nats, folder, arena, settings);
    read_text(&nats, "inbox_prefix", arena, &settings->inbox_prefix);
    if (!subject_valid(settings->inbox_prefix, false))
        http_settings_fault(&nats, "inbox_prefix",
                            "must be tokens apart by '.', without white space, '*' and '>'");
    read_name(&nats, "domain", arena, &settings->domain);
    read_publish(&nats, arena, settings);
    read_consumes(&nats, arena, settings);
    top->failed = nats.failed;
}

/* See outhook_settings.h. */
#include "http/outhook_settings.h"

#include "runtime/base/arena.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

#define ATTEMPTS_MAX   100
#define TIMEOUT_MS_MAX 60000
#define RETRY_MS_MAX   3600000
#define RANGES_MAX     256

const char *const http_outhook_setting_keys[] = {"allow_private",  "allow_http", "ca", "attempts",
                                                 "first_retry_ms", "timeout_ms", NULL};

void http_outhook_settings_init(struct http_outhook_settings *settings)
{
    *settings = (struct http_outhook_settings){.attempts = OMS_OUTHOOK_ATTEMPTS,
                                               .first_retry_ms = OMS_OUTHOOK_RETRY_MS,
                                               .timeout_ms = OMS_OUTHOOK_TIMEOUT_MS};
}

static void read_ranges(struct http_settings *part, struct oms_arena *arena, struct outhook_policy *policy)
{
    const struct oms_str *texts = NULL;
    struct outhook_range *ranges;
    size_t count = 0;

    http_settings_texts(part, "allow_private", arena, &texts, &count);
    if (part->failed)
        return;
    if (count > RANGES_MAX) {
        http_settings_fault(part, "allow_private", "must have %d ranges at most", RANGES_MAX);
        return;
    }
    ranges = oms_arena_calloc(arena, count + 1, sizeof(ranges[0]));
    OMS_ASSERT(ranges); /* the arena holds a whole configuration several times */
    for (size_t i = 0; i < count; i++)
        if (!outhook_range_parse(texts[i], &ranges[i])) {
            http_settings_fault(part, "allow_private",
                                "has '%.*s', which is no range of addresses such as \"10.1.0.0/16\" or "
                                "\"fd00:1234::/32\" (no bits may be set behind the prefix)",
                                OMS_STR_ARG(texts[i]));
            return;
        }
    policy->ranges = ranges;
    policy->range_count = count;
}

void http_outhook_settings_read(struct http_settings *top, struct oms_arena *arena,
                                struct http_outhook_settings *settings)
{
    const struct oms_value *value = http_settings_get(top, "webhooks_out"), *allow;
    struct http_settings part;
    struct oms_str ca = OMS_STR_NONE;

    if (!value)
        return;
    http_settings_begin(&part, value, "webhooks_out", top->error);
    http_settings_only(&part, http_outhook_setting_keys, OMS_COUNT_OF(http_outhook_setting_keys) - 1);
    allow = http_settings_get(&part, "allow_private");
    if (allow && allow->kind == OMS_VALUE_BOOL)
        http_settings_bool(&part, "allow_private", &settings->policy.allow_private);
    else if (allow)
        read_ranges(&part, arena, &settings->policy);
    http_settings_bool(&part, "allow_http", &settings->policy.allow_http);
    http_settings_text(&part, "ca", &ca);
    if (oms_str_present(ca))
        settings->ca_file = oms_str_copy(arena, ca);
    http_settings_unsigned(&part, "attempts", 1, ATTEMPTS_MAX, &settings->attempts);
    http_settings_unsigned(&part, "first_retry_ms", 1, RETRY_MS_MAX, &settings->first_retry_ms);
    http_settings_unsigned(&part, "timeout_ms", 100, TIMEOUT_MS_MAX, &settings->timeout_ms);
    top->failed = part.failed;
}

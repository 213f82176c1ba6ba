/* See settings.h. "What is accepted" is part of every message, since the reader is a person with an editor
 * open. */
#include "http/settings.h"

#include <stdarg.h>
#include <stdio.h>

#include "runtime/base/arena.h"
#include "runtime/base/assert.h"

static const char *kind_name(const struct oms_value *value)
{
    switch (value->kind) {
    case OMS_VALUE_NULL:
        return "null";
    case OMS_VALUE_BOOL:
        return "a boolean";
    case OMS_VALUE_INT:
    case OMS_VALUE_NUMBER:
        return "a number";
    case OMS_VALUE_STRING:
    case OMS_VALUE_ENUM:
        return "a text";
    case OMS_VALUE_LIST:
        return "a list";
    case OMS_VALUE_OBJECT:
        return "an object";
    }
    OMS_UNREACHABLE();
}

void http_settings_path(const struct http_settings *settings, const char *key, long index, char out[160])
{
    int len = snprintf(out, 160, "%s%s%s", settings->path, settings->path[0] && key[0] ? "." : "", key);
    if (index >= 0 && len > 0 && len < 140)
        snprintf(out + len, 160 - (size_t)len, "[%ld]", index);
}

bool http_settings_fault(struct http_settings *settings, const char *key, const char *format, ...)
{
    if (settings->failed)
        return false;
    settings->failed = true;
    char path[160], text[384];
    http_settings_path(settings, key ? key : "", -1, path);
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (path[0])
        oms_error_set(settings->error, OMS_INVALID, "'%s' %s", path, text);
    else
        oms_error_set(settings->error, OMS_INVALID, "the configuration %s", text);
    return false;
}

void http_settings_begin(struct http_settings *settings, const struct oms_value *value, const char *path,
                         struct oms_error *error)
{
    *settings = (struct http_settings){.object = value, .error = error};
    snprintf(settings->path, sizeof(settings->path), "%s", path);
    if (value->kind != OMS_VALUE_OBJECT)
        http_settings_fault(settings, NULL, "must be an object, not %s", kind_name(value));
}

void http_settings_only(struct http_settings *settings, const char *const *keys, size_t count)
{
    if (settings->failed)
        return;
    for (size_t i = 0; i < settings->object->object.count; i++) {
        struct oms_str name = settings->object->object.fields[i].name;
        bool known = false;
        for (size_t k = 0; k < count && !known; k++)
            known = oms_str_eq_c(name, keys[k]);
        if (known)
            continue;
        const char *nearest = oms_str_nearest(name, keys, count);
        char key[80];
        snprintf(key, sizeof(key), "%.*s", (int)(name.len < 64 ? name.len : 64), name.data);
        if (nearest)
            http_settings_fault(settings, key, "is not a known key; did you mean '%s'?", nearest);
        else
            http_settings_fault(settings, key, "is not a known key");
        return;
    }
}

const struct oms_value *http_settings_get(struct http_settings *settings, const char *key)
{
    return settings->failed ? NULL : oms_value_get_set(settings->object, key);
}

void http_settings_bool(struct http_settings *settings, const char *key, bool *out)
{
    const struct oms_value *value = http_settings_get(settings, key);
    if (!value)
        return;
    if (value->kind != OMS_VALUE_BOOL)
        http_settings_fault(settings, key, "must be true or false, not %s", kind_name(value));
    else
        *out = value->boolean;
}

void http_settings_u64(struct http_settings *settings, const char *key, uint64_t min, uint64_t max,
                       uint64_t *out)
{
    const struct oms_value *value = http_settings_get(settings, key);
    int64_t number = -1;
    if (!value)
        return;
    if (value->kind == OMS_VALUE_INT)
        number = value->integer;
    bool fits = value->kind == OMS_VALUE_INT ||
                (value->kind == OMS_VALUE_NUMBER && oms_str_to_i64(value->text, &number) == OMS_OK);
    if (fits && number >= 0 && (uint64_t)number >= min && (uint64_t)number <= max) {
        *out = (uint64_t)number;
        return;
    }
    bool is_number = value->kind == OMS_VALUE_INT || value->kind == OMS_VALUE_NUMBER;
    http_settings_fault(settings, key, "must be a whole number from %llu to %llu%s%s",
                        (unsigned long long)min, (unsigned long long)max, is_number ? "" : ", not ",
                        is_number ? "" : kind_name(value));
}

void http_settings_unsigned(struct http_settings *settings, const char *key, unsigned min, unsigned max,
                            unsigned *out)
{
    uint64_t number = *out;
    http_settings_u64(settings, key, min, max, &number);
    *out = (unsigned)number;
}

static bool is_text(const struct oms_value *value)
{
    return value->kind == OMS_VALUE_STRING && value->text.len > 0 &&
           !memchr(value->text.data, 0, value->text.len);
}

void http_settings_text(struct http_settings *settings, const char *key, struct oms_str *out)
{
    const struct oms_value *value = http_settings_get(settings, key);
    if (!value)
        return;
    if (!is_text(value))
        http_settings_fault(settings, key, "must be a text that is not empty%s%s",
                            value->kind == OMS_VALUE_STRING ? "" : ", not ",
                            value->kind == OMS_VALUE_STRING ? "" : kind_name(value));
    else
        *out = value->text;
}

void http_settings_word(struct http_settings *settings, const char *key, const char *const *words,
                        unsigned count, unsigned *out)
{
    struct oms_str text = OMS_STR_NONE;
    char all[256] = "";
    http_settings_text(settings, key, &text);
    if (!oms_str_present(text))
        return;
    for (unsigned i = 0; i < count; i++) {
        if (oms_str_eq_c(text, words[i])) {
            *out = i;
            return;
        }
        size_t len = strlen(all);
        snprintf(all + len, sizeof(all) - len, "%s\"%s\"", len ? ", " : "", words[i]);
    }
    http_settings_fault(settings, key, "must be one of %s", all);
}

void http_settings_list(struct http_settings *settings, const char *key, const struct oms_value **out,
                        size_t *out_count)
{
    const struct oms_value *value = http_settings_get(settings, key);
    if (!value)
        return;
    if (value->kind != OMS_VALUE_LIST) {
        http_settings_fault(settings, key, "must be a list, not %s", kind_name(value));
        return;
    }
    *out = value->list.items;
    *out_count = value->list.count;
}

void http_settings_texts(struct http_settings *settings, const char *key, struct oms_arena *arena,
                         const struct oms_str **out, size_t *out_count)
{
    const struct oms_value *value = http_settings_get(settings, key);
    if (!value)
        return;
    bool one = value->kind == OMS_VALUE_STRING;
    if (!one && value->kind != OMS_VALUE_LIST) {
        http_settings_fault(settings, key, "must be a text or a list of texts, not %s", kind_name(value));
        return;
    }
    const struct oms_value *items = one ? value : value->list.items;
    size_t count = one ? 1 : value->list.count;
    struct oms_str *texts = oms_arena_calloc(arena, count ? count : 1, sizeof(*texts));
    if (!texts) {
        http_settings_fault(settings, key, "is too long");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_text(&items[i])) {
            http_settings_fault(settings, key, "must hold only texts that are not empty");
            return;
        }
        texts[i] = items[i].text;
    }
    *out = texts;
    *out_count = count;
}

/*
 * Reading settings out of a JSON object so that every fault names its place and says what would be right.
 *
 * Getters may be called one after another without looking: the first fault stays in `error`, later calls do
 * nothing, and the reader asks once at the end. A key that is absent (or null) leaves the destination as it
 * was: the default.
 */
#ifndef HTTP_SETTINGS_H
#define HTTP_SETTINGS_H

#include "runtime/base/str.h"
#include "runtime/base/value.h"

struct http_settings {
    const struct oms_value *object;
    char path[160]; /* "" at the top, else "limits" or "issuers[2]" */
    struct oms_error *error;
    bool failed;
};

/* `path` is copied; `value` must be an object, else the fault is recorded. */
void http_settings_begin(struct http_settings *settings, const struct oms_value *value, const char *path,
                         struct oms_error *error);
/* Refuses keys that are not in the list, naming the nearest one that is. */
void http_settings_only(struct http_settings *settings, const char *const *keys, size_t count);
/* Records a fault of `key` (NULL: the object itself): "'limits.body_bytes' …". Returns false. */
bool http_settings_fault(struct http_settings *settings, const char *key, const char *format, ...)
    OMS_PRINTF(3, 4);

/* The value of a key, or NULL when absent, null or after a fault. */
const struct oms_value *http_settings_get(struct http_settings *settings, const char *key);
void http_settings_bool(struct http_settings *settings, const char *key, bool *out);
void http_settings_u64(struct http_settings *settings, const char *key, uint64_t min, uint64_t max,
                       uint64_t *out);
void http_settings_unsigned(struct http_settings *settings, const char *key, unsigned min, unsigned max,
                            unsigned *out);
/* A text that is not empty; borrowed from the tree. */
void http_settings_text(struct http_settings *settings, const char *key, struct oms_str *out);
/* The index of the text in `words`. */
void http_settings_word(struct http_settings *settings, const char *key, const char *const *words,
                        unsigned count, unsigned *out);
/* A list of texts that are not empty, or one text, which counts as a list of one. Copied to the arena as an
 * array. */
void http_settings_texts(struct http_settings *settings, const char *key, struct oms_arena *arena,
                         const struct oms_str **out, size_t *out_count);
/* A list's items; their own path is "key[i]". */
void http_settings_list(struct http_settings *settings, const char *key, const struct oms_value **out,
                        size_t *out_count);
/* Writes "issuers[2]" or "limits.x" below the settings' own path. */
void http_settings_path(const struct http_settings *settings, const char *key, long index, char out[160]);

#endif

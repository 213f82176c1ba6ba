/*
 * Structured log events, one JSON object a line on standard error.
 *
 * An event is logged once, at the boundary that handles it; never a token, a secret or a payload. Thread-safe:
 * a line is written with one write(2). Over `limits` events of one name a second the rest are counted and the
 * count is logged (a flood of bad requests must not fill a disk).
 *
 *   OMS_LOG(OMS_LOG_WARN, "http.body_too_large", OMS_LOG_U64("limit_bytes", max), OMS_LOG_STR("peer", peer));
 */
#ifndef OMS_BASE_LOG_H
#define OMS_BASE_LOG_H

#include <stdint.h>

#include "runtime/base/str.h"

enum oms_log_level { OMS_LOG_DEBUG, OMS_LOG_INFO, OMS_LOG_WARN, OMS_LOG_ERROR, OMS_LOG_OFF };

struct oms_log_field {
    const char *name;
    enum { OMS_LOG_KIND_STR, OMS_LOG_KIND_U64, OMS_LOG_KIND_I64 } kind;
    struct oms_str text;
    int64_t number;
};

#define OMS_LOG_STR(name, value) ((struct oms_log_field){(name), OMS_LOG_KIND_STR, (value), 0})
#define OMS_LOG_TEXT(name, value) OMS_LOG_STR(name, oms_str_of(value))
#define OMS_LOG_U64(name, value) \
    ((struct oms_log_field){(name), OMS_LOG_KIND_U64, OMS_STR_NONE, (int64_t)(uint64_t)(value)})
#define OMS_LOG_I64(name, value) ((struct oms_log_field){(name), OMS_LOG_KIND_I64, OMS_STR_NONE, (int64_t)(value)})

/* Events below `level` are dropped. Default: INFO. */
void oms_log_set_level(enum oms_log_level level);
enum oms_log_level oms_log_get_level(void);
void oms_log_event(enum oms_log_level level, const char *event, const struct oms_log_field *fields, size_t count);

#define OMS_LOG(level, event, ...)                                                                       \
    do {                                                                                                 \
        if ((level) >= oms_log_get_level()) {                                                            \
            const struct oms_log_field oms_log_fields_[] = {{NULL, 0, OMS_STR_NONE, 0}, __VA_ARGS__};    \
            oms_log_event((level), (event), oms_log_fields_ + 1, OMS_COUNT_OF_FIELDS(oms_log_fields_)); \
        }                                                                                                \
    } while (0)
#define OMS_COUNT_OF_FIELDS(a) (sizeof(a) / sizeof((a)[0]) - 1)

#endif

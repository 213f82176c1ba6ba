/*
 * The erasure log: which orders' customers were erased, in a file apart from the store, so that a store that
 * comes back from an older backup can be made to forget them again.
 *
 * A line is written and synced before the order is changed: "erase TENANT ORDER-ID TIME". After the store's
 * files have been rewritten "purged TIME" follows; what stands behind the last such line may still have bytes
 * in old files. The file is only ever appended to. Functions block; any thread, one at a time inside.
 */
#ifndef HTTP_PRIVACY_ERASURES_H
#define HTTP_PRIVACY_ERASURES_H

#include "actors/ids.h"
#include "runtime/base/status.h"

#define HTTP_ERASURES_FILE "erasures.log" /* in the data folder, when nothing else is configured */

struct http_erasures;

/* Opens or makes the file. OMS_CORRUPT names the line that is none of ours; OMS_IO. */
OMS_MUST_USE enum oms_status http_erasures_open(const char *path, struct http_erasures **out,
                                                struct oms_error *error);
/* NULL is allowed. */
void http_erasures_close(struct http_erasures *erasures);

/* Writes down and syncs that these orders are about to be erased. OMS_IO: nothing may be erased. */
OMS_MUST_USE enum oms_status http_erasures_add(struct http_erasures *erasures, struct oms_str tenant,
                                               const unsigned char (*orders)[IDS_ORDER_SIZE], size_t count,
                                               int64_t now_ms);
/* Whether something was erased since the last purge that came to its end. */
bool http_erasures_pending(struct http_erasures *erasures);
/* Around a purge: mark before it, purged after it with what mark gave. An erasure in between stays pending.
 */
uint64_t http_erasures_mark(struct http_erasures *erasures);
void http_erasures_purged(struct http_erasures *erasures, uint64_t mark, int64_t now_ms);

/* Calls `each` for every erasure in the file, oldest first. */
struct http_erasure {
    struct oms_str tenant;
    unsigned char order[IDS_ORDER_SIZE];
    int64_t at_ms;
};
OMS_MUST_USE enum oms_status http_erasures_read(struct http_erasures *erasures,
                                                void (*each)(void *context,
                                                             const struct http_erasure *erasure),
                                                void *context, struct oms_error *error);

#endif

/*
 * After erasures: waits until they are applied, then lets no file of the data folder hold what was before
 * (store_engine_ops.purge), then says so in the erasure log.
 */
#ifndef HTTP_PRIVACY_PURGE_H
#define HTTP_PRIVACY_PURGE_H

#include "http/privacy/erasures.h"
#include "storage/store.h"

#define HTTP_PURGE_ORDERS_MAX 8 /* more than so many are taken as their whole tenant */

struct http_purge {
    /* the caller's, zeroed before */
    struct store *store;
    struct rt_host *host;
    struct http_erasures *erasures; /* NULL: nobody is told */
    uint32_t tenant;
    const unsigned char (*orders)[IDS_ORDER_SIZE]; /* borrowed until done */
    size_t order_count;
    bool everything; /* older erasures as well, whosever they were */
    void (*done)(struct rt_shard *shard, struct http_purge *purge);
    /* ---- filled in ---- */
    enum oms_status status; /* OMS_BUSY: a long read kept old versions alive: to be done again; OMS_IO */
    uint64_t mark;
    struct store_read read;
    struct rt_job job;
};

/* On a shard's thread; `done` is called there. */
void http_purge_start(struct rt_shard *shard, struct http_purge *purge);

#endif

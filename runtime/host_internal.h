/* What the hosts share: the orderly end on one thread. Internal to runtime/. */
#ifndef RT_HOST_INTERNAL_H
#define RT_HOST_INTERNAL_H

#include "runtime/host.h"

/* Workers in order of add_worker; borrowed pointers. */
struct rt_worker_list {
    struct rt_worker **items;
    unsigned count, capacity;
};

/* Gives the worker a usable port (its own, when it has initialised it) and appends it. */
void rt_worker_list_add(struct rt_worker_list *list, struct rt_worker *worker);
void rt_worker_list_fini(struct rt_worker_list *list);

/*
 * When no other thread runs any more: steps shards and workers in turn until all are quiet, sends home what
 * cannot be delivered (OMS_CLOSED) and destroys all actors. Both phases are bounded, for actors that never
 * stop talking.
 */
void rt_host_finish(struct rt_host *host, const struct rt_worker_list *workers);

#endif

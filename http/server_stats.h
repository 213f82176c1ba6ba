/*
 * The numbers of runtime, actors, API and store in /metrics. Each shard copies its own into its row of the
 * registry twice a second, so that a scrape never reads another shard's memory; the store's are atomics and
 * are read directly.
 */
#ifndef HTTP_SERVER_STATS_H
#define HTTP_SERVER_STATS_H

#include "actors/system.h"
#include "http/api/api.h"
#include "http/metrics.h"

struct http_server_stats;

/* Before the host starts; everything is borrowed. Registers the metrics and starts the shards' timers. */
struct http_server_stats *http_server_stats_create(struct rt_host *host, struct http_metrics *metrics,
                                                   struct store *store, struct api *api);
/* After the host has stopped. */
void http_server_stats_destroy(struct http_server_stats *stats);

#endif

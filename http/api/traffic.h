/*
 * How many GraphQL requests of a tenant came in the last minute: for people who look at usage, not for
 * limits.
 *
 * Each shard counts for itself; whoever asks adds the shards up. A count is of a minute by the clock and of
 * the one before; the last 60 seconds are reckoned from both, as if the requests of the minute before had
 * come evenly.
 */
#ifndef API_TRAFFIC_H
#define API_TRAFFIC_H

#include <stdint.h>

struct api;
struct api_traffic;

/* Of one shard. */
struct api_traffic *api_traffic_create(void);
void api_traffic_destroy(struct api_traffic *traffic);
/* The shard's own thread. */
void api_traffic_count(struct api_traffic *traffic, uint32_t tenant, uint64_t requests, int64_t now_ms);
/* Of all shards; any thread. */
uint64_t api_traffic_read(const struct api *api, uint32_t tenant, int64_t now_ms);

#endif

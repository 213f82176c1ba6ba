/*
 * At the start: what the erasure log says was erased, and the store does not, is erased again: a store that
 * was restored from an older backup, or one that a crash stopped between the log's line and the orders.
 */
#ifndef HTTP_PRIVACY_REPLAY_H
#define HTTP_PRIVACY_REPLAY_H

#include "actors/system.h"
#include "http/privacy/erasures.h"

/*
 * After the host has started and the tenants are there, before anybody is served; blocks the calling thread,
 * which is no shard. OMS_BUSY or OMS_IO when it could not be done: the server must not serve then.
 */
OMS_MUST_USE enum oms_status http_erasures_replay(struct http_erasures *erasures,
                                                  struct actors_system *system, struct rt_host *host,
                                                  struct oms_error *error);

#endif

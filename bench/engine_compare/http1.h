/* The load client's way over HTTP/1.1, for servers that are at their best there: one request at a time on
 * each connection, which stays open. */
#ifndef HTTP1_H
#define HTTP1_H

#include "bench/load/load.h"

/* As load_run in a closed loop (rate and requests_max are not used, streams count as 1). */
OMS_MUST_USE enum oms_status http1_run(const struct load_config *config, const struct load_workload *workload,
                                       struct load_result *result, struct oms_error *error);

#endif

/*
 * A load client for HTTP/2 without TLS (prior knowledge) on libnghttp2: C connections × S streams on one
 * thread, every answer checked, every latency taken by this client itself.
 *
 * Closed loop (rate 0): each stream sends its next request when its answer is there; latency runs from the
 * moment the request is handed over. Fixed rate: requests are due at even intervals whatever the server does,
 * and latency runs from the moment at which a request was due, so that a stall counts for every request that
 * it held up.
 *
 * Runs on loopback only; a run is bounded by its seconds and by its number of requests, and stops by itself.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/load/histogram.h"
#include "runtime/base/str.h"

struct load_request {
    struct oms_str body; /* borrowed until the answer has been checked */
    uint64_t tag;        /* comes back with the answer */
    void *buffer;        /* in: LOAD_BUFFER_SIZE bytes of the stream's own, for bodies made on the fly */
    /* One more header of this request; copied. NULL: none. */
    const char *header_name, *header_value;
};

#define LOAD_BUFFER_SIZE 4096

/* What is sent and what is right: the callbacks are called on the thread of load_run. */
struct load_workload {
    void *context;
    /* Fills the next request; false when there is none at the moment (asked again after the next answer). */
    bool (*next)(void *context, struct load_request *request);
    /* NULL when the answer is right, else why not (static text). status 0: the stream was reset. */
    const char *(*check)(void *context, uint64_t tag, unsigned status, struct oms_str body);
};

struct load_config {
    uint16_t port;     /* on 127.0.0.1 */
    const char *path;  /* "/graphql" */
    const char *token; /* bearer token, or NULL */
    unsigned connections;
    unsigned streams;  /* per connection; at most 100 */
    double warmup_s;   /* not measured */
    double duration_s; /* measured */
    double rate;       /* requests a second in all; 0: closed loop */
    uint64_t
        requests_max; /* 0: no limit. Then the run ends when so many are answered, and nothing is warm-up */
};

struct load_result {
    double seconds; /* measured */
    uint64_t answers;
    uint64_t wrong; /* answers that failed their check, in the whole run */
    uint64_t unanswered;
    uint64_t bytes_in;
    char first_wrong[768]; /* why, and the start of the answer */
    struct histogram latency;
};

/* OMS_IO when a connection could not be made or broke, with the reason in `error`; wrong answers are in the
 * result. */
OMS_MUST_USE enum oms_status load_run(const struct load_config *config, const struct load_workload *workload,
                                      struct load_result *result, struct oms_error *error);

/* One request with HTTP/1.1 and "Connection: close". The body is appended to `out`; *status is the
 * response's. */
struct oms_buf;
OMS_MUST_USE enum oms_status load_fetch(uint16_t port, const char *method, const char *path,
                                        const char *token, struct oms_str body, unsigned *status,
                                        struct oms_buf *out, struct oms_error *error);

uint64_t load_now_ns(void);

#endif

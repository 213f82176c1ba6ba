/*
 * The client that places orders on a running server: createOrders by libcurl, in batches of which several are
 * in flight at once, over HTTP/2, or over HTTP/1.1 where the libcurl is too old for it (see import_client.c).
 * With batches of one it is createOrder.
 *
 * A request that may have been lost - no connection, a timeout, 429, 502 to 504, BUSY, OUTCOME_UNKNOWN - is
 * sent again after a growing, jittered pause, or the server's Retry-After: the external reference makes it
 * safe. One thread uses a client.
 */
#ifndef IMPORT_CLIENT_H
#define IMPORT_CLIENT_H

#include <stdint.h>

#include "runtime/base/str.h"

#define IMPORT_BATCH_DEFAULT     50
#define IMPORT_BATCH_MAX         200 /* the server's OMS_BATCH_ORDERS_MAX */
#define IMPORT_IN_FLIGHT_DEFAULT 4
#define IMPORT_IN_FLIGHT_MAX     256

struct import_client;

struct import_client_config {
    const char *url;     /* "https://oms.example.com"; "/graphql" is added to one without a path */
    const char *token;   /* bearer token */
    const char *tenant;  /* X-Tenant-Id, or NULL */
    const char *ca_file; /* PEM to trust instead of the system's, or NULL */
    unsigned batch;      /* orders of a request, at most IMPORT_BATCH_MAX; 0: IMPORT_BATCH_DEFAULT */
    unsigned in_flight;  /* requests, at most IMPORT_IN_FLIGHT_MAX; 0: IMPORT_IN_FLIGHT_DEFAULT */
    unsigned retry_s; /* an order that found no answer for so long ends the import; 0: 60. One request waits
                         for half of it, at most for a minute */
};

enum import_outcome {
    IMPORT_CREATED,        /* by this run, also when only a repetition was answered */
    IMPORT_EXISTING,       /* the same order was there */
    IMPORT_EXISTING_OTHER, /* one with this reference and other content is there (CONFLICT) */
    IMPORT_REFUSED,
};

/* Texts are valid during the callback; absent where there is none. */
struct import_answer {
    enum import_outcome outcome;
    struct oms_str order_id;
    struct oms_str code, field, message; /* of the first user error */
};

struct import_client_sink {
    void *context;
    void (*answered)(void *context, void *job, const struct import_answer *answer);
    /* From import_client_destroy, for each order that has no answer. */
    void (*abandoned)(void *context, void *job);
};

/* The configuration's texts are copied. OMS_INVALID with a message for a URL that is none. */
OMS_MUST_USE enum oms_status import_client_create(const struct import_client_config *config,
                                                  const struct import_client_sink *sink,
                                                  struct import_client **out, struct oms_error *error);
void import_client_destroy(struct import_client *client);
/* How many more orders may be submitted now. */
unsigned import_client_room(const struct import_client *client);
unsigned import_client_in_flight(const struct import_client *client);
/* How often something was sent again. */
uint64_t import_client_retries(const struct import_client *client);
/* Why something waits to be sent again; "" when nothing does. Valid until the next step. */
const char *import_client_trouble(const struct import_client *client);
/* Sends an order with this input (JSON, borrowed until its answer), perhaps with the next ones: at the latest
 * when a step waits. There must be room. `job` comes back with the answer. */
void import_client_submit(struct import_client *client, struct oms_str input, void *job);
/*
 * Moves bytes and delivers answers; waits up to `wait_ms` for something to happen. OMS_DENIED: the server
 * does not accept the token, or the token not the tenant; OMS_IO: it cannot be reached, its certificate is
 * not trusted, or it is no LiteOMS. Both are final, with a message.
 */
OMS_MUST_USE enum oms_status import_client_step(struct import_client *client, int wait_ms,
                                                struct oms_error *error);

#endif

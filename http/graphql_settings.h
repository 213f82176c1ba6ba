/*
 * The part "graphql" of the configuration: what documents may run, and how much they may ask. All zeros are a
 * server without any of it, as tests and benchmarks make it.
 */
#ifndef HTTP_GRAPHQL_SETTINGS_H
#define HTTP_GRAPHQL_SETTINGS_H

#include "http/settings.h"
#include "http/throttle.h"

#define HTTP_GRAPHQL_BATCH_MAX 100

struct http_graphql_settings {
    bool introspection_off;
    unsigned persisted_queries; /* documents that clients may register by their hash, per shard; 0: none */
    unsigned batch_max;         /* operations in an array; 0: no arrays */
    uint64_t cost_max;          /* of a request; 0: any */
    struct http_budget tenant_cost, subject_cost;
    struct oms_str allow_list_file;     /* absent: every document may run */
    const struct oms_value *allow_list; /* an object: SHA-256 in hex → document; NULL without a file */
};

/* The defaults of a server. */
void http_graphql_settings_init(struct http_graphql_settings *settings);
/*
 * Reads "graphql" of `top` over what is in `settings`; a relative file is looked for in `folder`. The
 * allow-list is read too, into `arena`: each hash is that of its document. The first fault is recorded in
 * `top`.
 */
void http_graphql_settings_read(struct http_settings *top, const char *folder, struct oms_arena *arena,
                                struct http_graphql_settings *settings);

/* All keys, for the test of the documents; NULL-terminated. */
extern const char *const http_graphql_setting_keys[];

#endif

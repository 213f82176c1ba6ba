/*
 * The whole API under the simulation host: store in memory, actors, schema and endpoint, without a socket and
 * without tokens. The seed picks what runs when, so a race is a matter of trying seeds.
 */
#ifndef API_LAB_H
#define API_LAB_H

#include "actors/system.h"
#include "http/api/api.h"
#include "http_fixture.h"

struct api_lab {
    struct store_memory *memory;
    struct rt_host *host;
    struct store *store;
    struct actors_system *system;
    struct api *api;
    struct oms_str role; /* of whoever asks; tenant "shop" */
};

/* One tenant, "shop", from `config` (JSON of docs/configuration.md, with its name). */
void api_lab_init(struct api_lab *lab, uint64_t seed, const char *config);
void api_lab_fini(struct api_lab *lab);

/* Sends a document to shard 0; what it answers is in `fake` when fake->answers is 1. fake_end when done. */
void api_lab_send(struct api_lab *lab, struct fake_exchange *fake, const char *document);
/* The same, and runs until the answer is there. */
void api_lab_ask(struct api_lab *lab, struct fake_exchange *fake, const char *document);

/* A change of the tenant. */
struct api_lab_change {
    struct tenant_call call;
    struct oms_buf config;
    bool home;
};
void api_lab_change(struct api_lab *lab, struct api_lab_change *change, const char *config);
void api_lab_change_fini(struct api_lab_change *change);

#endif

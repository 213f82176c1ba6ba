/*
 * A mutation's input, as a tree of plain data, to a command: the one parser for GraphQL, webhooks and
 * imports.
 *
 * Driven by tables of the API's field names (domain section 9). It judges shapes only: kinds, required
 * fields, unknown fields, enum words, ids, instants, currencies; every fault is a refusal with the input's
 * path and what would be accepted. Lengths, money and rules are order_decide's. Also here: the order that the
 * command is for, and the hashes that idempotency needs.
 */
#ifndef ORDER_INPUT_H
#define ORDER_INPUT_H

#include "actors/ids.h"
#include "actors/order_command.h"
#include "actors/refusal.h"

struct oms_value;

struct order_input_context {
    const struct principal *principal;
    const struct oms_hash_key *id_key; /* of the store: actors_id_key */
    int64_t now_ms;                    /* of a ULID */
    uint64_t random_hi, random_lo;     /* of a ULID */
    struct oms_str header_key;     /* Idempotency-Key, where the document has one mutation; absent: none */
    struct oms_str default_source; /* createOrder without a source: absent means "api" */
};

/*
 * Fills `out` from the input object. Arrays are the arena's, text is borrowed from `input`, which must
 * outlive the command. `order` gets the id that the command is for (createOrder: derived). false when there
 * are refusals: `out` is then not to be decided; order_known tells whether `order` was found all the same, so
 * that the current order can be shown beside the refusals.
 */
bool order_input_parse(enum order_command_type type, const struct oms_value *input,
                       const struct order_input_context *context, struct oms_arena *arena,
                       struct order_command *out, unsigned char order[IDS_ORDER_SIZE], bool *order_known,
                       struct refusal_list *refusals);

/*
 * The fingerprint of a parsed command: of its canonical content (defaults filled in, amounts without trailing
 * zeros, fields in the order of the tables, expectedVersion) without key, clientMutationId and tenantId.
 * Begins with the algorithm's version; order_input_parse sets it for every command, and createOrder compares
 * by it.
 */
#define ORDER_FINGERPRINT_VERSION 1
struct oms_hash128 order_input_fingerprint(const struct oms_hash_key *key,
                                           const struct order_command *command);

/* clientMutationId of an input, for the payload; absent when there is none. */
struct oms_str order_input_client_mutation_id(const struct oms_value *input);

#endif

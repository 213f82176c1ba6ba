/*
 * The store's secret: 16 random bytes beside the database, from which order ids and the hashes of idempotency
 * keys derive. It belongs to the data: lost, repeats of old references would no longer find their orders.
 */
#ifndef HTTP_STORE_KEY_H
#define HTTP_STORE_KEY_H

#include <stdbool.h>

#include "runtime/base/hash.h"
#include "runtime/base/status.h"

#define HTTP_STORE_KEY_FILE "store.key"

/*
 * Reads the key of the data folder. One that is missing is made (synced before it is used) when `may_make`,
 * which is for a store without orders; else OMS_CORRUPT, as for a file that is not one of ours. OMS_IO when
 * it cannot be read or made. The caller holds the folder's lock.
 */
OMS_MUST_USE enum oms_status http_store_key_load(const char *folder, bool may_make, struct oms_hash_key *out,
                                                 struct oms_error *error);

#endif

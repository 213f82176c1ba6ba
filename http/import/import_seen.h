/*
 * A set of texts that only grows, kept as 128-bit hashes: which orders of a file have been closed. 32 bytes
 * for each at most; two of a billion texts collide with a probability below 10⁻²⁰.
 */
#ifndef IMPORT_SEEN_H
#define IMPORT_SEEN_H

#include "runtime/base/hash.h"
#include "runtime/base/str.h"

struct import_seen {
    struct oms_hash128 *slots; /* open addressing; all zero is free */
    size_t capacity, count;
    struct oms_hash_key key;
};

void import_seen_init(struct import_seen *seen);
void import_seen_fini(struct import_seen *seen);
bool import_seen_has(const struct import_seen *seen, struct oms_str text);
void import_seen_add(struct import_seen *seen, struct oms_str text);

#endif

/*
 * Collects the derived writes of one window (store_writes_put of store.h) and hands them to the engine in key
 * order.
 *
 * Bytes go to one growing buffer, so that a key costs no allocation; entries name them by offset. Sorted
 * writes enter the engine's ordered tables next to each other, which is most of their cost. Writes to one key
 * keep their order, so that the last one wins.
 */
#ifndef STORE_WRITES_H
#define STORE_WRITES_H

#include "storage/store.h"

struct store_writes_entry {
    uint64_t offset; /* of the key in `bytes`; the value follows it */
    uint32_t key_len;
    uint32_t value_len;
    uint8_t family;
    bool is_delete;
};

/* What the window adds to one key. */
struct store_writes_sum {
    uint64_t offset; /* of the key in `bytes` */
    uint32_t key_len;
    uint8_t family;
    uint8_t count;
    int64_t deltas[STORE_SUM_NUMBERS];
};

struct store_writes_sort;

struct store_writes {
    struct oms_buf bytes;
    struct store_writes_entry *entries;
    size_t count, cap;
    size_t family_count[STORE_FAMILY_COUNT];
    struct store_writes_sum *sums;
    size_t sum_count, sum_cap;
    bool sums_mixed; /* their keys do not ascend */
    /* made by store_writes_sorted, kept for the next window */
    struct store_writes_sort *sort;
    struct store_write *out;
    size_t out_cap;
};

void store_writes_init(struct store_writes *writes);
void store_writes_fini(struct store_writes *writes);
/* Empties it and keeps the memory. */
void store_writes_reset(struct store_writes *writes);
/* Turns what was added to counters into writes of their sums, on what the engine has now. After the last
 * store_writes_add of the window, once. OMS_CORRUPT for a value that is no counter's. */
OMS_MUST_USE enum oms_status store_writes_settle(struct store_writes *writes, struct store_engine *engine);
/* All writes, by family and key; *out is the collection's and valid until the next call on it. Returns their
 * count. */
size_t store_writes_sorted(struct store_writes *writes, const struct store_write **out);

#endif

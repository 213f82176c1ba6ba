/*
 * A histogram of durations with a fixed relative error: values are counted in buckets that are linear within
 * each power of two (128 a power, so an answer is off by less than 1 %), from 1 ns to about 18 minutes. Made
 * for the load client, which records every single answer: recording is a shift and an increment, and takes no
 * memory.
 */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 7
#define HISTOGRAM_SUB      (1u << HISTOGRAM_SUB_BITS)
#define HISTOGRAM_OCTAVES  34
#define HISTOGRAM_BUCKETS  (HISTOGRAM_SUB * HISTOGRAM_OCTAVES)

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total;
    uint64_t sum_ns;
    uint64_t max_ns;
};

void histogram_reset(struct histogram *histogram);
/* Over the largest bucket counts as the largest. */
void histogram_record(struct histogram *histogram, uint64_t ns);
/* Adds what `from` has. */
void histogram_merge(struct histogram *histogram, const struct histogram *from);
/*
 * The smallest value that at least `quantile` (0 to 1) of all recorded ones do not exceed, as its bucket's
 * upper end but never over the largest recorded; 0 when nothing was recorded.
 */
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);
uint64_t histogram_mean(const struct histogram *histogram);

#endif

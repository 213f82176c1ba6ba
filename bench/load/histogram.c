#include "bench/load/histogram.h"

#include <string.h>

/*
 * Values below 2 × SUB have a bucket each; above, octave o (from 1) holds [SUB << o, 2 × SUB << o) in SUB
 * buckets of width 1 << o, which start at index SUB × (o + 1) - so the index is monotonic over all values.
 */
static unsigned bucket_of(uint64_t ns)
{
    if (ns < HISTOGRAM_SUB)
        return (unsigned)ns;
    unsigned octave = 63u - (unsigned)__builtin_clzll(ns) - HISTOGRAM_SUB_BITS;
    uint64_t index = (uint64_t)(octave + 1) * HISTOGRAM_SUB + ((ns >> octave) - HISTOGRAM_SUB);
    return index < HISTOGRAM_BUCKETS ? (unsigned)index : HISTOGRAM_BUCKETS - 1;
}

static uint64_t bucket_end(unsigned index)
{
    if (index < HISTOGRAM_SUB)
        return index;
    unsigned octave = index / HISTOGRAM_SUB - 1;
    uint64_t start = (uint64_t)(index % HISTOGRAM_SUB + HISTOGRAM_SUB) << octave;
    return start + (UINT64_C(1) << octave) - 1;
}

void histogram_reset(struct histogram *histogram)
{
    memset(histogram, 0, sizeof(*histogram));
}

void histogram_record(struct histogram *histogram, uint64_t ns)
{
    histogram->counts[bucket_of(ns)]++;
    histogram->total++;
    histogram->sum_ns += ns;
    if (ns > histogram->max_ns)
        histogram->max_ns = ns;
}

void histogram_merge(struct histogram *histogram, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        histogram->counts[i] += from->counts[i];
    histogram->total += from->total;
    histogram->sum_ns += from->sum_ns;
    if (from->max_ns > histogram->max_ns)
        histogram->max_ns = from->max_ns;
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile)
{
    uint64_t wanted = (uint64_t)(quantile * (double)histogram->total);
    uint64_t seen = 0;

    if ((double)wanted < quantile * (double)histogram->total)
        wanted++;
    if (wanted == 0)
        wanted = 1;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen >= wanted) {
            uint64_t end = bucket_end(i);
            return end < histogram->max_ns && i < HISTOGRAM_BUCKETS - 1 ? end : histogram->max_ns;
        }
    }
    return 0;
}

uint64_t histogram_mean(const struct histogram *histogram)
{
    return histogram->total ? histogram->sum_ns / histogram->total : 0;
}

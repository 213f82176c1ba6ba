/* The benchmark's results: a table for people, JSON for programs. */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime/base/status.h"

#define REPORT_ROWS_MAX  64
#define REPORT_FACTS_MAX 64

/* One measurement under load. */
struct report_row {
    const char *phase; /* "a" … "g" */
    const char *name;  /* "createOrder, 2 lines" */
    unsigned connections, streams;
    double offered; /* requests a second at a fixed rate; 0: closed loop */
    double seconds, rate;
    double p50_us, p99_us, p999_us, max_us, mean_us;
    uint64_t wrong, unanswered;
    double lag_units_max; /* of the materialiser; negative: unknown */
    double cpu_share;     /* of the server, in cores */
    char floor;           /* 'a', 'b', or 0 */
    double floor_rate; /* of that floor at the same connections, streams and offered rate; 0: not measured */
    double floor_p50_us, floor_p99_us;
    double target_ratio;  /* 0: none */
    double target_p99_us; /* 0: none */
};

/* One number besides. */
struct report_fact {
    const char *name; /* "start_after_clean_stop" */
    const char *text; /* "start of a million orders after a clean stop" */
    const char *unit;
    double value;
    double target; /* at most so much; 0: none */
};

struct report {
    struct report_row rows[REPORT_ROWS_MAX];
    unsigned row_count;
    struct report_fact facts[REPORT_FACTS_MAX];
    unsigned fact_count;
    double warmup_s, duration_s;
    unsigned shards;
    uint64_t store_orders;
};

struct report_row *report_add(struct report *report);
void report_fact(struct report *report, const char *name, const char *text, const char *unit, double value,
                 double target);
/* The rate of an earlier row of the phase with these connections and streams; 0 without one. */
double report_rate(const struct report *report, const char *phase, unsigned connections, unsigned streams);
/* Whether the row meets what is aimed at (true without a target). */
bool report_row_met(const struct report_row *row);

void report_print_head(FILE *out);
void report_print_row(FILE *out, const struct report_row *row);
void report_print_facts(FILE *out, const struct report *report);
OMS_MUST_USE enum oms_status report_write_json(const struct report *report, const char *path,
                                               struct oms_error *error);

#endif

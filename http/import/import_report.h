/*
 * What an import tells: progress while it runs (a bar on a terminal, a line now and then otherwise; on
 * standard error), a summary at its end (on standard output), and a file with one CSV row for each row of the
 * input.
 */
#ifndef IMPORT_REPORT_H
#define IMPORT_REPORT_H

#include <stdio.h>

#include "http/import/import_client.h"
#include "http/import/import_orders.h"

#define IMPORT_REFUSALS_SHOWN 20
#define IMPORT_CODES_MAX      32

struct import_report {
    const char *file; /* name of the input */
    uint64_t size;    /* bytes; 0: unknown */
    uint64_t read;    /* bytes so far */
    bool dry_run;
    bool quiet;
    FILE *results; /* or NULL */
    bool results_broken;
    /* orders */
    uint64_t made, existing, existing_other, refused;
    uint64_t skipped;    /* left out by the map */
    uint64_t unanswered; /* sent, and nobody said what became of them */
    /* rows */
    uint64_t rows, rows_refused;
    struct {
        char code[40];
        uint64_t orders;
    } codes[IMPORT_CODES_MAX];
    unsigned code_count;
    struct oms_buf refusals; /* the first ones, a line each */
    unsigned refusals_shown;
    int64_t begin_ms, last_ms;
    bool tty, drawn;
};

void import_report_init(struct import_report *report, const char *file, uint64_t size, bool dry_run,
                        bool quiet);
void import_report_fini(struct import_report *report);
/* Opens the result file and writes its header. */
OMS_MUST_USE enum oms_status import_report_results(struct import_report *report, const char *path,
                                                   struct oms_error *error);

/* An order that the server (or the dry run) has dealt with. */
void import_report_order(struct import_report *report, struct oms_str ref,
                         const struct import_row_place *rows, size_t row_count,
                         const struct import_answer *answer);
/* Rows that never became an order. */
void import_report_refusal(struct import_report *report, const struct import_refusal *refusal);
/* Draws progress, when it is time. `trouble`: why orders were sent again, or "". */
void import_report_tick(struct import_report *report, uint64_t retries, const char *trouble);
/* The summary; `stopped`: the import ended before the file did. */
void import_report_finish(struct import_report *report, bool stopped);

#endif

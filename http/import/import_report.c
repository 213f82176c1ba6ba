#include "http/import/import_report.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/buf.h"

#define TTY_INTERVAL_MS   100
#define PLAIN_INTERVAL_MS 5000
#define BAR_WIDTH         30

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* 1234567 → "1,234,567" */
static const char *grouped(uint64_t value, char out[32])
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
    size_t at = 0;

    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

void import_report_init(struct import_report *report, const char *file, uint64_t size, bool dry_run,
                        bool quiet)
{
    *report = (struct import_report){.file = file, .size = size, .dry_run = dry_run, .quiet = quiet};
    report->begin_ms = report->last_ms = now_ms();
    report->tty = isatty(STDERR_FILENO) == 1;
    oms_buf_init(&report->refusals, 64u << 10);
}

void import_report_fini(struct import_report *report)
{
    if (report->results)
        (void)fclose(report->results);
    oms_buf_fini(&report->refusals);
}

/* ---- the result file ---- */

enum oms_status import_report_results(struct import_report *report, const char *path, struct oms_error *error)
{
    report->results = fopen(path, "we");
    if (!report->results)
        return oms_error_set(error, OMS_IO, "%s: %s", path, strerror(errno));
    fputs("row,line,external_ref,result,order_id,code,field,message\n", report->results);
    return OMS_OK;
}

/* One field, quoted where RFC 4180 wants it. */
static void put_field(FILE *out, struct oms_str text, char behind)
{
    bool quote = false;

    for (size_t i = 0; i < text.len; i++)
        quote = quote || strchr("\",\r\n", text.data[i]) != NULL;
    if (quote)
        putc('"', out);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"')
            putc('"', out);
        putc(text.data[i], out);
    }
    if (quote)
        putc('"', out);
    putc(behind, out);
}

static void put_results(struct import_report *report, struct oms_str ref, const struct import_row_place *rows,
                        size_t row_count, const char *result, const struct import_answer *answer)
{
    FILE *out = report->results;

    for (size_t i = 0; out && i < row_count; i++) {
        if (rows[i].number)
            fprintf(out, "%llu", (unsigned long long)rows[i].number);
        fprintf(out, ",%llu,", (unsigned long long)rows[i].line);
        put_field(out, ref, ',');
        fprintf(out, "%s,", result);
        put_field(out, answer->order_id, ',');
        put_field(out, answer->code, ',');
        put_field(out, answer->field, ',');
        put_field(out, answer->message, '\n');
    }
    if (out && ferror(out))
        report->results_broken = true;
}

/* ---- counting ---- */

static void count_code(struct import_report *report, struct oms_str code)
{
    unsigned i = 0;

    while (i < report->code_count && !oms_str_eq_c(code, report->codes[i].code))
        i++;
    if (i == report->code_count) {
        if (i == IMPORT_CODES_MAX)
            return;
        snprintf(report->codes[i].code, sizeof(report->codes[i].code), "%.*s", OMS_STR_ARG(code));
        report->code_count++;
    }
    report->codes[i].orders++;
}

/* `counted`: an order; otherwise a single row that belongs to none. */
static void note_refused(struct import_report *report, struct oms_str ref,
                         const struct import_row_place *rows, size_t row_count,
                         const struct import_answer *answer, const char *result)
{
    report->refused++;
    report->rows_refused += row_count;
    count_code(report, answer->code);
    if (report->refusals_shown < IMPORT_REFUSALS_SHOWN) {
        report->refusals_shown++;
        oms_buf_appendf(&report->refusals, "  line %llu", (unsigned long long)rows[0].line);
        if (ref.len)
            oms_buf_appendf(&report->refusals, ", order %.*s", ref.len > 128 ? 128 : (int)ref.len, ref.data);
        oms_buf_appendf(&report->refusals, ": %.*s", OMS_STR_ARG(answer->code));
        if (answer->field.len)
            oms_buf_appendf(&report->refusals, " (%.*s)", OMS_STR_ARG(answer->field));
        oms_buf_appendf(&report->refusals, ": %.*s\n", OMS_STR_ARG(answer->message));
    }
    put_results(report, ref, rows, row_count, result, answer);
}

void import_report_order(struct import_report *report, struct oms_str ref,
                         const struct import_row_place *rows, size_t row_count,
                         const struct import_answer *answer)
{
    report->rows += row_count;
    switch (answer->outcome) {
    case IMPORT_CREATED:
        report->made++;
        put_results(report, ref, rows, row_count, report->dry_run ? "would_create" : "created", answer);
        return;
    case IMPORT_EXISTING:
        report->existing++;
        put_results(report, ref, rows, row_count, "existing", answer);
        return;
    case IMPORT_EXISTING_OTHER:
        report->existing_other++;
        put_results(report, ref, rows, row_count, "existing_other", answer);
        return;
    case IMPORT_REFUSED:
        note_refused(report, ref, rows, row_count, answer, "refused");
        return;
    }
}

void import_report_refusal(struct import_report *report, const struct import_refusal *refusal)
{
    struct import_answer answer = {IMPORT_REFUSED, OMS_STR_NONE, oms_str_of(refusal->code), refusal->field,
                                   oms_str_of(refusal->message)};

    report->rows += refusal->row_count;
    if (refusal->skipped) {
        report->skipped++;
        put_results(report, refusal->ref, refusal->rows, refusal->row_count, "skipped", &answer);
        return;
    }
    note_refused(report, refusal->ref, refusal->rows, refusal->row_count, &answer, "refused");
}

/* ---- progress ---- */

static uint64_t orders_done(const struct import_report *report)
{
    return report->made + report->existing + report->existing_other;
}

static void draw_bar(struct import_report *report, double part, uint64_t retries)
{
    char done[32], refused[32], bar[BAR_WIDTH + 1];
    double seconds = (double)(report->last_ms - report->begin_ms) / 1000;
    int filled = (int)(part * BAR_WIDTH + 0.5);

    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < filled ? '#' : '-';
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\r[%s] %3.0f %%  %s orders, %s refused, %.0f/s", bar, part * 100,
            grouped(orders_done(report), done), grouped(report->refused, refused),
            seconds > 0 ? (double)orders_done(report) / seconds : 0);
    if (retries)
        fprintf(stderr, ", %llu sent again", (unsigned long long)retries);
    fputs("\x1b[K", stderr);
    fflush(stderr);
    report->drawn = true;
}

void import_report_tick(struct import_report *report, uint64_t retries, const char *trouble)
{
    int64_t now = now_ms();
    double part = report->size ? (double)report->read / (double)report->size : 0;
    char done[32], refused[32];

    if (report->quiet || now - report->last_ms < (report->tty ? TTY_INTERVAL_MS : PLAIN_INTERVAL_MS))
        return;
    report->last_ms = now;
    if (report->tty)
        draw_bar(report, part, retries);
    else
        fprintf(stderr, "import: %.0f %% read, %s orders, %s refused%s%s\n", part * 100,
                grouped(orders_done(report), done), grouped(report->refused, refused),
                *trouble ? "; trying again: " : "", trouble);
}

void import_report_finish(struct import_report *report, bool stopped)
{
    char a[32], b[32], c[32], d[32], e[32];
    double seconds = (double)(now_ms() - report->begin_ms) / 1000;

    if (report->tty && !report->quiet) {
        report->last_ms = now_ms();
        draw_bar(report,
                 stopped || report->size == 0
                     ? (report->size ? (double)report->read / (double)report->size : 0)
                     : 1,
                 0);
        fputc('\n', stderr);
    }
    printf("%s: %s rows; %s orders %s, %s already there, %s refused (%s rows); %.1f s\n", report->file,
           grouped(report->rows, a), grouped(report->made, b), report->dry_run ? "would be made" : "made",
           grouped(report->existing + report->existing_other, c), grouped(report->refused, d),
           grouped(report->rows_refused, e), seconds);
    if (report->existing_other)
        printf("%s of those already there have other content and were left as they are\n",
               grouped(report->existing_other, a));
    if (report->skipped)
        printf("%s were left out by the map; --results FILE says why\n", grouped(report->skipped, a));
    for (unsigned i = 0; i < report->code_count; i++)
        printf("  %s %s\n", grouped(report->codes[i].orders, a), report->codes[i].code);
    if (report->refusals.len)
        printf("refused:\n%.*s", (int)report->refusals.len, report->refusals.data);
    if (report->refused > report->refusals_shown)
        printf("  … and %s more; --results FILE lists every row\n",
               grouped(report->refused - report->refusals_shown, a));
    if (report->unanswered)
        printf("%s orders were sent and have no answer: they may have been made\n",
               grouped(report->unanswered, a));
    if (stopped)
        printf("stopped before the end of the file; the same command goes on from there\n");
    fflush(stdout);
}

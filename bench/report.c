#include "bench/report.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/json.h"

struct report_row *report_add(struct report *report)
{
    OMS_ASSERT(report->row_count < REPORT_ROWS_MAX);
    return &report->rows[report->row_count++];
}

void report_fact(struct report *report, const char *name, const char *text, const char *unit, double value,
                 double target)
{
    OMS_ASSERT(report->fact_count < REPORT_FACTS_MAX);
    report->facts[report->fact_count++] = (struct report_fact){name, text, unit, value, target};
}

double report_rate(const struct report *report, const char *phase, unsigned connections, unsigned streams)
{
    for (unsigned i = 0; i < report->row_count; i++) {
        const struct report_row *row = &report->rows[i];
        if (strcmp(row->phase, phase) == 0 && row->connections == connections && row->streams == streams &&
            row->offered <= 0)
            return row->rate;
    }
    return 0;
}

bool report_row_met(const struct report_row *row)
{
    if (row->wrong || row->unanswered)
        return false;
    if (row->target_ratio > 0 && row->floor_rate > 0 && row->rate / row->floor_rate < row->target_ratio)
        return false;
    return row->target_p99_us <= 0 || row->p99_us < row->target_p99_us;
}

void report_print_head(FILE *out)
{
    fprintf(out, "%-2s %-34s %7s %10s %10s %9s %9s %10s %9s %6s  %s\n", "", "what", "C x S", "offered/s",
            "answers/s", "p50 us", "p99 us", "max us", "lag", "cores", "ratio to floor");
}

void report_print_row(FILE *out, const struct report_row *row)
{
    char shape[24], offered[24] = "-", lag[24] = "-", aim[160] = "";

    snprintf(shape, sizeof(shape), "%ux%u", row->connections, row->streams);
    if (row->offered > 0)
        snprintf(offered, sizeof(offered), "%.0f", row->offered);
    if (row->lag_units_max >= 0)
        snprintf(lag, sizeof(lag), "%.0f", row->lag_units_max);
    if (row->floor && row->floor_rate > 0 && row->offered > 0)
        snprintf(aim, sizeof(aim), "(%c) at this rate: p50 %.0f, p99 %.0f; ", row->floor, row->floor_p50_us,
                 row->floor_p99_us);
    else if (row->floor && row->floor_rate > 0)
        snprintf(aim, sizeof(aim), "%.2f of (%c)", row->rate / row->floor_rate, row->floor);
    if (row->target_ratio > 0)
        snprintf(aim + strlen(aim), sizeof(aim) - strlen(aim), ", aim %.2f: %s", row->target_ratio,
                 row->floor_rate <= 0  ? "floor not measured"
                 : report_row_met(row) ? "met"
                                       : "MISSED");
    if (row->target_p99_us > 0)
        snprintf(aim + strlen(aim), sizeof(aim) - strlen(aim), "p99 aim %.0f us: %s", row->target_p99_us,
                 report_row_met(row) ? "met" : "MISSED");
    fprintf(out, "%-2s %-34s %7s %10s %10.0f %9.0f %9.0f %10.0f %9s %6.2f  %s\n", row->phase, row->name,
            shape, offered, row->rate, row->p50_us, row->p99_us, row->max_us, lag, row->cpu_share, aim);
    if (row->wrong || row->unanswered)
        fprintf(out, "   !! %llu wrong answers, %llu unanswered\n", (unsigned long long)row->wrong,
                (unsigned long long)row->unanswered);
    fflush(out);
}

void report_print_facts(FILE *out, const struct report *report)
{
    for (unsigned i = 0; i < report->fact_count; i++) {
        const struct report_fact *fact = &report->facts[i];
        fprintf(out, "   %-58s %14.2f %s", fact->text, fact->value, fact->unit);
        if (fact->target > 0)
            fprintf(out, "  (aim at most %.2f: %s)", fact->target,
                    fact->value <= fact->target ? "met" : "MISSED");
        fputc('\n', out);
    }
}

/* ---- JSON ---- */

static void put_text(struct oms_buf *out, const char *name, const char *text)
{
    oms_buf_appendf(out, "\"%s\":", name);
    oms_json_write_string(out, oms_str_of(text));
}

static void put_machine(struct oms_buf *out)
{
    char line[512], model[256] = "unknown";
    struct utsname system_name;
    FILE *file = fopen("/proc/cpuinfo", "re");

    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "model name : %255[^\n]", model) == 1)
            break;
    if (file)
        fclose(file);
    uname(&system_name);
    oms_buf_append_lit(out, "\"machine\":{");
    put_text(out, "processor", model);
    oms_buf_appendf(out, ",\"cores\":%ld,\"memory_bytes\":%lld,", sysconf(_SC_NPROCESSORS_ONLN),
                    (long long)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE));
    put_text(out, "kernel", system_name.release);
    oms_buf_append_lit(out, "}");
}

static void put_row(struct oms_buf *out, const struct report_row *row)
{
    oms_buf_append_lit(out, "{");
    put_text(out, "phase", row->phase);
    oms_buf_append_lit(out, ",");
    put_text(out, "name", row->name);
    oms_buf_appendf(out,
                    ",\"connections\":%u,\"streams\":%u,\"offered_per_s\":%.1f,\"seconds\":%.3f,"
                    "\"answers_per_s\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,"
                    "\"mean_us\":%.1f,\"wrong\":%llu,\"unanswered\":%llu,\"server_cores\":%.2f",
                    row->connections, row->streams, row->offered, row->seconds, row->rate, row->p50_us,
                    row->p99_us, row->p999_us, row->max_us, row->mean_us, (unsigned long long)row->wrong,
                    (unsigned long long)row->unanswered, row->cpu_share);
    if (row->lag_units_max >= 0)
        oms_buf_appendf(out, ",\"lag_units_max\":%.0f", row->lag_units_max);
    if (row->floor && row->floor_rate > 0)
        oms_buf_appendf(out,
                        ",\"floor\":\"%c\",\"floor_answers_per_s\":%.1f,\"floor_p50_us\":%.1f,"
                        "\"floor_p99_us\":%.1f",
                        row->floor, row->floor_rate, row->floor_p50_us, row->floor_p99_us);
    if (row->floor && row->floor_rate > 0 && row->offered <= 0)
        oms_buf_appendf(out, ",\"ratio\":%.4f", row->rate / row->floor_rate);
    if (row->target_ratio > 0)
        oms_buf_appendf(out, ",\"target_ratio\":%.2f", row->target_ratio);
    if (row->target_p99_us > 0)
        oms_buf_appendf(out, ",\"target_p99_us\":%.0f", row->target_p99_us);
    oms_buf_appendf(out, ",\"met\":%s}", report_row_met(row) ? "true" : "false");
}

static void put_all(struct oms_buf *out, const struct report *report)
{
    char when[32];
    time_t now = time(NULL);
    struct tm parts;

    gmtime_r(&now, &parts);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &parts);
    oms_buf_append_lit(out, "{\"version\":\"" LITEOMS_VERSION "\",");
    put_text(out, "at", when);
    oms_buf_append_lit(out, ",");
    put_machine(out);
    oms_buf_appendf(
        out, ",\"shards\":%u,\"warmup_s\":%.1f,\"duration_s\":%.1f,\"store_orders\":%llu,\"rows\":[",
        report->shards, report->warmup_s, report->duration_s, (unsigned long long)report->store_orders);
    for (unsigned i = 0; i < report->row_count; i++) {
        oms_buf_appendf(out, "%s\n  ", i ? "," : "");
        put_row(out, &report->rows[i]);
    }
    oms_buf_append_lit(out, "],\"facts\":{");
    for (unsigned i = 0; i < report->fact_count; i++) {
        const struct report_fact *fact = &report->facts[i];
        oms_buf_appendf(out, "%s\n  \"%s\":{\"value\":%.4f,\"unit\":\"%s\"", i ? "," : "", fact->name,
                        fact->value, fact->unit);
        if (fact->target > 0)
            oms_buf_appendf(out, ",\"target\":%.4f,\"met\":%s", fact->target,
                            fact->value <= fact->target ? "true" : "false");
        oms_buf_append_lit(out, "}");
    }
    oms_buf_append_lit(out, "}}\n");
}

enum oms_status report_write_json(const struct report *report, const char *path, struct oms_error *error)
{
    struct oms_buf out;
    enum oms_status status = OMS_OK;
    FILE *file = fopen(path, "we");

    if (!file)
        return oms_error_set(error, OMS_IO, "%s: %s", path, strerror(errno));
    oms_buf_init(&out, 1u << 20);
    put_all(&out, report);
    if (fwrite(out.data, 1, out.len, file) != out.len)
        status = oms_error_set(error, OMS_IO, "%s: %s", path, strerror(errno));
    if (fclose(file) != 0 && status == OMS_OK)
        status = oms_error_set(error, OMS_IO, "%s: %s", path, strerror(errno));
    oms_buf_fini(&out);
    return status;
}

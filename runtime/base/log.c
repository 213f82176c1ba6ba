/*
 * Log events as JSON lines on standard error.
 *
 * A line is built in memory and written by one write(2), so that lines of several threads never mix. Every
 * event name has LINES_PER_SECOND lines in each second; what comes over it is only counted, and the count is
 * logged as "log.suppressed" by the next event of any name in a later second. Event names are literals in our
 * sources, so a small fixed table holds them; should it ever be full, the last slot is shared.
 *
 * The mutex guards the table only; nothing is written while it is held.
 */
#include "runtime/base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/assert.h"
#include "runtime/base/buf.h"
#include "runtime/base/datetime.h"
#include "runtime/base/json.h"
#include "runtime/base/utf8.h"

#define LINES_PER_SECOND 20
#define NAMES_MAX        256
#define REPORTS_MAX      8 /* names whose suppressed count one event reports */
#define LINE_BYTES_MAX   16384
#define TEXT_BYTES_MAX   1024 /* of one field */

struct limiter_slot {
    const char *event; /* static storage of the caller; compared as text */
    int64_t second;    /* of the monotonic clock */
    uint64_t lines;
    uint64_t suppressed;
};

struct limiter_report {
    const char *event;
    uint64_t suppressed;
};

static atomic_int log_level = OMS_LOG_INFO;
static pthread_mutex_t limiter_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct limiter_slot limiter_slots[NAMES_MAX];
static size_t limiter_pending; /* slots with a count to report */

void oms_log_set_level(enum oms_log_level level)
{
    atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
}

enum oms_log_level oms_log_get_level(void)
{
    return (enum oms_log_level)atomic_load_explicit(&log_level, memory_order_relaxed);
}

/* ---- the limit ---- */

static struct limiter_slot *limiter_find(const char *event)
{
    size_t i = 0;
    for (; i < NAMES_MAX - 1 && limiter_slots[i].event; i++)
        if (limiter_slots[i].event == event || strcmp(limiter_slots[i].event, event) == 0)
            return &limiter_slots[i];
    if (i < NAMES_MAX - 1)
        limiter_slots[i].event = event;
    else
        limiter_slots[i].event = "other";
    return &limiter_slots[i];
}

/* Takes the counts of seconds that are over. */
static size_t limiter_collect(int64_t second, struct limiter_report reports[REPORTS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; limiter_pending && i < NAMES_MAX && count < REPORTS_MAX; i++) {
        struct limiter_slot *slot = &limiter_slots[i];
        if (!slot->suppressed || slot->second == second)
            continue;
        reports[count++] = (struct limiter_report){slot->event, slot->suppressed};
        slot->suppressed = 0;
        limiter_pending--;
    }
    return count;
}

/* Whether this event is written, and which counts are to be reported before it. */
static bool limiter_admit(const char *event, struct limiter_report reports[REPORTS_MAX], size_t *report_count)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    pthread_mutex_lock(&limiter_mutex);
    *report_count = limiter_collect(now.tv_sec, reports);
    struct limiter_slot *slot = limiter_find(event);
    if (slot->second != now.tv_sec) {
        slot->second = now.tv_sec;
        slot->lines = 0;
    }
    bool admitted = slot->lines < LINES_PER_SECOND;
    if (admitted)
        slot->lines++;
    else if (slot->suppressed++ == 0)
        limiter_pending++;
    pthread_mutex_unlock(&limiter_mutex);
    return admitted;
}

/* ---- a line ---- */

/* What a peer sent may be any bytes: each one that is no UTF-8 becomes U+FFFD, and long text is cut. */
static void put_text(struct oms_buf *line, struct oms_str text)
{
    char clean[TEXT_BYTES_MAX + 8];
    size_t len = 0;
    while (text.len && len < TEXT_BYTES_MAX) {
        struct oms_str room = {text.data, text.len < TEXT_BYTES_MAX - len ? text.len : TEXT_BYTES_MAX - len};
        size_t valid = oms_utf8_valid_prefix(room);
        memcpy(clean + len, text.data, valid);
        len += valid;
        text.data += valid;
        text.len -= valid;
        if (valid == room.len)
            continue;
        /* A sequence that only the cut has split is dropped, not marked. */
        if (room.len < text.len + valid && room.len - valid < 4)
            break;
        len += oms_utf8_encode(0xfffd, clean + len);
        text.data++;
        text.len--;
    }
    oms_json_write_string(line, oms_str_make(clean, len));
}

static void put_field(struct oms_buf *line, const struct oms_log_field *field)
{
    oms_buf_append_char(line, ',');
    oms_json_write_string(line, oms_str_of(field->name));
    oms_buf_append_char(line, ':');
    switch (field->kind) {
    case OMS_LOG_KIND_STR:
        if (oms_str_present(field->text))
            put_text(line, field->text);
        else
            oms_buf_append_lit(line, "null");
        return;
    case OMS_LOG_KIND_U64:
        oms_buf_append_u64(line, (uint64_t)field->number);
        return;
    case OMS_LOG_KIND_I64:
        oms_buf_append_i64(line, field->number);
        return;
    }
    OMS_UNREACHABLE();
}

static void write_line(const struct oms_buf *line)
{
    ssize_t written;
    do
        written = write(STDERR_FILENO, line->data, line->len);
    while (written < 0 && errno == EINTR);
    /* A log that cannot be written has nowhere to say so. */
}

static void emit(enum oms_log_level level, const char *event, const struct oms_log_field *fields,
                 size_t count)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    OMS_ASSERT((size_t)level < OMS_COUNT_OF(names));
    struct timespec now;
    char time[OMS_DATETIME_TEXT_SIZE];
    clock_gettime(CLOCK_REALTIME, &now);
    size_t time_len = oms_datetime_format((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, time);
    struct oms_buf line;
    oms_buf_init(&line, LINE_BYTES_MAX);
    oms_buf_append_lit(&line, "{\"time\":\"");
    oms_buf_append(&line, time, time_len);
    oms_buf_append_lit(&line, "\",\"level\":\"");
    oms_buf_append_str(&line, oms_str_of(names[level]));
    oms_buf_append_lit(&line, "\",\"event\":");
    oms_json_write_string(&line, oms_str_of(event));
    for (size_t i = 0; i < count; i++) {
        size_t mark = line.len;
        put_field(&line, &fields[i]);
        /* A field for which there is no room is left out, and so is what follows; the end of the line is kept
         * free. */
        if (line.overflow || line.len > LINE_BYTES_MAX - 2) {
            line.len = mark;
            break;
        }
    }
    oms_buf_append_lit(&line, "}\n");
    write_line(&line);
    oms_buf_fini(&line);
}

void oms_log_event(enum oms_log_level level, const char *event, const struct oms_log_field *fields,
                   size_t count)
{
    struct limiter_report reports[REPORTS_MAX];
    size_t report_count = 0;
    if (level >= OMS_LOG_OFF || level < oms_log_get_level())
        return;
    int saved_errno = errno;
    bool admitted = limiter_admit(event, reports, &report_count);
    for (size_t i = 0; i < report_count; i++) {
        const struct oms_log_field report[] = {OMS_LOG_TEXT("name", reports[i].event),
                                               OMS_LOG_U64("count", reports[i].suppressed)};
        emit(OMS_LOG_WARN, "log.suppressed", report, OMS_COUNT_OF(report));
    }
    if (admitted)
        emit(level, event, fields, count);
    errno = saved_errno;
}

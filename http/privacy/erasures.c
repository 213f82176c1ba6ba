/* See erasures.h. */
#include "http/privacy/erasures.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/buf.h"
#include "runtime/base/datetime.h"
#include "runtime/base/log.h"

#define LINE_MAX_BYTES 256 /* a tenant's name has 64, an order's id 30, an instant 24 */
#define APPEND_BYTES   (1u << 20)

struct http_erasures {
    pthread_mutex_t mutex;
    char *path;
    int fd;
    uint64_t added, purged; /* erasures in the file, and how many of them are behind a purge */
};

/* ---- lines ---- */

static struct oms_str next_word(struct oms_str *rest)
{
    size_t len = 0;
    while (len < rest->len && rest->data[len] != ' ')
        len++;
    struct oms_str word = oms_str_make(rest->data, len);
    size_t used = len < rest->len ? len + 1 : len;
    *rest = oms_str_make(rest->data + used, rest->len - used);
    return word;
}

enum line { LINE_NONE, LINE_ERASE, LINE_PURGED };

static enum line read_line(struct oms_str line, struct http_erasure *out)
{
    struct oms_str word = next_word(&line), id;
    if (oms_str_eq_c(word, "purged"))
        return oms_datetime_parse(line, &out->at_ms) == OMS_OK ? LINE_PURGED : LINE_NONE;
    if (!oms_str_eq_c(word, "erase"))
        return LINE_NONE;
    out->tenant = next_word(&line);
    id = next_word(&line);
    return out->tenant.len && ids_order_parse(id, out->order) == OMS_OK &&
                   oms_datetime_parse(line, &out->at_ms) == OMS_OK
               ? LINE_ERASE
               : LINE_NONE;
}

/* Walks the whole lines of the file; one that a crash cut off at the end was never acted on. */
static enum oms_status walk(struct http_erasures *erasures,
                            void (*each)(void *context, enum line kind, const struct http_erasure *erasure),
                            void *context, struct oms_error *error)
{
    char bytes[LINE_MAX_BYTES];
    enum oms_status status = OMS_OK;
    unsigned long number = 0;
    FILE *file = fopen(erasures->path, "re");
    if (!file)
        return oms_error_set(error, OMS_IO, "the erasure log '%s' cannot be read: %s", erasures->path,
                             strerror(errno));
    while (status == OMS_OK && fgets(bytes, sizeof(bytes), file)) {
        struct http_erasure erasure;
        number++;
        size_t len = strlen(bytes);
        if (len == 0 || bytes[len - 1] != '\n') {
            if (!feof(file))
                status = OMS_CORRUPT;
            break;
        }
        enum line kind = len == 1 ? LINE_NONE : read_line(oms_str_make(bytes, len - 1), &erasure);
        if (kind != LINE_NONE)
            each(context, kind, &erasure);
        else if (len > 1)
            status = OMS_CORRUPT;
    }
    if (status != OMS_OK)
        oms_error_set(error, status, "the erasure log '%s', line %lu, is not one that liteoms wrote",
                      erasures->path, number);
    fclose(file);
    return status;
}

/* ---- opening ---- */

static void count_line(void *context, enum line kind, const struct http_erasure *erasure)
{
    struct http_erasures *erasures = context;
    (void)erasure;
    if (kind == LINE_ERASE)
        erasures->added++;
    else
        erasures->purged = erasures->added;
}

/* A line that a crash cut off was never acted on: it is taken away, so that the next one stands by itself. */
static enum oms_status end_last_line(struct http_erasures *erasures)
{
    char last = '\n';
    off_t size = lseek(erasures->fd, 0, SEEK_END);
    if (size < 0 || (size > 0 && pread(erasures->fd, &last, 1, size - 1) != 1))
        return OMS_IO;
    if (last == '\n')
        return OMS_OK;
    while (size > 0 && pread(erasures->fd, &last, 1, size - 1) == 1 && last != '\n')
        size--;
    return ftruncate(erasures->fd, size) == 0 ? OMS_OK : OMS_IO;
}

enum oms_status http_erasures_open(const char *path, struct http_erasures **out, struct oms_error *error)
{
    struct http_erasures *erasures = oms_calloc(1, sizeof(*erasures));
    pthread_mutex_init(&erasures->mutex, NULL);
    erasures->path = oms_strdup(path);
    erasures->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    enum oms_status status = erasures->fd < 0 ? OMS_IO : end_last_line(erasures);
    if (status != OMS_OK)
        oms_error_set(error, status, "the erasure log '%s' cannot be opened for writing: %s", path,
                      strerror(errno));
    else
        status = walk(erasures, count_line, erasures, error);
    if (status != OMS_OK) {
        http_erasures_close(erasures);
        return status;
    }
    *out = erasures;
    return OMS_OK;
}

void http_erasures_close(struct http_erasures *erasures)
{
    if (!erasures)
        return;
    if (erasures->fd >= 0)
        close(erasures->fd);
    pthread_mutex_destroy(&erasures->mutex);
    oms_free(erasures->path);
    oms_free(erasures);
}

/* ---- writing ---- */

/* Under the mutex. What was written in part is taken back, so that the next line is whole. */
static enum oms_status append(struct http_erasures *erasures, const struct oms_buf *text)
{
    off_t before = lseek(erasures->fd, 0, SEEK_END);
    if (before >= 0 && !text->overflow && write(erasures->fd, text->data, text->len) == (ssize_t)text->len &&
        fdatasync(erasures->fd) == 0)
        return OMS_OK;
    OMS_LOG(OMS_LOG_ERROR, "privacy.erasure_log_failed", OMS_LOG_TEXT("error", strerror(errno)));
    if (before >= 0 && ftruncate(erasures->fd, before) != 0)
        OMS_LOG(OMS_LOG_ERROR, "privacy.erasure_log_torn", OMS_LOG_TEXT("error", strerror(errno)));
    return OMS_IO;
}

enum oms_status http_erasures_add(struct http_erasures *erasures, struct oms_str tenant,
                                  const unsigned char (*orders)[IDS_ORDER_SIZE], size_t count, int64_t now_ms)
{
    char at[OMS_DATETIME_TEXT_SIZE], id[IDS_ORDER_TEXT + 1];
    struct oms_buf text;
    oms_buf_init(&text, APPEND_BYTES);
    oms_datetime_format(now_ms, at);
    for (size_t i = 0; i < count; i++) {
        ids_order_text(orders[i], id);
        oms_buf_appendf(&text, "erase %.*s %s %s\n", OMS_STR_ARG(tenant), id, at);
    }
    pthread_mutex_lock(&erasures->mutex);
    enum oms_status status = append(erasures, &text);
    if (status == OMS_OK)
        erasures->added += count;
    pthread_mutex_unlock(&erasures->mutex);
    oms_buf_fini(&text);
    return status;
}

bool http_erasures_pending(struct http_erasures *erasures)
{
    pthread_mutex_lock(&erasures->mutex);
    bool pending = erasures->added != erasures->purged;
    pthread_mutex_unlock(&erasures->mutex);
    return pending;
}

uint64_t http_erasures_mark(struct http_erasures *erasures)
{
    pthread_mutex_lock(&erasures->mutex);
    uint64_t mark = erasures->added;
    pthread_mutex_unlock(&erasures->mutex);
    return mark;
}

void http_erasures_purged(struct http_erasures *erasures, uint64_t mark, int64_t now_ms)
{
    char at[OMS_DATETIME_TEXT_SIZE];
    struct oms_buf text;
    oms_buf_init(&text, APPEND_BYTES);
    oms_datetime_format(now_ms, at);
    oms_buf_appendf(&text, "purged %s\n", at);
    pthread_mutex_lock(&erasures->mutex);
    if (mark == erasures->added && erasures->purged != mark && append(erasures, &text) == OMS_OK)
        erasures->purged = mark;
    pthread_mutex_unlock(&erasures->mutex);
    oms_buf_fini(&text);
}

/* ---- reading ---- */

struct reading {
    void (*each)(void *context, const struct http_erasure *erasure);
    void *context;
};

static void give(void *context, enum line kind, const struct http_erasure *erasure)
{
    const struct reading *reading = context;
    if (kind == LINE_ERASE)
        reading->each(reading->context, erasure);
}

enum oms_status http_erasures_read(struct http_erasures *erasures,
                                   void (*each)(void *context, const struct http_erasure *erasure),
                                   void *context, struct oms_error *error)
{
    struct reading reading = {each, context};
    return walk(erasures, give, &reading, error);
}

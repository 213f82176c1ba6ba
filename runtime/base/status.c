/*
 * The words for status codes, operating failures as text, and the end of a process whose assertion failed.
 */
#include "runtime/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/assert.h"

static const char *const status_names[] = {
    [OMS_OK] = "ok",           [OMS_INVALID] = "invalid",
    [OMS_LIMIT] = "limit",     [OMS_NOT_FOUND] = "not_found",
    [OMS_EXISTS] = "exists",   [OMS_BUSY] = "busy",
    [OMS_BLOCKED] = "blocked", [OMS_NO_SPACE] = "no_space",
    [OMS_IO] = "io",           [OMS_CORRUPT] = "corrupt",
    [OMS_DENIED] = "denied",   [OMS_CLOSED] = "closed",
};

const char *oms_status_name(enum oms_status status)
{
    size_t index = (size_t)status;
    return index < OMS_COUNT_OF(status_names) ? status_names[index] : "unknown";
}

enum oms_status oms_error_set(struct oms_error *error, enum oms_status status, const char *format, ...)
{
    if (!error)
        return status;
    error->status = status;
    va_list args;
    va_start(args, format);
    vsnprintf(error->message, sizeof(error->message), format, args);
    va_end(args);
    /* One line, whatever was put in: the message goes to terminals and logs. */
    for (char *c = error->message; *c; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' ';
    return status;
}

void oms_assert_fail(const char *condition, const char *file, int line)
{
    fprintf(stderr, "liteoms: assertion failed: %s (%s:%d)\n", condition, file, line);
    abort();
}

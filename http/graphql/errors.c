/*
 * The error list. A message that no longer fits the list's arena is replaced by a static one: an error is
 * never lost silently, and reporting never fails. Over OMS_GQL_ERRORS_MAX the rest is only noted.
 */
#include "http/graphql/errors.h"

#include <stdarg.h>
#include <stdio.h>

#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"

void gql_errors_init(struct gql_errors *errors, struct oms_arena *arena)
{
    *errors = (struct gql_errors){.arena = arena};
}

static bool gql_errors_grow(struct gql_errors *errors)
{
    size_t cap = errors->cap ? errors->cap * 4 : 4;
    struct gql_error *items;

    if (cap > OMS_GQL_ERRORS_MAX)
        cap = OMS_GQL_ERRORS_MAX;
    if (cap <= errors->count)
        return false;
    items = oms_arena_calloc(errors->arena, cap, sizeof(*items));
    if (!items)
        return false;
    if (errors->count)
        memcpy(items, errors->items, errors->count * sizeof(*items));
    errors->items = items;
    errors->cap = cap;
    return true;
}

static struct gql_error *gql_errors_addv(struct gql_errors *errors, const char *code, const char *format,
                                         va_list args)
{
    struct gql_error *error;
    va_list again;
    char *text = NULL;
    int len;

    if (errors->count == errors->cap && !gql_errors_grow(errors)) {
        errors->truncated = true;
        return NULL;
    }
    error = &errors->items[errors->count++];
    *error = (struct gql_error){.message = OMS_STR("Out of memory for this message."), .code = code};
    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (len >= 0)
        text = oms_arena_alloc(errors->arena, (size_t)len + 1);
    if (text) {
        vsnprintf(text, (size_t)len + 1, format, args);
        error->message = oms_str_make(text, (size_t)len);
    }
    return error;
}

struct gql_error *gql_errors_add(struct gql_errors *errors, const char *code, const char *format, ...)
{
    struct gql_error *error;
    va_list args;

    va_start(args, format);
    error = gql_errors_addv(errors, code, format, args);
    va_end(args);
    return error;
}

struct gql_place gql_place_of(struct oms_str source, uint32_t at)
{
    struct gql_place place = {1, 1};

    for (size_t i = 0; i < at && i < source.len; i++) {
        unsigned char c = (unsigned char)source.data[i];
        if (c == '\n' || (c == '\r' && !(i + 1 < source.len && source.data[i + 1] == '\n'))) {
            place.line++;
            place.column = 1;
        } else if ((c & 0xC0) != 0x80) { /* not inside a UTF-8 sequence */
            place.column += c >= 0xF0 ? 2 : 1;
        }
    }
    return place;
}

struct gql_error *gql_error_at(struct gql_errors *errors, const char *code, struct oms_str source,
                               uint32_t at, const char *format, ...)
{
    struct gql_error *error;
    struct gql_place place;
    va_list args;

    va_start(args, format);
    error = gql_errors_addv(errors, code, format, args);
    va_end(args);
    if (error) {
        place = gql_place_of(source, at);
        error->line = place.line;
        error->column = place.column;
    }
    return error;
}

void gql_error_also(struct gql_error *error, struct oms_str source, uint32_t at)
{
    if (error) {
        struct gql_place place = gql_place_of(source, at);
        error->also_line = place.line;
        error->also_column = place.column;
    }
}

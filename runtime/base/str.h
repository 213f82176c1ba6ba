/*
 * A borrowed run of bytes, usually UTF-8 text. It owns nothing and need not end in NUL; whoever fills one says in
 * whose memory it points. {NULL, 0} is "absent" where a field is optional; an empty text has a non-NULL pointer.
 */
#ifndef OMS_BASE_STR_H
#define OMS_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "runtime/base/status.h"

struct oms_arena;

struct oms_str {
    const char *data;
    size_t len;
};

#define OMS_STR(literal) ((struct oms_str){"" literal, sizeof(literal) - 1})
#define OMS_STR_NONE     ((struct oms_str){NULL, 0})
/* For printf: printf("%.*s", OMS_STR_ARG(s)). */
#define OMS_STR_ARG(s) (int)(s).len, (s).data ? (s).data : ""

static inline struct oms_str oms_str_of(const char *text)
{
    return text ? (struct oms_str){text, strlen(text)} : OMS_STR_NONE;
}

static inline struct oms_str oms_str_make(const void *data, size_t len)
{
    return (struct oms_str){data, len};
}

static inline bool oms_str_present(struct oms_str s)
{
    return s.data != NULL;
}

static inline bool oms_str_eq(struct oms_str a, struct oms_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool oms_str_eq_c(struct oms_str a, const char *b)
{
    return oms_str_eq(a, oms_str_of(b));
}

static inline bool oms_str_starts(struct oms_str s, struct oms_str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.data, prefix.data, prefix.len) == 0);
}

/* ASCII letters compare without case; other bytes as they are. */
bool oms_str_eq_nocase(struct oms_str a, struct oms_str b);
/* Bytewise order, shorter first when one is the other's prefix: <0, 0, >0. */
int oms_str_compare(struct oms_str a, struct oms_str b);
/* `s` without ASCII white space at both ends. */
struct oms_str oms_str_trim(struct oms_str s);
/* A copy in the arena with a NUL behind it; absent stays absent. {NULL,0} also when the arena is exhausted. */
struct oms_str oms_str_copy(struct oms_arena *arena, struct oms_str s);
/* A heap copy with a NUL behind it, freed by oms_free. */
char *oms_str_dup(struct oms_str s);
/* Base 10, optional '-', all of `s`. OMS_INVALID for anything else, OMS_LIMIT on overflow. */
OMS_MUST_USE enum oms_status oms_str_to_i64(struct oms_str s, int64_t *out);

/*
 * The nearest of `count` candidates to `word` by edit distance, for "did you mean …?"; NULL when none is near
 * (distance over 2 and over a third of the length).
 */
const char *oms_str_nearest(struct oms_str word, const char *const *candidates, size_t count);

#endif

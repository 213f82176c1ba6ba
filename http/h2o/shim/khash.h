/*
 * Stands in for a header that h2o/http2_internal.h includes and Debian's libh2o-dev does not install: just
 * enough for its structures to be declared. They hold a pointer to such a table, whose layout nobody here
 * needs to know; the one function that looks into it is not called.
 */
#ifndef HTTP_H2O_SHIM_KHASH_H
#define HTTP_H2O_SHIM_KHASH_H

#include <stdlib.h>

typedef unsigned khiter_t;
#define khash_t(name) struct kh_##name##_s
#define KHASH_MAP_INIT_INT64(name, type)                                                                     \
    struct kh_##name##_s {                                                                                   \
        type *none;                                                                                          \
    };
#define kh_get(name, table, key) (abort(), (void)(key), 0u)
#define kh_end(table)            0u
#define kh_val(table, at)        ((table)->none[at])

#endif

/*
 * Status codes and operating failures.
 *
 * Errors are three kinds, never mixed: a bug is an assertion (assert.h), an operating failure is a status from
 * this file that the caller must look at, and a domain refusal is a value of the domain (actors/refusal.h).
 */
#ifndef OMS_BASE_STATUS_H
#define OMS_BASE_STATUS_H

#include <stddef.h>

#define OMS_MUST_USE         __attribute__((warn_unused_result))
#define OMS_PRINTF(fmt, arg) __attribute__((format(printf, fmt, arg)))

enum oms_status {
    OMS_OK = 0,
    OMS_INVALID,   /* malformed input: syntax, encoding, range */
    OMS_LIMIT,     /* a maximum of limits.h was reached */
    OMS_NOT_FOUND, /* no such key, file or object */
    OMS_EXISTS,    /* it is there already, or somebody else holds it */
    OMS_BUSY,      /* cannot now, can be retried */
    OMS_BLOCKED,   /* would have to wait for I/O: repeat where blocking is allowed */
    OMS_NO_SPACE,  /* below the disk reserve: refused before any write */
    OMS_IO,        /* the operating system or the store failed; the outcome of a write is unknown */
    OMS_CORRUPT,   /* stored bytes do not decode or a checksum differs */
    OMS_DENIED,    /* the operating system or a policy said no */
    OMS_CLOSED,    /* the other side is gone or shutting down */
};

/* The word for a status, lower case with underscores: "not_found". Static storage. */
const char *oms_status_name(enum oms_status status);

/* An operating failure that a person will read: one line, no newline, no trailing full stop. */
struct oms_error {
    enum oms_status status;
    char message[512];
};

/* Fills `error` (which may be NULL) and returns `status`, so that a failure is one statement. */
enum oms_status oms_error_set(struct oms_error *error, enum oms_status status, const char *format, ...)
    OMS_PRINTF(3, 4);

#endif

/*
 * A secret of the store in a file of its own: hex digits and a newline, mode 0600, written to a temporary
 * name, synced, renamed, so that it is there whole or not at all before anything depends on it.
 */
#ifndef HTTP_KEY_FILE_H
#define HTTP_KEY_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/status.h"

#define HTTP_KEY_FILE_BYTES_MAX 32

struct http_key_file {
    const char *path;
    const char *what;    /* "the store's key": begins the error lines */
    const char *missing; /* what depends on it: "there are orders" */
    size_t size;         /* of the secret, at most HTTP_KEY_FILE_BYTES_MAX */
};

/*
 * Reads the secret. One that is missing is made of random bytes when `may_make`; else OMS_CORRUPT, as for a
 * file that is not one of ours. OMS_IO when it cannot be read or made. The caller holds the data folder's
 * lock.
 */
OMS_MUST_USE enum oms_status http_key_file_load(const struct http_key_file *file, bool may_make, void *out,
                                                struct oms_error *error);

#endif

/* SHA-256 (FIPS 180-4) of a text, and its 64 hexadecimal digits, by which clients name documents. */
#ifndef HTTP_DIGEST_H
#define HTTP_DIGEST_H

#include "runtime/base/str.h"

#define HTTP_DIGEST_BYTES 32

struct http_digest {
    unsigned char bytes[HTTP_DIGEST_BYTES];
};

struct http_digest http_digest_of(struct oms_str text);
/* False unless it is 64 hexadecimal digits, of either case. */
bool http_digest_parse(struct oms_str hex, struct http_digest *out);

static inline bool http_digest_eq(const struct http_digest *a, const struct http_digest *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

#endif

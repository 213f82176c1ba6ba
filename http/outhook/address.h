/*
 * Which addresses webhooks may be sent to. A tenant names URLs, and a name can resolve to anything: so each
 * address is looked at when it is connected to, whatever led there. Refused is all that is not an ordinary
 * address of the internet (IANA's special-purpose registries for IPv4 and IPv6, RFC 6890, and what follows
 * them), and every way of writing such an address inside another one: IPv4-mapped, NAT64, 6to4 and Teredo.
 * What the operator's own network has, the operator allows by its ranges.
 *
 * Pure functions, any thread.
 */
#ifndef OUTHOOK_ADDRESS_H
#define OUTHOOK_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/str.h"

/* IPv4 as its IPv4-mapped form, so that there is one kind. */
struct outhook_address {
    unsigned char bytes[16];
};

struct outhook_range {
    struct outhook_address first;
    unsigned bits; /* of 128 */
};

struct outhook_policy {
    bool allow_private;                 /* whatever the address */
    bool allow_loopback;                /* of this machine */
    bool allow_http;                    /* clear text */
    const struct outhook_range *ranges; /* that are allowed although they are private */
    size_t range_count;
};

/* "10.1.2.3", "fe80::1"; false for other text. */
bool outhook_address_parse(struct oms_str text, struct outhook_address *out);
/* Of the bytes of an in_addr or an in6_addr. */
struct outhook_address outhook_address_v4(const unsigned char bytes[4]);
struct outhook_address outhook_address_v6(const unsigned char bytes[16]);
/* "10.0.0.0/8", "fd00::/8", or one address; false for other text, and for bits behind the prefix. */
bool outhook_range_parse(struct oms_str text, struct outhook_range *out);
/* NULL when it is an ordinary address of the internet; else what it is: "a private address". */
const char *outhook_address_special(const struct outhook_address *address);
bool outhook_address_allowed(const struct outhook_policy *policy, const struct outhook_address *address);

/*
 * Whether an endpoint may have this URL; NULL when it may, else a sentence's end: "must be https". An address
 * in the place of a name is judged here already, however it is written; a name only when it is connected to.
 */
const char *outhook_url_fault(struct oms_str url, const struct outhook_policy *policy);

#endif

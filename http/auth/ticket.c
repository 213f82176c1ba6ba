/* Tickets: a queue by age, since all of them live equally long. See ticket.h. */
#include "http/auth/ticket.h"

#include <stdio.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/encoding.h"
#include "runtime/base/limits.h"
#include "runtime/base/prng.h"

struct entry {
    unsigned char secret[HTTP_TICKET_BYTES];
    const struct http_claims *claims; /* NULL: redeemed */
    int64_t expires_ms;
};

struct http_tickets {
    unsigned shard;
    unsigned first, count; /* of the ring: oldest first */
    struct entry ring[OMS_TICKETS_MAX];
};

struct http_tickets *http_tickets_create(unsigned shard)
{
    struct http_tickets *tickets = oms_calloc(1, sizeof(*tickets));
    tickets->shard = shard;
    return tickets;
}

static void drop_oldest(struct http_tickets *tickets)
{
    http_claims_release(tickets->ring[tickets->first].claims);
    tickets->ring[tickets->first].claims = NULL;
    tickets->first = (tickets->first + 1) % OMS_TICKETS_MAX;
    tickets->count--;
}

void http_tickets_destroy(struct http_tickets *tickets)
{
    if (!tickets)
        return;
    while (tickets->count)
        drop_oldest(tickets);
    oms_free(tickets);
}

/* Those that have expired, and those that were redeemed, from the old end. */
static void tidy(struct http_tickets *tickets, int64_t now_ms)
{
    while (tickets->count) {
        const struct entry *oldest = &tickets->ring[tickets->first];
        if (oldest->claims && oldest->expires_ms > now_ms)
            break;
        drop_oldest(tickets);
    }
}

/* How many of this person's are out. */
static unsigned count_of(const struct http_tickets *tickets, const struct http_claims *claims)
{
    unsigned count = 0;
    for (unsigned i = 0; i < tickets->count; i++) {
        const struct http_claims *other = tickets->ring[(tickets->first + i) % OMS_TICKETS_MAX].claims;
        count +=
            other && oms_str_eq(other->subject, claims->subject) && oms_str_eq(other->issuer, claims->issuer);
    }
    return count;
}

enum oms_status http_ticket_issue(struct http_tickets *tickets, const struct http_claims *claims,
                                  int64_t now_ms, char text[HTTP_TICKET_TEXT_SIZE], int64_t *expires_ms)
{
    tidy(tickets, now_ms);
    if (tickets->count == OMS_TICKETS_MAX || count_of(tickets, claims) >= OMS_TICKETS_SUBJECT_MAX)
        return OMS_BUSY;
    struct entry *entry = &tickets->ring[(tickets->first + tickets->count) % OMS_TICKETS_MAX];
    entry->claims = http_claims_copy(claims);
    entry->expires_ms = now_ms + OMS_TICKET_MS;
    if (entry->expires_ms > claims->expires_ms)
        entry->expires_ms = claims->expires_ms;
    oms_random_bytes(entry->secret, sizeof(entry->secret));
    tickets->count++;
    *expires_ms = entry->expires_ms;
    int len = snprintf(text, HTTP_TICKET_TEXT_SIZE, "tkt-%u-", tickets->shard);
    for (size_t i = 0; i < HTTP_TICKET_BYTES; i++)
        len += snprintf(text + len, HTTP_TICKET_TEXT_SIZE - (size_t)len, "%02x", entry->secret[i]);
    return OMS_OK;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool http_ticket_parse(struct oms_str text, struct http_ticket *out)
{
    size_t at = 4;
    unsigned shard = 0;
    if (text.len < 4 || memcmp(text.data, "tkt-", 4) != 0)
        return false;
    for (; at < text.len && at < 4 + 3 && text.data[at] >= '0' && text.data[at] <= '9'; at++)
        shard = shard * 10 + (unsigned)(text.data[at] - '0');
    if (at == 4 || at >= text.len || text.data[at++] != '-' || text.len - at != 2 * HTTP_TICKET_BYTES)
        return false;
    out->shard = shard;
    for (size_t i = 0; i < HTTP_TICKET_BYTES; i++, at += 2) {
        int high = hex_digit(text.data[at]), low = hex_digit(text.data[at + 1]);
        if (high < 0 || low < 0)
            return false;
        out->secret[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

/* Takes as long for one that is nearly right as for any other. */
static bool secret_is(const unsigned char *a, const unsigned char *b)
{
    unsigned differs = 0;
    for (size_t i = 0; i < HTTP_TICKET_BYTES; i++)
        differs |= (unsigned)(a[i] ^ b[i]);
    return differs == 0;
}

const struct http_claims *http_ticket_redeem(struct http_tickets *tickets, const struct http_ticket *ticket,
                                             int64_t now_ms)
{
    for (unsigned i = 0; i < tickets->count; i++) {
        struct entry *entry = &tickets->ring[(tickets->first + i) % OMS_TICKETS_MAX];
        const struct http_claims *claims = entry->claims;
        if (!claims || entry->expires_ms <= now_ms || !secret_is(entry->secret, ticket->secret))
            continue;
        entry->claims = NULL;
        tidy(tickets, now_ms);
        return claims;
    }
    return NULL;
}

/*
 * Tickets: a way in for clients that cannot send a token, such as a browser's EventSource.
 *
 * Who has a token asks for a ticket; its text stands for these claims once, within a minute, in a URL. It is
 * random (128 bits), kept by the shard that issued it and named in it, and gone when it is redeemed. What it
 * opened ends with the token's own expiry all the same.
 *
 * One table per shard, on its thread. Claims in it are copies, owned by nobody else, so that a redeemed
 * ticket's claims can move to the shard that asked.
 */
#ifndef HTTP_AUTH_TICKET_H
#define HTTP_AUTH_TICKET_H

#include "http/auth/claims.h"

#define HTTP_TICKET_BYTES     16
#define HTTP_TICKET_TEXT_SIZE 64 /* "tkt-<shard>-<32 hex digits>" and the NUL */

struct http_tickets;

struct http_ticket {
    unsigned shard;
    unsigned char secret[HTTP_TICKET_BYTES];
};

struct http_tickets *http_tickets_create(unsigned shard);
void http_tickets_destroy(struct http_tickets *tickets);

/* A ticket for the claims, valid until *expires_ms. OMS_BUSY when OMS_TICKETS_MAX are out, or
 * OMS_TICKETS_SUBJECT_MAX of this person. */
OMS_MUST_USE enum oms_status http_ticket_issue(struct http_tickets *tickets, const struct http_claims *claims,
                                               int64_t now_ms, char text[HTTP_TICKET_TEXT_SIZE],
                                               int64_t *expires_ms);
/* False for a text that is no ticket. */
bool http_ticket_parse(struct oms_str text, struct http_ticket *out);
/* The claims, once, with one hold that moves to the caller (who may be on its way to another shard); NULL for
 * a ticket that is unknown, used or too old. */
const struct http_claims *http_ticket_redeem(struct http_tickets *tickets, const struct http_ticket *ticket,
                                             int64_t now_ms);

#endif

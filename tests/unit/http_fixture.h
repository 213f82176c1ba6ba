/* Stand-ins for tests above the transport: an exchange without a server, keys, and tokens signed with them.
 */
#ifndef HTTP_FIXTURE_H
#define HTTP_FIXTURE_H

#include <openssl/evp.h>

#include "http/exchange.h"

#define FAKE_HEADERS_MAX 16

/* An exchange whose answer is kept for the test. */
struct fake_exchange {
    struct http_exchange exchange;
    struct http_header request[FAKE_HEADERS_MAX];
    unsigned request_count;
    unsigned answers; /* a handler must answer once */
    unsigned status;
    char content_type[64];
    char headers[2048]; /* "name: value\n" of the answer, cross-origin ones too */
    char body[4096];    /* of a stream: all that was sent */
    /* A stream, once begun: */
    const struct http_stream_events *events;
    void *events_context;
    bool sending; /* something is on its way until fake_take */
    bool stream_ended, aborted;
    unsigned sends;
};

void fake_begin(struct fake_exchange *fake, const char *method, const char *path);
/* Borrows both texts. */
void fake_header(struct fake_exchange *fake, const char *name, const char *value);
void fake_end(struct fake_exchange *fake);
/* The connection takes what is on its way: `ready` is called, unless the stream has ended. */
void fake_take(struct fake_exchange *fake);
/* The client goes away: `gone` is called for a stream that has not ended. */
void fake_go(struct fake_exchange *fake);
/* The value of an answer's header, valid until the next call; NULL without one. */
const char *fake_answer(const struct fake_exchange *fake, const char *name);

/* "RSA" (2048 bits) or a curve's name, "P-256". */
EVP_PKEY *fixture_key(const char *type);
/* Freed by oms_free. */
char *fixture_public_pem(EVP_PKEY *key);
char *fixture_private_pem(EVP_PKEY *key);
/* A token over the two JSON texts, signed as `algorithm` says with the key, or with the secret for HS*.
 * "none": no signature. Freed by oms_free. */
char *fixture_token(const char *algorithm, EVP_PKEY *key, struct oms_str secret, const char *header,
                    const char *payload);

#endif

/*
 * The part "nats" of the configuration: the broker, what is published to it and what is consumed. Without the
 * part no broker is spoken to. docs/events.md tells it to users.
 */
#ifndef HTTP_NATS_SETTINGS_H
#define HTTP_NATS_SETTINGS_H

#include "http/settings.h"

#define HTTP_NATS_CONSUMERS_MAX 16

/* One source of updates: a durable consumer of a stream. */
struct http_nats_consume {
    struct oms_str stream, durable;
    struct oms_str subject; /* with {tenant} and {topic} where those stand in a message's subject */
    struct oms_str topic;   /* absent: {topic} says it */
    struct oms_str tenant;  /* absent: {tenant} says it, or the payload */
    bool create;            /* the stream and the consumer, when they are missing */
    unsigned in_flight;     /* messages worked on at a time; 1: strictly one after another */
};

/* Text lives in the configuration's arena and is NUL-terminated. */
struct http_nats_settings {
    bool enabled;
    const struct oms_str *urls;
    size_t url_count;
    bool tls;
    struct oms_str tls_ca, tls_cert, tls_key, tls_hostname;
    /* At most one of these ways to log in; files are read at each connect, so that they can be changed. */
    struct oms_str credentials_file;
    struct oms_str user, password_file;
    struct oms_str token_file;
    struct oms_str nkey, nkey_seed_file;
    struct oms_str inbox_prefix;
    struct oms_str domain; /* of JetStream; absent: the account's */

    bool publish;
    struct oms_str stream, subject_prefix;
    bool create_stream;
    unsigned replicas;
    unsigned max_age_hours; /* 0: kept for ever */
    uint64_t max_bytes;     /* 0: as the account allows */
    unsigned duplicate_window_s;
    unsigned on_stream_lost; /* HTTP_NATS_… */

    const struct http_nats_consume *consume;
    size_t consume_count;
};

/* What is done when the stream is not the one that was published to. */
enum { HTTP_NATS_REPUBLISH, HTTP_NATS_CONTINUE };

/* Reads "nats" of `top`, if it is there; relative files are looked for in `folder`. The first fault is
 * recorded in `top`. */
void http_nats_settings_read(struct http_settings *top, const char *folder, struct oms_arena *arena,
                             struct http_nats_settings *settings);

/* All keys of the part, of its parts "publish" and "tls", and of an entry of "consume", for the test of the
 * documents; NULL-terminated. */
extern const char *const http_nats_setting_keys[];

#endif

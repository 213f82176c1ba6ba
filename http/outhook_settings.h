/*
 * The part "webhooks_out" of the configuration: where tenants' events may be sent, and how long it is tried.
 * docs/webhooks-out.md tells it to users.
 */
#ifndef HTTP_OUTHOOK_SETTINGS_H
#define HTTP_OUTHOOK_SETTINGS_H

#include "http/outhook/address.h"
#include "http/settings.h"

struct http_outhook_settings {
    struct outhook_policy policy; /* the ranges live in the configuration's arena */
    struct oms_str ca_file;       /* absent: the system's authorities */
    unsigned attempts;            /* of one event, before it becomes a dead letter */
    unsigned first_retry_ms;
    unsigned timeout_ms;
};

/* The defaults of a server. */
void http_outhook_settings_init(struct http_outhook_settings *settings);
/* Reads "webhooks_out" of `top` over what is in `settings`. The first fault is recorded in `top`. */
void http_outhook_settings_read(struct http_settings *top, struct oms_arena *arena,
                                struct http_outhook_settings *settings);

/* All keys, for the test of the documents; NULL-terminated. */
extern const char *const http_outhook_setting_keys[];

#endif

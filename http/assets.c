/*
 * Both forms of each file are carried, as it is and packed by gzip: a client that takes no gzip is rare and
 * costs a megabyte of the program that nobody reads from the disk until then, and no code.
 */
#include "http/assets.h"

#include <stdio.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/hash.h"
#include "runtime/base/json.h"

#define ETAG_SIZE 24

struct file {
    const char *name; /* below /graphiql/; "": the page itself */
    const char *type;
    const char *plain, *plain_end, *packed, *packed_end;
};

#if LITEOMS_GRAPHIQL
#define CARRY(symbol, file)                                                                                  \
    __asm__(".section .rodata\n"                                                                             \
            ".balign 8\n" #symbol ": .incbin \"" LITEOMS_ASSETS "/" file "\"\n" #symbol "_end:\n"            \
            ".balign 8\n" #symbol "_gz: .incbin \"" LITEOMS_ASSETS "/" file ".gz\"\n" #symbol "_gz_end:\n"   \
            ".byte 0\n"                                                                                      \
            ".previous\n");                                                                                  \
    extern const char symbol[], symbol##_end[], symbol##_gz[], symbol##_gz_end[]
#define FILE_OF(name, type, symbol)                                                                          \
    {                                                                                                        \
        name, type, symbol, symbol##_end, symbol##_gz, symbol##_gz_end                                       \
    }

CARRY(http_assets_index, "index.html");
CARRY(http_assets_page, "page.js");
CARRY(http_assets_libraries, "libraries.js");
CARRY(http_assets_style, "style.css");
CARRY(http_assets_notices, "notices.txt");

#endif

/* The page first; ends with a file without a name. */
static const struct file files[] = {
#if LITEOMS_GRAPHIQL
    FILE_OF("", "text/html; charset=utf-8", http_assets_index),
    FILE_OF("page.js", "text/javascript; charset=utf-8", http_assets_page),
    FILE_OF("libraries.js", "text/javascript; charset=utf-8", http_assets_libraries),
    FILE_OF("style.css", "text/css; charset=utf-8", http_assets_style),
    FILE_OF("notices.txt", "text/plain; charset=utf-8", http_assets_notices),
#endif
    {NULL, NULL, NULL, NULL, NULL, NULL},
};
#define FILES_MAX 8

struct http_assets {
    struct http_assets_config config;
    char etags[FILES_MAX][2][ETAG_SIZE]; /* as it is, packed */
};

#define SECURITY    5
#define HEADERS_MAX (SECURITY + 4)

/* The headers that every answer with a body of ours has. GraphiQL and its editors write style elements of
 * their own; scripts come from this server only. */
static size_t secure(struct http_header headers[HEADERS_MAX])
{
    const struct http_header set[SECURITY] = {
        {OMS_STR("content-security-policy"),
         OMS_STR("default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
                 "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
                 "frame-ancestors 'none'")},
        {OMS_STR("x-content-type-options"), OMS_STR("nosniff")},
        {OMS_STR("x-frame-options"), OMS_STR("DENY")},
        {OMS_STR("referrer-policy"), OMS_STR("no-referrer")},
        {OMS_STR("cross-origin-resource-policy"), OMS_STR("same-origin")},
    };
    memcpy(headers, set, sizeof(set));
    return SECURITY;
}

bool http_assets_carried(void)
{
    return files[0].name != NULL;
}

struct http_assets *http_assets_create(const struct http_assets_config *config)
{
    static const struct oms_hash_key key = {0, 0}; /* nobody chooses the contents */
    struct http_assets *assets = oms_calloc(1, sizeof(*assets));
    assets->config = *config;
    OMS_ASSERT(OMS_COUNT_OF(files) <= FILES_MAX);
    for (size_t i = 0; files[i].name; i++) {
        uint64_t hash = oms_siphash64(&key, files[i].plain, (size_t)(files[i].plain_end - files[i].plain));
        snprintf(assets->etags[i][0], ETAG_SIZE, "\"%016llx\"", (unsigned long long)hash);
        snprintf(assets->etags[i][1], ETAG_SIZE, "\"%016llx-gz\"", (unsigned long long)hash);
    }
    return assets;
}

void http_assets_destroy(struct http_assets *assets)
{
    oms_free(assets);
}

/* ---- what the client has and takes ---- */

/* The next member of a list of header values, without white space around it; false at the end. */
static bool next_member(struct oms_str *list, char separator, struct oms_str *out)
{
    if (!oms_str_present(*list))
        return false;
    const char *end = list->len ? memchr(list->data, separator, list->len) : NULL;
    size_t len = end ? (size_t)(end - list->data) : list->len;
    *out = oms_str_trim(oms_str_make(list->data, len));
    *list = end ? oms_str_make(end + 1, list->len - len - 1) : OMS_STR_NONE;
    return true;
}

/* Whether a coding's parameters leave it a weight above 0 (RFC 9110 section 12.4.2). */
static bool weighs(struct oms_str parameters)
{
    struct oms_str parameter;
    while (next_member(&parameters, ';', &parameter)) {
        if (parameter.len < 2 || (parameter.data[0] | 0x20) != 'q' || parameter.data[1] != '=')
            continue;
        for (size_t i = 2; i < parameter.len; i++)
            if (parameter.data[i] >= '1' && parameter.data[i] <= '9')
                return true;
        return false;
    }
    return true;
}

/* RFC 9110 section 12.5.3; "*" stands for gzip unless gzip is named. */
static bool takes_gzip(const struct http_exchange *exchange)
{
    struct oms_str list = http_exchange_header(exchange, "accept-encoding"), member;
    bool any = false;
    while (next_member(&list, ',', &member)) {
        struct oms_str parameters = member, coding;
        if (!next_member(&parameters, ';', &coding))
            continue;
        if (oms_str_eq_nocase(coding, OMS_STR("gzip")) || oms_str_eq_nocase(coding, OMS_STR("x-gzip")))
            return weighs(parameters);
        if (oms_str_eq_c(coding, "*"))
            any = weighs(parameters);
    }
    return any;
}

/* If-None-Match (RFC 9110 section 13.1.2): compared weakly, so W/ does not count. */
static bool has_it(const struct http_exchange *exchange, const char *etag)
{
    struct oms_str list = http_exchange_header(exchange, "if-none-match"), member;
    while (next_member(&list, ',', &member)) {
        if (oms_str_eq_c(member, "*"))
            return true;
        if (oms_str_starts(member, OMS_STR("W/")))
            member = oms_str_make(member.data + 2, member.len - 2);
        if (oms_str_eq_c(member, etag))
            return true;
    }
    return false;
}

/* ---- answers ---- */

static void serve_file(const struct http_assets *assets, struct http_exchange *exchange, size_t at)
{
    const struct file *file = &files[at];
    bool packed = takes_gzip(exchange);
    const char *etag = assets->etags[at][packed];
    struct http_header headers[HEADERS_MAX];
    size_t count = secure(headers);
    headers[count++] = (struct http_header){OMS_STR("etag"), oms_str_of(etag)};
    headers[count++] = (struct http_header){OMS_STR("cache-control"), OMS_STR("no-cache")};
    headers[count++] = (struct http_header){OMS_STR("vary"), OMS_STR("accept-encoding")};
    if (has_it(exchange, etag)) {
        http_respond(exchange, 304, NULL, headers, count);
        return;
    }
    if (packed)
        headers[count++] = (struct http_header){OMS_STR("content-encoding"), OMS_STR("gzip")};
    const char *from = packed ? file->packed : file->plain, *to = packed ? file->packed_end : file->plain_end;
    oms_buf_append(&exchange->out, from, (size_t)(to - from));
    http_respond(exchange, 200, file->type, headers, count);
}

/* "127.0.0.1:8080", "[::1]:8080", "localhost": an address of this machine that no other can have. */
static bool is_loopback(struct oms_str host)
{
    static const char *const names[] = {"127.0.0.1", "[::1]", "localhost"};
    for (size_t i = 0; i < OMS_COUNT_OF(names); i++) {
        struct oms_str name = oms_str_of(names[i]);
        if (host.len >= name.len && oms_str_eq_nocase(oms_str_make(host.data, name.len), name) &&
            (host.len == name.len || host.data[name.len] == ':'))
            return true;
    }
    return false;
}

/* Browsers name the origin of a page that reads across origins, and new ones say how far the page is. */
static bool is_own_page(const struct http_exchange *exchange)
{
    struct oms_str origin = http_exchange_header(exchange, "origin");
    struct oms_str site = http_exchange_header(exchange, "sec-fetch-site");
    if (oms_str_present(site) && !oms_str_eq_c(site, "same-origin") && !oms_str_eq_c(site, "none"))
        return false;
    if (!oms_str_present(origin))
        return true;
    size_t scheme = oms_str_starts(origin, OMS_STR("https://"))  ? 8
                    : oms_str_starts(origin, OMS_STR("http://")) ? 7
                                                                 : 0;
    return scheme && oms_str_eq(oms_str_make(origin.data + scheme, origin.len - scheme), exchange->authority);
}

static void serve_token(const struct http_assets *assets, struct http_exchange *exchange)
{
    struct http_header headers[HEADERS_MAX];
    size_t count = secure(headers);
    struct oms_buf token;
    const char *reason = NULL;
    headers[count++] = (struct http_header){OMS_STR("cache-control"), OMS_STR("no-store")};
    oms_buf_init(&token, 64u << 10);
    if (!assets->config.token)
        reason = "";
    else if (!is_loopback(exchange->peer) || !is_loopback(exchange->authority) || !is_own_page(exchange))
        reason =
            "A token is filled in only for a browser on the server's own machine that opened 127.0.0.1 or "
            "localhost; `liteoms token` makes others.";
    else if (!assets->config.token(assets->config.context, &token))
        reason = "No token could be made; the server's log says why.";
    oms_buf_append_lit(&exchange->out, "{\"token\":");
    if (reason)
        oms_buf_append_lit(&exchange->out, "null,\"reason\":");
    oms_json_write_string(&exchange->out, reason ? oms_str_of(reason) : oms_buf_str(&token));
    oms_buf_append_lit(&exchange->out, "}\n");
    oms_buf_fini(&token);
    http_respond(exchange, 200, "application/json; charset=utf-8", headers, count);
}

static void handle_page(struct http_exchange *exchange, void *context)
{
    serve_file(context, exchange, 0);
}

static void handle_below(struct http_exchange *exchange, void *context)
{
    struct oms_str name =
        oms_str_make(exchange->path.data + strlen("/graphiql/"), exchange->path.len - strlen("/graphiql/"));
    if (name.len == 0) {
        /* The page's links are relative to /graphiql, so that it works below a proxy's prefix as well. */
        const struct http_header to = {OMS_STR("location"), OMS_STR("../graphiql")};
        http_respond(exchange, 308, NULL, &to, 1);
        return;
    }
    if (oms_str_eq_c(name, "token")) {
        serve_token(context, exchange);
        return;
    }
    for (size_t i = 0; files[i].name; i++)
        if (oms_str_eq_c(name, files[i].name)) {
            serve_file(context, exchange, i);
            return;
        }
    http_respond_error(exchange, 404, "NOT_FOUND", "there is nothing at this path");
}

void http_assets_add_routes(struct http_router *router, struct http_assets *assets)
{
    const struct http_route page = {"/graphiql", 1u << HTTP_GET, handle_page, assets};
    const struct http_route below = {"/graphiql/", 1u << HTTP_GET, handle_below, assets};
    http_router_add(router, &page);
    http_router_add(router, &below);
}

/* One transfer of libcurl after the other; see jwks_fetch.h. */
#include "http/auth/jwks_fetch.h"

#include <curl/curl.h>
#include <time.h>

#include "http/auth/jwks_url.h"
#include "runtime/base/arena.h"
#include "runtime/base/assert.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

#define JSON_DEPTH     32
#define TREE_BYTES_MAX (16u << 20)

/* ---- how long an answer counts ---- */

/* max-age in milliseconds, or -1 when the directive is another. */
static int64_t max_age_ms(struct oms_str directive)
{
    static const struct oms_str name = {"max-age=", 8};
    if (directive.len <= name.len || !oms_str_eq_nocase(oms_str_make(directive.data, name.len), name))
        return -1;
    struct oms_str text = oms_str_make(directive.data + name.len, directive.len - name.len);
    if (text.len >= 2 && text.data[0] == '"' && text.data[text.len - 1] == '"')
        text = oms_str_make(text.data + 1, text.len - 2);
    int64_t age_s = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -1;
        age_s = age_s * 10 + (text.data[i] - '0');
        if (age_s > OMS_JWKS_TTL_MAX_MS / 1000)
            age_s = OMS_JWKS_TTL_MAX_MS / 1000;
    }
    return text.len ? age_s * 1000 : -1;
}

int64_t http_jwks_ttl_ms(struct oms_str cache_control)
{
    int64_t ttl_ms = OMS_JWKS_TTL_MS;
    for (size_t begin = 0, i = 0; i <= cache_control.len; i++) {
        if (i < cache_control.len && cache_control.data[i] != ',')
            continue;
        struct oms_str word = oms_str_trim(oms_str_make(cache_control.data + begin, i - begin));
        begin = i + 1;
        int64_t age_ms = max_age_ms(word);
        if (age_ms >= 0)
            ttl_ms = age_ms;
        if (oms_str_eq_nocase(word, OMS_STR("no-store")) || oms_str_eq_nocase(word, OMS_STR("no-cache")))
            return OMS_JWKS_TTL_MIN_MS;
    }
    return ttl_ms < OMS_JWKS_TTL_MIN_MS ? OMS_JWKS_TTL_MIN_MS : ttl_ms;
}

/* ---- one transfer ---- */

struct transfer {
    const atomic_bool *stop;
    struct oms_buf *body;
    struct oms_buf cache_control;
    size_t head_bytes;
};

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    oms_buf_append(transfer->body, data, size * count);
    return transfer->body->overflow ? 0 : size * count;
}

static size_t on_header(char *data, size_t size, size_t count, void *context)
{
    static const struct oms_str name = {"cache-control:", 14};
    struct transfer *transfer = context;
    struct oms_str line = oms_str_make(data, size * count);
    transfer->head_bytes += line.len;
    if (transfer->head_bytes > OMS_JWKS_HEAD_BYTES_MAX)
        return 0;
    if (line.len > name.len && oms_str_eq_nocase(oms_str_make(line.data, name.len), name)) {
        /* Several of one name are one list (RFC 9110 section 5.3). */
        oms_buf_append_char(&transfer->cache_control, ',');
        oms_buf_append_str(&transfer->cache_control,
                           oms_str_trim(oms_str_make(line.data + name.len, line.len - name.len)));
    }
    return line.len;
}

/* Called at least once a second: a server that stops waits for nobody. */
static int on_progress(void *context, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
    const struct transfer *transfer = context;
    (void)down_all;
    (void)down;
    (void)up_all;
    (void)up;
    return atomic_load_explicit(transfer->stop, memory_order_relaxed);
}

#define SET(curl, option, value) OMS_ASSERT(curl_easy_setopt((curl), (option), (value)) == CURLE_OK)

static void configure(CURL *curl, const struct http_issuer *issuer, const char *url, long timeout_ms,
                      struct transfer *transfer)
{
    bool secure = http_jwks_url_is_secure(oms_str_of(url));
    SET(curl, CURLOPT_URL, url);
    SET(curl, CURLOPT_PROTOCOLS_STR, secure ? "https" : "http");
    SET(curl, CURLOPT_FOLLOWLOCATION, 0L);
    SET(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(curl, CURLOPT_NOSIGNAL, 1L);
    SET(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)OMS_JWKS_CONNECT_MS);
    SET(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
    SET(curl, CURLOPT_MAXFILESIZE, (long)OMS_JWKS_BYTES_MAX);
    SET(curl, CURLOPT_USERAGENT, "liteoms/" LITEOMS_VERSION);
    SET(curl, CURLOPT_WRITEFUNCTION, on_body);
    SET(curl, CURLOPT_WRITEDATA, transfer);
    SET(curl, CURLOPT_HEADERFUNCTION, on_header);
    SET(curl, CURLOPT_HEADERDATA, transfer);
    SET(curl, CURLOPT_NOPROGRESS, 0L);
    SET(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(curl, CURLOPT_XFERINFODATA, transfer);
    if (!secure)
        SET(curl, CURLOPT_PROXY, ""); /* clear text to this machine goes to this machine */
    if (oms_str_present(issuer->jwks.ca_file)) {
        SET(curl, CURLOPT_CAINFO, issuer->jwks.ca_file.data);
        SET(curl, CURLOPT_CAPATH, NULL); /* else the system's count as well */
    }
}

static enum oms_status judge(CURL *curl, CURLcode code, const struct transfer *transfer,
                             struct oms_error *error)
{
    long status = 0;
    if (atomic_load_explicit(transfer->stop, memory_order_relaxed))
        return oms_error_set(error, OMS_CLOSED, "the server stops");
    if (transfer->body->overflow || code == CURLE_FILESIZE_EXCEEDED)
        return oms_error_set(error, OMS_IO, "the answer is larger than %u bytes", OMS_JWKS_BYTES_MAX);
    if (transfer->head_bytes > OMS_JWKS_HEAD_BYTES_MAX)
        return oms_error_set(error, OMS_IO, "the answer's headers are larger than %u bytes",
                             OMS_JWKS_HEAD_BYTES_MAX);
    if (code != CURLE_OK)
        return oms_error_set(error, OMS_IO, "%s", curl_easy_strerror(code));
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 300 && status < 400)
        return oms_error_set(error, OMS_IO, "the answer is %ld: redirects are not followed", status);
    if (status != 200)
        return oms_error_set(error, OMS_IO, "the answer is %ld", status);
    return OMS_OK;
}

static enum oms_status transfer_run(const struct http_issuer *issuer, const char *url, long timeout_ms,
                                    struct transfer *transfer, struct oms_error *error)
{
    CURL *curl = curl_easy_init();
    struct curl_slist *headers =
        curl_slist_append(NULL, "Accept: application/json, application/jwk-set+json");
    OMS_ASSERT(curl && headers);
    configure(curl, issuer, url, timeout_ms, transfer);
    SET(curl, CURLOPT_HTTPHEADER, headers);
    CURLcode code = curl_easy_perform(curl);
    enum oms_status status = judge(curl, code, transfer, error);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    return status;
}

/* ---- discovery ---- */

static enum oms_status check_discovery(const struct oms_value *tree, const struct http_issuer *issuer,
                                       struct oms_buf *out, struct oms_error *error)
{
    const struct oms_value *name = oms_value_get(tree, "issuer"), *uri = oms_value_get(tree, "jwks_uri");
    bool in_tls = http_jwks_url_is_secure(issuer->jwks.url);
    if (!name || name->kind != OMS_VALUE_STRING || !oms_str_eq(name->text, issuer->issuer))
        return oms_error_set(error, OMS_INVALID, "the discovery document is for another issuer");
    if (!uri || uri->kind != OMS_VALUE_STRING)
        return oms_error_set(error, OMS_INVALID, "the discovery document has no jwks_uri");
    const char *why = http_jwks_url_fault(uri->text, issuer->jwks.allow_http);
    if (!why && in_tls && !issuer->jwks.allow_http && !http_jwks_url_is_secure(uri->text))
        why = "must be https";
    if (why)
        return oms_error_set(error, OMS_INVALID, "the discovery document's jwks_uri %s", why);
    oms_buf_append_str(out, uri->text);
    oms_buf_append_char(out, '\0');
    return out->overflow ? oms_error_set(error, OMS_INVALID, "the discovery document's jwks_uri is too long")
                         : OMS_OK;
}

enum oms_status http_jwks_read_discovery(struct oms_str document, const struct http_issuer *issuer,
                                         struct oms_buf *out, struct oms_error *error)
{
    struct oms_arena arena;
    struct oms_value tree;
    struct oms_json_error fault;
    oms_arena_init(&arena, 16u << 10, TREE_BYTES_MAX);
    enum oms_status status = oms_json_parse(document, JSON_DEPTH, &arena, &tree, &fault);
    if (status == OMS_OK)
        status = check_discovery(&tree, issuer, out, error);
    else
        status =
            oms_error_set(error, OMS_INVALID, "the discovery document is no JSON: line %u, column %u: %s",
                          fault.line, fault.column, fault.message);
    oms_arena_fini(&arena);
    return status;
}

/* ---- the whole ---- */

static int64_t mono_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void http_jwks_fetch_prepare(void)
{
    OMS_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

enum oms_status http_jwks_fetch(const struct http_issuer *issuer, const atomic_bool *stop,
                                struct oms_buf *document, int64_t *ttl_ms, struct oms_error *error)
{
    struct transfer transfer = {.stop = stop, .body = document};
    const char *url = issuer->jwks.url.data;
    struct oms_buf found;
    enum oms_status status = OMS_OK;
    int64_t begin_ms = mono_ms();
    oms_buf_init(&found, OMS_URL_BYTES_MAX + 1);
    oms_buf_init(&transfer.cache_control, OMS_JWKS_HEAD_BYTES_MAX);
    if (issuer->jwks.is_discovery) {
        status = transfer_run(issuer, url, OMS_JWKS_FETCH_MS, &transfer, error);
        if (status == OMS_OK)
            status = http_jwks_read_discovery(oms_buf_str(document), issuer, &found, error);
        url = found.data;
        transfer.head_bytes = 0;
        oms_buf_reset(document);
        oms_buf_reset(&transfer.cache_control);
    }
    int64_t left_ms = OMS_JWKS_FETCH_MS - (mono_ms() - begin_ms);
    if (status == OMS_OK)
        status = transfer_run(issuer, url, left_ms > 1 ? (long)left_ms : 1, &transfer, error);
    *ttl_ms = http_jwks_ttl_ms(oms_buf_str(&transfer.cache_control));
    oms_buf_fini(&transfer.cache_control);
    oms_buf_fini(&found);
    return status == OMS_OK || status == OMS_CLOSED ? status : OMS_IO;
}

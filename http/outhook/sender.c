/* See sender.h. */
#include "http/outhook/sender.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/outhook/signing.h"
#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "runtime/host_uv.h"
#include "runtime/shard.h"

#define SIGNATURES_MAX 512
#define BODY_BYTES_MAX (64u << 20)
#define BODY_KEPT      (64u << 10) /* of memory, by a flight that is not used */
#define IDLE_MAX       OMS_OUTHOOK_PARALLEL_MAX

struct slot {
    struct outhook_flight flight; /* first */
    struct outhook_sender *sender;
    struct slot *next; /* idle ones; or those that have ended */
    CURL *easy;
    struct curl_slist *headers;
    uint64_t begin_ns;
    size_t answer_bytes, head_bytes;
    bool flying;
    const char *refused; /* what kind of address was */
    char retry_after[64];
};

/* What is known of a file descriptor that libcurl uses. */
struct socket_place {
    struct rt_watch *watch;
    bool ours; /* opened here, so that we hear when it is closed */
    bool used; /* by a transfer now; else kept for the next one */
};

struct outhook_sender {
    struct rt_host *host;
    struct rt_shard *shard;
    unsigned shard_index;
    const struct http_outhook_settings *settings;
    CURLM *multi;
    struct rt_timer timer;
    struct socket_place *sockets; /* by number */
    size_t socket_count;
    struct slot *idle;
    unsigned idle_count;
    bool running, kicked;
};

#define SET(easy, option, value)   OMS_ASSERT(curl_easy_setopt((easy), (option), (value)) == CURLE_OK)
#define SETM(multi, option, value) OMS_ASSERT(curl_multi_setopt((multi), (option), (value)) == CURLM_OK)

/* ---- sockets ---- */

static struct socket_place *place_of(struct outhook_sender *sender, int socket)
{
    size_t count = sender->socket_count ? sender->socket_count : 64;

    OMS_ASSERT(socket >= 0);
    while (count <= (size_t)socket)
        count *= 2;
    if (count > sender->socket_count) {
        sender->sockets = oms_reallocarray(sender->sockets, count, sizeof(sender->sockets[0]));
        memset(sender->sockets + sender->socket_count, 0,
               (count - sender->socket_count) * sizeof(sender->sockets[0]));
        sender->socket_count = count;
    }
    return &sender->sockets[socket];
}

static void forget(struct socket_place *place)
{
    rt_watch_close(place->watch);
    *place = (struct socket_place){0};
}

static bool address_of(const struct curl_sockaddr *from, struct outhook_address *out)
{
    if (from->family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, &from->addr, sizeof in);
        *out = outhook_address_v4((const unsigned char *)&in.sin_addr);
        return true;
    }
    if (from->family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, &from->addr, sizeof in);
        *out = outhook_address_v6((const unsigned char *)&in.sin6_addr);
        return true;
    }
    return false;
}

static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct slot *slot = context;
    struct outhook_sender *sender = slot->sender;
    struct outhook_address address;
    const char *what = "an address of an unknown kind";

    if (purpose != CURLSOCKTYPE_IPCXN || !address_of(to, &address) ||
        !outhook_address_allowed(&sender->settings->policy, &address)) {
        if (to->family == AF_INET || to->family == AF_INET6)
            what = outhook_address_special(&address);
        slot->refused = what ? what : "an address that is not allowed";
        return CURL_SOCKET_BAD;
    }
    int fd = socket(to->family, to->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, to->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    *place_of(sender, fd) = (struct socket_place){.ours = true};
    return fd;
}

static int on_close(void *context, curl_socket_t fd)
{
    forget(place_of(context, fd));
    return close(fd);
}

static void settle(struct outhook_sender *sender);

static void on_ready(void *context, int socket, unsigned events)
{
    struct outhook_sender *sender = context;
    struct socket_place *place = place_of(sender, socket);
    int mask = 0, running;

    if (!place->used) { /* a kept connection was closed over there: libcurl finds out when it needs it */
        rt_watch_want(place->watch, 0);
        return;
    }
    if (events & RT_WATCH_READ)
        mask |= CURL_CSELECT_IN;
    if (events & RT_WATCH_WRITE)
        mask |= CURL_CSELECT_OUT;
    sender->running = true;
    OMS_ASSERT(curl_multi_socket_action(sender->multi, socket, mask ? mask : CURL_CSELECT_ERR, &running) ==
               CURLM_OK);
    settle(sender);
}

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *own)
{
    struct outhook_sender *sender = context;
    struct socket_place *place = place_of(sender, socket);
    unsigned wanted = (what & CURL_POLL_IN ? RT_WATCH_READ : 0) | (what & CURL_POLL_OUT ? RT_WATCH_WRITE : 0);

    (void)easy;
    (void)own;
    if (what == CURL_POLL_REMOVE) {
        /* One that is kept will soon be read again: a watch that stays costs no system call. */
        place->used = false;
        if (!place->ours)
            forget(place);
        else if (place->watch)
            rt_watch_want(place->watch, RT_WATCH_READ);
        return 0;
    }
    place->used = true;
    if (!place->watch)
        place->watch = rt_watch_open(sender->host, sender->shard_index, socket, on_ready, sender);
    if (!place->watch)
        return -1;
    rt_watch_want(place->watch, wanted);
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct outhook_sender *sender = context;

    (void)multi;
    if (timeout_ms < 0)
        rt_timer_stop(sender->shard, &sender->timer);
    else
        rt_timer_start(sender->shard, &sender->timer, rt_now_ms(sender->host) + timeout_ms);
    return 0;
}

static void timer_fired(struct rt_shard *shard, struct rt_timer *timer)
{
    (void)shard;
    outhook_sender_run(OMS_CONTAINER_OF(timer, struct outhook_sender, timer));
}

/* ---- answers ---- */

/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl has the type */
static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct slot *slot = context;

    (void)data;
    slot->answer_bytes += size * count;
    return slot->answer_bytes > OMS_OUTHOOK_ANSWER_BYTES_MAX ? 0 : size * count;
}

static size_t on_header(char *data, size_t size, size_t count, void *context)
{
    static const struct oms_str name = {"retry-after:", 12};
    struct slot *slot = context;
    struct oms_str line = oms_str_make(data, size * count);

    slot->head_bytes += line.len;
    if (slot->head_bytes > OMS_OUTHOOK_HEAD_BYTES_MAX)
        return 0;
    if (line.len > name.len && oms_str_eq_nocase(oms_str_make(line.data, name.len), name)) {
        struct oms_str value = oms_str_trim(oms_str_make(line.data + name.len, line.len - name.len));
        snprintf(slot->retry_after, sizeof slot->retry_after, "%.*s", OMS_STR_ARG(value));
    }
    return line.len;
}

/* Nothing of what the receiver sent goes into it. */
static void judge(const struct slot *slot, CURLcode code, struct outhook_answer *out)
{
    if (slot->head_bytes > OMS_OUTHOOK_HEAD_BYTES_MAX)
        snprintf(out->why, sizeof out->why, "the answer's headers are larger than %u bytes",
                 OMS_OUTHOOK_HEAD_BYTES_MAX);
    else if (slot->answer_bytes > OMS_OUTHOOK_ANSWER_BYTES_MAX)
        snprintf(out->why, sizeof out->why, "the answer's body is larger than %u bytes",
                 OMS_OUTHOOK_ANSWER_BYTES_MAX);
    else if (code == CURLE_COULDNT_CONNECT && slot->refused)
        snprintf(out->why, sizeof out->why, "the host is %s, where this server sends nothing", slot->refused);
    else if (code == CURLE_OPERATION_TIMEDOUT)
        snprintf(out->why, sizeof out->why, "no whole answer within %u ms",
                 slot->sender->settings->timeout_ms);
    else if (code != CURLE_OK)
        snprintf(out->why, sizeof out->why, "%s", curl_easy_strerror(code));
    else if (out->status >= 300 && out->status < 400)
        snprintf(out->why, sizeof out->why, "the answer is %u: redirects are not followed", out->status);
    else if (out->status < 200 || out->status > 299)
        snprintf(out->why, sizeof out->why, "the answer is %u", out->status);
}

static void recycle(struct slot *slot)
{
    struct outhook_sender *sender = slot->sender;

    curl_slist_free_all(slot->headers);
    slot->headers = NULL;
    if (sender->idle_count >= IDLE_MAX || slot->flight.body.cap > BODY_KEPT) {
        curl_easy_cleanup(slot->easy);
        oms_buf_fini(&slot->flight.body);
        oms_free(slot);
        return;
    }
    slot->next = sender->idle;
    sender->idle = slot;
    sender->idle_count++;
}

static void ended(struct slot *slot, CURLcode code)
{
    struct outhook_sender *sender = slot->sender;
    struct outhook_answer answer = {0};
    long status = 0;

    curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
    OMS_ASSERT(curl_multi_remove_handle(sender->multi, slot->easy) == CURLM_OK);
    slot->flying = false;
    answer.status = code == CURLE_OK ? (unsigned)status : 0;
    answer.duration_ms = (uint32_t)((rt_mono_ns(sender->host) - slot->begin_ns) / 1000000);
    if (slot->retry_after[0])
        answer.retry_after_ms =
            outhook_retry_after_ms(oms_str_of(slot->retry_after), rt_now_ms(sender->host));
    judge(slot, code, &answer);
    slot->flight.done(&slot->flight, &answer);
    recycle(slot);
}

/* Tells what has ended, and begins what was sent meanwhile. */
static void settle(struct outhook_sender *sender)
{
    int left, running;

    do {
        CURLMsg *message;

        sender->kicked = false;
        while ((message = curl_multi_info_read(sender->multi, &left))) {
            char *slot = NULL;
            CURLcode code = message->data.result;

            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
            ended((struct slot *)(void *)slot, code);
        }
        if (sender->kicked)
            OMS_ASSERT(curl_multi_socket_action(sender->multi, CURL_SOCKET_TIMEOUT, 0, &running) == CURLM_OK);
    } while (sender->kicked);
    sender->running = false;
}

void outhook_sender_run(struct outhook_sender *sender)
{
    int running;

    if (sender->running)
        return;
    sender->running = true;
    OMS_ASSERT(curl_multi_socket_action(sender->multi, CURL_SOCKET_TIMEOUT, 0, &running) == CURLM_OK);
    settle(sender);
}

/* ---- sending ---- */

static void configure(struct slot *slot)
{
    const struct http_outhook_settings *settings = slot->sender->settings;
    CURL *easy = slot->easy;

    SET(easy, CURLOPT_PRIVATE, slot);
    SET(easy, CURLOPT_PROTOCOLS_STR, settings->policy.allow_http ? "http,https" : "https");
    SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
    SET(easy, CURLOPT_PROXY, "");
    SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(easy, CURLOPT_NOSIGNAL, 1L);
    SET(easy, CURLOPT_QUICK_EXIT, 1L); /* a lookup of a name that hangs is not waited for */
    SET(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)OMS_OUTHOOK_CONNECT_MS);
    SET(easy, CURLOPT_TIMEOUT_MS, (long)settings->timeout_ms);
    SET(easy, CURLOPT_USERAGENT, "liteoms/" LITEOMS_VERSION);
    SET(easy, CURLOPT_WRITEFUNCTION, on_body);
    SET(easy, CURLOPT_WRITEDATA, slot);
    SET(easy, CURLOPT_HEADERFUNCTION, on_header);
    SET(easy, CURLOPT_HEADERDATA, slot);
    SET(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    SET(easy, CURLOPT_OPENSOCKETDATA, slot);
    SET(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    SET(easy, CURLOPT_CLOSESOCKETDATA, slot->sender);
    SET(easy, CURLOPT_POST, 1L);
    if (oms_str_present(settings->ca_file)) {
        SET(easy, CURLOPT_CAINFO, settings->ca_file.data);
        SET(easy, CURLOPT_CAPATH, NULL);
    }
}

struct outhook_flight *outhook_sender_take(struct outhook_sender *sender)
{
    struct slot *slot = sender->idle;

    if (slot) {
        sender->idle = slot->next;
        sender->idle_count--;
        oms_buf_reset(&slot->flight.body);
    } else {
        slot = oms_calloc(1, sizeof *slot);
        slot->sender = sender;
        slot->easy = curl_easy_init();
        OMS_ASSERT(slot->easy);
        oms_buf_init(&slot->flight.body, BODY_BYTES_MAX);
        configure(slot);
    }
    slot->answer_bytes = slot->head_bytes = 0;
    slot->refused = NULL;
    slot->retry_after[0] = '\0';
    return &slot->flight;
}

static void add_header(struct slot *slot, const char *name, struct oms_str value)
{
    char line[SIGNATURES_MAX];

    snprintf(line, sizeof line, "%s:%s%.*s", name, value.len ? " " : "", OMS_STR_ARG(value));
    struct curl_slist *longer = curl_slist_append(slot->headers, line);
    OMS_ASSERT(longer);
    slot->headers = longer;
}

void outhook_sender_send(struct outhook_flight *flight, struct oms_str url, struct oms_str id,
                         int64_t timestamp_s, struct oms_str signatures)
{
    struct slot *slot = (struct slot *)flight;
    char text[OMS_URL_BYTES_MAX + 1], timestamp[32];

    snprintf(text, sizeof text, "%.*s", OMS_STR_ARG(url));
    SET(slot->easy, CURLOPT_URL, text);
    snprintf(timestamp, sizeof timestamp, "%lld", (long long)timestamp_s);
    add_header(slot, "Content-Type", OMS_STR("application/json"));
    add_header(slot, "Expect", OMS_STR(""));
    add_header(slot, "webhook-id", id);
    add_header(slot, "webhook-timestamp", oms_str_of(timestamp));
    add_header(slot, "webhook-signature", signatures);
    SET(slot->easy, CURLOPT_HTTPHEADER, slot->headers);
    SET(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)flight->body.len);
    SET(slot->easy, CURLOPT_POSTFIELDS, flight->body.data);
    slot->begin_ns = rt_mono_ns(slot->sender->host);
    slot->flying = true;
    OMS_ASSERT(curl_multi_add_handle(slot->sender->multi, slot->easy) == CURLM_OK);
    slot->sender->kicked = true;
}

void outhook_sender_cancel(struct outhook_flight *flight)
{
    struct slot *slot = (struct slot *)flight;

    if (slot->flying)
        OMS_ASSERT(curl_multi_remove_handle(slot->sender->multi, slot->easy) == CURLM_OK);
    slot->flying = false;
    recycle(slot);
}

/* ---- life ---- */

struct outhook_sender *outhook_sender_create(struct rt_host *host, unsigned shard,
                                             const struct http_outhook_settings *settings)
{
    struct outhook_sender *sender = oms_calloc(1, sizeof *sender);

    sender->host = host;
    sender->shard = host->shards[shard];
    sender->shard_index = shard;
    sender->settings = settings;
    sender->timer.fire = timer_fired;
    sender->multi = curl_multi_init();
    OMS_ASSERT(sender->multi);
    SETM(sender->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    SETM(sender->multi, CURLMOPT_SOCKETDATA, sender);
    SETM(sender->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    SETM(sender->multi, CURLMOPT_TIMERDATA, sender);
    SETM(sender->multi, CURLMOPT_MAXCONNECTS, (long)OMS_OUTHOOK_SHARD_MAX);
    return sender;
}

void outhook_sender_destroy(struct outhook_sender *sender)
{
    if (!sender)
        return;
    while (sender->idle) {
        struct slot *slot = sender->idle;

        sender->idle = slot->next;
        curl_easy_cleanup(slot->easy);
        oms_buf_fini(&slot->flight.body);
        oms_free(slot);
    }
    OMS_ASSERT(curl_multi_cleanup(sender->multi) == CURLM_OK); /* closes what is kept */
    rt_timer_stop(sender->shard, &sender->timer);
    for (size_t i = 0; i < sender->socket_count; i++)
        forget(&sender->sockets[i]);
    oms_free(sender->sockets);
    oms_free(sender);
}

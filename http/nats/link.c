/* See link.h. */
#include "http/nats/link.h"

#include <errno.h>
#include <nats/nats.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"
#include "runtime/shard.h"

#define HOME          0
#define STEP_MESSAGES 256
#define PING_MS       10000
#define PINGS_OUT     2
#define WRITE_MS      5000
#define HEADERS_MAX   4
#define SECRET_MAX    4096
#define POLL_NS       2000000
#define LIBRARY_MS    5000 /* for libnats's own threads to end */

enum order { ORDER_SEND, ORDER_WAKE, ORDER_RESET, ORDER_STOP };

/* What the thread is to do: one block. */
struct job {
    struct rt_message message;
    enum order order;
    uint32_t epoch;
    const char *subject, *reply;
    unsigned header_count;
    struct {
        const char *name, *value;
    } headers[HEADERS_MAX];
    struct oms_str payload;
};

struct nats_link {
    struct rt_worker worker;
    struct nats_link_config config;
    char inbox[OMS_NATS_SUBJECT_BYTES_MAX];
    /* the thread's */
    natsConnection *connection; /* NULL: none */
    natsSubscription *subscription;
    uint32_t epoch;
    int64_t next_ms; /* try */
    int64_t pause_ms;
    bool said; /* that there is no connection */
    bool stopping;
    atomic_bool started, stopped;
};

/* Who hears the messages of one connection: libnats may still call when the next one is made. */
struct ear {
    struct nats_link *link;
    uint32_t epoch;
};

/* ---- events ---- */

static void arrived(struct rt_shard *shard, struct rt_message *message)
{
    struct nats_event *event = OMS_CONTAINER_OF(message, struct nats_event, message);

    event->link->config.on_event(event->link->config.context, shard, event);
}

static struct oms_str put(char **at, struct oms_str text)
{
    if (!oms_str_present(text))
        return OMS_STR_NONE;
    struct oms_str copy = oms_str_make(*at, text.len);
    if (text.len)
        memcpy(*at, text.data, text.len);
    (*at)[text.len] = '\0';
    *at += text.len + 1;
    return copy;
}

/* Any thread. */
static void post(struct nats_link *link, const struct nats_event *from)
{
    size_t size = from->subject.len + from->reply.len + from->id.len + from->text.len + 4;
    struct nats_event *event = oms_malloc(sizeof(*event) + size);
    char *at = (char *)(event + 1);

    *event = *from;
    event->subject = put(&at, from->subject);
    event->reply = put(&at, from->reply);
    event->id = put(&at, from->id);
    event->text = put(&at, from->text);
    event->link = link;
    memset(&event->message, 0, sizeof(event->message));
    event->message.home = HOME;
    event->message.on_return = arrived;
    rt_post(link->config.host, HOME, &event->message);
}

void nats_event_free(struct nats_event *event)
{
    oms_free(event);
}

static void post_text(struct nats_link *link, enum nats_event_kind kind, uint32_t epoch, const char *text)
{
    post(link, &(struct nats_event){.kind = kind, .epoch = epoch, .text = oms_str_of(text ? text : "")});
}

/* ---- libnats's threads ---- */

static unsigned status_of(natsMsg *message)
{
    const char *value = NULL;

    if (natsMsg_IsNoResponders(message))
        return 503;
    if (natsMsg_GetDataLength(message) || natsMsgHeader_Get(message, "Status", &value) != NATS_OK || !value)
        return 0;
    return (unsigned)strtoul(value, NULL, 10);
}

static void on_message(natsConnection *connection, natsSubscription *subscription, natsMsg *message,
                       void *closure)
{
    const struct ear *ear = closure;
    const char *id = NULL;

    (void)connection;
    (void)subscription;
    if (natsMsgHeader_Get(message, "Nats-Msg-Id", &id) != NATS_OK)
        id = NULL;
    post(ear->link,
         &(struct nats_event){.kind = NATS_MESSAGE,
                              .epoch = ear->epoch,
                              .status = status_of(message),
                              .subject = oms_str_of(natsMsg_GetSubject(message)),
                              .reply = oms_str_of(natsMsg_GetReply(message)),
                              .id = oms_str_of(id),
                              .text = oms_str_make(natsMsg_GetData(message) ? natsMsg_GetData(message) : "",
                                                   (size_t)natsMsg_GetDataLength(message))});
    natsMsg_Destroy(message);
}

/* No message comes any more. */
static void on_deaf(void *closure)
{
    oms_free(closure);
}

static void order(struct nats_link *link, enum order what, uint32_t epoch)
{
    struct job *job = oms_calloc(1, sizeof(*job));

    job->order = what;
    job->epoch = epoch;
    rt_port_push(&link->worker.port, &job->message, &job->message, 1);
}

static void on_closed(natsConnection *connection, void *closure)
{
    struct nats_link *link = closure;

    (void)connection;
    order(link, ORDER_WAKE, 0);
}

/* What the broker says of what is not permitted comes here; what went wrong with a socket closes it as well.
 */
static void on_error(natsConnection *connection, natsSubscription *subscription, natsStatus status,
                     void *closure)
{
    const char *said = NULL;

    (void)subscription;
    if (status == NATS_SLOW_CONSUMER)
        return;
    if (natsConnection_GetLastError(connection, &said) == NATS_OK || !said || !said[0])
        said = natsStatus_GetText(status);
    post_text(closure, NATS_FAULT, 0, said);
}

/* ---- connecting ---- */

/* The first line of a file. */
static bool read_secret(struct oms_str name, char out[SECRET_MAX], char *why, size_t why_size)
{
    FILE *stream = fopen(name.data, "re");

    out[0] = '\0';
    if (!stream || !fgets(out, SECRET_MAX, stream)) {
        snprintf(why, why_size, "%s cannot be read: %s", name.data, stream ? "it is empty" : strerror(errno));
        if (stream)
            fclose(stream);
        return false;
    }
    fclose(stream);
    out[strcspn(out, "\r\n")] = '\0';
    return true;
}

static natsStatus set_login(natsOptions *options, const struct http_nats_settings *settings, char *why,
                            size_t why_size)
{
    char secret[SECRET_MAX];
    natsStatus status = NATS_OK;

    if (oms_str_present(settings->credentials_file)) {
        status = natsOptions_SetUserCredentialsFromFiles(options, settings->credentials_file.data, NULL);
    } else if (oms_str_present(settings->user)) {
        if (!read_secret(settings->password_file, secret, why, why_size))
            return NATS_INVALID_ARG;
        status = natsOptions_SetUserInfo(options, settings->user.data, secret);
    } else if (oms_str_present(settings->token_file)) {
        if (!read_secret(settings->token_file, secret, why, why_size))
            return NATS_INVALID_ARG;
        status = natsOptions_SetToken(options, secret);
    } else if (oms_str_present(settings->nkey)) {
        status = natsOptions_SetNKeyFromSeed(options, settings->nkey.data, settings->nkey_seed_file.data);
    }
    explicit_bzero(secret, sizeof(secret));
    return status;
}

static natsStatus set_tls(natsOptions *options, const struct http_nats_settings *settings)
{
    natsStatus status = NATS_OK;

    if (!settings->tls)
        return status;
    status = natsOptions_SetSecure(options, true);
    if (status == NATS_OK && oms_str_present(settings->tls_ca))
        status = natsOptions_LoadCATrustedCertificates(options, settings->tls_ca.data);
    if (status == NATS_OK && oms_str_present(settings->tls_cert))
        status = natsOptions_LoadCertificatesChain(options, settings->tls_cert.data, settings->tls_key.data);
    if (status == NATS_OK && oms_str_present(settings->tls_hostname))
        status = natsOptions_SetExpectedHostname(options, settings->tls_hostname.data);
    return status;
}

static natsStatus make_options(struct nats_link *link, natsOptions **out, char *why, size_t why_size)
{
    const struct http_nats_settings *settings = link->config.settings;
    const char *urls[OMS_NATS_URLS_MAX];
    natsStatus status = natsOptions_Create(out);

    if (status != NATS_OK)
        return status;
    for (size_t i = 0; i < settings->url_count; i++)
        urls[i] = settings->urls[i].data;
    if ((status = natsOptions_SetServers(*out, urls, (int)settings->url_count)) != NATS_OK ||
        (status = natsOptions_SetName(*out, "liteoms")) != NATS_OK ||
        (status = natsOptions_SetTimeout(*out, OMS_NATS_CONNECT_MS)) != NATS_OK ||
        (status = natsOptions_SetAllowReconnect(*out, false)) != NATS_OK ||
        (status = natsOptions_SetPingInterval(*out, PING_MS)) != NATS_OK ||
        (status = natsOptions_SetMaxPingsOut(*out, PINGS_OUT)) != NATS_OK ||
        (status = natsOptions_SetWriteDeadline(*out, WRITE_MS)) != NATS_OK ||
        (status = natsOptions_SetClosedCB(*out, on_closed, link)) != NATS_OK ||
        (status = natsOptions_SetErrorHandler(*out, on_error, link)) != NATS_OK ||
        (status = set_tls(*out, settings)) != NATS_OK)
        return status;
    return set_login(*out, settings, why, why_size);
}

static void drop(struct nats_link *link)
{
    natsSubscription_Destroy(link->subscription);
    natsConnection_Destroy(link->connection);
    link->subscription = NULL;
    link->connection = NULL;
}

/* Everything that comes goes through one subscription, so in one order. */
static natsStatus listen_to(struct nats_link *link)
{
    char subject[OMS_NATS_SUBJECT_BYTES_MAX + 2];
    natsStatus status;

    struct ear *ear = oms_malloc(sizeof(*ear));

    *ear = (struct ear){link, link->epoch};
    snprintf(subject, sizeof(subject), "%s>", link->inbox);
    status = natsConnection_Subscribe(&link->subscription, link->connection, subject, on_message, ear);
    if (status == NATS_OK)
        status = natsSubscription_SetOnCompleteCB(link->subscription, on_deaf, ear);
    else
        oms_free(ear);
    if (status == NATS_OK)
        status = natsSubscription_SetPendingLimits(link->subscription, -1, -1);
    return status;
}

static void pause_first(struct nats_link *link)
{
    int64_t jitter = (int64_t)(rt_random(link->config.host) % (uint64_t)(link->pause_ms / 4 + 1));

    link->next_ms = rt_now_ms(link->config.host) + link->pause_ms + jitter;
    link->pause_ms *= 2;
    if (link->pause_ms > OMS_NATS_RETRY_MAX_MS)
        link->pause_ms = OMS_NATS_RETRY_MAX_MS;
}

static void connect_now(struct nats_link *link)
{
    natsOptions *options = NULL;
    char why[512] = "";
    natsStatus status;

    link->epoch++; /* before its first message can come */
    status = make_options(link, &options, why, sizeof(why));
    if (status == NATS_OK)
        status = natsConnection_Connect(&link->connection, options);
    if (status == NATS_OK)
        status = listen_to(link);
    if (status != NATS_OK && !why[0]) {
        natsStatus last = status;
        const char *said = nats_GetLastError(&last);
        snprintf(why, sizeof(why), "%s",
                 last == status && said && said[0] ? said : natsStatus_GetText(status));
    }
    natsOptions_Destroy(options);
    if (status == NATS_OK) {
        link->said = false;
        link->pause_ms = OMS_NATS_RETRY_MIN_MS;
        post(link, &(struct nats_event){.kind = NATS_UP,
                                        .epoch = link->epoch,
                                        .number = (uint64_t)natsConnection_GetMaxPayload(link->connection)});
        return;
    }
    drop(link);
    if (!link->said)
        post_text(link, NATS_DOWN, 0, why);
    link->said = true;
    pause_first(link);
}

static void disconnect(struct nats_link *link, const char *why)
{
    uint32_t epoch = link->epoch;
    char text[256];

    snprintf(text, sizeof(text), "%s", why);
    drop(link);
    post_text(link, NATS_DOWN, epoch, text);
    link->said = true;
    pause_first(link);
}

static void check_connection(struct nats_link *link)
{
    const char *said = NULL;

    if (!link->connection || !natsConnection_IsClosed(link->connection))
        return;
    natsConnection_GetLastError(link->connection, &said);
    disconnect(link, said && said[0] ? said : "the connection was closed");
}

/* ---- writing ---- */

static natsStatus publish(struct nats_link *link, const struct job *job)
{
    natsMsg *message = NULL;
    natsStatus status =
        natsMsg_Create(&message, job->subject, job->reply, job->payload.data, (int)job->payload.len);

    for (unsigned i = 0; status == NATS_OK && i < job->header_count; i++)
        status = natsMsgHeader_Set(message, job->headers[i].name, job->headers[i].value);
    if (status == NATS_OK)
        status = natsConnection_PublishMsg(link->connection, message);
    natsMsg_Destroy(message);
    return status;
}

static void obey(struct nats_link *link, const struct job *job)
{
    natsStatus status;

    switch (job->order) {
    case ORDER_SEND:
        if (!link->connection || job->epoch != link->epoch)
            return;
        status = publish(link, job);
        if (status != NATS_OK)
            disconnect(link, natsStatus_GetText(status));
        return;
    case ORDER_RESET:
        if (link->connection && job->epoch == link->epoch)
            disconnect(link, "begun anew");
        return;
    case ORDER_WAKE:
        return;
    case ORDER_STOP:
        link->stopping = true;
        if (link->connection) {
            (void)natsConnection_FlushTimeout(link->connection, OMS_NATS_CONNECT_MS);
            natsConnection_Close(link->connection);
            drop(link);
        }
        atomic_store(&link->stopped, true);
        return;
    }
    OMS_UNREACHABLE();
}

static bool step(struct rt_worker *worker, int64_t *wait_ms)
{
    struct nats_link *link = OMS_CONTAINER_OF(worker, struct nats_link, worker);
    struct rt_message *message;
    unsigned count = 0;

    atomic_store(&link->started, true);
    for (; count < STEP_MESSAGES && (message = rt_mailbox_pop(&worker->port.mailbox)); count++) {
        struct job *job = OMS_CONTAINER_OF(message, struct job, message);

        obey(link, job);
        oms_free(job);
    }
    *wait_ms = -1;
    if (link->stopping || link->config.host->finishing)
        return count == STEP_MESSAGES;
    check_connection(link);
    int64_t now_ms = rt_now_ms(link->config.host);
    if (!link->connection && now_ms >= link->next_ms)
        connect_now(link);
    if (!link->connection)
        *wait_ms = link->next_ms > now_ms ? link->next_ms - now_ms : 0;
    return count == STEP_MESSAGES;
}

/* ---- what the others call ---- */

static const char *put_c(char **at, const char *text)
{
    return text ? put(at, oms_str_of(text)).data : NULL;
}

void nats_link_send(struct nats_link *link, uint32_t epoch, const char *subject, const char *reply,
                    const struct nats_header *headers, size_t header_count, struct oms_str payload)
{
    size_t size = strlen(subject) + (reply ? strlen(reply) : 0) + payload.len + 3;

    OMS_ASSERT(header_count <= HEADERS_MAX);
    for (size_t i = 0; i < header_count; i++)
        size += headers[i].value.len + 1;
    struct job *job = oms_malloc(sizeof(*job) + size);
    char *at = (char *)(job + 1);
    *job = (struct job){.order = ORDER_SEND, .epoch = epoch, .header_count = (unsigned)header_count};
    job->subject = put_c(&at, subject);
    job->reply = put_c(&at, reply);
    for (size_t i = 0; i < header_count; i++) {
        job->headers[i].name = headers[i].name;
        job->headers[i].value = put(&at, headers[i].value).data;
    }
    job->payload = put(&at, oms_str_present(payload) ? payload : OMS_STR(""));
    rt_port_push(&link->worker.port, &job->message, &job->message, 1);
}

void nats_link_reset(struct nats_link *link, uint32_t epoch)
{
    order(link, ORDER_RESET, epoch);
}

const char *nats_link_inbox(const struct nats_link *link)
{
    return link->inbox;
}

struct nats_link *nats_link_create(const struct nats_link_config *config)
{
    struct nats_link *link = oms_calloc(1, sizeof(*link));

    link->config = *config;
    link->pause_ms = OMS_NATS_RETRY_MIN_MS;
    snprintf(link->inbox, sizeof(link->inbox), "%.*s.LITEOMS.%016llx%016llx.",
             OMS_STR_ARG(config->settings->inbox_prefix), (unsigned long long)rt_random(config->host),
             (unsigned long long)rt_random(config->host));
    link->worker.name = "nats";
    link->worker.step = step;
    config->host->ops->add_worker(config->host, &link->worker);
    return link;
}

void nats_link_stop(struct nats_link *link)
{
    const struct timespec poll = {.tv_nsec = POLL_NS};

    if (!atomic_load(&link->started) || atomic_load(&link->stopped))
        return;
    order(link, ORDER_STOP, 0);
    while (!atomic_load(&link->stopped))
        nanosleep(&poll, NULL);
    /* Only then no callback can come any more. */
    if (nats_CloseAndWait(LIBRARY_MS) != NATS_OK)
        OMS_LOG(OMS_LOG_WARN, "nats.library_hangs", OMS_LOG_U64("waited_ms", LIBRARY_MS));
    /*
     * At the end of the process libnats 3.4.1 frees what OpenSSL 3 frees again, and that crashes; but not
     * while it is open.
     */
    (void)nats_Open(-1);
}

void nats_link_destroy(struct nats_link *link)
{
    struct rt_message *message;

    if (!link)
        return;
    while ((message = rt_mailbox_pop(&link->worker.port.mailbox)))
        oms_free(OMS_CONTAINER_OF(message, struct job, message));
    oms_free(link);
}

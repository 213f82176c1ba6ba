/*
 * poll() over a few connections. An answer is read by its Content-Length or its chunks (RFC 9112
 * section 7.1), which is all that the servers of the comparison send.
 */
#include "bench/engine_compare/http1.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/buf.h"

#define ANSWER_BYTES_MAX (1u << 20)
#define S_NS             1e9

struct client {
    int fd;
    uint64_t sent_ns;
    struct load_request request;
    struct oms_buf in, out, body;
    char buffer[LOAD_BUFFER_SIZE];
};

struct run {
    const struct load_config *config;
    const struct load_workload *workload;
    struct load_result *result;
    uint64_t measure_ns, end_ns;
};

static bool client_connect(struct client *client, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    oms_buf_init(&client->in, ANSWER_BYTES_MAX);
    oms_buf_init(&client->out, ANSWER_BYTES_MAX);
    oms_buf_init(&client->body, ANSWER_BYTES_MAX);
    client->request.buffer = client->buffer;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return client->fd >= 0 && setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0 &&
           connect(client->fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

static void client_close(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    oms_buf_fini(&client->in);
    oms_buf_fini(&client->out);
    oms_buf_fini(&client->body);
}

static bool send_next(struct run *run, struct client *client)
{
    const struct load_config *config = run->config;
    struct oms_buf *out = &client->out;
    if (!run->workload->next(run->workload->context, &client->request))
        return false;
    oms_buf_reset(out);
    oms_buf_appendf(out,
                    "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Type: application/json\r\n"
                    "Content-Length: %zu\r\n%s%s%s\r\n",
                    config->path, config->port, client->request.body.len,
                    config->token ? "Authorization: Bearer " : "", config->token ? config->token : "",
                    config->token ? "\r\n" : "");
    oms_buf_append_str(out, client->request.body);
    oms_buf_reset(&client->in);
    client->sent_ns = load_now_ns();
    return send(client->fd, out->data, out->len, MSG_NOSIGNAL) ==
           (ssize_t)out->len; /* small, and it blocks */
}

/* The value of a header of the NUL-terminated head, or NULL. */
static const char *header(const char *head, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, len) == 0 && line[2 + len] == ':')
            return line + 3 + len;
    return NULL;
}

/* The chunks of `text` (NUL-terminated) joined in `body`; false while the last one is not there. */
static bool join_chunks(const char *text, size_t len, struct oms_buf *body)
{
    oms_buf_reset(body);
    for (size_t at = 0; at < len;) {
        char *end;
        size_t size = strtoul(text + at, &end, 16);
        const char *data = strstr(end, "\r\n");
        if (!data || (size_t)(data + 2 - text) + size + 2 > len)
            return false;
        if (size == 0)
            return true;
        oms_buf_append(body, data + 2, size);
        at = (size_t)(data + 2 - text) + size + 2;
    }
    return false;
}

/* Whether the answer is whole: then its status and body. */
static bool parse(struct client *client, unsigned *status, struct oms_str *body)
{
    oms_buf_append_char(&client->in, '\0');
    client->in.len--;
    char *head_end = strstr(client->in.data, "\r\n\r\n");
    if (!head_end)
        return false;
    size_t head = (size_t)(head_end + 4 - client->in.data), rest = client->in.len - head;
    head_end[2] = '\0';
    const char *length = header(client->in.data, "content-length");
    bool whole;
    if (length) {
        size_t wanted = strtoul(length, NULL, 10);
        whole = rest >= wanted;
        *body = oms_str_make(head_end + 4, wanted);
    } else {
        whole = join_chunks(head_end + 4, rest, &client->body);
        *body = oms_buf_str(&client->body);
    }
    *status = (unsigned)strtoul(client->in.data + 9, NULL, 10);
    head_end[2] = '\r';
    return whole;
}

/* False when the connection broke. */
static bool receive(struct run *run, struct client *client)
{
    struct load_result *result = run->result;
    unsigned status;
    struct oms_str body;
    if (!oms_buf_reserve(&client->in, 64u << 10))
        return false;
    ssize_t got = recv(client->fd, client->in.data + client->in.len, 64u << 10, 0);
    if (got <= 0)
        return false;
    client->in.len += (size_t)got;
    if (!parse(client, &status, &body))
        return true;
    uint64_t now = load_now_ns();
    const char *why = run->workload->check(run->workload->context, client->request.tag, status, body);
    if (why && result->wrong++ == 0)
        snprintf(result->first_wrong, sizeof(result->first_wrong), "%s: %u %.*s", why, status,
                 body.len < 600 ? (int)body.len : 600, body.data);
    if (now >= run->measure_ns && now < run->end_ns) {
        result->answers++;
        histogram_record(&result->latency, now - client->sent_ns);
    }
    return now >= run->end_ns || send_next(run, client);
}

static bool loop(struct run *run, struct client *clients, struct pollfd *polled)
{
    unsigned count = run->config->connections;
    for (unsigned i = 0; i < count; i++) {
        polled[i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
        if (!send_next(run, &clients[i]))
            return false;
    }
    while (load_now_ns() < run->end_ns) {
        if (poll(polled, count, 100) < 0 && errno != EINTR)
            return false;
        for (unsigned i = 0; i < count; i++)
            if (polled[i].revents && !receive(run, &clients[i]))
                return false;
    }
    return true;
}

enum oms_status http1_run(const struct load_config *config, const struct load_workload *workload,
                          struct load_result *result, struct oms_error *error)
{
    uint64_t now = load_now_ns();
    struct client *clients = oms_calloc(config->connections, sizeof(*clients));
    struct pollfd *polled = oms_calloc(config->connections, sizeof(*polled));
    struct run run = {.config = config,
                      .workload = workload,
                      .result = result,
                      .measure_ns = now + (uint64_t)(config->warmup_s * S_NS),
                      .end_ns = now + (uint64_t)((config->warmup_s + config->duration_s) * S_NS)};
    bool fine = true;
    for (unsigned i = 0; i < config->connections; i++)
        fine = client_connect(&clients[i], config->port) && fine;
    fine = fine && loop(&run, clients, polled);
    result->seconds = config->duration_s;
    if (!fine)
        oms_error_set(error, OMS_IO, "a connection broke: %s", strerror(errno));
    for (unsigned i = 0; i < config->connections; i++)
        client_close(&clients[i]);
    oms_free(clients);
    oms_free(polled);
    return fine ? OMS_OK : OMS_IO;
}

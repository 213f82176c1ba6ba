/* Sockets by plain system calls: libuv 1.44 has no flag for SO_REUSEPORT, it is given finished descriptors.
 */
#include "http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/base/assert.h"

#define BACKLOG 4096

size_t http_listen_format(const struct sockaddr *address, socklen_t len, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "?";
    unsigned port = 0;
    bool six = false;
    if (address->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof(in));
        inet_ntop(AF_INET, &in.sin_addr, host, sizeof(host));
        port = ntohs(in.sin_port);
    } else if (address->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 in;
        memcpy(&in, address, sizeof(in));
        inet_ntop(AF_INET6, &in.sin6_addr, host, sizeof(host));
        port = ntohs(in.sin6_port);
        six = true;
    }
    int written = snprintf(out, size, six ? "[%s]:%u" : "%s:%u", host, port);
    OMS_ASSERT(written > 0 && (size_t)written < size);
    return (size_t)written;
}

static enum oms_status refuse_text(struct oms_str text, struct oms_error *error)
{
    return oms_error_set(
        error, OMS_INVALID,
        "cannot listen on '%.*s': expected ADDRESS:PORT, such as 127.0.0.1:8080, [::1]:8080 or :8080",
        OMS_STR_ARG(text));
}

enum oms_status http_listen_parse(struct oms_str text, struct http_listen_address *out,
                                  struct oms_error *error)
{
    char host[256] = "";
    size_t colon = text.len;
    while (colon > 0 && text.data[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return refuse_text(text, error);
    int64_t port;
    struct oms_str port_text = oms_str_make(text.data + colon, text.len - colon);
    if (oms_str_to_i64(port_text, &port) != OMS_OK || port < 0 || port > 65535 || port_text.data[0] == '-')
        return refuse_text(text, error);
    struct oms_str name = oms_str_make(text.data, colon - 1);
    bool bracketed = name.len >= 2 && name.data[0] == '[' && name.data[name.len - 1] == ']';
    if (bracketed)
        name = oms_str_make(name.data + 1, name.len - 2);
    if (name.len >= sizeof(host) || (!bracketed && memchr(name.data, ':', name.len)))
        return refuse_text(text, error);
    memcpy(host, name.data, name.len);
    if (strlen(host) != name.len)
        return refuse_text(text, error);

    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    char port_digits[8];
    snprintf(port_digits, sizeof(port_digits), "%u", (unsigned)port);
    /* An empty name means every address; 0.0.0.0 is what people expect of ":8080". */
    int failed = getaddrinfo(host[0] ? host : "0.0.0.0", port_digits, &hints, &found);
    if (failed)
        return oms_error_set(error, OMS_INVALID, "cannot listen on '%.*s': %s", OMS_STR_ARG(text),
                             gai_strerror(failed));
    *out = (struct http_listen_address){.len = found->ai_addrlen};
    memcpy(&out->address, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    http_listen_format((struct sockaddr *)&out->address, out->len, out->text, sizeof(out->text));
    return OMS_OK;
}

static enum oms_status refuse_bind(const struct http_listen_address *address, struct oms_error *error)
{
    int number = errno;
    if (number == EADDRINUSE)
        return oms_error_set(error, OMS_EXISTS, "cannot listen on %s: another process uses the port",
                             address->text);
    enum oms_status status = number == EACCES || number == EPERM ? OMS_DENIED : OMS_IO;
    return oms_error_set(error, status, "cannot listen on %s: %s", address->text, strerror(number));
}

/* A bound socket, or -1 with errno. */
static int open_bound(const struct http_listen_address *address, bool shared)
{
    int on = 1;
    int fd = socket(address->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) ||
        bind(fd, (const struct sockaddr *)&address->address, address->len) != 0) {
        int number = errno;
        close(fd);
        errno = number;
        return -1;
    }
    return fd;
}

static void take_bound_port(struct http_listen_address *address, int fd)
{
    address->len = sizeof(address->address);
    int failed = getsockname(fd, (struct sockaddr *)&address->address, &address->len);
    OMS_ASSERT(failed == 0);
    http_listen_format((struct sockaddr *)&address->address, address->len, address->text,
                       sizeof(address->text));
}

enum oms_status http_listen_open(struct http_listen_address *address, unsigned count, int *fds,
                                 struct oms_error *error)
{
    int probe = open_bound(address, false);
    if (probe < 0)
        return refuse_bind(address, error);
    take_bound_port(address, probe);
    close(probe);

    unsigned opened = 0;
    enum oms_status status = OMS_OK;
    while (opened < count) {
        fds[opened] = open_bound(address, true);
        if (fds[opened] < 0) {
            status = refuse_bind(address, error);
            break;
        }
        opened++;
        if (listen(fds[opened - 1], BACKLOG) != 0) {
            status = refuse_bind(address, error);
            break;
        }
    }
    while (status != OMS_OK && opened > 0)
        close(fds[--opened]);
    return status;
}

uint64_t http_socket_received(int fd, bool *left)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);
    memset(&info, 0, sizeof(info));
    *left = false;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return 0;
    enum { CLOSED = 7, CLOSE_WAIT = 8 }; /* <netinet/tcp.h> has them, but not beside <linux/tcp.h> */
    *left = info.tcpi_state == CLOSE_WAIT || info.tcpi_state == CLOSED;
    return info.tcpi_bytes_received;
}

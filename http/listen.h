/*
 * Where the server listens: "ADDR:PORT" to sockets.
 *
 * Every shard has a listening socket of its own on the same address (SO_REUSEPORT), so that the kernel
 * spreads connections and no shard hands sockets to another. The price: two processes could listen on one
 * port without noticing. So the address is first bound plainly, which fails when anybody is there.
 */
#ifndef HTTP_LISTEN_H
#define HTTP_LISTEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "runtime/base/str.h"

struct http_listen_address {
    struct sockaddr_storage address;
    socklen_t len;
    char text[64]; /* numeric, "[::1]:8080" or "127.0.0.1:8080"; the port as bound */
};

/*
 * "127.0.0.1:8080", "[::1]:8080", "localhost:8080", ":8080" (every address), port 0: any free one.
 * OMS_INVALID with a message that says what is accepted.
 */
OMS_MUST_USE enum oms_status http_listen_parse(struct oms_str text, struct http_listen_address *out,
                                               struct oms_error *error);
/*
 * Opens `count` listening, non-blocking sockets. OMS_EXISTS when the port is in use, OMS_DENIED without the
 * right to it; then none is open. With port 0 the chosen one is put into `address`.
 */
OMS_MUST_USE enum oms_status http_listen_open(struct http_listen_address *address, unsigned count, int *fds,
                                              struct oms_error *error);
/* "127.0.0.1:43210" of a socket address; `out` holds at least 64 bytes. Returns the length. */
size_t http_listen_format(const struct sockaddr *address, socklen_t len, char *out, size_t size);
/*
 * Bytes that a TCP connection has received since it was made; 0 when the kernel does not say. `left`: the
 * other side has closed or reset it, whether or not everything that it sent was read.
 */
uint64_t http_socket_received(int fd, bool *left);

#endif

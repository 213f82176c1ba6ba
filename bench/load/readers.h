/*
 * Readers of one subscription: C connections × S streams of server-sent events over HTTP/2 (prior knowledge),
 * on a thread of their own, every event looked at.
 *
 * Each stream checks that its cursors' commits only grow, and counts its events; at the end all streams must
 * have counted the same. Latency runs from the event's `at`, the moment at which the command was decided
 * (before its commit), by the wall clock of the same machine, in milliseconds: it holds the commit, the
 * fan-out and the way to this client.
 */
#ifndef READERS_H
#define READERS_H

#include "bench/load/histogram.h"
#include "runtime/base/str.h"

struct readers;

struct readers_config {
    uint16_t port; /* on 127.0.0.1 */
    const char *token;
    const char *document; /* a subscription that selects `event { commit at }` */
    unsigned connections, streams;
    bool get; /* GET with the document in the URL instead of POST */
};

struct readers_result {
    uint64_t events, bytes; /* of all streams */
    uint64_t checkpoints;
    uint64_t ended;       /* streams that the server ended */
    uint64_t wrong;       /* events out of order, and what is no event */
    uint64_t least, most; /* events of the stream that has the fewest, and of the one that has the most */
    char first_wrong[256];
    struct histogram latency; /* since readers_reset */
};

/* Connects, subscribes, and waits until every stream has its first item. The config's texts are borrowed. */
OMS_MUST_USE enum oms_status readers_open(const struct readers_config *config, struct readers **out,
                                          struct oms_error *error);
/* Starts counting anew. */
void readers_reset(struct readers *readers);
/* What has come since. Exact when nothing is under way. */
void readers_look(struct readers *readers, struct readers_result *out);
/* Ends the thread and the connections. */
void readers_close(struct readers *readers);

#endif

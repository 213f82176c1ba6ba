/*
 * A root field that asks many orders at once: the fan-out, for mutations whose payload has a list of results.
 *
 * The head is the root's own task; it leads one item per order. An item is a task like any other: it travels
 * to its order's shard, is decided there, and its object of the payload's list is executed there (or in the
 * read pool), by gql_execute_part. When all are home the head's payload is executed around what they wrote.
 * Items have errors, memory and a fate of their own: what happens to one is told in its object, and never
 * takes the answer from the others.
 *
 * Everything here but api_fan_execute and api_fan_fault runs on the head's shard.
 */
#ifndef API_FAN_H
#define API_FAN_H

#include <stdatomic.h>

#include "http/api/request.h"

struct api_fan_part { /* what an item wrote for one selection of the list; absent: nothing */
    struct oms_str json;
};

struct api_fan {
    struct api_task *head;
    const char *field; /* of the payload: the list of results */
    const char *input; /* of the root's input: the list of what to do */
    void (*done)(struct api_task *head);
    size_t count;
    size_t pending;       /* items under way, and 1 while they are being started */
    size_t parts;         /* how often the document asks for the list */
    size_t refused;       /* once done */
    _Atomic size_t bytes; /* written by the items so far */
    struct api_task *items[];
};

/*
 * Starts `count` items for head, whose tenant is known: `start` gets each in turn with its number in
 * item->item and must finish it like any task, now or later. Then `done` is called, perhaps before this
 * returns: it executes the head's payload, with .fan, and finishes the head. False: no memory, nothing has
 * been started.
 */
OMS_MUST_USE bool api_fan_start(struct api_task *head, const char *field, const char *input, size_t count,
                                void (*start)(struct api_task *item), void (*done)(struct api_task *head));
/* The GQL_PARTS resolver of the payload's list; `fan` NULL: an empty list. */
bool api_fan_write(const struct gql_exec *x, const struct api_fan *fan, struct oms_buf *out);

/* ---- what task.c does with an item ---- */

/* Executes its object on the payload. */
void api_fan_execute(struct api_task *item, const struct api_payload *payload);
/* Something failed beside the domain: adds an error, and says in its object what is known. */
void api_fan_fault(struct api_task *item, const char *code, const char *message);
/* It is home. */
void api_fan_finish(struct api_task *item);
/* With the head. */
void api_fan_recycle(struct api_fan *fan);

#endif

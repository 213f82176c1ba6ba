/*
 * Messages and addresses: what actors, shards, workers and pools pass to each other.
 *
 * A message has one owner at every moment: sending moves it. A request and its answer are the same node: it is
 * allocated by a shard (its home), travels to where the work is, is filled in, and comes home, where it is recycled.
 * So no memory is allocated on one core and freed on another.
 */
#ifndef RT_MESSAGE_H
#define RT_MESSAGE_H

#include <stdint.h>
#include <string.h>

#include "runtime/base/hash.h"
#include "runtime/base/status.h"

struct rt_shard;

/* What lives behind an address; the store keeps these numbers. */

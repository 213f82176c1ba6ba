/*
 * Tells a write-ahead log of RocksDB whose last record is torn from one that is damaged before its end.
 *
 * A power cut, or a sync that failed, can leave any of the last batch's pages behind and none of its others:
 * a record whose checksum does not match. RocksDB's strict recovery refuses such a log, and its lenient one
 * drops what follows a damaged record as well, even when that was acknowledged. The committer writes one
 * batch, one record of the log, at a time and syncs it before the next; so only the last record may be torn,
 * nobody was told that it is durable, and leaving it out is right. A record that begins after the damage
 * means that the damaged one was acknowledged: then nothing may be left out in silence.
 *
 * RocksDB itself does not see every damage: it takes a zeroed header for the end of what was allocated ahead,
 * and drops the rest of that block. Hence one look before each opening, and one after a refusal.
 *
 * (A last record that was synced and rotted later looks the same. Whatever of it was applied to the derived
 * families makes recovery refuse: the log then ends before what was applied.)
 */
#ifndef STORE_WAL_TAIL_H
#define STORE_WAL_TAIL_H

#include <stdbool.h>

enum store_wal_state {
    STORE_WAL_WHOLE,   /* every record can be read */
    STORE_WAL_TORN,    /* only the end of the newest one cannot: leave it out */
    STORE_WAL_DAMAGED, /* something begins after what cannot be read, or a file cannot be read at all */
};

/*
 * Reads all *.log files of the folder, in the order of their numbers. Blocks; no database may be open on it.
 * `all_live`: a record in a newer file stands behind the damage in an older one; false: the older file may be
 * left over from a start that recovered from its torn end already, so each file is looked at by itself.
 */
enum store_wal_state store_wal_inspect(const char *folder, bool all_live);

#endif

/*
 * Records whose personal texts are sealed (vault.h): writing them, and reading them with their keys.
 *
 * The wrapped key of a unit lies in the log's database under (actor, commit), written in the same synced
 * batch as the record. A unit that destroys its actor's keys removes all of that actor's before it, in its
 * own batch. A record whose key is gone reads as `erased`: `personal` is absent then, and the layer above
 * shows what it shows for that.
 */
#ifndef STORE_SEALED_H
#define STORE_SEALED_H

#include "storage/engine.h"
#include "storage/unit.h"

struct rt_host;

/*
 * Between the last event and store_unit_end: seals unit->personal, if there is any, under a key of the host's
 * randomness. The engine has a vault (a unit with personal texts in a store without one is a bug).
 */
void store_unit_seal(const struct store_engine *engine, struct rt_host *host, struct store_unit *unit);

/* Fills personal or erased of a decoded record by its wrapped key (absent: destroyed). The text goes to
 * `arena`. OMS_CORRUPT when the key does not fit; OMS_LIMIT. */
OMS_MUST_USE enum oms_status store_record_unseal(const struct store_vault *vault, struct oms_str wrapped,
                                                 struct oms_arena *arena, struct store_record *record);
/* The same with the key that the view has. Blocking. */
OMS_MUST_USE enum oms_status store_record_open(struct store_engine *engine, struct store_view *view,
                                               struct oms_arena *arena, struct store_record *record);
/* store_record_decode, then store_record_open: how the log is read. */
OMS_MUST_USE enum oms_status store_record_read(struct store_engine *engine, struct store_view *view,
                                               uint16_t partition, uint64_t commit, struct oms_str value,
                                               struct oms_arena *arena, struct store_record *out);

/* Whether the store was written with a master key. */
bool store_vault_made(struct store_engine *engine);
/*
 * Whether the engine's vault is the one that the store was written with: at the first opening a key of no
 * record is put down (`host` NULL: is not), later ones must unwrap it.. OMS_DENIED with a line when it is
 * another.
 */
OMS_MUST_USE enum oms_status store_vault_check(struct store_engine *engine, struct rt_host *host,
                                               struct oms_error *error);

#endif

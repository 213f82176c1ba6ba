/*
 * The master key: 32 random bytes that wrap the keys of all that is sealed in the log (storage/sealed.h). It
 * belongs outside the store: a copy of the data folder without it holds no readable customer.
 */
#ifndef HTTP_PRIVACY_MASTER_KEY_H
#define HTTP_PRIVACY_MASTER_KEY_H

#include "storage/engine.h"
#include "storage/vault.h"

#define HTTP_MASTER_KEY_FILE "master.key" /* in the data folder, when nothing else is configured */

struct rt_host;

/*
 * Gives the open engine its vault. `file` NULL: HTTP_MASTER_KEY_FILE in `folder`. A key that is missing is
 * made, unless the store was written with one: then OMS_CORRUPT; OMS_DENIED when the key is not that one.
 * `host` NULL makes and writes nothing; a store that nothing is sealed in then needs no key, and *out is
 * NULL. The engine borrows *out, the caller destroys it after the engine has been closed.
 */
OMS_MUST_USE enum oms_status http_master_key_open(const char *folder, const char *file, struct rt_host *host,
                                                  struct store_engine *engine, struct store_vault **out,
                                                  struct oms_error *error);

#endif

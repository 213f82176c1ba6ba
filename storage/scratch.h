/* A throw-away store in a folder of its own, for what rebuilds and compares (liteoms verify). */
#ifndef STORE_SCRATCH_H
#define STORE_SCRATCH_H

#include "storage/engine.h"

/* Removes what an earlier run left at `folder`, then makes an empty engine there. */
OMS_MUST_USE enum oms_status store_scratch_open(const char *folder, struct store_engine **out,
                                                struct oms_error *error);
/* Closes the engine and removes the folder with all that is in it. */
void store_scratch_close(const char *folder, struct store_engine *engine);

#endif

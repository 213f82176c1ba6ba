/*
 * `liteoms import --kind workflow|rolemap|fulfillment|authorizations FILE`: snapshots from a file, through
 * the API's mutations on a running server. It can be repeated: what is there already is not changed again,
 * and what is older than what is there is refused.
 */
#ifndef IMPORT_SNAPSHOT_H
#define IMPORT_SNAPSHOT_H

#include <stdbool.h>

#include "http/import/import_command.h"

/* Whether the arguments ask for it: there is a --kind that is not "orders". */
bool import_snapshot_asked(int argc, char **argv);
/* argv[0] is "import". Exit status as import_main's. */
int import_snapshot_main(int argc, char **argv, const struct import_environment *environment);

#endif

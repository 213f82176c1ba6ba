/*
 * `liteoms export`: a client of a running server that writes a tenant's orders to a file or to standard
 * output.
 *
 * Only what stands in front of a cursor is written, so what is there can always be gone on with: within a run
 * after a lost connection, and by the next run, which finds in FILE.resume how much of FILE counts and where
 * to go on.
 */
#ifndef EXPORT_COMMAND_H
#define EXPORT_COMMAND_H

#include <stddef.h>

#include "runtime/base/status.h"

/* What the program lends, as in import_command.h. */
struct export_environment {
    const char *data_default;
    enum oms_status (*development_token)(const char *data, const char *tenant, char *out, size_t size,
                                         struct oms_error *error);
};

/* argv[0] is "export". 0: everything is written; 1: it could not run or did not get to the end; 2: wrong
 * usage. */
int export_main(int argc, char **argv, const struct export_environment *environment);

#endif

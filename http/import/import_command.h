/* `liteoms import`: the command, from its arguments to its exit status. */
#ifndef IMPORT_COMMAND_H
#define IMPORT_COMMAND_H

#include <stddef.h>

#include "runtime/base/status.h"

/* What the program lends: the client itself knows neither the data folder nor how tokens are made. */
struct import_environment {
    const char *data_default; /* of --data */
    /* A token for `tenant` by the development issuer in the data folder; NULL when there is no such thing. */
    enum oms_status (*development_token)(const char *data, const char *tenant, char *out, size_t size,
                                         struct oms_error *error);
};

/*
 * argv[0] is "import". 0: everything is placed or was there; 1: it could not run or did not get to the end;
 * 2: wrong usage; 3: it ran to the end (or to --on-error stop) and refused rows.
 */
int import_main(int argc, char **argv, const struct import_environment *environment);

#endif

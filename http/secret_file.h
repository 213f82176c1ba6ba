/*
 * Secrets in files of their own: wherever an entry of "webhooks" says "secret_file", the file's lines join
 * its "secrets", so that a configuration can be shown and kept without them.
 */
#ifndef HTTP_SECRET_FILE_H
#define HTTP_SECRET_FILE_H

#include "runtime/base/arena.h"
#include "runtime/base/value.h"

/*
 * Rewrites the entries of the list in place (`path` names it: "tenants[0].webhooks"); other values are left
 * to who reads them. A file is named relative to `folder` ("": as it stands); its lines that are not empty
 * are secrets, newest first. OMS_INVALID with the place and the file's fault.
 */
OMS_MUST_USE enum oms_status http_secret_files_read(struct oms_value *list, const char *path,
                                                    const char *folder, struct oms_arena *arena,
                                                    struct oms_error *error);

#endif

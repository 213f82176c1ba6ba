/* Reads a file of orders as an upload does: at each cut everything in memory is thrown away, and a new reader
 * goes on from header, place, tail and the keys of closed orders. For the unit test and the fuzzer. */
#ifndef UPLOAD_RESUME_H
#define UPLOAD_RESUME_H

#include "runtime/base/buf.h"

/* What was told, a line each, and the error of a file that is not usable. Cuts ascend, none above len. */
void upload_resume_read(const char *map, const void *data, size_t len, const size_t *cuts, size_t cut_count,
                        struct oms_buf *transcript);

#endif

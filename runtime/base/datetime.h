/*
 * Instants: milliseconds since 1970-01-01T00:00:00Z, in an int64_t. Text is RFC 3339; we write UTC with
 * milliseconds ("2026-11-22T10:15:30.123Z") and read any offset and 0 to 9 fraction digits (below a millisecond
 * they are dropped). Years 0001 to 9999; leap second 60 reads as 59.999.
 */
#ifndef OMS_BASE_DATETIME_H
#define OMS_BASE_DATETIME_H

#include <stdint.h>

#include "runtime/base/str.h"

#define OMS_DATETIME_TEXT_SIZE 32

OMS_MUST_USE enum oms_status oms_datetime_parse(struct oms_str text, int64_t *out_ms);
/* Writes a NUL as well; returns the length. */
size_t oms_datetime_format(int64_t ms, char out[OMS_DATETIME_TEXT_SIZE]);
/* Midnight UTC of a day of the proleptic Gregorian calendar; OMS_INVALID when there is no such day. */
OMS_MUST_USE enum oms_status oms_datetime_from_civil(int year, int month, int day, int64_t *out_ms);

#endif

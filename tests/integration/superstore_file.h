/*
 * Writes a small file of the shape of the superstore sales report: a byte order mark, CRLF, quoted commas, US
 * dates, several rows to an order, rows without a postal code, prices that are whole cents after undoing the
 * discount. One seed, one file.
 */
#ifndef SUPERSTORE_FILE_H
#define SUPERSTORE_FILE_H

#include <stdint.h>
#include <stdio.h>

/* Writes `orders` orders; returns the number of rows, or -1 when the file could not be written. */
long superstore_write(FILE *out, unsigned orders, uint64_t seed);

#endif

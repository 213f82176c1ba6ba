/*
 * The format (RocksDB's db/log_format.h): blocks of 32 KiB; in a block, fragments of a header of 7 bytes -
 * masked CRC-32C of type and payload, length (little endian), type - and the payload. A record is one FULL
 * fragment, or a FIRST, MIDDLEs and a LAST. A rest of a block too small for a header is zeros. Files are
 * allocated ahead, so zeros may follow the last record; among records they are pages that were lost. (The
 * second kind of header, of recycled files, is not used by our options.)
 */
#include "storage/wal_tail.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/hash.h"

#define BLOCK_SIZE  32768u
#define HEADER_SIZE 7u
#define WAL_MAX     1024u /* files; RocksDB keeps a handful */

enum fragment { FRAGMENT_ZERO, FRAGMENT_FULL, FRAGMENT_FIRST, FRAGMENT_MIDDLE, FRAGMENT_LAST, FRAGMENT_BAD };

struct scan {
    bool inside;  /* a FIRST without its LAST so far */
    bool damaged; /* something cannot be read */
    bool goes_on; /* and a record begins after it */
};

static uint32_t unmasked(uint32_t masked)
{
    uint32_t rotated = masked - UINT32_C(0xa282ead8);
    return rotated >> 17 | rotated << 15;
}

/* The fragment at `at`, of which `room` bytes are left in its block; *size: with its header. */
static enum fragment read_fragment(const unsigned char *at, size_t room, size_t *size)
{
    uint32_t crc = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
    size_t len = (size_t)at[4] | (size_t)at[5] << 8;
    unsigned type = at[6];
    *size = HEADER_SIZE + len;
    if (type == FRAGMENT_ZERO && len == 0)
        return FRAGMENT_ZERO;
    if (type < FRAGMENT_FULL || type > FRAGMENT_LAST || *size > room ||
        unmasked(crc) != oms_crc32c(0, at + 6, len + 1))
        return FRAGMENT_BAD;
    return (enum fragment)type;
}

/* Behind damage, lengths cannot be trusted: does a record begin anywhere in the rest of the block? */
static bool begins_anywhere(const unsigned char *at, size_t room)
{
    for (; room >= HEADER_SIZE; at++, room--) {
        size_t size;
        if ((at[6] == FRAGMENT_FULL || at[6] == FRAGMENT_FIRST)) {
            enum fragment type = read_fragment(at, room, &size);
            if (type == FRAGMENT_FULL || type == FRAGMENT_FIRST)
                return true;
        }
    }
    return false;
}

static void scan_block(struct scan *scan, const unsigned char *block, size_t len)
{
    for (size_t at = 0; len - at >= HEADER_SIZE;) {
        size_t size;
        enum fragment type = read_fragment(block + at, len - at, &size);
        bool begins = type == FRAGMENT_FULL || type == FRAGMENT_FIRST;
        if (type == FRAGMENT_BAD || type == FRAGMENT_ZERO) {
            scan->damaged = true;
            scan->inside = false;
            scan->goes_on = scan->goes_on || begins_anywhere(block + at + 1, len - at - 1);
            return;
        }
        /* A beginning inside a record, or a continuation of none: something between them is lost. */
        scan->damaged = scan->damaged || begins == scan->inside;
        scan->goes_on = scan->goes_on || (begins && scan->damaged);
        scan->inside = type == FRAGMENT_FIRST || (type == FRAGMENT_MIDDLE && scan->inside);
        at += size;
    }
}

static bool scan_file(struct scan *scan, const char *path, unsigned char *block)
{
    FILE *file = fopen(path, "re");
    size_t len;
    if (!file)
        return false;
    while ((len = fread(block, 1, BLOCK_SIZE, file)) > 0)
        scan_block(scan, block, len);
    bool fine = !ferror(file);
    (void)fclose(file);
    return fine;
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

/* The numbers of the folder's *.log files, sorted; -1 when it cannot be read or has too many. */
static int list(const char *folder, uint64_t numbers[WAL_MAX])
{
    struct dirent *entry;
    size_t count = 0;
    DIR *dir = opendir(folder);
    if (!dir)
        return -1;
    while ((entry = readdir(dir))) {
        char *end;
        uint64_t number = strtoull(entry->d_name, &end, 10);
        if (end == entry->d_name || strcmp(end, ".log") != 0)
            continue;
        if (count == WAL_MAX) {
            (void)closedir(dir);
            return -1;
        }
        numbers[count++] = number;
    }
    (void)closedir(dir);
    qsort(numbers, count, sizeof(numbers[0]), compare);
    return (int)count;
}

enum store_wal_state store_wal_inspect(const char *folder, bool all_live)
{
    uint64_t numbers[WAL_MAX];
    struct scan scan = {0};
    char path[4300];
    int count = list(folder, numbers);
    bool readable = count >= 0;
    unsigned char *block = oms_malloc(BLOCK_SIZE);
    for (int i = 0; i < count && readable; i++) {
        snprintf(path, sizeof(path), "%s/%06" PRIu64 ".log", folder, numbers[i]);
        if (!all_live)
            scan.inside = scan.damaged = false;
        readable = scan_file(&scan, path, block);
    }
    oms_free(block);
    if (!readable || scan.goes_on)
        return STORE_WAL_DAMAGED;
    return scan.damaged || scan.inside ? STORE_WAL_TORN : STORE_WAL_WHOLE;
}

/*
 * Heap allocation that does not fail: see alloc.h for why.
 *
 * The only place that calls malloc for us, so that a count or another allocator has one place to go. A
 * request for zero bytes gives a block of one, since callers may rely on "not NULL".
 */
#include "runtime/base/alloc.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void out_of_memory(size_t size)
{
    fprintf(stderr, "liteoms: out of memory: %zu bytes\n", size);
    abort();
}

void *oms_malloc(size_t size)
{
    void *pointer = malloc(size ? size : 1);
    if (__builtin_expect(!pointer, 0))
        out_of_memory(size);
    return pointer;
}

void *oms_calloc(size_t count, size_t size)
{
    void *pointer = count && size ? calloc(count, size) : calloc(1, 1);
    if (__builtin_expect(!pointer, 0))
        out_of_memory(size);
    return pointer;
}

void *oms_realloc(void *pointer, size_t size)
{
    void *moved = realloc(pointer, size ? size : 1);
    if (__builtin_expect(!moved, 0))
        out_of_memory(size);
    return moved;
}

void *oms_reallocarray(void *pointer, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        out_of_memory(SIZE_MAX);
    return oms_realloc(pointer, bytes);
}

char *oms_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(oms_malloc(size), text, size);
}

void oms_free(void *pointer)
{
    free(pointer);
}

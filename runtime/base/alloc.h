/*
 * Heap allocation that does not fail.
 *
 * Every queue, cache and buffer of the server has a maximum (limits.h), so running out of memory is not a state
 * to serve in: these functions abort instead of returning NULL, and recovery replays the log.
 * Sizes are bytes. Memory is returned with oms_free from any thread.
 */
#ifndef OMS_BASE_ALLOC_H
#define OMS_BASE_ALLOC_H

#include <stddef.h>

void *oms_malloc(size_t size) __attribute__((malloc, returns_nonnull));
void *oms_calloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *oms_realloc(void *pointer, size_t size) __attribute__((returns_nonnull));
/* Array realloc: count × size with overflow checked. */
void *oms_reallocarray(void *pointer, size_t count, size_t size) __attribute__((returns_nonnull));
char *oms_strdup(const char *text) __attribute__((malloc, returns_nonnull));
/* NULL is allowed. */
void oms_free(void *pointer);

#endif

/*
 * Assertions, in release as well: a bug stops the process before it can harm an order. The failed condition goes
 * to standard error with its place and the process aborts; recovery replays the log.
 */
#ifndef OMS_BASE_ASSERT_H
#define OMS_BASE_ASSERT_H

_Noreturn void oms_assert_fail(const char *condition, const char *file, int line);

#define OMS_ASSERT(condition) \
    (__builtin_expect(!!(condition), 1) ? (void)0 : oms_assert_fail(#condition, __FILE__, __LINE__))

#define OMS_UNREACHABLE() oms_assert_fail("unreachable", __FILE__, __LINE__)

/* The structure that holds `member` at `pointer`. */
#define OMS_CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#define OMS_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif

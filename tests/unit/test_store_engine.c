/*
 * The engines: one suite over the twin in memory and over RocksDB, then what only RocksDB has (files, locks,
 * other processes that are killed).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/log.h"
#include "runtime/base/prng.h"
#include "runtime/base/wire.h"
#include "storage/engine.h"

/* Where an engine lives between openings. */
struct home {
    struct store_memory *memory; /* or */
    char folder[64];
    struct store_engine *engine;
};

static void open_home(struct home *home)
{
    struct oms_error error = {0};
    struct store_rocksdb_config config = {
        .folder = home->folder, .cache_bytes = 8 << 20, .memtable_bytes = 8 << 20};
    if (home->memory)
        home->engine = store_memory_open(home->memory);
    else if (store_rocksdb_open(&config, &home->engine, &error) != OMS_OK)
        fail_msg("%s", error.message);
}

static void remove_tree(const char *path)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}

static int set_up(void **state, bool memory)
{
    struct home *home = oms_calloc(1, sizeof(*home));
    snprintf(home->folder, sizeof(home->folder), "/tmp/liteoms-engine-XXXXXX");
    if (memory)
        home->memory = store_memory_create();
    else if (!mkdtemp(home->folder))
        return -1;
    open_home(home);
    *state = home;
    return 0;
}

static int set_up_memory(void **state)
{
    return set_up(state, true);
}

static int set_up_rocksdb(void **state)
{
    return set_up(state, false);
}

static int tear_down(void **state)
{
    struct home *home = *state;
    if (home->engine)
        home->engine->ops->close(home->engine, false);
    if (home->memory)
        store_memory_destroy(home->memory);
    else
        remove_tree(home->folder);
    oms_free(home);
    return 0;
}

static void reopen(struct home *home, bool clean)
{
    home->engine->ops->close(home->engine, clean);
    open_home(home);
}

/* ---- helpers ---- */

static void put(struct home *home, enum store_family family, const char *key, const char *value)
{
    struct store_write write = {family, value == NULL, oms_str_of(key), oms_str_of(value)};
    assert_int_equal(home->engine->ops->write(home->engine, &write, 1), OMS_OK);
}

static void append(struct home *home, uint16_t partition, uint64_t commit, const char *value)
{
    struct store_append record = {.partition = partition, .commit = commit, .value = oms_str_of(value)};
    assert_int_equal(home->engine->ops->append(home->engine, &record, 1), OMS_OK);
}

/* The value as text; "(none)" when it is not there. Static. */
static const char *get(struct home *home, enum store_family family, const char *key)
{
    static char text[4096];
    struct oms_buf out;
    oms_buf_init(&out, sizeof(text) - 1);
    enum oms_status status = home->engine->ops->get(home->engine, family, oms_str_of(key), true, &out);
    assert_true(status == OMS_OK || status == OMS_NOT_FOUND);
    snprintf(text, sizeof(text), "%.*s", status == OMS_OK ? (int)out.len : 6,
             status == OMS_OK ? out.data : "(none)");
    if (status == OMS_OK && !out.len)
        text[0] = '\0';
    oms_buf_fini(&out);
    return text;
}

/* The keys from where the iterator stands, up to five, with blanks between. Static. */
static const char *keys(struct home *home, struct store_iter *iter, bool forwards)
{
    static char text[256];
    struct oms_str key, value;
    enum oms_status status;
    text[0] = '\0';
    for (int i = 0; i < 5 && home->engine->ops->iter_item(iter, &key, &value, &status); i++) {
        size_t len = strlen(text);
        if (key.len == 8)
            snprintf(text + len, sizeof(text) - len, "%s%u", len ? " " : "",
                     (unsigned)oms_get_be64((const unsigned char *)key.data));
        else
            snprintf(text + len, sizeof(text) - len, "%s%.*s", len ? " " : "", OMS_STR_ARG(key));
        if (forwards)
            home->engine->ops->iter_next(iter);
        else
            home->engine->ops->iter_prev(iter);
    }
    assert_int_equal(status, OMS_OK);
    return text;
}

/* ---- the suite ---- */

static void test_log(void **state)
{
    struct home *home = *state;
    const struct store_engine_ops *ops = home->engine->ops;
    uint64_t last;
    struct oms_buf out;
    oms_buf_init(&out, 1000);
    assert_int_equal(ops->last_commit(home->engine, 5, &last), OMS_OK);
    assert_int_equal(last, 0);
    for (unsigned i = 1; i <= 300; i++) {
        struct store_append records[] = {{.partition = 5, .commit = i, .value = OMS_STR("five")},
                                         {.partition = 6, .commit = i, .value = OMS_STR("six")}};
        assert_int_equal(ops->append(home->engine, records, 1 + i % 2), OMS_OK);
    }
    assert_int_equal(ops->last_commit(home->engine, 5, &last), OMS_OK);
    assert_int_equal(last, 300);
    assert_int_equal(ops->last_commit(home->engine, 6, &last), OMS_OK);
    assert_int_equal(last, 299);
    for (unsigned none = 0; none < 256; none += 255) {
        assert_int_equal(ops->last_commit(home->engine, (uint16_t)none, &last), OMS_OK);
        assert_int_equal(last, 0);
    }
    struct store_view *view = ops->view_open(home->engine);
    assert_int_equal(ops->view_log_get(view, 5, 300, &out), OMS_OK);
    assert_true(oms_str_eq_c(oms_buf_str(&out), "five"));
    assert_int_equal(ops->view_log_get(view, 5, 301, &out), OMS_NOT_FOUND);
    assert_int_equal(ops->view_log_get(view, 6, 2, &out), OMS_NOT_FOUND);
    assert_int_equal(ops->view_log_get(view, 4, 1, &out), OMS_NOT_FOUND);
    ops->view_close(view);
    oms_buf_fini(&out);
}

static void test_log_iterator(void **state)
{
    struct home *home = *state;
    const struct store_engine_ops *ops = home->engine->ops;
    unsigned char at[8];
    append(home, 1, 9, "other");
    append(home, 3, 1, "other");
    for (unsigned i = 1; i <= 6; i++)
        append(home, 2, i, "x");
    struct store_view *view = ops->view_open(home->engine);
    append(home, 2, 7, "later");
    struct store_iter *iter = ops->log_iter_open(view, 2, 3);
    assert_string_equal(keys(home, iter, true), "3 4 5 6");
    oms_put_be64(at, 5);
    ops->iter_seek(iter, oms_str_make(at, 8));
    assert_string_equal(keys(home, iter, true), "5 6");
    ops->iter_seek(iter, oms_str_make(at, 8));
    assert_string_equal(keys(home, iter, false), "5 4 3");
    ops->iter_seek_last(iter, OMS_STR_NONE);
    assert_string_equal(keys(home, iter, false), "6 5 4 3");
    oms_put_be64(at, 1);
    ops->iter_seek_last(iter, oms_str_make(at, 8));
    assert_string_equal(keys(home, iter, true), "");
    ops->iter_seek(iter, oms_str_make(at, 8));
    assert_string_equal(keys(home, iter, true), "3 4 5 6");
    ops->iter_close(iter);
    iter = ops->log_iter_open(view, 9, 1);
    assert_string_equal(keys(home, iter, true), "");
    ops->iter_close(iter);
    ops->view_close(view);
}

static void test_families(void **state)
{
    struct home *home = *state;
    put(home, STORE_STATE, "k", "state");
    put(home, STORE_TERMS, "k", "term");
    assert_string_equal(get(home, STORE_STATE, "k"), "state");
    assert_string_equal(get(home, STORE_TERMS, "k"), "term");
    assert_string_equal(get(home, STORE_ASIDE, "k"), "(none)");
    put(home, STORE_STATE, "k", "");
    assert_string_equal(get(home, STORE_STATE, "k"), "");
    put(home, STORE_STATE, "k", NULL);
    assert_string_equal(get(home, STORE_STATE, "k"), "(none)");
    assert_string_equal(get(home, STORE_TERMS, "k"), "term");
    struct store_write order[] = {{STORE_STATE, false, OMS_STR("x"), OMS_STR("1")},
                                  {STORE_STATE, true, OMS_STR("x"), OMS_STR_NONE},
                                  {STORE_STATE, false, OMS_STR("x"), OMS_STR("2")},
                                  {STORE_STATE, false, OMS_STR("y"), OMS_STR("1")},
                                  {STORE_STATE, true, OMS_STR("y"), OMS_STR_NONE}};
    assert_int_equal(home->engine->ops->write(home->engine, order, 5), OMS_OK);
    assert_string_equal(get(home, STORE_STATE, "x"), "2"); /* the last write to a key wins */
    assert_string_equal(get(home, STORE_STATE, "y"), "(none)");
}

static void test_iterator(void **state)
{
    struct home *home = *state;
    const struct store_engine_ops *ops = home->engine->ops;
    const char *const all[] = {"a", "b", "ba", "c", "d", "e"};
    for (size_t i = 0; i < 6; i++)
        put(home, STORE_TERMS, all[i], "v");
    put(home, STORE_TERMS, "c", NULL);
    put(home, STORE_TIMERS, "bb", "other family");
    struct store_view *view = ops->view_open(home->engine);
    struct store_iter *iter = ops->iter_open(view, STORE_TERMS, OMS_STR_NONE, OMS_STR_NONE);
    assert_string_equal(keys(home, iter, true), "a b ba d e");
    ops->iter_seek(iter, OMS_STR("c"));
    assert_string_equal(keys(home, iter, true), "d e");
    ops->iter_seek_last(iter, OMS_STR("c"));
    assert_string_equal(keys(home, iter, false), "ba b a");
    ops->iter_seek_last(iter, OMS_STR("ba"));
    assert_string_equal(keys(home, iter, false), "ba b a");
    ops->iter_seek_last(iter, OMS_STR_NONE);
    assert_string_equal(keys(home, iter, false), "e d ba b a");
    ops->iter_close(iter);
    iter = ops->iter_open(view, STORE_TERMS, OMS_STR("b"), OMS_STR("d"));
    assert_string_equal(keys(home, iter, true), "b ba");
    ops->iter_seek(iter, OMS_STR("a"));
    assert_string_equal(keys(home, iter, true), "b ba");
    ops->iter_seek(iter, OMS_STR("d"));
    assert_string_equal(keys(home, iter, true), "");
    ops->iter_seek_last(iter, OMS_STR("z"));
    assert_string_equal(keys(home, iter, false), "ba b");
    ops->iter_seek_last(iter, OMS_STR("a"));
    assert_string_equal(keys(home, iter, false), "");
    ops->iter_close(iter);
    ops->view_close(view);
}

static void test_view_is_a_snapshot(void **state)
{
    struct home *home = *state;
    const struct store_engine_ops *ops = home->engine->ops;
    struct oms_buf out;
    oms_buf_init(&out, 1000);
    put(home, STORE_STATE, "k", "old");
    put(home, STORE_STATE, "gone", "still there");
    append(home, 1, 1, "one");
    struct store_view *view = ops->view_open(home->engine);
    put(home, STORE_STATE, "k", "new");
    put(home, STORE_STATE, "gone", NULL);
    put(home, STORE_STATE, "fresh", "x");
    append(home, 1, 2, "two");
    assert_int_equal(ops->view_get(view, STORE_STATE, OMS_STR("k"), &out), OMS_OK);
    assert_true(oms_str_eq_c(oms_buf_str(&out), "old"));
    assert_int_equal(ops->view_get(view, STORE_STATE, OMS_STR("fresh"), &out), OMS_NOT_FOUND);
    assert_int_equal(ops->view_log_get(view, 1, 2, &out), OMS_NOT_FOUND);
    struct store_iter *iter = ops->iter_open(view, STORE_STATE, OMS_STR_NONE, OMS_STR_NONE);
    assert_string_equal(keys(home, iter, true), "gone k");
    ops->iter_close(iter);
    ops->view_close(view);
    assert_string_equal(get(home, STORE_STATE, "k"), "new");
    view = ops->view_open(home->engine);
    oms_buf_reset(&out);
    assert_int_equal(ops->view_get(view, STORE_STATE, OMS_STR("k"), &out), OMS_OK);
    assert_true(oms_str_eq_c(oms_buf_str(&out), "new"));
    ops->view_close(view);
    oms_buf_fini(&out);
}

/* The log survives anything; of the derived families all that was flushed does, and nothing is torn apart. */
static void test_crash(void **state)
{
    struct home *home = *state;
    append(home, 1, 1, "one");
    for (enum store_family family = 0; family < STORE_FAMILY_COUNT; family++)
        put(home, family, "k", "flushed");
    assert_int_equal(home->engine->ops->flush(home->engine), OMS_OK);
    for (enum store_family family = 0; family < STORE_FAMILY_COUNT; family++)
        put(home, family, "k", "not flushed");
    append(home, 1, 2, "two");
    reopen(home, false);
    uint64_t last;
    assert_int_equal(home->engine->ops->last_commit(home->engine, 1, &last), OMS_OK);
    assert_int_equal(last, 2);
    for (enum store_family family = 0; family < STORE_FAMILY_COUNT; family++)
        assert_string_equal(get(home, family, "k"), "flushed");
}

static void test_clean_close(void **state)
{
    struct home *home = *state;
    append(home, 1, 1, "one");
    for (enum store_family family = 0; family < STORE_FAMILY_COUNT; family++)
        put(home, family, "k", "v");
    reopen(home, true);
    for (enum store_family family = 0; family < STORE_FAMILY_COUNT; family++)
        assert_string_equal(get(home, family, "k"), "v");
    uint64_t last;
    assert_int_equal(home->engine->ops->last_commit(home->engine, 1, &last), OMS_OK);
    assert_int_equal(last, 1);
    assert_int_equal(home->engine->ops->flush(home->engine), OMS_OK); /* with nothing to flush */
}

/* Random writes against a table, with flushes and reopenings in between. */
static void test_against_a_table(void **state)
{
    struct home *home = *state;
    enum { KEYS = 200 };
    unsigned table[KEYS] = {0};
    struct oms_prng prng;
    char key[16], value[16];
    oms_prng_seed(&prng, 42);
    for (int round = 0; round < 2000; round++) {
        unsigned i = (unsigned)oms_prng_below(&prng, KEYS);
        snprintf(key, sizeof(key), "%03u", i);
        table[i] = (unsigned)oms_prng_below(&prng, 1000);
        snprintf(value, sizeof(value), "%u", table[i]);
        put(home, STORE_TERMS, key, table[i] ? value : NULL);
        if (round % 500 == 250)
            assert_int_equal(home->engine->ops->flush(home->engine), OMS_OK);
        if (round % 1000 == 999)
            reopen(home, true);
    }
    struct store_view *view = home->engine->ops->view_open(home->engine);
    struct store_iter *iter = home->engine->ops->iter_open(view, STORE_TERMS, OMS_STR_NONE, OMS_STR_NONE);
    for (unsigned i = 0; i < KEYS; i++) {
        struct oms_str k, v;
        enum oms_status status;
        if (!table[i])
            continue;
        snprintf(key, sizeof(key), "%03u", i);
        snprintf(value, sizeof(value), "%u", table[i]);
        assert_true(home->engine->ops->iter_item(iter, &k, &v, &status));
        assert_true(oms_str_eq_c(k, key));
        assert_true(oms_str_eq_c(v, value));
        home->engine->ops->iter_next(iter);
    }
    assert_string_equal(keys(home, iter, true), "");
    home->engine->ops->iter_close(iter);
    home->engine->ops->view_close(view);
}

static void test_big_values_and_metrics(void **state)
{
    struct home *home = *state;
    size_t len = 3 << 20;
    struct oms_buf out;
    uint64_t free_bytes;
    char *big = oms_malloc(len);
    memset(big, 'x', len);
    struct store_append record = {.partition = 1, .commit = 1, .value = {big, len}};
    struct store_write write = {STORE_STATE, false, OMS_STR("big"), {big, len}};
    oms_buf_init(&out, 4 << 20);
    assert_int_equal(home->engine->ops->append(home->engine, &record, 1), OMS_OK);
    assert_int_equal(home->engine->ops->write(home->engine, &write, 1), OMS_OK);
    assert_int_equal(home->engine->ops->get(home->engine, STORE_STATE, OMS_STR("big"), true, &out), OMS_OK);
    assert_int_equal(out.len, len);
    assert_memory_equal(out.data, big, len);
    oms_buf_reset(&out);
    home->engine->ops->metrics(home->engine, &out);
    assert_true(out.len > 0 && out.data[out.len - 1] == '\n');
    assert_int_equal(home->engine->ops->free_bytes(home->engine, &free_bytes), OMS_OK);
    assert_true(free_bytes > 0);
    oms_buf_fini(&out);
    oms_free(big);
}

/* ---- only the twin ---- */

static void test_faults(void **state)
{
    struct home *home = *state;
    struct store_memory_faults *faults = store_memory_faults(home->memory);
    struct store_append record = {.partition = 1, .commit = 1, .value = OMS_STR("one")};
    struct store_write write = {STORE_STATE, false, OMS_STR("k"), OMS_STR("v")};
    uint64_t last, free_bytes;
    faults->append_fails_lost = 2;
    assert_int_equal(home->engine->ops->append(home->engine, &record, 1), OMS_OK);
    record.commit = 2;
    assert_int_equal(home->engine->ops->append(home->engine, &record, 1), OMS_IO);
    home->engine->ops->last_commit(home->engine, 1, &last);
    assert_int_equal(last, 1);
    faults->append_fails_kept = 1;
    assert_int_equal(home->engine->ops->append(home->engine, &record, 1), OMS_IO);
    home->engine->ops->last_commit(home->engine, 1, &last);
    assert_int_equal(last, 2);
    faults->write_fails = 1;
    assert_int_equal(home->engine->ops->write(home->engine, &write, 1), OMS_IO);
    assert_string_equal(get(home, STORE_STATE, "k"), "(none)");
    faults->flush_fails = 1;
    assert_int_equal(home->engine->ops->flush(home->engine), OMS_IO);
    faults->free_bytes = 77;
    home->engine->ops->free_bytes(home->engine, &free_bytes);
    assert_int_equal(free_bytes, 77);
}

static void test_a_crash_may_keep_some_writes(void **state)
{
    struct home *home = *state;
    put(home, STORE_STATE, "k", "1");
    put(home, STORE_STATE, "k", "2");
    put(home, STORE_STATE, "k", "3");
    store_memory_faults(home->memory)->crash_keeps_writes = 2;
    store_memory_crash(home->memory);
    open_home(home);
    assert_string_equal(get(home, STORE_STATE, "k"), "2");
}

/* ---- only RocksDB ---- */

static void test_second_opener_is_refused(void **state)
{
    struct home *home = *state;
    struct store_engine *second = NULL;
    struct oms_error error = {0};
    char pid[32];
    struct store_rocksdb_config config = {.folder = home->folder};
    assert_int_equal(store_rocksdb_open(&config, &second, &error), OMS_EXISTS);
    assert_non_null(strstr(error.message, "in use by another process"));
    assert_non_null(strstr(error.message, home->folder));
    snprintf(pid, sizeof(pid), "pid %ld", (long)getpid());
    assert_non_null(strstr(error.message, pid));
    append(home, 1, 1, "the first is unharmed");
}

static void test_bad_folders(void **state)
{
    struct store_engine *engine = NULL;
    struct oms_error error = {0};
    (void)state;
    const struct {
        const char *folder, *says;
    } cases[] = {{"", "empty"}, {"/dev/null/data", "/dev/null"}, {"/proc/liteoms", "/proc/liteoms"}};
    for (size_t i = 0; i < 3; i++) {
        struct store_rocksdb_config config = {.folder = cases[i].folder};
        assert_int_not_equal(store_rocksdb_open(&config, &engine, &error), OMS_OK);
        assert_non_null(strstr(error.message, cases[i].says));
    }
}

/* The file in log/ with the highest number that ends in .log: RocksDB's write-ahead log. */
static void newest_wal(const struct home *home, char out[256])
{
    char folder[128];
    unsigned best = 0, number;
    struct dirent *entry;
    snprintf(folder, sizeof(folder), "%s/log", home->folder);
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while ((entry = readdir(dir)))
        if (strstr(entry->d_name, ".log") && sscanf(entry->d_name, "%u.log", &number) == 1 && number > best)
            best = number;
    closedir(dir);
    snprintf(out, 256, "%s/%06u.log", folder, best);
}

static void test_truncated_log_tail(void **state)
{
    struct home *home = *state;
    char path[256];
    struct stat info;
    uint64_t last;
    for (unsigned i = 1; i <= 20; i++)
        append(home, 1, i, "a record of some length, so that a few bytes are only a part of it");
    newest_wal(home, path);
    home->engine->ops->close(home->engine, false);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(truncate(path, info.st_size - 10), 0);
    open_home(home);
    assert_int_equal(home->engine->ops->last_commit(home->engine, 1, &last), OMS_OK);
    assert_int_equal(last, 19); /* the torn record is gone, all before it are there */
    append(home, 1, 20, "again");
    reopen(home, false);
    assert_int_equal(home->engine->ops->last_commit(home->engine, 1, &last), OMS_OK);
    assert_int_equal(last, 20);
}

static void test_damage_in_the_log_is_an_error(void **state)
{
    struct home *home = *state;
    char path[256];
    struct stat info;
    struct oms_error error = {0};
    struct store_rocksdb_config config = {.folder = home->folder};
    for (unsigned i = 1; i <= 2000; i++)
        append(home, 1, i, "a record of some length, so that the log has more than one block of 32 KiB");
    newest_wal(home, path);
    home->engine->ops->close(home->engine, false);
    assert_int_equal(stat(path, &info), 0);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, info.st_size / 3, SEEK_SET), 0);
    assert_int_equal(fwrite("????????", 8, 1, file), 1);
    fclose(file);
    enum oms_status status = store_rocksdb_open(&config, &home->engine, &error);
    assert_int_equal(status, OMS_CORRUPT); /* acknowledged records lie behind the damage */
    assert_non_null(strstr(error.message, "cannot open the log"));
    home->engine = NULL;
}

/*
 * Pages of the last batch that did not get to the disk, as after a power cut or a sync that failed. Sizes: of
 * the last record and of the one before; `from` and `len`: what of the log's end is damaged, from its end;
 * `stays`: how many of the records are there afterwards, 0: it is refused.
 */
static const struct torn {
    size_t previous, last, from, len;
    bool zeros;
    unsigned stays;
} torn[] = {
    {100, 100, 20, 10, false, 19},
    {100, 100, 60, 60, true, 19},
    {100, 100, 1, 1, false, 19},
    {100, 90000, 5, 5, true, 19},
    {100, 90000, 80000, 4096, true, 19},
    {100, 90000, 89000, 40000, true, 19},
    {90000, 90000, 60000, 4096, false, 19},
    {100, 100, 200, 4, false, 0},
    {100, 100, 260, 40, true, 0},
    {90000, 100, 60000, 4096, true, 0},
    {90000, 90000, 170000, 4096, false, 0},
};

static void damage(const char *path, const struct torn *how)
{
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, -(long)how->from, SEEK_END), 0);
    for (size_t i = 0; i < how->len; i++)
        assert_int_not_equal(fputc(how->zeros ? 0 : '?', file), EOF);
    fclose(file);
}

static void test_torn_log(void **state)
{
    struct home *home = *state;
    struct oms_error error = {0};
    struct store_rocksdb_config config = {.folder = home->folder};
    char path[256], value[90001];
    uint64_t last;
    for (size_t i = 0; i < sizeof(torn) / sizeof(torn[0]); i++) {
        home->engine->ops->close(home->engine, true);
        remove_tree(home->folder);
        open_home(home);
        for (unsigned k = 1; k <= 20; k++) {
            size_t len = k == 20 ? torn[i].last : k == 19 ? torn[i].previous : 100;
            memset(value, 'a' + (int)k, len);
            value[len] = '\0';
            append(home, 1, k, value);
        }
        newest_wal(home, path);
        home->engine->ops->close(home->engine, false);
        damage(path, &torn[i]);
        enum oms_status status = store_rocksdb_open(&config, &home->engine, &error);
        if (!torn[i].stays) {
            if (status != OMS_CORRUPT)
                fail_msg("case %zu: opened", i);
            remove_tree(home->folder);
            open_home(home);
            continue;
        }
        if (status != OMS_OK)
            fail_msg("case %zu: %s", i, error.message);
        assert_int_equal(home->engine->ops->last_commit(home->engine, 1, &last), OMS_OK);
        assert_int_equal(last, torn[i].stays);
        append(home, 1, last + 1, "goes on");
        reopen(home, false);
        assert_int_equal(home->engine->ops->last_commit(home->engine, 1, &last), OMS_OK);
        assert_int_equal(last, torn[i].stays + 1);
    }
}

/* A process of its own program: RocksDB's threads of this one do not live on behind a fork. */
static void child_writes(const char *folder, int out)
{
    struct store_engine *engine;
    struct oms_error error;
    struct store_rocksdb_config config = {.folder = folder, .memtable_bytes = 1 << 20};
    char value[1000];
    memset(value, 'v', sizeof(value));
    if (store_rocksdb_open(&config, &engine, &error) != OMS_OK)
        _exit(1);
    for (uint64_t i = 1;; i++) {
        unsigned char number[8];
        struct store_append record = {.partition = 1, .commit = i, .value = {value, sizeof(value)}};
        struct store_write writes[STORE_FAMILY_COUNT];
        if (engine->ops->append(engine, &record, 1) != OMS_OK)
            _exit(2);
        oms_put_be64(number, i);
        for (unsigned family = 0; family < STORE_FAMILY_COUNT; family++)
            writes[family] = (struct store_write){(enum store_family)family, false, OMS_STR("position"),
                                                  oms_str_make(number, 8)};
        /* Something bulky, so that memtables fill up and are flushed in the background as well. */
        struct store_write bulk[4];
        for (unsigned k = 0; k < 4; k++)
            bulk[k] =
                (struct store_write){(enum store_family)k, false, oms_str_make(number, 8), {value, 1000}};
        struct store_write all[STORE_FAMILY_COUNT + 4];
        memcpy(all, writes, sizeof(writes));
        memcpy(all + STORE_FAMILY_COUNT, bulk, sizeof(bulk));
        if (engine->ops->write(engine, all, STORE_FAMILY_COUNT + 4) != OMS_OK)
            _exit(3);
        if (i % 100 == 0 && engine->ops->flush(engine) != OMS_OK)
            _exit(4);
        if (write(out, number, 8) != 8)
            _exit(5);
    }
}

/* kill -9 at some moment: what was acknowledged is in the log, and the families are all at one position. */
static void test_killed_process(void **state)
{
    struct home *home = *state;
    home->engine->ops->close(home->engine, true);
    for (int round = 0; round < 6; round++) {
        int ends[2];
        unsigned char number[8];
        uint64_t acknowledged = 0, last;
        remove_tree(home->folder);
        assert_int_equal(pipe(ends), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            char end[16];
            snprintf(end, sizeof(end), "%d", ends[1]);
            execl("/proc/self/exe", "test_store_engine", "--child", home->folder, end, (char *)NULL);
            _exit(6);
        }
        close(ends[1]);
        for (int i = 0; i < 60 + 170 * round && read(ends[0], number, 8) == 8; i++)
            acknowledged = oms_get_be64(number);
        assert_int_equal(kill(pid, SIGKILL), 0);
        while (read(ends[0], number, 8) == 8)
            acknowledged = oms_get_be64(number);
        close(ends[0]);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        open_home(home);
        assert_int_equal(home->engine->ops->last_commit(home->engine, 1, &last), OMS_OK);
        assert_in_range(last, acknowledged, acknowledged + 1);
        char position[STORE_FAMILY_COUNT][16];
        for (enum store_family family = 0; family < STORE_FAMILY_COUNT; family++) {
            struct oms_buf out;
            oms_buf_init(&out, 100);
            memset(position[family], 0, sizeof(position[family]));
            if (home->engine->ops->get(home->engine, family, OMS_STR("position"), true, &out) == OMS_OK)
                memcpy(position[family], out.data, 8);
            assert_memory_equal(position[family], position[0], 8);
            oms_buf_fini(&out);
        }
        uint64_t kept = oms_get_be64((unsigned char *)position[0]);
        assert_true(kept >= acknowledged / 100 * 100 && kept <= last);
        home->engine->ops->close(home->engine, true);
    }
    open_home(home);
}

/* The LOG of RocksDB aborts the process on a full disk; at our level nothing is written to it. */
static void test_no_info_log(void **state)
{
    struct home *home = *state;
    char path[128];
    struct stat info;
    for (unsigned i = 1; i <= 100; i++)
        append(home, 1, i, "x");
    assert_int_equal(home->engine->ops->flush(home->engine), OMS_OK);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s/LOG", home->folder, i ? "log" : "state");
        if (stat(path, &info) == 0)
            assert_int_equal(info.st_size, 0);
    }
}

static void test_cached_reads_do_not_block(void **state)
{
    struct home *home = *state;
    struct oms_buf out;
    oms_buf_init(&out, 1000);
    put(home, STORE_STATE, "k", "v");
    assert_int_equal(home->engine->ops->get(home->engine, STORE_STATE, OMS_STR("k"), false, &out), OMS_OK);
    reopen(home, true);
    /* Now the block is in a file only; the filter, which is in memory, still knows what is not there. */
    assert_int_equal(home->engine->ops->get(home->engine, STORE_STATE, OMS_STR("k"), false, &out),
                     OMS_BLOCKED);
    assert_int_equal(home->engine->ops->get(home->engine, STORE_STATE, OMS_STR("no"), false, &out),
                     OMS_NOT_FOUND);
    assert_int_equal(home->engine->ops->get(home->engine, STORE_STATE, OMS_STR("k"), true, &out), OMS_OK);
    assert_int_equal(home->engine->ops->get(home->engine, STORE_STATE, OMS_STR("k"), false, &out), OMS_OK);
    oms_buf_fini(&out);
}

/* ---- keys beside the log ---- */

static const struct rt_address first_actor = {.tenant = 1, .kind = 2, .key = {1}};
static const struct rt_address second_actor = {.tenant = 1, .kind = 2, .key = {2}};

static void append_key(struct home *home, uint64_t commit, const struct rt_address *actor, const char *key,
                       bool destroys)
{
    struct store_append record = {.partition = 1,
                                  .commit = commit,
                                  .value = OMS_STR("record"),
                                  .actor = *actor,
                                  .key = oms_str_of(key),
                                  .destroys = destroys};
    assert_int_equal(home->engine->ops->append(home->engine, &record, 1), OMS_OK);
}

static const char *key_in(struct store_engine *engine, struct store_view *view,
                          const struct rt_address *actor, uint64_t commit)
{
    static char text[64];
    struct oms_buf out = {.data = text, .cap = sizeof(text) - 1, .max = sizeof(text) - 1};
    enum oms_status status = engine->ops->view_key_get(view, actor, commit, &out);
    if (status == OMS_NOT_FOUND)
        return "(none)";
    assert_int_equal(status, OMS_OK);
    text[out.len] = '\0';
    return text;
}

static const char *key_of(struct home *home, const struct rt_address *actor, uint64_t commit)
{
    struct store_view *view = home->engine->ops->view_open(home->engine);
    const char *text = key_in(home->engine, view, actor, commit);
    home->engine->ops->view_close(view);
    return text;
}

static void test_keys_are_written_with_their_records(void **state)
{
    struct home *home = *state;
    append_key(home, 1, &first_actor, "one", false);
    append_key(home, 2, &second_actor, "two", false);
    append_key(home, 3, &first_actor, NULL, false);
    append_key(home, 4, &first_actor, "four", false);
    reopen(home, false); /* durable like the log */
    assert_string_equal(key_of(home, &first_actor, 1), "one");
    assert_string_equal(key_of(home, &second_actor, 2), "two");
    assert_string_equal(key_of(home, &first_actor, 2), "(none)");
    assert_string_equal(key_of(home, &first_actor, 3), "(none)");
    assert_string_equal(key_of(home, &first_actor, 4), "four");
}

static void test_destroyed_keys_are_gone(void **state)
{
    struct home *home = *state;
    append_key(home, 1, &first_actor, "one", false);
    append_key(home, 2, &second_actor, "two", false);
    /* In one batch: what comes before the destroying unit goes, what comes after it stays. */
    struct store_append batch[] = {
        {.partition = 1, .commit = 3, .value = OMS_STR("r"), .actor = first_actor, .key = OMS_STR("three")},
        {.partition = 1, .commit = 4, .value = OMS_STR("r"), .actor = first_actor, .destroys = true},
        {.partition = 1, .commit = 5, .value = OMS_STR("r"), .actor = first_actor, .key = OMS_STR("five")}};
    struct store_view *before = home->engine->ops->view_open(home->engine);
    assert_int_equal(home->engine->ops->append(home->engine, batch, 3), OMS_OK);
    assert_string_equal(key_in(home->engine, before, &first_actor, 1), "one"); /* a view is a snapshot */
    home->engine->ops->view_close(before);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(key_of(home, &first_actor, 1), "(none)");
        assert_string_equal(key_of(home, &first_actor, 3), "(none)");
        assert_string_equal(key_of(home, &first_actor, 5), "five");
        assert_string_equal(key_of(home, &second_actor, 2), "two");
        reopen(home, false);
    }
}

/* How many files below the folder have these bytes in them. */
static unsigned files_with(const struct home *home, const char *bytes)
{
    char command[256];
    unsigned count = 0;
    snprintf(command, sizeof(command), "grep -rlaF '%s' '%s' | wc -l", bytes, home->folder);
    FILE *out = popen(command, "r");
    assert_int_equal(fscanf(out, "%u", &count), 1);
    pclose(out);
    return count;
}

static void test_a_purge_leaves_no_byte(void **state)
{
    struct home *home = *state;
    const struct store_range range = {STORE_STATE, OMS_STR("a"), OMS_STR("c")};
    for (uint64_t i = 1; i <= 3; i++) {
        put(home, STORE_STATE, "b", "the old personal text");
        append_key(home, i, &first_actor, "the-wrapped-key-of-someone", false);
        assert_int_equal(home->engine->ops->flush(home->engine), OMS_OK);
    }
    reopen(home, true); /* in files of the database by now, not only in a write-ahead log */
    assert_true(files_with(home, "the old personal text") > 0);
    assert_true(files_with(home, "the-wrapped-key-of-someone") > 0);
    append_key(home, 4, &first_actor, "the-wrapped-key-of-someone", false);
    struct store_view *old = home->engine->ops->view_open(home->engine);
    put(home, STORE_STATE, "b", "erased");
    append_key(home, 5, &first_actor, NULL, true);
    assert_int_equal(home->engine->ops->purge(home->engine, &range, 1), OMS_BUSY);
    home->engine->ops->view_close(old);
    old = home->engine->ops->view_open(home->engine); /* one that is younger sees nothing of it */
    assert_int_equal(home->engine->ops->purge(home->engine, &range, 1), OMS_OK);
    assert_string_equal(get(home, STORE_STATE, "b"), "erased");
    assert_int_equal(files_with(home, "the old personal text"), 0);
    assert_int_equal(files_with(home, "the-wrapped-key-of-someone"), 0);
    home->engine->ops->view_close(old);
}

#define ON_BOTH(test)                                                                                        \
    {#test " (memory)", test, set_up_memory, tear_down, NULL},                                               \
    {                                                                                                        \
#test " (rocksdb)", test, set_up_rocksdb, tear_down, NULL                                            \
    }
#define ON_MEMORY(test)                                                                                      \
    {                                                                                                        \
#test, test, set_up_memory, tear_down, NULL                                                          \
    }
#define ON_ROCKSDB(test)                                                                                     \
    {                                                                                                        \
#test, test, set_up_rocksdb, tear_down, NULL                                                         \
    }

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--child") == 0)
        child_writes(argv[2], atoi(argv[3]));
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_log),
        ON_BOTH(test_log_iterator),
        ON_BOTH(test_families),
        ON_BOTH(test_iterator),
        ON_BOTH(test_view_is_a_snapshot),
        ON_BOTH(test_crash),
        ON_BOTH(test_clean_close),
        ON_BOTH(test_against_a_table),
        ON_BOTH(test_big_values_and_metrics),
        ON_BOTH(test_keys_are_written_with_their_records),
        ON_BOTH(test_destroyed_keys_are_gone),
        ON_ROCKSDB(test_a_purge_leaves_no_byte),
        ON_MEMORY(test_faults),
        ON_MEMORY(test_a_crash_may_keep_some_writes),
        ON_ROCKSDB(test_second_opener_is_refused),
        ON_ROCKSDB(test_bad_folders),
        ON_ROCKSDB(test_truncated_log_tail),
        ON_ROCKSDB(test_damage_in_the_log_is_an_error),
        ON_ROCKSDB(test_torn_log),
        ON_ROCKSDB(test_killed_process),
        ON_ROCKSDB(test_no_info_log),
        ON_ROCKSDB(test_cached_reads_do_not_block),
    };
    oms_log_set_level(OMS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

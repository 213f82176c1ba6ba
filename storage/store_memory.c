/*
 * The engine's twin in memory, for tests and the simulator: the same promises, with faults on demand and
 * crashes that lose what a power cut would lose.
 *
 * Every value is a chain of versions, each with the number of the write that made it. A view is a number: it
 * sees the newest version at or below it. "Durable" is a number as well: a crash drops the versions above it.
 * The log is durable when append returns, so it has no versions. One mutex guards all, since the uv host may
 * run tests over it on many threads; keys are never removed before the end, so an iterator's place stays
 * valid.
 */
#include <inttypes.h>
#include <pthread.h>

#include "runtime/base/alloc.h"
#include "runtime/base/assert.h"
#include "runtime/base/hash.h"
#include "runtime/base/limits.h"
#include "runtime/base/wire.h"
#include "storage/engine.h"
#include "storage/keys.h"
#include "storage/vault.h"

#define HEIGHT_MAX 20

struct version {
    struct version *older;
    uint64_t number; /* of the write */
    bool is_delete;
    size_t len;
    char data[];
};

/* A key in a skip list (Pugh 1990); `next` has `height` links and the key's bytes stand behind them. */
struct node {
    struct version *newest;
    size_t key_len;
    unsigned height;
    struct node *next[];
};

struct family {
    struct node *head; /* without a key, HEIGHT_MAX links */
};

struct record {
    uint64_t commit;
    size_t len;
    char *data;
};

struct partition {
    struct record *records; /* by commit */
    size_t count, cap;
};

struct store_memory {
    pthread_mutex_t mutex;
    struct family families[STORE_FAMILY_COUNT];
    struct partition partitions[OMS_PARTITIONS];
    struct family keys; /* durable like the log: versions are numbered by `appended` */
    uint64_t appended;  /* appends that touched the keys */
    uint64_t written;   /* number of the last write */
    uint64_t durable;   /* number up to which a crash keeps */
    struct store_vault *vault;
    uint64_t seed; /* of the heights */
    unsigned views;
    struct store_memory_faults faults;
    struct memory_engine *engine; /* open over it, or NULL */
};

struct memory_engine {
    struct store_engine base;
    struct store_memory *memory;
};

struct store_view {
    struct store_memory *memory;
    uint64_t number;
    uint64_t appended;
    uint64_t last[OMS_PARTITIONS]; /* commit of each partition when it was opened */
};

struct store_iter {
    struct store_view *view;
    bool is_log;
    struct oms_str lower, upper; /* own copies; upper absent: to the end */
    struct family *family;
    struct node *node; /* NULL at an end */
    uint16_t partition;
    uint64_t from;
    size_t at; /* of the log; SIZE_MAX at an end */
    unsigned char key[8];
};

static struct store_memory *memory_of(struct store_engine *engine)
{
    return ((struct memory_engine *)engine)->memory;
}

/* Counts a fault down; true when it is due now. */
static bool due(unsigned *fault)
{
    return *fault && --*fault == 0;
}

/* ---- the ordered map ---- */

static struct oms_str node_key(const struct node *node)
{
    return oms_str_make((const char *)(node->next + node->height), node->key_len);
}

static struct node *node_create(unsigned height, struct oms_str key)
{
    struct node *node = oms_calloc(1, sizeof(*node) + height * sizeof(node->next[0]) + key.len + 1);
    node->height = height;
    node->key_len = key.len;
    if (key.len)
        memcpy(node->next + height, key.data, key.len);
    return node;
}

/* The last node before `key` (absent: the very last); *path, when given, gets the last node before it per
 * level. */
static struct node *find_before(struct family *family, struct oms_str key, struct node **path)
{
    struct node *at = family->head;
    for (unsigned level = HEIGHT_MAX; level-- > 0;) {
        while (at->next[level] && (!key.data || oms_str_compare(node_key(at->next[level]), key) < 0))
            at = at->next[level];
        if (path)
            path[level] = at;
    }
    return at;
}

static struct node *find_or_add(struct store_memory *memory, struct family *family, struct oms_str key)
{
    struct node *path[HEIGHT_MAX];
    struct node *node = find_before(family, key, path)->next[0];
    if (node && oms_str_eq(node_key(node), key))
        return node;
    unsigned height = 1;
    memory->seed = oms_mix64(memory->seed + 1);
    for (uint64_t bits = memory->seed; height < HEIGHT_MAX && (bits & 3) == 0; bits >>= 2)
        height++;
    node = node_create(height, key);
    for (unsigned level = 0; level < height; level++) {
        node->next[level] = path[level]->next[level];
        path[level]->next[level] = node;
    }
    return node;
}

static const struct version *visible(const struct node *node, uint64_t number)
{
    const struct version *version = node->newest;
    while (version && version->number > number)
        version = version->older;
    return version && !version->is_delete ? version : NULL;
}

static void free_versions(struct version *version)
{
    while (version) {
        struct version *older = version->older;
        oms_free(version);
        version = older;
    }
}

/* Versions that neither a view nor a crash can come back to. */
static void forget_old(const struct store_memory *memory, struct node *node)
{
    struct version *version = node->newest;
    if (memory->views)
        return;
    while (version && version->number > memory->durable)
        version = version->older;
    if (version) {
        free_versions(version->older);
        version->older = NULL;
    }
}

static void write_one(struct store_memory *memory, const struct store_write *write)
{
    struct node *node = find_or_add(memory, &memory->families[write->family], write->key);
    struct version *version = oms_malloc(sizeof(*version) + write->value.len);
    version->number = memory->written;
    version->is_delete = write->is_delete;
    version->len = write->value.len;
    if (write->value.len)
        memcpy(version->data, write->value.data, write->value.len);
    version->older = node->newest;
    node->newest = version;
    forget_old(memory, node);
}

/* ---- the log ---- */

/* The first record at or after `commit`. */
static size_t record_at(const struct partition *partition, uint64_t commit)
{
    size_t low = 0, high = partition->count;
    if (high && partition->records[high - 1].commit < commit)
        return high; /* the usual case: behind the last */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (partition->records[middle].commit < commit)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void append_one(struct store_memory *memory, const struct store_append *append)
{
    struct partition *partition = &memory->partitions[append->partition];
    size_t at = record_at(partition, append->commit);
    if (at < partition->count && partition->records[at].commit == append->commit) {
        oms_free(partition->records[at].data);
    } else {
        if (partition->count == partition->cap) {
            partition->cap = partition->cap ? partition->cap * 2 : 16;
            partition->records =
                oms_reallocarray(partition->records, partition->cap, sizeof(*partition->records));
        }
        memmove(partition->records + at + 1, partition->records + at,
                (partition->count - at) * sizeof(*partition->records));
        partition->count++;
    }
    struct record *record = &partition->records[at];
    record->commit = append->commit;
    record->len = append->value.len;
    record->data = oms_malloc(append->value.len + 1);
    memcpy(record->data, append->value.data, append->value.len);
}

/* A key's new version; data absent: destroyed. A destroyed key's bytes go at once unless a view may see them.
 */
static void put_key(struct store_memory *memory, struct node *node, struct oms_str data)
{
    struct version *version = oms_malloc(sizeof(*version) + data.len);
    version->number = memory->appended;
    version->is_delete = !data.data;
    version->len = data.len;
    if (data.len)
        memcpy(version->data, data.data, data.len);
    version->older = node->newest;
    node->newest = version;
    if (!memory->views) {
        free_versions(version->older);
        version->older = NULL;
    }
}

static void append_keys(struct store_memory *memory, const struct store_append *append)
{
    unsigned char key[STORE_SEAL_KEY_SIZE];
    if (!append->key.data && !append->destroys)
        return;
    memory->appended++;
    store_seal_key(&append->actor, append->commit, key);
    struct oms_str own = oms_str_make(key, sizeof(key));
    if (append->key.data)
        put_key(memory, find_or_add(memory, &memory->keys, own), append->key);
    if (!append->destroys)
        return;
    unsigned char first[STORE_SEAL_KEY_SIZE];
    store_seal_key(&append->actor, 0, first);
    struct node *node = find_before(&memory->keys, oms_str_make(first, sizeof(first)), NULL)->next[0];
    for (; node && oms_str_compare(node_key(node), own) < 0; node = node->next[0])
        put_key(memory, node, OMS_STR_NONE);
}

static enum oms_status memory_append(struct store_engine *engine, const struct store_append *records,
                                     size_t count)
{
    struct store_memory *memory = memory_of(engine);
    pthread_mutex_lock(&memory->mutex);
    bool kept = due(&memory->faults.append_fails_kept);
    bool lost = due(&memory->faults.append_fails_lost);
    for (size_t i = 0; i < count && !lost; i++) {
        if (records[i].value.data)
            append_one(memory, &records[i]);
        append_keys(memory, &records[i]);
    }
    pthread_mutex_unlock(&memory->mutex);
    return kept || lost ? OMS_IO : OMS_OK;
}

static uint64_t last_of(const struct partition *partition)
{
    return partition->count ? partition->records[partition->count - 1].commit : 0;
}

static enum oms_status memory_last_commit(struct store_engine *engine, uint16_t partition, uint64_t *out)
{
    struct store_memory *memory = memory_of(engine);
    pthread_mutex_lock(&memory->mutex);
    *out = last_of(&memory->partitions[partition]);
    pthread_mutex_unlock(&memory->mutex);
    return OMS_OK;
}

/* ---- derived families ---- */

static enum oms_status memory_write(struct store_engine *engine, const struct store_write *writes,
                                    size_t count)
{
    struct store_memory *memory = memory_of(engine);
    pthread_mutex_lock(&memory->mutex);
    enum oms_status status = due(&memory->faults.write_fails) ? OMS_IO : OMS_OK;
    if (status == OMS_OK) {
        memory->written++;
        for (size_t i = 0; i < count; i++)
            write_one(memory, &writes[i]);
    }
    pthread_mutex_unlock(&memory->mutex);
    return status;
}

static enum oms_status memory_flush(struct store_engine *engine)
{
    struct store_memory *memory = memory_of(engine);
    pthread_mutex_lock(&memory->mutex);
    enum oms_status status = due(&memory->faults.flush_fails) ? OMS_IO : OMS_OK;
    if (status == OMS_OK)
        memory->durable = memory->written;
    pthread_mutex_unlock(&memory->mutex);
    return status;
}

/* Under the mutex. */
static enum oms_status get_at(struct family *family, struct oms_str key, uint64_t number, struct oms_buf *out)
{
    struct node *node = find_before(family, key, NULL)->next[0];
    if (!node || !oms_str_eq(node_key(node), key))
        return OMS_NOT_FOUND;
    const struct version *version = visible(node, number);
    if (!version)
        return OMS_NOT_FOUND;
    oms_buf_append(out, version->data, version->len);
    return out->overflow ? OMS_LIMIT : OMS_OK;
}

static enum oms_status memory_get(struct store_engine *engine, enum store_family family, struct oms_str key,
                                  bool may_block, struct oms_buf *out)
{
    struct store_memory *memory = memory_of(engine);
    (void)may_block; /* everything is in memory */
    pthread_mutex_lock(&memory->mutex);
    enum oms_status status = get_at(&memory->families[family], key, UINT64_MAX, out);
    pthread_mutex_unlock(&memory->mutex);
    return status;
}

/* ---- views ---- */

static struct store_view *memory_view_open(struct store_engine *engine)
{
    struct store_memory *memory = memory_of(engine);
    struct store_view *view = oms_malloc(sizeof(*view));
    pthread_mutex_lock(&memory->mutex);
    view->memory = memory;
    view->number = memory->written;
    view->appended = memory->appended;
    for (unsigned i = 0; i < OMS_PARTITIONS; i++)
        view->last[i] = last_of(&memory->partitions[i]);
    memory->views++;
    pthread_mutex_unlock(&memory->mutex);
    return view;
}

static void memory_view_close(struct store_view *view)
{
    pthread_mutex_lock(&view->memory->mutex);
    view->memory->views--;
    pthread_mutex_unlock(&view->memory->mutex);
    oms_free(view);
}

static enum oms_status memory_view_get(struct store_view *view, enum store_family family, struct oms_str key,
                                       struct oms_buf *out)
{
    pthread_mutex_lock(&view->memory->mutex);
    enum oms_status status = get_at(&view->memory->families[family], key, view->number, out);
    pthread_mutex_unlock(&view->memory->mutex);
    return status;
}

static enum oms_status memory_view_log_get(struct store_view *view, uint16_t partition, uint64_t commit,
                                           struct oms_buf *out)
{
    enum oms_status status = OMS_NOT_FOUND;
    pthread_mutex_lock(&view->memory->mutex);
    const struct partition *p = &view->memory->partitions[partition];
    size_t at = record_at(p, commit);
    if (commit <= view->last[partition] && at < p->count && p->records[at].commit == commit) {
        oms_buf_append(out, p->records[at].data, p->records[at].len);
        status = out->overflow ? OMS_LIMIT : OMS_OK;
    }
    pthread_mutex_unlock(&view->memory->mutex);
    return status;
}

static enum oms_status memory_view_key_get(struct store_view *view, const struct rt_address *actor,
                                           uint64_t commit, struct oms_buf *out)
{
    unsigned char key[STORE_SEAL_KEY_SIZE];
    store_seal_key(actor, commit, key);
    pthread_mutex_lock(&view->memory->mutex);
    enum oms_status status = get_at(&view->memory->keys, oms_str_make(key, sizeof(key)), view->appended, out);
    pthread_mutex_unlock(&view->memory->mutex);
    return status;
}

/* ---- iterators ---- */

static struct oms_str copy(struct oms_str s)
{
    return s.data ? oms_str_make(oms_str_dup(s), s.len) : s;
}

static void log_go(struct store_iter *iter, size_t at)
{
    const struct partition *p = &iter->view->memory->partitions[iter->partition];
    bool inside = at < p->count && p->records[at].commit >= iter->from &&
                  p->records[at].commit <= iter->view->last[iter->partition];
    iter->at = inside ? at : SIZE_MAX;
}

/* From `node` on forwards (or backwards) to one that the view sees, within the bounds. */
static void settle(struct store_iter *iter, struct node *node, bool forwards)
{
    while (node && node != iter->family->head && !visible(node, iter->view->number))
        node = forwards ? node->next[0] : find_before(iter->family, node_key(node), NULL);
    if (node == iter->family->head)
        node = NULL;
    if (node && ((iter->upper.data && oms_str_compare(node_key(node), iter->upper) >= 0) ||
                 (iter->lower.data && oms_str_compare(node_key(node), iter->lower) < 0)))
        node = NULL;
    iter->node = node;
}

static uint64_t log_key(struct oms_str key)
{
    OMS_ASSERT(key.len == 8);
    return oms_get_be64((const unsigned char *)key.data);
}

static void memory_iter_seek(struct store_iter *iter, struct oms_str key)
{
    struct store_memory *memory = iter->view->memory;
    pthread_mutex_lock(&memory->mutex);
    if (iter->is_log) {
        uint64_t commit = key.data && log_key(key) > iter->from ? log_key(key) : iter->from;
        log_go(iter, record_at(&memory->partitions[iter->partition], commit));
    } else {
        if (!key.data || (iter->lower.data && oms_str_compare(key, iter->lower) < 0))
            key = iter->lower;
        struct node *before = key.data ? find_before(iter->family, key, NULL) : iter->family->head;
        settle(iter, before->next[0], true);
    }
    pthread_mutex_unlock(&memory->mutex);
}

static void log_seek_last(struct store_iter *iter, struct oms_str key)
{
    uint64_t last = iter->view->last[iter->partition];
    uint64_t commit = key.data && log_key(key) < last ? log_key(key) : last;
    const struct partition *p = &iter->view->memory->partitions[iter->partition];
    size_t at = record_at(p, commit);
    if (at == p->count || p->records[at].commit > commit)
        at--; /* wraps to SIZE_MAX before the first */
    log_go(iter, at);
}

static void memory_iter_seek_last(struct store_iter *iter, struct oms_str key)
{
    struct store_memory *memory = iter->view->memory;
    pthread_mutex_lock(&memory->mutex);
    if (iter->is_log) {
        log_seek_last(iter, key);
    } else {
        bool above = iter->upper.data && (!key.data || oms_str_compare(key, iter->upper) >= 0);
        struct node *before = find_before(iter->family, above ? iter->upper : key, NULL);
        struct node *next = before->next[0];
        bool exact = !above && key.data && next && oms_str_eq(node_key(next), key);
        settle(iter, exact ? next : before, false);
    }
    pthread_mutex_unlock(&memory->mutex);
}

static void memory_iter_next(struct store_iter *iter)
{
    pthread_mutex_lock(&iter->view->memory->mutex);
    if (iter->is_log && iter->at != SIZE_MAX)
        log_go(iter, iter->at + 1);
    else if (!iter->is_log && iter->node)
        settle(iter, iter->node->next[0], true);
    pthread_mutex_unlock(&iter->view->memory->mutex);
}

static void memory_iter_prev(struct store_iter *iter)
{
    pthread_mutex_lock(&iter->view->memory->mutex);
    if (iter->is_log && iter->at != SIZE_MAX)
        log_go(iter, iter->at - 1); /* wraps to SIZE_MAX before the first */
    else if (!iter->is_log && iter->node)
        settle(iter, find_before(iter->family, node_key(iter->node), NULL), false);
    pthread_mutex_unlock(&iter->view->memory->mutex);
}

static bool memory_iter_item(struct store_iter *iter, struct oms_str *key, struct oms_str *value,
                             enum oms_status *status)
{
    bool there = iter->is_log ? iter->at != SIZE_MAX : iter->node != NULL;
    *status = OMS_OK;
    if (!there)
        return false;
    pthread_mutex_lock(&iter->view->memory->mutex);
    if (iter->is_log) {
        const struct record *record = &iter->view->memory->partitions[iter->partition].records[iter->at];
        oms_put_be64(iter->key, record->commit);
        *key = oms_str_make(iter->key, 8);
        *value = oms_str_make(record->data, record->len);
    } else {
        const struct version *version = visible(iter->node, iter->view->number);
        *key = node_key(iter->node);
        *value = oms_str_make(version->data, version->len);
    }
    pthread_mutex_unlock(&iter->view->memory->mutex);
    return true;
}

static struct store_iter *memory_iter_open(struct store_view *view, enum store_family family,
                                           struct oms_str lower, struct oms_str upper)
{
    struct store_iter *iter = oms_calloc(1, sizeof(*iter));
    iter->view = view;
    iter->family = &view->memory->families[family];
    iter->lower = copy(lower);
    iter->upper = copy(upper);
    memory_iter_seek(iter, OMS_STR_NONE);
    return iter;
}

static struct store_iter *memory_log_iter_open(struct store_view *view, uint16_t partition, uint64_t from)
{
    struct store_iter *iter = oms_calloc(1, sizeof(*iter));
    iter->view = view;
    iter->is_log = true;
    iter->partition = partition;
    iter->from = from;
    memory_iter_seek(iter, OMS_STR_NONE);
    return iter;
}

static void memory_iter_close(struct store_iter *iter)
{
    oms_free((void *)(uintptr_t)iter->lower.data);
    oms_free((void *)(uintptr_t)iter->upper.data);
    oms_free(iter);
}

/* ---- the rest of the vtable ---- */

/* Old versions go when nobody can see them any more, without being asked. */
static enum oms_status memory_purge(struct store_engine *engine, const struct store_range *ranges,
                                    size_t count)
{
    struct store_memory *memory = memory_of(engine);
    (void)ranges;
    (void)count;
    enum oms_status status = memory_flush(engine);
    pthread_mutex_lock(&memory->mutex);
    if (status == OMS_OK && memory->views)
        status = OMS_BUSY;
    pthread_mutex_unlock(&memory->mutex);
    return status;
}

static enum oms_status memory_free_bytes(struct store_engine *engine, uint64_t *out)
{
    struct store_memory *memory = memory_of(engine);
    pthread_mutex_lock(&memory->mutex);
    *out = memory->faults.free_bytes;
    pthread_mutex_unlock(&memory->mutex);
    return OMS_OK;
}

static void memory_metrics(struct store_engine *engine, struct oms_buf *out)
{
    struct store_memory *memory = memory_of(engine);
    pthread_mutex_lock(&memory->mutex);
    oms_buf_appendf(out, "memory_writes %" PRIu64 "\n", memory->written);
    pthread_mutex_unlock(&memory->mutex);
}

static void memory_close(struct store_engine *engine, bool clean)
{
    struct store_memory *memory = memory_of(engine);
    OMS_ASSERT(memory->views == 0);
    if (clean)
        memory->durable = memory->written;
    memory->engine = NULL;
    oms_free(engine);
    if (!clean)
        store_memory_crash(memory);
}

static const struct store_engine_ops memory_ops = {
    .append = memory_append,
    .last_commit = memory_last_commit,
    .write = memory_write,
    .flush = memory_flush,
    .get = memory_get,
    .view_open = memory_view_open,
    .view_close = memory_view_close,
    .view_get = memory_view_get,
    .view_log_get = memory_view_log_get,
    .view_key_get = memory_view_key_get,
    .purge = memory_purge,
    .iter_open = memory_iter_open,
    .log_iter_open = memory_log_iter_open,
    .iter_seek = memory_iter_seek,
    .iter_seek_last = memory_iter_seek_last,
    .iter_next = memory_iter_next,
    .iter_prev = memory_iter_prev,
    .iter_item = memory_iter_item,
    .iter_close = memory_iter_close,
    .free_bytes = memory_free_bytes,
    .metrics = memory_metrics,
    .close = memory_close,
};

/* ---- the memory itself ---- */

struct store_memory *store_memory_create(void)
{
    static const unsigned char master[STORE_VAULT_KEY_SIZE] = "a master key for tests only";
    struct store_memory *memory = oms_calloc(1, sizeof(*memory));
    pthread_mutex_init(&memory->mutex, NULL);
    memory->faults.free_bytes = UINT64_MAX;
    for (unsigned i = 0; i < STORE_FAMILY_COUNT; i++)
        memory->families[i].head = node_create(HEIGHT_MAX, OMS_STR_NONE);
    memory->keys.head = node_create(HEIGHT_MAX, OMS_STR_NONE);
    memory->vault = store_vault_create(master);
    return memory;
}

static void free_nodes(struct family *family)
{
    struct node *next;
    for (struct node *node = family->head->next[0]; node; node = next) {
        next = node->next[0];
        free_versions(node->newest);
        oms_free(node);
    }
    memset(family->head->next, 0, HEIGHT_MAX * sizeof(family->head->next[0]));
}

static void free_records(struct partition *partition, size_t from)
{
    for (size_t i = from; i < partition->count; i++)
        oms_free(partition->records[i].data);
    if (from < partition->count)
        partition->count = from;
}

void store_memory_destroy(struct store_memory *memory)
{
    oms_free(memory->engine);
    for (unsigned i = 0; i < STORE_FAMILY_COUNT; i++) {
        free_nodes(&memory->families[i]);
        oms_free(memory->families[i].head);
    }
    free_nodes(&memory->keys);
    oms_free(memory->keys.head);
    store_vault_destroy(memory->vault);
    for (unsigned i = 0; i < OMS_PARTITIONS; i++) {
        free_records(&memory->partitions[i], 0);
        oms_free(memory->partitions[i].records);
    }
    pthread_mutex_destroy(&memory->mutex);
    oms_free(memory);
}

struct store_engine *store_memory_open(struct store_memory *memory)
{
    OMS_ASSERT(!memory->engine);
    memory->engine = oms_calloc(1, sizeof(*memory->engine));
    memory->engine->base.ops = &memory_ops;
    memory->engine->base.vault = memory->vault;
    memory->engine->memory = memory;
    return &memory->engine->base;
}

void store_memory_crash(struct store_memory *memory)
{
    uint64_t keep = memory->durable + memory->faults.crash_keeps_writes;
    oms_free(memory->engine);
    memory->engine = NULL;
    memory->views = 0;
    if (keep < memory->written)
        memory->written = keep;
    for (unsigned i = 0; i < STORE_FAMILY_COUNT; i++)
        for (struct node *node = memory->families[i].head->next[0]; node; node = node->next[0])
            while (node->newest && node->newest->number > memory->written) {
                struct version *older = node->newest->older;
                oms_free(node->newest);
                node->newest = older;
            }
    memory->durable = memory->written;
}

struct store_memory_faults *store_memory_faults(struct store_memory *memory)
{
    return &memory->faults;
}

bool store_memory_corrupt(struct store_memory *memory, uint16_t partition, uint64_t commit, size_t offset)
{
    struct partition *p = &memory->partitions[partition];
    size_t at = record_at(p, commit);
    if (at == p->count || p->records[at].commit != commit || offset >= p->records[at].len)
        return false;
    p->records[at].data[offset] ^= 0x10;
    return true;
}

void store_memory_truncate(struct store_memory *memory, uint16_t partition, uint64_t from)
{
    struct partition *p = &memory->partitions[partition];
    free_records(p, record_at(p, from));
}

void store_memory_drop_state(struct store_memory *memory)
{
    OMS_ASSERT(memory->views == 0);
    for (unsigned i = 0; i < STORE_FAMILY_COUNT; i++)
        free_nodes(&memory->families[i]);
}

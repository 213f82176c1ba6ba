/*
 * The direction of includes: base <- runtime <- storage <- actors <- http. A folder includes only itself and
 * what stands before it; http/graphql only itself and base; a library with a file or folder of its own
 * (libuv, RocksDB, h2o) is included there and nowhere else; headers of ours are named from the root and never
 * include one another in a circle.
 *
 * CMake's PRIVATE links cannot see this, since every installed header is in reach of every source. The
 * checker reads each #include of the tree; the other tests here give it small trees with a known fault and
 * expect that line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <fts.h>

#include "runtime/base/alloc.h"
#include "runtime/base/buf.h"

#define ALLOWED_MAX 5

/* The first rule whose folder holds the file applies. */
static const struct folder_rule {
    const char *folder;
    bool libc_only;
    const char *allowed[ALLOWED_MAX];
} folder_rules[] = {
    {"runtime/base/", true, {"runtime/base/"}},
    {"runtime/", false, {"runtime/"}},
    {"storage/", false, {"runtime/", "storage/"}},
    {"actors/", false, {"runtime/", "storage/", "actors/"}},
    {"http/graphql/", true, {"runtime/base/", "http/graphql/"}},
    {"http/", false, {"runtime/", "storage/", "actors/", "http/"}},
};

/* Libraries by how their headers begin, and the one file or folder that may include them; NULL: any that may
 * use libraries. */
static const struct library_rule {
    const char *header;
    const char *only_in;
} library_rules[] = {
    {"uv.h", "runtime/host_uv.c"},
    {"uv/", "runtime/host_uv.c"},
    {"rocksdb/", "storage/store_rocksdb.c"},
    {"h2o.h", "http/h2o/"},
    {"h2o/", "http/h2o/"},
    {"nats.h", "http/nats/link.c"},
    {"nats/", "http/nats/link.c"},
    {"openssl/", NULL},
    {"nghttp2/", NULL},
    {"jansson", NULL},
    {"jwt", NULL},
    {"csv.h", NULL},
    {"curl/", NULL},
    {"pcre", "actors/pattern.c"},
    {"zlib.h", NULL},
};

struct edge {
    char *from;
    char *to;
};

struct check {
    const char *root;
    size_t files;
    size_t includes;
    size_t faults;
    struct oms_buf report; /* "file:line: what", one a line */
    struct edge *edges;    /* between files of ours */
    size_t edge_count;
};

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void fault(struct check *check, const char *file, int line, const char *header, const char *why)
{
    check->faults++;
    oms_buf_appendf(&check->report, "%s:%d: includes %s: %s\n", file, line, header, why);
}

static const struct folder_rule *rule_of(const char *file)
{
    for (size_t i = 0; i < sizeof(folder_rules) / sizeof(folder_rules[0]); i++)
        if (starts(file, folder_rules[i].folder))
            return &folder_rules[i];
    return NULL;
}

static bool is_home(const char *file, const char *home)
{
    return home[strlen(home) - 1] == '/' ? starts(file, home) : strcmp(file, home) == 0;
}

/* Whether the header belongs to a library, judged whichever brackets it is written in. */
static bool check_library(struct check *check, const char *file, int line, const char *header)
{
    for (size_t i = 0; i < sizeof(library_rules) / sizeof(library_rules[0]); i++) {
        const struct library_rule *library = &library_rules[i];
        if (!starts(header, library->header))
            continue;
        if (rule_of(file)->libc_only)
            fault(check, file, line, header, "this folder uses libc only");
        else if (library->only_in && !is_home(file, library->only_in))
            fault(check, file, line, header, "this library has a file or folder of its own");
        return true;
    }
    return false;
}

static void check_ours(struct check *check, const char *file, int line, const char *header)
{
    const struct folder_rule *rule = rule_of(file);
    check->edges = oms_reallocarray(check->edges, check->edge_count + 1, sizeof(*check->edges));
    check->edges[check->edge_count++] = (struct edge){oms_strdup(file), oms_strdup(header)};
    for (size_t i = 0; i < ALLOWED_MAX && rule->allowed[i]; i++)
        if (starts(header, rule->allowed[i]))
            return;
    if (rule_of(header))
        fault(check, file, line, header,
              "against the direction base <- runtime <- storage <- actors <- http");
    else
        fault(check, file, line, header,
              "not a header of a folder that may be included, named from the root");
}

static void check_line(struct check *check, const char *file, int line, const char *text)
{
    char bracket[2], header[512];
    text += strspn(text, " \t");
    if (*text != '#')
        return;
    if (sscanf(text + 1, " include %1[<\"]%511[^>\"\n]", bracket, header) != 2)
        return;
    check->includes++;
    if (strstr(header, ".."))
        fault(check, file, line, header, "headers are named from the root");
    else if (check_library(check, file, line, header))
        return;
    else if (bracket[0] == '"' || rule_of(header))
        check_ours(check, file, line, header);
}

static void check_file(struct check *check, const char *path)
{
    const char *file = path + strlen(check->root) + 1;
    char text[4096];
    FILE *stream = fopen(path, "r");
    assert_non_null(stream);
    check->files++;
    for (int line = 1; fgets(text, sizeof(text), stream); line++)
        check_line(check, file, line, text);
    fclose(stream);
}

static bool is_source(const char *name)
{
    size_t len = strlen(name);
    return len > 2 && name[len - 2] == '.' && (name[len - 1] == 'c' || name[len - 1] == 'h');
}

static bool has_includes_left(const struct check *check, const char *file)
{
    for (size_t i = 0; i < check->edge_count; i++)
        if (check->edges[i].from && strcmp(check->edges[i].from, file) == 0)
            return true;
    return false;
}

static void drop_edge(struct edge *edge)
{
    oms_free(edge->from);
    oms_free(edge->to);
    *edge = (struct edge){NULL, NULL};
}

/* Takes away what includes nothing (any more) until no more goes; what is left is a circle, or leads to one.
 */
static void check_circles(struct check *check)
{
    for (bool progress = true; progress;) {
        progress = false;
        for (size_t i = 0; i < check->edge_count; i++)
            if (check->edges[i].from && !has_includes_left(check, check->edges[i].to)) {
                drop_edge(&check->edges[i]);
                progress = true;
            }
    }
    for (size_t i = 0; i < check->edge_count; i++)
        if (check->edges[i].from) {
            fault(check, check->edges[i].from, 0, check->edges[i].to, "part of a circle of includes");
            drop_edge(&check->edges[i]);
        }
    oms_free(check->edges);
    check->edges = NULL;
    check->edge_count = 0;
}

static void check_tree(struct check *check, const char *root)
{
    static const char *const tops[] = {"runtime", "storage", "actors", "http"};
    *check = (struct check){.root = root};
    oms_buf_init(&check->report, 1 << 20);
    for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
        char top[512];
        snprintf(top, sizeof(top), "%s/%s", root, tops[i]);
        if (access(top, F_OK) != 0)
            continue;
        char *paths[] = {top, NULL};
        FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
        assert_non_null(walk);
        for (FTSENT *entry = fts_read(walk); entry; entry = fts_read(walk))
            if (entry->fts_info == FTS_F && is_source(entry->fts_name))
                check_file(check, entry->fts_path);
        fts_close(walk);
    }
    check_circles(check);
    oms_buf_append_char(&check->report, '\0');
}

static void test_the_tree(void **state)
{
    (void)state;
    struct check check;
    check_tree(&check, LITEOMS_SOURCE_DIR);
    /* An empty walk would find no fault either. */
    assert_true(check.files >= 25);
    assert_true(check.includes >= 100);
    if (check.faults)
        fail_msg("%zu wrong includes in %zu files:\n%s", check.faults, check.files, check.report.data);
    oms_buf_fini(&check.report);
}

/* ---- the checker itself ---- */

static void write_file(const char *root, const char *file, const char *text)
{
    char path[600];
    snprintf(path, sizeof(path), "%s/%s", root, file);
    for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *stream = fopen(path, "w");
    assert_non_null(stream);
    fputs(text, stream);
    assert_int_equal(fclose(stream), 0);
}

static void remove_tree(char *root)
{
    char *paths[] = {root, NULL};
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    assert_non_null(walk);
    for (FTSENT *entry = fts_read(walk); entry; entry = fts_read(walk))
        if (entry->fts_info == FTS_F || entry->fts_info == FTS_DP)
            assert_int_equal(remove(entry->fts_path), 0);
    fts_close(walk);
}

struct sample {
    const char *file;
    const char *include; /* the file's third line */
    bool wrong;
};

static void check_sample(const struct sample *sample)
{
    char root[] = "/tmp/liteoms-includes-XXXXXX";
    char text[600], expected[600];
    struct check check;
    assert_non_null(mkdtemp(root));
    snprintf(text, sizeof(text), "/* a file */\n#include <stdio.h>\n%s\nint x;\n", sample->include);
    write_file(root, sample->file, text);
    check_tree(&check, root);
    snprintf(expected, sizeof(expected), "%s:3: includes ", sample->file);
    bool found = check.faults == 1 && starts(check.report.data, expected);
    if (check.files != 1 || (sample->wrong ? !found : check.faults != 0))
        fail_msg("%s with %s: %s", sample->file, sample->include, check.report.data);
    oms_buf_fini(&check.report);
    remove_tree(root);
}

static void test_the_checker_finds_faults(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"runtime/base/x.c", "#include \"runtime/actor.h\"", true},
        {"runtime/base/x.h", "#include <openssl/evp.h>", true},
        {"runtime/x.c", "#include \"storage/store.h\"", true},
        {"storage/x.c", "#include \"actors/order.h\"", true},
        {"actors/x.c", "#include \"http/graphql/graphql.h\"", true},
        {"actors/deep/x.c", "  #  include  \"http/http.h\" /* why */", true},
        {"actors/x.c", "#include <http/http.h>", true},
        {"http/graphql/x.c", "#include \"runtime/actor.h\"", true},
        {"http/graphql/x.c", "#include \"http/server.h\"", true},
        {"http/graphql/x.c", "#include <jansson.h>", true},
        {"runtime/shard.c", "#include <uv.h>", true},
        {"http/h2o/server.c", "#include <uv.h>", true},
        {"storage/committer.c", "#include <rocksdb/c.h>", true},
        {"storage/committer.c", "#include \"rocksdb/c.h\"", true},
        {"http/auth/x.c", "#include <h2o.h>", true},
        {"http/x.c", "#include <h2o/http2.h>", true},
        {"http/h2o.c", "#include <h2o.h>", true},
        {"runtime/base/x.c", "#include \"str.h\"", true},
        {"http/x.c", "#include \"../actors/order.h\"", true},
        {"http/x.c", "#include \"tests/helper.h\"", true},
        {"http/x.c", "#include \"bench/load.h\"", true},
    };
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
        check_sample(&samples[i]);
}

static void test_the_checker_accepts_the_rest(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"runtime/base/x.c", "#include \"runtime/base/str.h\"", false},
        {"runtime/x.c", "#include \"runtime/base/str.h\"", false},
        {"runtime/host_uv.c", "#include <uv.h>", false},
        {"storage/store_rocksdb.c", "#include <rocksdb/c.h>", false},
        {"actors/x.c", "#include \"storage/unit.h\"", false},
        {"http/graphql/x.c", "#include \"runtime/base/json.h\"", false},
        {"http/graphql/x.c", "#include \"http/graphql/graphql.h\"", false},
        {"http/h2o/server.c", "#include <h2o.h>", false},
        {"http/auth/x.c", "#include <openssl/evp.h>", false},
        {"http/api/x.c", "#include \"actors/order_view.h\"", false},
        {"runtime/x.c", "#define include \"storage/store.h\"", false},
    };
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
        check_sample(&samples[i]);
}

static void test_the_checker_finds_circles(void **state)
{
    (void)state;
    char root[] = "/tmp/liteoms-includes-XXXXXX";
    struct check check;
    assert_non_null(mkdtemp(root));
    write_file(root, "runtime/a.h", "#include \"runtime/b.h\"\n");
    write_file(root, "runtime/b.h", "#include \"runtime/c.h\"\n");
    write_file(root, "runtime/c.h", "#include <stdio.h>\n");
    check_tree(&check, root);
    assert_int_equal(check.faults, 0);
    oms_buf_fini(&check.report);
    write_file(root, "runtime/c.h", "#include \"runtime/a.h\"\n");
    check_tree(&check, root);
    assert_int_equal(check.faults, 3);
    assert_non_null(strstr(check.report.data, "runtime/c.h:0: includes runtime/a.h: part of a circle"));
    oms_buf_fini(&check.report);
    remove_tree(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_tree),
        cmocka_unit_test(test_the_checker_finds_faults),
        cmocka_unit_test(test_the_checker_accepts_the_rest),
        cmocka_unit_test(test_the_checker_finds_circles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

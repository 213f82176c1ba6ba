/* See secret_file.h. */
#include "http/secret_file.h"

#include <errno.h>
#include <stdio.h>

#include "runtime/base/assert.h"
#include "runtime/base/limits.h"

#define FILE_BYTES_MAX 4096

static enum oms_status read_file(struct oms_str name, const char *folder, const char *place,
                                 struct oms_arena *arena, struct oms_str *out, struct oms_error *error)
{
    char path[4096];
    bool relative = name.len && name.data[0] != '/' && folder[0];
    char *text = oms_arena_alloc(arena, FILE_BYTES_MAX);

    snprintf(path, sizeof(path), "%s%s%.*s", relative ? folder : "", relative ? "/" : "", OMS_STR_ARG(name));
    FILE *file = fopen(path, "re");
    if (!file || !text) {
        int reason = errno;
        if (file)
            fclose(file);
        return oms_error_set(error, OMS_INVALID, "'%s.secret_file': cannot read '%.200s': %s", place, path,
                             strerror(reason));
    }
    size_t len = fread(text, 1, FILE_BYTES_MAX, file);
    fclose(file);
    if (len == FILE_BYTES_MAX)
        return oms_error_set(error, OMS_INVALID, "'%s.secret_file': '%.200s' is too large", place, path);
    *out = oms_str_make(text, len);
    return OMS_OK;
}

/* The next line that is not empty; absent at the end. */
static struct oms_str next_line(struct oms_str *rest)
{
    while (rest->len) {
        const char *end = memchr(rest->data, '\n', rest->len);
        size_t len = end ? (size_t)(end - rest->data) : rest->len;
        struct oms_str line = oms_str_trim(oms_str_make(rest->data, len));

        *rest = oms_str_make(rest->data + len + (end != NULL), rest->len - len - (end != NULL));
        if (line.len)
            return line;
    }
    return OMS_STR_NONE;
}

/* The entry's own secrets, then the file's. */
static enum oms_status join(struct oms_value *secrets, struct oms_str text, const char *place,
                            struct oms_arena *arena, struct oms_error *error)
{
    size_t own = secrets->kind == OMS_VALUE_LIST ? secrets->list.count : 0;
    struct oms_value *items = oms_arena_calloc(arena, own + OMS_WEBHOOK_SECRETS_MAX + 1, sizeof(*items));
    struct oms_str line;
    size_t count = own;

    OMS_ASSERT(items); /* the arena holds a whole configuration several times */
    if (own)
        memcpy(items, secrets->list.items, own * sizeof(*items));
    while (oms_str_present(line = next_line(&text))) {
        if (count == own + OMS_WEBHOOK_SECRETS_MAX)
            return oms_error_set(error, OMS_INVALID, "'%s.secret_file' holds more than %d secrets", place,
                                 OMS_WEBHOOK_SECRETS_MAX);
        items[count++] = (struct oms_value){.kind = OMS_VALUE_STRING, .text = line};
    }
    if (count == own)
        return oms_error_set(error, OMS_INVALID, "'%s.secret_file' holds no secret", place);
    *secrets = (struct oms_value){.kind = OMS_VALUE_LIST, .list = {items, count}};
    return OMS_OK;
}

static enum oms_status read_entry(struct oms_value *entry, const char *place, const char *folder,
                                  struct oms_arena *arena, struct oms_error *error)
{
    struct oms_field *file = NULL, *secrets = NULL;
    struct oms_str text;

    for (size_t i = 0; entry->kind == OMS_VALUE_OBJECT && i < entry->object.count; i++) {
        struct oms_field *field = &entry->object.fields[i];

        if (oms_str_eq_c(field->name, "secret_file"))
            file = field;
        else if (oms_str_eq_c(field->name, "secrets"))
            secrets = field;
    }
    if (!file)
        return OMS_OK;
    if (file->value.kind != OMS_VALUE_STRING || !file->value.text.len)
        return oms_error_set(error, OMS_INVALID, "'%s.secret_file' must be the name of a file", place);
    enum oms_status status = read_file(file->value.text, folder, place, arena, &text, error);
    if (status != OMS_OK)
        return status;
    /* The place of "secret_file" becomes that of "secrets", or goes. */
    struct oms_value joined = secrets ? secrets->value : (struct oms_value){.kind = OMS_VALUE_NULL};
    status = join(&joined, text, place, arena, error);
    if (secrets) {
        secrets->value = joined;
        *file = entry->object.fields[--entry->object.count];
    } else {
        *file = (struct oms_field){OMS_STR("secrets"), joined};
    }
    return status;
}

enum oms_status http_secret_files_read(struct oms_value *list, const char *path, const char *folder,
                                       struct oms_arena *arena, struct oms_error *error)
{
    enum oms_status status = OMS_OK;

    for (size_t i = 0; status == OMS_OK && list->kind == OMS_VALUE_LIST && i < list->list.count; i++) {
        char place[200];

        snprintf(place, sizeof(place), "%s[%zu]", path, i);
        status = read_entry(&list->list.items[i], place, folder, arena, error);
    }
    return status;
}

/* See scratch.h. */
#include "storage/scratch.h"

#include <ftw.h>
#include <stdio.h>

#define OPEN_FOLDERS_MAX 16

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

/* Does not follow links and does not leave the file system. */
static void remove_tree(const char *folder)
{
    nftw(folder, remove_one, OPEN_FOLDERS_MAX, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

enum oms_status store_scratch_open(const char *folder, struct store_engine **out, struct oms_error *error)
{
    const struct store_rocksdb_config config = {.folder = folder};
    remove_tree(folder);
    return store_rocksdb_open(&config, out, error);
}

void store_scratch_close(const char *folder, struct store_engine *engine)
{
    engine->ops->close(engine, false);
    remove_tree(folder);
}

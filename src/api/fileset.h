/* fileset.h - reading file sets, for the methods that do. */
#pragma once

#include "api/api_priv.h"
#include "storage/fileset.pb-c.h"
#include "tree/tree.h"

/* One file of the content with this root; valid during the call. */
typedef Status (*FilesetFn)(void *arg, Ctx *ctx, const Hash *root, const TreeEntry *entry);

/* The files that the request's filters let pass, in order of paths. Errors: UNKNOWN (no such file
 * set, bad expressions); those of reading; fn's. */
Status fileset_each(Call *call, const Storage__ReadFilesetRequest *request, FilesetFn fn,
                    void *arg);

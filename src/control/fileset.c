/* fileset.c - the file set that user code finds in FILESET_ID (pps.md §14.5): the inputs of the
 * datums that its job runs, at /pfs/<datum id>/<input>/…
 *
 * Hardly any code looks at it, so there is only its name until somebody asks pfs for it:
 *
 *     hex(the job's row, 8 bytes; the first 8 bytes of the hash of that and the job's id)
 */
#include <stdio.h>

#include "base/text.h"
#include "control/control_priv.h"
#include "pfs/write.h"

#define TOKEN_PART 8

static void make_token(int64_t row, const char *set_id, uint8_t out[2 * TOKEN_PART])
{
    uint8_t named[TOKEN_PART + sizeof(((PpsJobRow *)0)->set_id)] = { 0 };
    store_le64(named, (uint64_t)row);
    snprintf((char *)named + TOKEN_PART, sizeof(named) - TOKEN_PART, "%s", set_id);
    Hash hash = hash_of(bytes(named, sizeof(named)));
    memcpy(out, named, TOKEN_PART);
    memcpy(out + TOKEN_PART, hash.bytes, TOKEN_PART);
}

char *fileset_of_job(Ctx *ctx, const PpsJobRow *job)
{
    uint8_t token[2 * TOKEN_PART];
    char *text = arena_must(ctx->arena, 2 * sizeof(token) + 1);
    make_token(job->id, job->set_id, token);
    hex_encode(token, sizeof(token), text);
    text[2 * sizeof(token)] = '\0';
    return text;
}

/* The job whose name that is; NOT_FOUND (bare). */
static Status job_of_fileset(Ctx *ctx, Control *control, const char *token, PpsJobRow *out)
{
    uint8_t asked[2 * TOKEN_PART], right[2 * TOKEN_PART];
    if (!hex_decode(str(token), asked, sizeof(asked)))
        return STATUS(NOT_FOUND);
    CLEANUP(pfs_rollbackp) PfsTx *tx = NULL;
    TRY(pfs_begin_read(ctx, pps_pfs(control->pps), &tx));
    TRY(pps_job_row(ctx, tx, (int64_t)load_le64(asked), out));
    make_token(out->id, out->set_id, right);
    return memcmp(asked, right, sizeof(right)) == 0 ? OK : STATUS(NOT_FOUND);
}

typedef struct Fill {
    const PpsJobRow *job;
    const char *job_text;
    PfsWriter *writer;
} Fill;

static Status copy_input(Ctx *ctx, const Fill *fill, const char *datum_id, const DatumInput *input)
{
    const PpsV2__PFSInput *from = input->from;
    PfsV2__File source;
    pfs_v2__file__init(&source);
    source.commit = pfs_commit_ref(ctx, *from->project ? from->project : "default", from->repo,
                                   fill->job->set_id);
    if (*from->repo_type)
        source.commit->repo->type = arena_strdup(ctx->arena, from->repo_type);
    source.path = str_z(ctx->arena, input->path);
    PfsV2__CopyFile copy;
    pfs_v2__copy_file__init(&copy);
    copy.src = &source;
    copy.dst =
        text_printf(ctx->arena, "/pfs/%s/%s" STR_FMT, datum_id, from->name, STR_ARG(input->path));
    copy.datum = arena_strdup(ctx->arena, datum_id);
    PfsV2__ModifyFileRequest request;
    pfs_v2__modify_file_request__init(&request);
    request.body_case = PFS_V2__MODIFY_FILE_REQUEST__BODY_COPY_FILE;
    request.copy_file = &copy;
    return pfs_writer_modify(ctx, fill->writer, &request);
}

static Status fill_datum(void *arg, Ctx *ctx, const DatumRecord *record)
{
    const Fill *fill = arg;
    if (record->head.state != RECORD_PENDING && strcmp(record->run_job, fill->job_text) != 0)
        return OK; /* the job skipped it */
    ArenaMark mark = arena_mark(ctx->arena);
    char id[HASH_HEX_SIZE];
    hash_hex(&record->datum.id, id);
    for (size_t i = 0; i < record->datum.input_count; i++) {
        if (!record->datum.inputs[i]->from->s3)
            TRY(copy_input(ctx, fill, id, record->datum.inputs[i]));
    }
    arena_rewind(ctx->arena, mark);
    return OK;
}

Status control_fill_fileset(void *self, Ctx *ctx, const char *token, PfsWriter *writer)
{
    Control *control = self;
    PpsJobRow job;
    Hash todo;
    TRY(job_of_fileset(ctx, control, token, &job));
    Fill fill = { &job, text_printf(ctx->arena, "%s/%s@%s", job.project, job.pipeline, job.set_id),
                  writer };
    const TreeIo *io = &control->content.io;
    if (result_find_todo(control, job.id, &todo))
        return plan_each_todo(ctx, io, &todo, 0, UINT64_MAX, fill_datum, &fill);
    return plan_each(ctx, io, &job.plan, NULL, false, fill_datum, &fill);
}

/* log_filter.c - which lines are asked for (§25.2), and what the datum of a line read. */
#include "codec/base64.h"
#include "pps/log_priv.h"

void log_filter_init(LogFilter *filter, Pps *pps, const PpsV2__GetLogsRequest *request,
                     const PpsPending *pending, int64_t since_ns)
{
    *filter = (LogFilter){ .request = request, .pending = pending, .since_ns = since_ns };
    content_init(&filter->content, pfs_store(pps->pfs));
    const char *datum = request->datum ? request->datum->id : "";
    filter->has_datum = *datum != '\0';
    filter->no_datum = filter->has_datum && !hash_parse(str(datum), &filter->datum);
}

void log_filter_done(LogFilter *filter)
{
    arena_free(filter->arena);
    filter->arena = NULL;
}

/* --- what the datum read ------------------------------------------------------------------------ */

static PpsV2__InputFile *input_file(Ctx *ctx, const DatumInput *input)
{
    PpsV2__InputFile *file = PB_NEW(ctx, pps_v2__input_file, PpsV2__InputFile);
    file->path = str_z(ctx->arena, input->path);
    file->hash.data = arena_memdup(ctx->arena, input->hash.bytes, HASH_SIZE);
    file->hash.len = HASH_SIZE;
    return file;
}

/* Of a datum that is done in the job's plan; of others who runs them knows. */
static Status find_record(Ctx *ctx, LogFilter *filter, const LogJob *job, const LogLine *line,
                          DatumRecord *out)
{
    Status s = plan_get(ctx, &filter->content.io, &job->plan, &line->datum, out);
    if (s.code != STATUS_NOT_FOUND || !filter->pending->find)
        return s;
    return filter->pending->find(filter->pending->self, ctx, job->id, line->datum_index,
                                 &line->datum, out);
}

static Status keep_files(LogFilter *filter, const DatumRecord *record)
{
    Ctx into = { .arena = filter->arena, .deadline_ns = DEADLINE_NONE, .user = "" };
    size_t n = record->datum.input_count;
    filter->files = ARENA_NEW(filter->arena, PpsV2__InputFile *, n + 1);
    if (!filter->files)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < n; i++)
        filter->files[filter->file_count++] = input_file(&into, record->datum.inputs[i]);
    return OK;
}

static void forget_files(LogFilter *filter)
{
    arena_free(filter->arena);
    filter->arena = arena_new(0);
    filter->files = NULL;
    filter->file_count = 0;
    filter->files_job = 0;
}

static bool has_files_of(const LogFilter *filter, const LogJob *job, const LogLine *line)
{
    return filter->file_count && filter->files_job == job->id &&
           hash_eq(&filter->files_datum, &line->datum);
}

static Status load_files(Ctx *ctx, LogFilter *filter, const LogJob *job, const LogLine *line)
{
    if (line->has_datum && has_files_of(filter, job, line))
        return OK;
    forget_files(filter);
    if (!line->has_datum)
        return OK;
    DatumRecord record;
    Status s = find_record(ctx, filter, job, line, &record);
    if (s.code == STATUS_NOT_FOUND)
        return OK;
    TRY(s);
    filter->files_job = job->id;
    filter->files_datum = line->datum;
    return keep_files(filter, &record);
}

/* --- does it pass? ------------------------------------------------------------------------------ */

static bool names_file(const char *wanted, const PpsV2__InputFile *file)
{
    char hex[HASH_HEX_SIZE];
    Hash hash;
    memcpy(hash.bytes, file->hash.data, HASH_SIZE);
    if (strcmp(wanted, file->path) == 0 || strcmp(wanted, hash_hex(&hash, hex)) == 0)
        return true;
    CLEANUP(buf_done) Buf base64 = { 0 };
    base64_encode(bytes(file->hash.data, file->hash.len), &base64);
    return str_eq_c(buf_str(&base64), wanted);
}

/* Is each data filter a path or hash of what the datum read? */
static bool data_match(const LogFilter *filter)
{
    const PpsV2__GetLogsRequest *request = filter->request;
    for (size_t f = 0; f < request->n_data_filters; f++) {
        bool found = false;
        for (size_t i = 0; !found && i < filter->file_count; i++)
            found = names_file(request->data_filters[f], filter->files[i]);
        if (!found)
            return false;
    }
    return true;
}

static bool line_match(const LogFilter *filter, const LogLine *line)
{
    if (line->master != filter->request->master || line->ts_ns < filter->since_ns ||
        filter->no_datum)
        return false;
    return !filter->has_datum || (line->has_datum && hash_eq(&filter->datum, &line->datum));
}

Status log_filter_passes(void *arg, Ctx *ctx, const LogJob *job, const LogLine *line, bool *out)
{
    LogFilter *filter = arg;
    *out = false;
    if (!line_match(filter, line))
        return OK;
    TRY(load_files(ctx, filter, job, line));
    *out = data_match(filter);
    return OK;
}

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

/* --- what the datum read ---------------------------------------------------------------------- */

static PpsV2__InputFile *input_file(Ctx *ctx, const DatumInput *input)
{
    PpsV2__InputFile *file = PB_NEW(ctx, pps_v2__input_file, PpsV2__InputFile);
    file->path = str_z(ctx->arena, input->path);
    file->hash.data = arena_memdup(ctx->arena, input->hash.bytes, HASH_SIZE);
    file->hash.len = HASH_SIZE;
    return file;
}

Status pps_input_files(Ctx *ctx, const Datum *datum, PpsV2__InputFile ***out, size_t *out_n)
{
    *out_n = 0;
    *out = ARENA_NEW(ctx->arena, PpsV2__InputFile *, datum->input_count + 1);
    if (!*out)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < datum->input_count; i++)
        (*out)[(*out_n)++] = input_file(ctx, datum->inputs[i]);
    return OK;
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
    return pps_input_files(&into, &record->datum, &filter->files, &filter->file_count);
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

/* --- does it pass? ---------------------------------------------------------------------------- */

static bool names_file(const char *wanted, const PpsV2__InputFile *file)
{
    return strcmp(wanted, file->path) == 0 ||
           base64_or_hex_is(str(wanted), bytes(file->hash.data, file->hash.len));
}

bool pps_data_match(char *const *filters, size_t n, PpsV2__InputFile *const *files, size_t file_n)
{
    for (size_t f = 0; f < n; f++) {
        bool found = false;
        for (size_t i = 0; !found && i < file_n; i++)
            found = names_file(filters[f], files[i]);
        if (!found)
            return false;
    }
    return true;
}

/* Lines of masters are for who asks for them; but what the code of services and spouts prints is
 * everybody's, although it is their master's. */
static bool is_audience(const PpsV2__GetLogsRequest *request, const LogLine *line)
{
    return line->master == request->master || (line->master && line->user);
}

static bool line_match(const LogFilter *filter, const LogLine *line)
{
    if (!is_audience(filter->request, line) || line->ts_ns < filter->since_ns || filter->no_datum)
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
    *out = pps_data_match(filter->request->data_filters, filter->request->n_data_filters,
                          filter->files, filter->file_count);
    return OK;
}

/* verbs_priv.h - what the files of verbs share: how they print what several of them show. */
#pragma once

#include "base/text.h"
#include "cmd/pcv/cli.h"
#include "cmd/pcv/ref.h"
#include "cmd/pcv/table.h"
#include "codec/json.h"
#include "codec/pb.h"
#include "pps/pps.pb-c.h"

extern const CommandTable project_commands, repo_commands, branch_commands, commit_commands,
    put_commands, get_commands, file_commands, pipeline_commands, job_commands, datum_commands,
    log_commands, secret_commands, defaults_commands, cluster_commands, transaction_commands,
    config_commands, lineage_commands, image_commands, edit_commands, diff_commands,
    metadata_commands, whole_commands, debug_commands, load_commands, draw_commands, cluster_log_commands,
    idle_commands, completion_commands, shell_commands;

/* Calls a method that answers with one message, and prints it raw or by `print`. */
Status show_one(Cli *cli, const char *path, const void *request,
                void (*print)(Cli *cli, const void *message)) NODISCARD;

/* The rows of several verbs. */
extern const Listing commit_listing, job_listing;

char *trigger_text(
    Ctx *ctx,
    const PfsV2__Trigger *trigger); /* "staging on Size(1MB) or Commits(3)"; "-" for NULL */
char *input_text(Ctx *ctx,
                 const PpsV2__Input *input); /* "(default/images:/x ⨯ default/models:/)"; "none" */
const char *job_state_text(Cli *cli, PpsV2__JobState state);           /* "success", coloured */
const char *pipeline_state_text(Cli *cli, PpsV2__PipelineState state); /* "running", coloured */
const char *datum_state_text(Cli *cli, PpsV2__DatumState state);       /* "skipped", coloured */
/* Eight blocks: how much succeeded, runs, failed. */
char *progress_bar(Cli *cli, size_t good, size_t open, size_t bad);
char *duration_text(Cli *cli, const Google__Protobuf__Duration *duration); /* "<nil>" when unset */
/* How long from one to the other, in words; "-" when it did not begin. An end of NULL is now. */
char *span_text(Cli *cli, const Google__Protobuf__Timestamp *from,
                const Google__Protobuf__Timestamp *to);
/* A line of JSON of a message, for detail layouts. */
char *json_line(Cli *cli, const void *message);

/* Sends a spec that spec_each has found sound, and prints the effective one for --dry-run. */
Status put_spec(Cli *cli, JsonValue *spec, bool update) NODISCARD;

/* --history: all is -1. */
Status parse_history(Cli *cli, int64_t *out) NODISCARD;
/* --state as a filter of the server, "" without; states are named with or without `prefix`, in any
 * case. */
Status state_filter(Cli *cli, const char *prefix, const ProtobufCEnumDescriptor *states,
                    char **out) NODISCARD;

/* A local file, a URL that is fetched, or "-" for standard input. Appends. */
Status read_source(Cli *cli, const char *name, Buf *out) NODISCARD;
/* What a URL has, of any kind but files. Appends. Errors: those of remote.h; RESOURCE_EXHAUSTED. */
Status fetch_url(Cli *cli, const char *url, Buf *out) NODISCARD;

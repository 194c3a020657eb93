/* metadata.c - edit metadata: notes on projects, repos, branches, commits, pipelines, the cluster. */
#include "cmd/pcv/picker.h"
#include "cmd/pcv/verbs_priv.h"
#include "metadata/metadata.pb-c.h"

typedef Metadata__Edit Edit;

/* --- keys and values -------------------------------------------------------------------------- */

/* One word of data: "with \"escapes\"", 'as it is', or bare up to a blank or one of `end`. */
static Status read_quoted(Cli *cli, Str *rest, char **out)
{
    CLEANUP(buf_done) Buf word = { 0 };
    char quote = rest->data[0];
    size_t i = 1;
    for (; i < rest->size && rest->data[i] != quote; i++) {
        if (quote == '"' && rest->data[i] == '\\' && i + 1 < rest->size)
            i++;
        buf_add_u8(&word, (uint8_t)rest->data[i]);
    }
    if (i == rest->size)
        return FAIL(cli->ctx, INVALID_ARGUMENT, "unclosed quote in " STR_FMT, STR_ARG(*rest));
    *out = str_z(cli->ctx->arena, buf_str(&word));
    *rest = str_sub(*rest, i + 1, rest->size);
    return OK;
}

static Status read_word(Cli *cli, Str *rest, const char *end, char **out)
{
    if (rest->size && strchr("\"'", rest->data[0]))
        return read_quoted(cli, rest, out);
    size_t size = str_find_any(*rest, end), blank = str_find_any(*rest, " \t\n");
    if (blank < size)
        return FAIL(cli->ctx, INVALID_ARGUMENT, "a word with blanks must be quoted: " STR_FMT,
                    STR_ARG(*rest));
    *out = str_z(cli->ctx->arena, str_sub(*rest, 0, size));
    *rest = str_sub(*rest, size, rest->size);
    return OK;
}

/* "key=value"; the value ends at one of `end`. */
static Status read_pair(Cli *cli, Str *rest, const char *end, char **out_key, char **out_value)
{
    TRY(read_word(cli, rest, "=;", out_key));
    if (!rest->size || rest->data[0] != '=')
        return FAIL(cli->ctx, INVALID_ARGUMENT, "expected key=value, got \"%s\"", *out_key);
    *rest = str_sub(*rest, 1, rest->size);
    return read_word(cli, rest, end, out_value);
}

static Status expect_end(Cli *cli, Str rest)
{
    return rest.size ? FAIL(cli->ctx, INVALID_ARGUMENT, "unexpected \"" STR_FMT "\"", STR_ARG(rest))
                     : OK;
}

static Status add_entry(Cli *cli, Metadata__Edit__Replace *replace, char *key, char *value)
{
    for (size_t i = 0; i < replace->n_replacement; i++)
        if (strcmp(replace->replacement[i]->key, key) == 0)
            return FAIL(cli->ctx, INVALID_ARGUMENT, "duplicate key \"%s\"", key);
    Metadata__Edit__Replace__ReplacementEntry *entry =
        PB_NEW(cli->ctx, metadata__edit__replace__replacement_entry,
               Metadata__Edit__Replace__ReplacementEntry);
    entry->key = key;
    entry->value = value;
    replace->replacement[replace->n_replacement++] = entry;
    return OK;
}

static Status read_json_map(Cli *cli, Str text, Metadata__Edit__Replace *replace)
{
    JsonValue *map;
    TRY(json_parse(cli->ctx, text, &map));
    for (size_t i = 0; i < map->count; i++) {
        const JsonMember *member = &map->members[i];
        if (member->value->type != JSON_STRING)
            return FAIL(cli->ctx, INVALID_ARGUMENT, "the value of \"" STR_FMT "\" is not a string",
                        STR_ARG(member->name));
        TRY(add_entry(cli, replace, str_z(cli->ctx->arena, member->name),
                      str_z(cli->ctx->arena, member->value->text)));
    }
    return OK;
}

/* "k=v;k=v", or a JSON object of strings. */
static Status read_map(Cli *cli, Str text, Metadata__Edit__Replace *replace)
{
    replace->replacement =
        ARENA_NEW(cli->ctx->arena, Metadata__Edit__Replace__ReplacementEntry *, text.size + 1);
    if (!replace->replacement)
        return STATUS(RESOURCE_EXHAUSTED);
    if (text.size && text.data[0] == '{')
        return read_json_map(cli, text, replace);
    while (text.size) {
        char *key, *value;
        TRY(read_pair(cli, &text, ";", &key, &value));
        TRY(add_entry(cli, replace, key, value));
        if (text.size && text.data[0] == ';')
            text = str_sub(text, 1, text.size);
        else
            TRY(expect_end(cli, text));
    }
    return OK;
}

/* --- operations ------------------------------------------------------------------------------- */

static Status set_add(Cli *cli, Str data, Edit *edit)
{
    edit->op_case = METADATA__EDIT__OP_ADD_KEY;
    edit->add_key = PB_NEW(cli->ctx, metadata__edit__add_key, Metadata__Edit__AddKey);
    TRY(read_pair(cli, &data, "", &edit->add_key->key, &edit->add_key->value));
    return expect_end(cli, data);
}

static Status set_edit(Cli *cli, Str data, Edit *edit)
{
    edit->op_case = METADATA__EDIT__OP_EDIT_KEY;
    edit->edit_key = PB_NEW(cli->ctx, metadata__edit__edit_key, Metadata__Edit__EditKey);
    TRY(read_pair(cli, &data, "", &edit->edit_key->key, &edit->edit_key->value));
    return expect_end(cli, data);
}

static Status set_delete(Cli *cli, Str data, Edit *edit)
{
    edit->op_case = METADATA__EDIT__OP_DELETE_KEY;
    edit->delete_key = PB_NEW(cli->ctx, metadata__edit__delete_key, Metadata__Edit__DeleteKey);
    TRY(read_word(cli, &data, "", &edit->delete_key->key));
    return expect_end(cli, data);
}

static Status set_replace(Cli *cli, Str data, Edit *edit)
{
    edit->op_case = METADATA__EDIT__OP_REPLACE;
    edit->replace = PB_NEW(cli->ctx, metadata__edit__replace, Metadata__Edit__Replace);
    return read_map(cli, data, edit->replace);
}

static Status set_operation(Cli *cli, const char *name, const char *data, Edit *edit)
{
    static const struct {
        const char *name;
        Status (*set)(Cli *cli, Str data, Edit *edit);
    } operations[] = {
        { "add", set_add }, { "edit", set_edit }, { "delete", set_delete }, { "replace", set_replace }
    };
    for (size_t i = 0; i < ARRAY_LEN(operations); i++)
        if (strcmp(operations[i].name, name) == 0)
            return operations[i].set(cli, str(data), edit);
    return FAIL(cli->ctx, INVALID_ARGUMENT, "unknown operation \"%s\"", name);
}

/* --- targets ---------------------------------------------------------------------------------- */

static Status pick_project(Cli *cli, Str text, Edit *edit)
{
    edit->target_case = METADATA__EDIT__TARGET_PROJECT;
    edit->project = picker_project(cli->ctx, text.size ? str_z(cli->ctx->arena, text)
                                                       : cli_project_name(cli));
    return OK;
}

static Status pick_repo(Cli *cli, Str text, Edit *edit)
{
    edit->target_case = METADATA__EDIT__TARGET_REPO;
    return picker_repo(cli->ctx, cli_project_name(cli), text, &edit->repo);
}

static Status pick_branch(Cli *cli, Str text, Edit *edit)
{
    edit->target_case = METADATA__EDIT__TARGET_BRANCH;
    return picker_branch(cli->ctx, cli_project_name(cli), text, &edit->branch);
}

static Status pick_commit(Cli *cli, Str text, Edit *edit)
{
    edit->target_case = METADATA__EDIT__TARGET_COMMIT;
    return picker_commit(cli->ctx, cli_project_name(cli), text, &edit->commit);
}

static Status pick_pipeline(Cli *cli, Str text, Edit *edit)
{
    edit->target_case = METADATA__EDIT__TARGET_PIPELINE;
    return picker_pipeline(cli->ctx, cli_project_name(cli), text, &edit->pipeline);
}

/* There is one: its name is not looked at. */
static Status pick_cluster(Cli *cli, Str text, Edit *edit)
{
    (void)text;
    edit->target_case = METADATA__EDIT__TARGET_CLUSTER;
    edit->cluster = PB_NEW(cli->ctx, metadata__cluster_picker, Metadata__ClusterPicker);
    return OK;
}

static Status set_target(Cli *cli, const char *type, const char *object, Edit *edit)
{
    static const struct {
        const char *type;
        Status (*pick)(Cli *cli, Str text, Edit *edit);
    } targets[] = { { "project", pick_project }, { "repo", pick_repo },
                    { "branch", pick_branch },   { "commit", pick_commit },
                    { "pipeline", pick_pipeline }, { "cluster", pick_cluster } };
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        if (strcmp(targets[i].type, type) != 0)
            continue;
        TRY_WRAP(cli->ctx, targets[i].pick(cli, str(object), edit),
                 "unable to parse %s picker \"%s\"", type, object);
        return OK;
    }
    return FAIL(cli->ctx, INVALID_ARGUMENT, "unknown object type \"%s\"", type);
}

/* --- the verb --------------------------------------------------------------------------------- */

static Status read_edits(Cli *cli, Metadata__EditMetadataRequest *request)
{
    if (cli->arg_count % 4)
        return FAIL(cli->ctx, INVALID_ARGUMENT, "must supply arguments in multiples of 4");
    request->edits = ARENA_NEW(cli->ctx->arena, Edit *, cli->arg_count / 4 + 1);
    if (!request->edits)
        return STATUS(RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < cli->arg_count / 4; i++) {
        char **args = cli->args + 4 * i;
        Edit *edit = PB_NEW(cli->ctx, metadata__edit, Edit);
        TRY_WRAP(cli->ctx, set_target(cli, args[0], args[1], edit), "arg set %zu", i);
        TRY_WRAP(cli->ctx, set_operation(cli, args[2], args[3], edit), "arg set %zu", i);
        request->edits[request->n_edits++] = edit;
    }
    return OK;
}

static Status edit_metadata(Cli *cli)
{
    Metadata__EditMetadataRequest *request =
        PB_NEW(cli->ctx, metadata__edit_metadata_request, Metadata__EditMetadataRequest);
    TRY_WRAP(cli->ctx, read_edits(cli, request), "parse cmdline");
    TRY_WRAP(cli->ctx, cli_call(cli, "/metadata.API/EditMetadata", request, NULL),
             "invoke EditMetadata");
    cli_note("ok");
    return OK;
}

/* clang-format off */
static const Command rows[] = {
    { .words = "edit metadata", .args = "[<type> <object> <operation> <data>]...", .args_max = ARGS_ANY,
      .run = edit_metadata,
      .summary = "edit the notes on projects, repos, branches, commits, pipelines, the cluster",
      .detail = "Types: cluster, project, repo, branch, commit, pipeline. Objects are named with their project,\n"
                "such as default/images@master; a cluster is \".\". Operations: add and edit take key=value, delete\n"
                "takes a key, replace takes key=value;key=value or a JSON object of strings. All edits\n"
                "happen, or none.",
      .options = { OPT_PROJECT } },
};
/* clang-format on */

const CommandTable metadata_commands = { rows, ARRAY_LEN(rows) };

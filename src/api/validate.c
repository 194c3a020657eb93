/* validate.c - the checks every request passes before its handler: required messages, least lengths
 * and numbers.
 *
 * The rules are few and stand in one table; the walk over a message goes by its descriptor, so that
 * a nested message is checked wherever it occurs. Texts are what existing servers answer.
 */
#include "api/api_priv.h"

#include <ctype.h>

#include "base/text.h"

typedef enum RuleKind { RULE_REQUIRED, RULE_MIN_BYTES_1, RULE_NOT_NEGATIVE, RULE_ONEOF } RuleKind;

typedef struct Rule {
    const char *message; /* full name */
    const char *field;   /* proto name; of a oneof that of any member */
    RuleKind kind;
    const char *title; /* in texts; NULL: made of field */
} Rule;

static const Rule rules[] = {
    { "auth_v2.GetPermissionsForPrincipalRequest", "resource", RULE_REQUIRED, NULL },
    { "auth_v2.GetPermissionsRequest", "resource", RULE_REQUIRED, NULL },
    { "metadata.Edit", "project", RULE_ONEOF, "Target" },
    { "metadata.Edit", "replace", RULE_ONEOF, "Op" },
    { "pfs_v2.CopyFile", "src", RULE_REQUIRED, NULL },
    { "pfs_v2.DeleteBranchRequest", "branch", RULE_REQUIRED, NULL },
    { "pfs_v2.DropCommitSetRequest", "commit_set", RULE_REQUIRED, NULL },
    { "pfs_v2.FindCommitsRequest", "start", RULE_REQUIRED, NULL },
    { "pfs_v2.InspectProjectRequest", "project", RULE_REQUIRED, NULL },
    { "pfs_v2.InspectProjectV2Request", "project", RULE_REQUIRED, NULL },
    { "pps_v2.ContinueCreateDatumRequest", "number", RULE_NOT_NEGATIVE, NULL },
    { "pps_v2.DeletePipelineRequest", "pipeline", RULE_REQUIRED, NULL },
    { "pps_v2.DeleteSecretRequest", "secret", RULE_REQUIRED, NULL },
    { "pps_v2.InspectJobSetRequest", "job_set", RULE_REQUIRED, NULL },
    { "pps_v2.InspectPipelineRequest", "pipeline", RULE_REQUIRED, NULL },
    { "pps_v2.InspectSecretRequest", "secret", RULE_REQUIRED, NULL },
    { "pps_v2.Pipeline", "name", RULE_MIN_BYTES_1, NULL },
    { "pps_v2.RerunPipelineRequest", "pipeline", RULE_REQUIRED, NULL },
    { "pps_v2.RunCronRequest", "pipeline", RULE_REQUIRED, NULL },
    { "pps_v2.StartCreateDatumRequest", "input", RULE_REQUIRED, NULL },
    { "pps_v2.StartCreateDatumRequest", "number", RULE_NOT_NEGATIVE, NULL },
    { "pps_v2.UpdateJobStateRequest", "job", RULE_REQUIRED, NULL },
    { "taskapi.ListTaskRequest", "group", RULE_REQUIRED, NULL },
    { "transaction_v2.DeleteTransactionRequest", "transaction", RULE_REQUIRED, NULL },
    { "transaction_v2.FinishTransactionRequest", "transaction", RULE_REQUIRED, NULL },
    { "transaction_v2.InspectTransactionRequest", "transaction", RULE_REQUIRED, NULL },
};

/* Deeper nesting than any honest request has. */
#define DEPTH_MAX 100

static const void *member(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return (const char *)message + field->offset;
}

static const char *broken(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                          RuleKind kind)
{
    const void *at = member(message, field);
    switch (kind) {
    case RULE_REQUIRED:
        return *(ProtobufCMessage *const *)at ? NULL : "value is required";
    case RULE_MIN_BYTES_1:
        return **(char *const *)at ? NULL : "value length must be at least 1 bytes";
    case RULE_NOT_NEGATIVE:
        return *(const int32_t *)at >= 0 ? NULL : "value must be greater than or equal to 0";
    case RULE_ONEOF:
        return *(const uint32_t *)((const char *)message + field->quantifier_offset)
                   ? NULL
                   : "value is required";
    default:
        return NULL;
    }
}

/* "commit_set" is CommitSet in the texts; "id" is ID and "url" is URL there, but no rule has
 * one. */
static char *field_title(Ctx *ctx, const char *name)
{
    char *title = arena_must(ctx->arena, strlen(name) + 1);
    char *to = title;
    for (const char *from = name; *from; from++) {
        bool starts_word = from == name || from[-1] == '_';
        if (*from != '_')
            *to++ = starts_word ? (char)toupper((unsigned char)*from) : *from;
    }
    return title;
}

static char *violation(Ctx *ctx, const ProtobufCMessage *message, const char *title,
                       const char *reason)
{
    return text_printf(ctx->arena, "invalid %s.%s: %s", message->descriptor->short_name, title,
                       reason);
}

static char *check(Ctx *ctx, const ProtobufCMessage *message, int depth);

static char *check_own_fields(Ctx *ctx, const ProtobufCMessage *message)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        if (strcmp(rules[i].message, message->descriptor->name) != 0)
            continue;
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(message->descriptor, rules[i].field);
        const char *reason = broken(message, field, rules[i].kind);
        if (reason)
            return violation(ctx, message,
                             rules[i].title ? rules[i].title : field_title(ctx, rules[i].field),
                             reason);
    }
    return NULL;
}

static bool is_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
        return true;
    return *(const uint32_t *)((const char *)message + field->quantifier_offset) == field->id;
}

/* The first violation in what this field holds, wrapped; NULL when there is none. */
static char *check_nested(Ctx *ctx, const ProtobufCMessage *message,
                          const ProtobufCFieldDescriptor *field, int depth)
{
    bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
    size_t n = repeated ? *(const size_t *)((const char *)message + field->quantifier_offset) : 1;
    ProtobufCMessage *const *items = repeated
                                         ? *(ProtobufCMessage *const *const *)member(message, field)
                                         : (ProtobufCMessage *const *)member(message, field);
    for (size_t i = 0; i < n; i++) {
        char *inner = items[i] ? check(ctx, items[i], depth + 1) : NULL;
        const char *title = inner ? field_title(ctx, field->name) : NULL;
        if (inner && repeated)
            title = text_printf(ctx->arena, "%s[%zu]", title, i);
        if (inner)
            return violation(ctx, message, title,
                             text_printf(ctx->arena,
                                         "embedded message failed validation | caused by: %s",
                                         inner));
    }
    return NULL;
}

static char *check(Ctx *ctx, const ProtobufCMessage *message, int depth)
{
    if (depth > DEPTH_MAX)
        return text_printf(ctx->arena, "message is nested more than %d deep", DEPTH_MAX);
    char *text = check_own_fields(ctx, message);
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    for (unsigned i = 0; !text && i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        if (field->type == PROTOBUF_C_TYPE_MESSAGE && is_set(message, field))
            text = check_nested(ctx, message, field, depth);
    }
    return text;
}

Status api_validate(Ctx *ctx, const ProtobufCMessage *message, const char *prefix)
{
    char *text = check(ctx, message, 0);
    return text ? FAIL(ctx, INVALID_ARGUMENT, "%s: %s", prefix, text) : OK;
}

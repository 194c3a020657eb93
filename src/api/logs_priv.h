/* logs_priv.h - what the files of logs.API share. */
#pragma once

#include "api/api_priv.h"
#include "logs/logs.pb-c.h"

/* Whose lines are asked for. Texts that are NULL ask for nothing. */
typedef struct LogsQuery {
    bool of_pipelines, of_server;
    const char *project, *pipeline, *job, *datum;
    const char *worker; /* a pod is a worker here */
    bool masters_only;
} LogsQuery;

/* Errors: INVALID_ARGUMENT for an argument that is missing, and for LogQL that is more than labels.
 */
Status logs_query_read(Ctx *ctx, const Logs__LogQuery *query, LogsQuery *out);

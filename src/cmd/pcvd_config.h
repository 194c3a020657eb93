/* pcvd_config.h - the server's settings: command line over configuration file over defaults, from
 * one table. */
#pragma once

#include "base/ctx.h"
#include "base/log.h"

typedef struct PcvdConfig {
    const char *data;      /* data folder; required */
    const char *listen;    /* "127.0.0.1:30650" */
    const char *s3_listen; /* "ADDR:PORT" for S3 alone; "": none */
    const char *port_file; /* the port is written here once ready; NULL: nowhere */
    const char *s3_port_file;
    const char *config; /* configuration file; NULL: none */
    const char *log_level;
    const char *log_format;        /* "text", "json" */
    const char *worker;            /* path of pcv-worker; "": beside this program */
    int64_t workers;               /* worker processes; 0: one a processor */
    int64_t worker_timeout;        /* seconds that a worker at work may be silent; 0: for ever */
    int64_t drain_seconds;         /* how long SIGTERM waits for calls that run */
    const char *sandbox;           /* own, crun or runc */
    const char *pull;              /* missing or never: images that pipelines name */
    const char *registry_auth;     /* logins at registries; "": skopeo's own */
    const char *registry_insecure; /* registries without certificates, by commas */
    int64_t require_sandbox;       /* refuse to run user code where no sandbox is possible */
    int64_t allow_file_urls;       /* egress and imports may reach files of this machine */
    int64_t job_log_days, job_log_mib; /* what is kept of jobs' logs; 0 is all */
    const char *url_hosts;             /* remote.h */
    int64_t url_tries, url_stall_seconds;
    bool help, version;
} PcvdConfig;

/* Errors: INVALID_ARGUMENT naming the option, key, file and line. Strings are in ctx's arena. */
Status pcvd_config_read(Ctx *ctx, int argc, char **argv, PcvdConfig *out);
/* The text of --help, made from the table. */
char *pcvd_config_help(Ctx *ctx);
